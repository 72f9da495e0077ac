;nyquist plug-in
;version 4
;type process
;preview selection
;name "Retake Takes..."
;action "Retake: making a take..."
;author "Retake"
;release 0.1.0
;copyright "Apache-2.0"
;control action "What to do" choice (("use" "Put a take in place") ("tell" "Say how the job stands") ("cancel" "Cancel the job")) 0
;control index "Take (0: the original)" int "" 1 0 8
;control wait "Wait at most (s)" int-text "" 60 1 3600

@COMMON@

(defun retake-job-here (folder)
  (dolist (line (retake-lines (retake-jobs-file folder))
                (retake-stop "no take was asked for of a selection of this length, rate and channels.
Select just the region that the take is for; undo brings an old selection back."))
    (let ((parts (retake-split line retake-tab)))
      (if (string= (second parts) retake-kept-region) (return (first parts))))))

(defun retake-tell (spool job &aux status)
  (setf status (retake-status spool job))
  (retake-stop (format nil "~a is ~a. ~a ~a" job (retake-value "state" status)
                       (if (retake-ended-p status) "" (retake-how-far status))
                       (retake-value "message" status))))

(defun retake-cancel (folder spool job)
  (retake-ask spool job '("request=cancel"))
  (retake-wait folder spool job wait)
  (retake-stop "the job was done already. Its takes can still be put in place."))

(defun retake-use (folder spool job)
  (if (= index 0)
      (retake-read (retake-source spool job))
      (retake-read (retake-take (retake-wait folder spool job wait) index))))

(defun retake-main ()
  (catch 'retake-end
    (let* ((found (retake-open-spool)) (folder (first found)) (spool (second found))
           (job (retake-job-here folder)))
      (case action
        (0 (retake-use folder spool job))
        (1 (retake-tell spool job))
        (2 (retake-cancel folder spool job))))))

(retake-hold-input)
(retake-main)
