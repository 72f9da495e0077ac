--- From an action to the panel: each runs in a Lua of its own, so they leave each other words in
-- REAPER's (unsaved) ext state. The panel does all the work, so that there is one place to look.
local json = require("retake.json")

local handover = {}

local SECTION, ALIVE, ORDERS, CLOSED = "retake", "panel-alive", "orders", "panel-closed"
--- A panel that hasn't beaten for so long is gone (or REAPER was busy: then it comes back).
local DEAD_S = 5.0
--- Within so long REAPER begins a panel anew that it has ended because it was run again.
local ANEW_S = 1.0

local function write_time(key, at_s)
  reaper.SetExtState(SECTION, key, ("%.3f"):format(at_s), false)
end

--- A time that was written, or nil; some systems write numbers with a comma.
local function read_time(key)
  return tonumber((reaper.GetExtState(SECTION, key):gsub(",", ".")))
end

--- The panel says that it lives.
function handover.beat(now_s)
  write_time(ALIVE, now_s)
end

--- The panel ends. `is_shut` where the user shuts its window by running it again, and REAPER may
-- begin it anew: it is for the jobs then, and stays unseen.
function handover.stop(is_shut)
  reaper.DeleteExtState(SECTION, ALIVE, false)
  if is_shut then write_time(CLOSED, reaper.time_precise()) end
end

--- Whether the panel that begins now follows one whose window was shut a moment ago.
function handover.was_shut()
  local at_s = read_time(CLOSED)
  reaper.DeleteExtState(SECTION, CLOSED, false)
  return at_s ~= nil and math.abs(reaper.time_precise() - at_s) < ANEW_S
end

--- Whether a panel ran at `at_s` (now, if not given) and has not ended since. An action asks of the
-- time before its dialog: while that is open the panel may stand still, and run again it would close.
function handover.is_panel_alive(at_s)
  local beat_s = read_time(ALIVE)
  local now_s = reaper.time_precise()
  return beat_s ~= nil and beat_s <= now_s and (at_s or now_s) - beat_s < DEAD_S
end

--- Leave an order for the panel, and open it where it isn't. `asked_s` is when the action began.
function handover.send(folder, order, asked_s)
  local list = json.decode(reaper.GetExtState(SECTION, ORDERS)) or json.list()
  list[#list + 1] = order
  reaper.SetExtState(SECTION, ORDERS, json.encode(list), false)
  if handover.is_panel_alive(asked_s) then return end
  local command = reaper.AddRemoveReaScript(true, 0, folder .. "Retake - panel.lua", true)
  reaper.Main_OnCommand(command, 0)
end

--- The orders left since the panel looked last.
function handover.take()
  local text = reaper.GetExtState(SECTION, ORDERS)
  if text == "" then return {} end
  reaper.DeleteExtState(SECTION, ORDERS, false)
  return json.decode(text) or {}
end

return handover
