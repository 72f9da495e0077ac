--- Puts the actions into REAPER's action list; run once after `retake install reaper`.
local setup = {}

setup.SCRIPTS = {
  "Retake - transfer selected items.lua",
  "Retake - inpaint time selection.lua",
  "Retake - restore highs.lua",
  "Retake - generate at cursor.lua",
  "Retake - continue item.lua",
  "Retake - repeat last with new seed.lua",
  "Retake - presets.lua",
  "Retake - panel.lua",
}
local MAIN_SECTION = 0

--- Register every script of `folder`, tell the user, and open the panel.
function setup.run(folder)
  local failed, panel = {}, 0
  for index, name in ipairs(setup.SCRIPTS) do
    local is_last = index == #setup.SCRIPTS
    local command = reaper.AddRemoveReaScript(true, MAIN_SECTION, folder .. name, is_last)
    if command == 0 then failed[#failed + 1] = name end
    if is_last then panel = command end
  end
  if #failed > 0 then
    local message = "REAPER did not take: " .. table.concat(failed, ", ")
    reaper.ShowMessageBox(message .. "\n\nRun in a terminal: retake install reaper", "Retake", 0)
    return
  end
  reaper.ShowMessageBox(
    ("%d actions are in the action list now: type Retake into its filter.\n\n"):format(#setup.SCRIPTS)
      .. "The panel opens next; it can be docked (right-click it).",
    "Retake", 0
  )
  reaper.Main_OnCommand(panel, 0)
end

return setup
