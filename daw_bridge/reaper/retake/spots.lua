--- Where takes go: onto their item, beside it, or to the cursor.
local edits = require("retake.edits")
local project = require("retake.project")

local spots = {}

--- How far the item's start has moved within its sound since it was read.
local function shift_s(job, original)
  local rate = reaper.GetMediaItemTakeInfo_Value(original, "D_PLAYRATE")
  local moved_s = reaper.GetMediaItemTakeInfo_Value(original, "D_STARTOFFS") - job.start_offset_s
  local shift = moved_s / rate
  return math.abs(shift) < job.length_s and shift or 0
end

local function at_cursor(job)
  local first, order = job.made[1], job.order
  return {
    track = order.track and project.find_track(job.proj, order.track),
    position_s = order.cursor_s, length_s = first.frames / first.rate, start_s = 0,
    fade_in_s = 0, fade_out_s = 0, shape = 0,
  }
end

--- Right after the item, or before it. Where the item fades, the new one fades across it: both play
-- the same sound there.
local function beside(job, item, original)
  local value = reaper.GetMediaItemInfo_Value
  local first, lead_s = job.made[1], job.plan.lead_s
  local spot = {
    track = reaper.GetMediaItemTrack(item), original = original, fade_in_s = 0, fade_out_s = 0,
  }
  local start_s = value(item, "D_POSITION") - shift_s(job, original)
  if job.order.direction == "before" then
    local added_s = (first.frames - job.plan.frames) / first.rate
    spot.fade_out_s, spot.shape = value(item, "D_FADEINLEN"), value(item, "C_FADEINSHAPE")
    local wanted_s = start_s - added_s - lead_s
    spot.position_s = math.max(0, wanted_s) -- a project begins at 0: what lies before is cut off
    spot.start_s = spot.position_s - wanted_s
    spot.length_s = start_s + spot.fade_out_s - spot.position_s
  else
    spot.fade_in_s, spot.shape = value(item, "D_FADEOUTLEN"), value(item, "C_FADEOUTSHAPE")
    spot.position_s = start_s + job.length_s - spot.fade_in_s
    spot.start_s = lead_s + job.length_s - spot.fade_in_s
    spot.length_s = first.frames / first.rate - spot.start_s
  end
  return spot
end

--- Where a job's takes go. `original` is the take they were made of, nil for a job without one.
--
-- With `item`, onto that; else into a new item at `position_s` of `length_s`, on `track` or a new
-- one. `start_s` is where in the take the item begins.
function spots.of(job, original)
  local edit = edits.BY_NAME[job.order.edit]
  if edit.on == "cursor" then return at_cursor(job) end
  local item = reaper.GetMediaItemTake_Item(original)
  if edit.gives == "item" then return beside(job, item, original) end
  local start_s = job.plan.lead_s + shift_s(job, original)
  return { item = item, original = original, start_s = start_s }
end

return spots
