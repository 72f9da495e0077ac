--- What of an item the server hears: its file where that plays plainly, else samples of the audio
-- accessor, written to a file of their own.
local files = require("retake.files")
local wav = require("retake.wav")

local reading = {}

local MIN_RATE, MAX_RATE, MAX_CHANNELS = 8000, 192000, 8
--- Formats whose frames the engine and REAPER count alike; an MP3's start is a matter of taste.
local PLAIN_TYPES = { WAVE = true, AIFF = true, FLAC = true }
--- Less than a thousandth of a frame is a rounding error of seconds kept as doubles.
local FRAME_SLACK = 1e-3
local BLOCK_FRAMES = 2048
local DEFAULT_RATE = 48000

local function floor(x) return math.tointeger(math.floor(x)) end

--- Channels a take plays: its source's, or what its channel mode makes of them.
local function n_channels_of(take, source)
  local mode = floor(reaper.GetMediaItemTakeInfo_Value(take, "I_CHANMODE"))
  if mode == 0 or mode == 1 then return reaper.GetMediaSourceNumChannels(source) end
  return mode <= 66 and 1 or 2 -- 2…66: one channel or the mix of two; from 67 on pairs
end

local function root_of(source)
  local parent = reaper.GetMediaSourceParent(source)
  while parent do
    source, parent = parent, reaper.GetMediaSourceParent(parent)
  end
  return source
end

--- Whether the item's sound is a stretch of its file, frame for frame.
local function plays_plainly(take, source, length_s)
  local value = reaper.GetMediaItemTakeInfo_Value
  if reaper.GetMediaSourceParent(source) then return false end -- a section, or reversed
  if not PLAIN_TYPES[reaper.GetMediaSourceType(source)] then return false end
  if value(take, "D_PLAYRATE") ~= 1 or value(take, "D_PITCH") ~= 0 then return false end
  if value(take, "I_CHANMODE") ~= 0 then return false end
  if reaper.GetTakeNumStretchMarkers(take) > 0 then return false end
  local source_s, is_beats = reaper.GetMediaSourceLength(source)
  local start_s = value(take, "D_STARTOFFS")
  local slack_s = FRAME_SLACK / MAX_RATE
  return not is_beats and start_s >= 0 and start_s + length_s <= source_s + slack_s
end

local function file_plan(plan, path, start_s, length_s)
  local start = start_s * plan.rate
  plan.kind, plan.path = "file", path
  plan.start_frames = floor(start + FRAME_SLACK)
  plan.frames = floor(math.ceil((start_s + length_s) * plan.rate - FRAME_SLACK)) - plan.start_frames
  -- An item may begin between two frames; its takes then begin as much before it.
  plan.lead_s = math.max(0, start_s - plan.start_frames / plan.rate)
  return plan
end

local function accessor_plan(plan, length_s)
  plan.kind, plan.lead_s = "accessor", 0
  plan.frames = floor(math.ceil(length_s * plan.rate - FRAME_SLACK))
  return plan
end

--- How a take of an item (nil: it has none) is to be read; nil and a sentence where it can't be.
--
-- `rate` frames a second, `channels`, `frames`; `lead_s` is where in them the item begins. A plan of
-- kind "file" has `path` and `start_frames` as well.
function reading.plan(item, take)
  if not take then return nil, "The item is empty." end
  if reaper.TakeIsMIDI(take) then return nil, "The item holds MIDI; Retake hears audio only." end
  local source = reaper.GetMediaItemTake_Source(take)
  if not source then return nil, "The item's media is offline." end
  local rate = reaper.GetMediaSourceSampleRate(source)
  if rate == 0 then rate = DEFAULT_RATE end -- a source without one of its own, as a video's title
  local plan = { rate = floor(rate), channels = n_channels_of(take, source) }
  if plan.channels < 1 then return nil, "The item's media is offline or holds no audio." end
  if plan.channels > MAX_CHANNELS then
    return nil, ("The item has %d channels; Retake takes up to %d."):format(plan.channels, MAX_CHANNELS)
  end
  plan.rate = math.max(MIN_RATE, math.min(MAX_RATE, plan.rate))
  local length_s = reaper.GetMediaItemInfo_Value(item, "D_LENGTH")
  if length_s * plan.rate < 1 then return nil, "The item is shorter than one sample." end
  local path = reaper.GetMediaSourceFileName(root_of(source))
  if plan.rate == rate and plays_plainly(take, source, length_s) and files.is_absolute(path) then
    local start_s = reaper.GetMediaItemTakeInfo_Value(take, "D_STARTOFFS")
    return file_plan(plan, path, start_s, length_s)
  end
  return accessor_plan(plan, length_s)
end

local Reader = {}
Reader.__index = Reader

--- Begin to write what a take plays to `path`; nil and why where that fails.
function reading.open(take, plan, path)
  local header, why = wav.header(plan.frames, plan.channels, plan.rate)
  if not header then return nil, why end
  local file
  local part = files.part_of(path)
  file, why = io.open(part, "wb")
  if not file then return nil, why end
  local accessor = reaper.CreateTakeAudioAccessor(take)
  local self = {
    plan = plan, path = path, part = part, file = file, accessor = accessor, frame = 0,
    start_s = reaper.GetAudioAccessorStartTime(accessor),
    buffer = reaper.new_array(BLOCK_FRAMES * plan.channels),
  }
  file:write(header)
  return setmetatable(self, Reader)
end

--- Share of the item that is written.
function Reader:fraction()
  return self.frame / self.plan.frames
end

local function read_block(self)
  local plan = self.plan
  local n = math.min(BLOCK_FRAMES, plan.frames - self.frame)
  self.buffer.clear()
  local at_s = self.start_s + self.frame / plan.rate
  local got = reaper.GetAudioAccessorSamples(
    self.accessor, plan.rate, plan.channels, at_s, n, self.buffer
  )
  if got < 0 then return nil, "REAPER couldn't read the item's audio." end
  -- 0 is silence: the buffer is clear then.
  local ok, why = self.file:write(wav.pack(self.buffer.table(1, n * plan.channels)))
  self.frame = self.frame + n
  return ok, why
end

--- Write until `deadline_s`. true when all is written, false when there is more, nil and why where
-- it failed; then nothing is left lying there.
function Reader:step(deadline_s)
  while self.frame < self.plan.frames do
    local ok, why = read_block(self)
    if not ok then return self:give_up(why) end
    if self.frame < self.plan.frames and reaper.time_precise() > deadline_s then return false end
  end
  reaper.DestroyAudioAccessor(self.accessor)
  local ok, why = self.file:close()
  if ok then ok, why = os.rename(self.part, self.path) end
  if not ok then
    os.remove(self.part)
    return nil, why
  end
  return true
end

--- Stop and leave nothing behind. With `keep_accessor` REAPER has taken that away already.
function Reader:give_up(why, keep_accessor)
  if not keep_accessor then reaper.DestroyAudioAccessor(self.accessor) end
  self.file:close()
  os.remove(self.part)
  return nil, why
end

return reading
