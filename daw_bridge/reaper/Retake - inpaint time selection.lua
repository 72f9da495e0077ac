-- @description Retake: inpaint time selection…
local _, script = reaper.get_action_context()
local folder = script:match("^(.*[/\\])")
package.path = folder .. "?.lua;" .. package.path

require("retake.actions").edit(folder, "inpaint")
