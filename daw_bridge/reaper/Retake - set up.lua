-- @description Retake: put all of Retake's actions into the action list
local _, script = reaper.get_action_context()
local folder = script:match("^(.*[/\\])")
package.path = folder .. "?.lua;" .. package.path

require("retake.setup").run(folder)
