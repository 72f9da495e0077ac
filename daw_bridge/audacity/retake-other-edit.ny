;nyquist plug-in
;version 4
;type process
;preview disabled
;name "Retake Other Edit..."
;action "Retake: making a take..."
;author "Retake"
;release 0.1.0
;copyright "Apache-2.0"
;control text "Text" string "" ""
;control keys "Keys" string "" "edit=vary; amount=0.5"
;control wait "Wait at most (s)" int-text "" 60 1 36000
;control report "Report to file (for scripts)" string "" ""

@COMMON@

(defun retake-key (text &aux (parts (retake-split text "=" 2)))
  (list (string-trim " " (first parts)) (string-trim " " (retake-part 1 parts))))

(defun retake-given (name pairs)
  (second (assoc name pairs :test 'string=)))

(defun retake-main (&aux pairs)
  (dolist (one (retake-split keys ";"))
    (if (not (string= (retake-clean one) "")) (setf pairs (cons (retake-key one) pairs))))
  (setf pairs (cons (list "prompt" text) (reverse pairs)))
  (retake-edit (remove-if #'(lambda (pair) (string= (first pair) "job")) pairs)
               wait (retake-given "job" pairs)))

;; A script can't press OK: told where to report, the effect shows no message.
(defun retake-tell (result)
  (cond ((string= report "") result)
        (t (retake-write report (list (if (stringp result) result "ok")))
           (if (stringp result) "" result))))

(retake-hold-input)
(retake-tell (retake-main))
