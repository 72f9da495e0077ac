;nyquist plug-in
;version 4
;type process
;preview disabled
;name "Retake Inpaint..."
;action "Retake: making a take..."
;author "Retake"
;release 0.1.0
;copyright "Apache-2.0"
;control preset "Preset" choice (@PRESETS@) 0
;control text "Text" string "" ""
;control negative "But not" string "" ""
;control before "Keep at the start (s)" float-text "" 0.5 0 60
;control after "Keep at the end (s)" float-text "" 0.5 0 60
;control low "From Hz (0: from the bottom)" float-text "" 0 0 96000
;control high "To Hz (0: to the top)" float-text "" 0 0 96000
;control takes "Takes" int "" 1 1 8
;control seed "Seed (0: a new one)" int-text "" 0 0 2000000000
;control wait "Wait at most (s)" int-text "" 60 1 3600

@COMMON@

(defun retake-hole (&aux start stop)
  (setf start (round (* before *sound-srate*)))
  (setf stop (- (truncate len) (round (* after *sound-srate*))))
  (cond ((>= start stop) nil)
        ((and (= low 0) (= high 0)) (format nil "~a:~a" start (- stop start)))
        (t (format nil "~a:~a:~a:~a" start (- stop start)
                   (retake-unless-zero low) (retake-unless-zero high)))))

(defun retake-main (&aux (hole (retake-hole)))
  (if (not hole)
      (format nil "Retake: the selection is ~a s long; nothing is left to fill between ~a s kept at
the start and ~a s kept at the end. Select more around the hole, or keep less."
              (/ len *sound-srate*) before after)
      (retake-edit (list (list "preset" (retake-preset preset))
                         (list "prompt" text)
                         (list "negative" negative)
                         (list "hole" hole)
                         (list "takes" takes)
                         (list "seed" (retake-seed seed))
                         (list "edit" (if (= preset 0) "inpaint" "")))
                   wait)))

(retake-hold-input)
(retake-main)
