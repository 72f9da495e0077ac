;nyquist plug-in
;version 4
;type generate
;preview disabled
;name "Retake Generate..."
;action "Retake: making a take..."
;author "Retake"
;release 0.1.0
;copyright "Apache-2.0"
;control preset "Preset" choice (@PRESETS@) 0
;control text "Text" string "" ""
;control negative "But not" string "" ""
;control seconds "Length (s; 0: the preset's)" float-text "" 0 0 600
;control takes "Takes" int "" 1 1 8
;control seed "Seed (0: a new one)" int-text "" 0 0 2000000000
;control wait "Wait at most (s)" int-text "" 60 1 3600

@COMMON@

(defun retake-main ()
  (if (and (= preset 0) (string= (retake-clean text) ""))
      "Retake: type what it should sound like, or choose a preset."
      (retake-edit (list (list "preset" (retake-preset preset))
                         (list "prompt" text)
                         (list "negative" negative)
                         (list "seconds" (retake-unless-zero seconds))
                         (list "rate" (truncate *sound-srate*))
                         (list "channels" retake-channels)
                         (list "takes" takes)
                         (list "seed" (retake-seed seed))
                         (list "edit" (if (= preset 0) "generate" "")))
                   wait)))

(setf retake-channels (let ((n (get '*track* 'channels))) (if n n 1)))
(setf retake-kept-region (format nil "new ~a ~a" (truncate *sound-srate*) retake-channels))
(retake-main)
