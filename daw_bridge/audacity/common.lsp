;; What every Retake effect shares. Nyquist has no sockets and can't rename or remove files, so the
;; server is reached through files in its spool: a request that is written in one piece, a status
;; that is read again and again, and takes that are read like any other sound.

(setf *float-format* "%.9g")
(setf retake-hello-s 6)    ; a running server answers within a tenth of a second, unless it is busy
(setf retake-silence-s 3)  ; a running job speaks four times a second; after this it is asked
(setf retake-kept-jobs 20)
(setf retake-tab (format nil "~a" (int-char 9)))
(setf retake-input nil retake-kept-region "new" retake-began (get-real-time))
(random-seed (rem (truncate retake-began) 2000000000)) ; else every Audacity throws the same dice

(defun retake-stop (text)
  (throw 'retake-end (strcat "Retake: " text)))

;; Texts

(defun retake-control-p (c)
  (or (char< c (int-char 32)) (char= c (int-char 127))))

(defun retake-clean (text &aux (out (make-string-output-stream)))
  (dotimes (i (length text))
    (let ((c (char text i)))
      (format out "~a" (if (retake-control-p c) #\Space c))))
  (string-trim " " (get-output-stream-string out)))

(defun retake-split (text separator &optional (most -1) &aux (parts nil) at)
  (setf at (string-search separator text))
  (cond ((or (not at) (= most 1)) (list text))
        (t (cons (subseq text 0 at)
                 (retake-split (subseq text (+ at (length separator))) separator (1- most))))))

(defun retake-part (n parts)
  (if (< n (length parts)) (nth n parts) ""))

(defun retake-join (parts separator)
  (let ((out (car parts)))
    (dolist (part (cdr parts) out)
      (setf out (strcat out separator part)))))

;; Files of lines

(defun retake-lines (path &aux (lines nil) (return-char (format nil "~a" (int-char 13))))
  (let ((file (open path)))
    (when file
      (do ((line (read-line file) (read-line file)))
          ((null line))
        (setf lines (cons (string-right-trim return-char line) lines)))
      (close file))
    (reverse lines)))

(defun retake-values (key lines &aux (values nil) (start (strcat key "=")))
  (dolist (line lines (reverse values))
    (if (eq (string-search start line) 0)
        (setf values (cons (subseq line (length start)) values)))))

(defun retake-value (key lines)
  (retake-part 0 (retake-values key lines)))

(defun retake-write (path lines)
  (let ((file (open path :direction :output)))
    (if (not file)
        (retake-stop (strcat "the file " path " can't be written. Is the disk full?")))
    ;; One piece: the server must never find half a request.
    (format file "~a" (strcat (retake-join lines (format nil "~%")) (format nil "~%")))
    (close file)))

(defun retake-exists (path)
  (let ((file (open path))) (if file (close file)) (if file t nil)))

;; The server

(defun retake-folders ()
  (let ((home (get-env "HOME")) (state (get-env "XDG_STATE_HOME")) (local (get-env "LOCALAPPDATA")))
    (remove nil (list retake-state-folder
                      (get-env "RETAKE_STATE_DIR")
                      (if local (strcat local "/retake"))
                      (if state (strcat state "/retake"))
                      (if home (strcat home "/Library/Application Support/retake"))
                      (if home (strcat home "/.local/state/retake"))))))

(defun retake-find-folder ()
  (dolist (folder (retake-folders)
                  (retake-stop (strcat "no server is running. Start it with: " retake-serve-command "
(the audio is as it was)")))
    (if (retake-lines (strcat folder "/server.conf")) (return folder))))

(defun retake-new-name ()
  (format nil "audacity-~a-~a" (truncate (get-real-time)) (+ 100000 (random 900000))))

(defun retake-ask (spool name lines)
  ;; `request=` is the last line: of half a file the server could make nothing.
  (retake-write (strcat spool "/" name ".request") (cons "client=audacity" lines)))

(defun retake-answers-p (spool &aux (name (strcat (retake-new-name) "-hello")) (until nil))
  (retake-ask spool name '("request=hello"))
  (setf until (+ (get-real-time) retake-hello-s))
  (do ((answer nil (retake-lines (strcat spool "/" name ".answer"))))
      ((or answer (> (get-real-time) until)) answer)))

(defun retake-open-spool (&aux (folder (retake-find-folder)) spool)
  (setf spool (retake-value "spool" (retake-lines (strcat folder "/server.conf"))))
  (if (not (retake-answers-p spool))
      (retake-stop (strcat "the server doesn't answer. Was it killed? Start it with: "
                           retake-serve-command "
(the audio is as it was)")))
  (list folder spool))

;; A job

;; Named like a take of a job that isn't there: the server keeps it as long as takes.
(defun retake-source (spool job)
  (strcat spool "/" job "-source.0.wav"))

(defun retake-save (path)
  (retake-let-window-show)
  ;; The sound is let go of as it is written, or all of it would stay in memory.
  (s-save (prog1 retake-input (setf retake-input nil)) ny:all path
          :format snd-head-wave :mode snd-mode-float :bits 32)
  (if (not (retake-exists path))
      (retake-stop (strcat "the selection can't be written to " path ". Is the disk full?"))))

(defun retake-status (spool job)
  (retake-lines (strcat spool "/" job ".status")))

(defun retake-how-far (status &aux left)
  (setf left (retake-value "seconds_left" status))
  (format nil "~a~a % done~a" (if (string= (retake-value "state" status) "queued") "it waits in the queue, " "")
          (retake-percent (retake-value "fraction" status))
          (if (or (string= left "") (eq (string-search "-" left) 0)) ""
              (strcat ", about " (car (retake-split left ".")) " s left"))))

(defun retake-percent (fraction &aux digits)
  ;; "0.4217" reads 42: as text, for Nyquist has no way to read a number from one.
  (cond ((eq (string-search "1" fraction) 0) "100")
        ((< (length fraction) 4) "0")
        (t (setf digits (string-left-trim "0" (subseq fraction 2 4)))
           (if (string= digits "") "0" digits))))

(defun retake-ended-p (status)
  (member (retake-value "state" status) '("done" "failed" "cancelled" "refused") :test 'string=))

(defun retake-check-end (status &aux (state (retake-value "state" status)))
  (cond ((string= state "cancelled") (retake-stop "the job was cancelled. The audio is as it was."))
        ((not (string= state "done"))
         (retake-stop (strcat (retake-value "message" status) " (" (retake-value "code" status)
                              "). The audio is as it was.")))))

(defun retake-wait (folder spool job wait-s &aux (began (get-real-time)) heard status before)
  (setf heard began before nil status nil)
  (do () ((retake-ended-p status) (retake-check-end status))
    (setf status (retake-status spool job))
    (when (not (equal status before))
      (setf before status heard (get-real-time)))
    (if (> (- (get-real-time) began) wait-s) (retake-stop-waiting status wait-s))
    (when (> (- (get-real-time) heard) retake-silence-s)
      (if (not (and (retake-exists (strcat folder "/server.conf")) (retake-answers-p spool)))
          (retake-stop (strcat "the server is gone: stopped or killed. The audio is as it was.
A new one takes the job up again, and Retake Takes fetches what comes of it. Start it with: "
                               retake-serve-command)))
      (setf heard (get-real-time))))
  status)

(defun retake-stop-waiting (status wait-s)
  (retake-stop (format nil "no take within ~a s (~a). The job goes on, the audio is as it was.
Select the same region and choose Retake Takes to put the take in place, or to cancel the job."
                       wait-s (retake-how-far status))))

;; index, frames, rate, channels, seed, score and path, one space between
(defun retake-take (status index)
  (dolist (line (retake-values "take" status)
                (retake-stop (format nil "there is no take ~a, only ~a." index
                                     (length (retake-values "take" status)))))
    (let ((parts (retake-split line " " 7)))
      (if (string= (car parts) (format nil "~a" index)) (return (nth 6 parts))))))

(defun retake-read (path)
  (if (not (retake-exists path))
      (retake-stop (strcat "the file " path " is gone. The audio is as it was.")))
  (s-read path))

;; What was asked for, newest first: one line a job, for Retake Takes and as the takes' recipes

(defun retake-jobs-file (folder) (strcat folder "/audacity.jobs"))

(defun retake-remember (folder job region lines &aux (kept nil))
  (dolist (line (retake-lines (retake-jobs-file folder)))
    (if (< (length kept) (1- retake-kept-jobs)) (setf kept (cons line kept))))
  (retake-write (retake-jobs-file folder)
                (cons (retake-join (append (list job region) lines) retake-tab) (reverse kept))))

;; frames, rate, channels: the same for a region and for what may take its place
(defun retake-region ()
  (format nil "~a ~a ~a" (truncate len) (truncate *sound-srate*)
          (if (arrayp *track*) (length *track*) 1)))

(defun retake-hold-input ()
  (setf retake-kept-region (retake-region))
  (snd-sref (if (arrayp *track*) (aref *track* 0) *track*) 0) ; Audacity's progress window begins here
  (setf retake-input *track* *track* nil))

;; Audacity shows and paints that window only while samples are read, and not in the first half
;; second; so most of them are read after it. While Nyquist waits, the window stands still.
(defun retake-let-window-show ()
  (do () ((> (- (get-real-time) retake-began) 0.6))))

;; The way of every edit: pairs of (key value), empty values left out

(defun retake-pairs (pairs &aux (lines nil))
  (dolist (pair pairs (reverse lines))
    (let ((value (retake-clean (format nil "~a" (second pair)))))
      (if (not (string= value ""))
          (setf lines (cons (strcat (first pair) "=" value) lines))))))

(defun retake-edit (pairs wait-s &optional given-job)
  (catch 'retake-end
    (let* ((found (retake-open-spool)) (folder (first found)) (spool (second found))
           (job (if given-job given-job (retake-new-name))) (lines (retake-pairs pairs)) status)
      (when retake-input
        (retake-save (retake-source spool job))
        (setf lines (cons (strcat "path=" (retake-source spool job)) lines)))
      (retake-ask spool job (append lines '("request=submit")))
      (retake-remember folder job retake-kept-region lines)
      (setf status (retake-wait folder spool job wait-s))
      (retake-read (retake-take status 1)))))

(defun retake-preset (index)
  (if (= index 0) "" (nth (1- index) retake-presets)))

(defun retake-seed (seed)
  (if (= seed 0) (1+ (random 2000000000)) seed))

(defun retake-unless-zero (number)
  (if (= number 0) "" number))
