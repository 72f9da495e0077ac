;nyquist plug-in
;version 4
;type process
;preview disabled
;name "Retake Restore Highs..."
;action "Retake: making a take..."
;author "Retake"
;release 0.1.0
;copyright "Apache-2.0"
;control preset "Preset" choice (@PRESETS@) 0
;control text "Text" string "" ""
;control cutoff "Highs end at Hz (0: found by itself)" float-text "" 0 0 7600
;control takes "Takes" int "" 1 1 8
;control seed "Seed (0: a new one)" int-text "" 0 0 2000000000
;control wait "Wait at most (s)" int-text "" 60 1 3600

@COMMON@

(retake-hold-input)
(retake-edit (list (list "preset" (retake-preset preset))
                   (list "prompt" text)
                   (list "cutoff" (retake-unless-zero cutoff))
                   (list "takes" takes)
                   (list "seed" (retake-seed seed))
                   (list "edit" (if (= preset 0) "bandwidth" "")))
             wait)
