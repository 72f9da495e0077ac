--- What the project holds just now: the selection, and things found again by their GUIDs.
local project = {}

--- An item's GUID; it stays the same through moves, undo and saving.
function project.guid_of(item)
  local _, guid = reaper.GetSetMediaItemInfo_String(item, "GUID", "", false)
  return guid
end

--- A take's GUID.
function project.guid_of_take(take)
  local _, guid = reaper.GetSetMediaItemTakeInfo_String(take, "GUID", "", false)
  return guid
end

local function track_guid(track)
  local _, guid = reaper.GetSetMediaTrackInfo_String(track, "GUID", "", false)
  return guid
end

--- Whether a project is still open. In its tab there may be another one by now: REAPER keeps the
-- pointer when a file is opened in the same tab.
function project.is_open(proj)
  return reaper.ValidatePtr2(0, proj, "ReaProject*")
end

--- The open projects, as {proj, path}; the path of one that was never saved is empty.
function project.all()
  local list = {}
  for index = 0, math.huge do
    local proj, path = reaper.EnumProjects(index)
    if not proj then return list end
    list[#list + 1] = { proj = proj, path = path or "" }
  end
end

--- The file an open project was read from or saved to; empty where there is none yet.
function project.path_of(proj)
  for _, one in ipairs(project.all()) do
    if one.proj == proj then return one.path end
  end
  return ""
end

--- The items of some GUIDs, as a table from GUID to item.
function project.find_items(proj, guids)
  local wanted, found = {}, {}
  for _, guid in ipairs(guids) do wanted[guid] = true end
  for index = 0, reaper.CountMediaItems(proj) - 1 do
    local item = reaper.GetMediaItem(proj, index)
    local guid = project.guid_of(item)
    if wanted[guid] then found[guid] = item end
  end
  return found
end

--- The track of a GUID, or nil.
function project.find_track(proj, guid)
  for index = 0, reaper.CountTracks(proj) - 1 do
    local track = reaper.GetTrack(proj, index)
    if track_guid(track) == guid then return track end
  end
end

--- Whether nothing lies on a track between two times.
function project.is_free(track, start_s, stop_s)
  for index = 0, reaper.CountTrackMediaItems(track) - 1 do
    local item = reaper.GetTrackMediaItem(track, index)
    local at_s = reaper.GetMediaItemInfo_Value(item, "D_POSITION")
    local end_s = at_s + reaper.GetMediaItemInfo_Value(item, "D_LENGTH")
    if at_s < stop_s - 1e-9 and end_s > start_s + 1e-9 then return false end
  end
  return true
end

--- The rate a new clip gets: the project's, else the sound card's, else 48 kHz.
function project.rate(proj)
  local rate = 0
  if reaper.GetSetProjectInfo(proj, "PROJECT_SRATE_USE", 0, false) ~= 0 then
    rate = reaper.GetSetProjectInfo(proj, "PROJECT_SRATE", 0, false)
  else
    local ok, text = reaper.GetAudioDeviceInfo("SRATE")
    if ok then rate = tonumber(text) or 0 end
  end
  rate = math.floor(rate)
  if rate < 8000 or rate > 192000 then rate = 48000 end
  return math.tointeger(rate)
end

--- Folder the project keeps its media in, made where it isn't there yet; nil and why.
function project.media_folder(proj)
  local folder = reaper.GetProjectPathEx(proj)
  if folder == "" then return nil, "The project has no media folder; save it first." end
  reaper.RecursiveCreateDirectory(folder, 0) -- 0 also where it was there already
  return folder
end

--- Where an order acts: selected items, time selection, cursor and track of the open project.
function project.place(proj)
  local guids = {}
  for index = 0, reaper.CountSelectedMediaItems(proj) - 1 do
    guids[#guids + 1] = project.guid_of(reaper.GetSelectedMediaItem(proj, index))
  end
  local start_s, stop_s = reaper.GetSet_LoopTimeRange2(proj, false, false, 0, 0, false)
  local track = reaper.GetSelectedTrack(proj, 0)
  local place = { items = guids, cursor_s = reaper.GetCursorPositionEx(proj) }
  if stop_s > start_s then place.start_s, place.stop_s = start_s, stop_s end
  if track then place.track = track_guid(track) end
  return place
end

return project
