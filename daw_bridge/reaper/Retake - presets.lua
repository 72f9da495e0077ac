-- @description Retake: presets…
local _, script = reaper.get_action_context()
local folder = script:match("^(.*[/\\])")
package.path = folder .. "?.lua;" .. package.path

require("retake.actions").presets(folder)
