--- Takes put into the project: on their item, or as items of their own; one undo point each time.
local edits = require("retake.edits")
local files = require("retake.files")
local project = require("retake.project")
local recipes = require("retake.recipes")

local placing = {}

local ALL_STATE = -1
local MAX_NAME_BYTES = 60
--- Take properties that lie after the samples Retake read, so that a new take needs them too.
local KEPT_PROPERTIES = { "D_VOL", "D_PAN", "D_PANLAW" }

--- A file name made of a title: no sign that any system forbids, cut between characters.
function placing.file_stem(order, seed)
  local name = edits.take_name(order, seed):gsub('[%c<>:"/\\|?*]', ""):gsub("%s+", " ")
  if #name > MAX_NAME_BYTES then
    local tail = (" (seed %s)"):format(seed)
    local cut = MAX_NAME_BYTES - #tail
    while cut > 1 and name:byte(cut + 1) and name:byte(cut + 1) & 0xC0 == 0x80 do cut = cut - 1 end
    name = name:sub(1, cut):gsub("[%s.]+$", "") .. tail
  end
  return name
end

local function copy_properties(from, to)
  for _, key in ipairs(KEPT_PROPERTIES) do
    reaper.SetMediaItemTakeInfo_Value(to, key, reaper.GetMediaItemTakeInfo_Value(from, key))
  end
  for fx = 0, reaper.TakeFX_GetCount(from) - 1 do
    reaper.TakeFX_CopyToTake(from, fx, to, fx, false)
  end
end

--- A source for each file; nil and why where REAPER can't read one. Nothing is placed before all
-- are there.
local function open_all(made)
  local sources = {}
  for index, one in ipairs(made) do
    sources[index] = reaper.PCM_Source_CreateFromFile(one.path)
    if not sources[index] then
      for _, source in ipairs(sources) do reaper.PCM_Source_Destroy(source) end
      return nil, "REAPER can't read " .. one.path
    end
  end
  return sources
end

--- A take of a source on an item, with its name and recipe.
local function add_take(item, source, one, order, spot, done)
  local take = reaper.AddTakeToMediaItem(item)
  reaper.SetMediaItemTake_Source(take, source)
  done.n_used = done.n_used + 1
  reaper.SetMediaItemTakeInfo_Value(take, "D_STARTOFFS", spot.start_s)
  local name = edits.take_name(order, one.seed)
  reaper.GetSetMediaItemTakeInfo_String(take, "P_NAME", name, true)
  recipes.attach(take, one.recipe)
  if spot.original then copy_properties(spot.original, take) end
  return take
end

--- Whether a new item has room on the track it is wanted on. Its fades may lie over the neighbour
-- it continues, nothing else.
local function has_room(spot)
  local start_s = spot.position_s + spot.fade_in_s
  local stop_s = spot.position_s + spot.length_s - spot.fade_out_s
  return spot.track and project.is_free(spot.track, start_s, stop_s)
end

local function makes_tracks_anywhere()
  return reaper.APIExists("InsertTrackInProject")
end

--- Whether takes can't be placed yet: they need a track, and older versions of REAPER make tracks in
-- the project in front only.
function placing.has_to_wait(proj, spot)
  if spot.item or makes_tracks_anywhere() or reaper.EnumProjects(-1) == proj then return false end
  return not has_room(spot)
end

--- A track below the one wanted, or below all.
local function new_track(proj, wanted)
  local index = reaper.CountTracks(proj)
  if wanted then
    index = math.tointeger(reaper.GetMediaTrackInfo_Value(wanted, "IP_TRACKNUMBER") // 1)
  end
  if makes_tracks_anywhere() then
    reaper.InsertTrackInProject(proj, index, 1)
  else
    reaper.InsertTrackAtIndex(index, true)
  end
  return reaper.GetTrack(proj, index)
end

--- An empty item at a spot: on the wanted track where that is free there, else on a new one. `done`
-- gets what was made.
local function new_item(proj, spot, done)
  local track = spot.track
  if not has_room(spot) then
    track = new_track(proj, spot.track)
    done.track = track
    reaper.GetSetMediaTrackInfo_String(track, "P_NAME", "Retake", true)
  end
  local item = reaper.AddMediaItemToTrack(track)
  done.item = item
  for key, value in pairs({
    D_POSITION = spot.position_s, D_LENGTH = spot.length_s, B_LOOPSRC = 0,
    D_FADEINLEN = spot.fade_in_s, C_FADEINSHAPE = spot.shape,
    D_FADEOUTLEN = spot.fade_out_s, C_FADEOUTSHAPE = spot.shape,
  }) do
    reaper.SetMediaItemInfo_Value(item, key, value)
  end
  if spot.original then -- an item's volume lies after what Retake read, as a take's does
    local continued = reaper.GetMediaItemTake_Item(spot.original)
    local volume = reaper.GetMediaItemInfo_Value(continued, "D_VOL")
    reaper.SetMediaItemInfo_Value(item, "D_VOL", volume)
  end
  return item
end

--- Take back a placing that broke off, from what it noted in `done`. A take can't be deleted by
-- itself: its item becomes what it was.
local function take_back(spot, sources, done)
  if done.track then
    reaper.DeleteTrack(done.track)
  elseif done.item then
    reaper.DeleteTrackMediaItem(spot.track, done.item)
  elseif done.chunk then
    reaper.SetItemStateChunk(spot.item, done.chunk, false)
  end
  for index = done.n_used + 1, #sources do reaper.PCM_Source_Destroy(sources[index]) end
end

local function add_takes(proj, spot, made, order, sources, done)
  if spot.item then
    local _, chunk = reaper.GetItemStateChunk(spot.item, "", false)
    done.chunk = chunk
  end
  local item, best = spot.item or new_item(proj, spot, done), nil
  local own = {} -- REAPER may have duplicated a source
  for index, one in ipairs(made) do
    local take = add_take(item, sources[index], one, order, spot, done)
    own[index] = reaper.GetMediaItemTake_Source(take)
    best = best or take
  end
  reaper.SetActiveTake(best)
  reaper.UpdateItemInProject(item)
  return own
end

--- Put takes where `spots` says, as one undo point. The best becomes the active one.
--
-- made : list of {path, seed, recipe}, best first. Gives their sources, whose peaks are to be built;
-- nil and why where nothing was placed: what was made before it broke off is taken back.
function placing.place(proj, spot, made, order)
  local sources, why = open_all(made)
  if not sources then return nil, why end
  reaper.Undo_BeginBlock2(proj)
  reaper.PreventUIRefresh(1)
  local done = { n_used = 0 }
  local ok, result = pcall(add_takes, proj, spot, made, order, sources, done)
  if not ok then pcall(take_back, spot, sources, done) end
  reaper.PreventUIRefresh(-1) -- whatever happened: REAPER must not stay frozen
  reaper.Undo_EndBlock2(proj, edits.undo_name(order) .. (ok and "" or ", failed"), ALL_STATE)
  reaper.UpdateArrange()
  if not ok then return nil, result end
  return result
end

local Peaks = {}
Peaks.__index = Peaks
placing.Peaks = Peaks

--- Sources whose peaks are being built, a little at a time.
function Peaks.new()
  return setmetatable({ queue = {} }, Peaks)
end

function Peaks:add(proj, sources)
  for _, source in ipairs(sources) do
    self.queue[#self.queue + 1] = { proj = proj, source = source }
  end
end

--- Build until `deadline_s`; whether there is more. A source its item has lost is passed over.
function Peaks:step(deadline_s)
  while self.queue[1] do
    local one = self.queue[1]
    if not project.is_open(one.proj)
      or not reaper.ValidatePtr2(one.proj, one.source, "PCM_source*") then
      table.remove(self.queue, 1)
    elseif not one.is_begun then
      one.is_begun = true
      if reaper.PCM_Source_BuildPeaks(one.source, 0) == 0 then table.remove(self.queue, 1) end
    elseif reaper.PCM_Source_BuildPeaks(one.source, 1) == 0 then
      reaper.PCM_Source_BuildPeaks(one.source, 2)
      reaper.UpdateArrange()
      table.remove(self.queue, 1)
    end
    if reaper.time_precise() > deadline_s then break end
  end
  return self.queue[1] ~= nil
end

return placing
