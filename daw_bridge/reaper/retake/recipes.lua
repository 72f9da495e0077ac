--- What was made and how: the last fifty in the project, and each with its take.
-- Every recipe has a key of its own in the project's ext state: project files carry values on one
-- line, and lines had better stay short.
local json = require("retake.json")

local recipes = {}

local SECTION, COUNT, PENDING_SECTION = "retake", "recipes", "retake-pending"
local CLAIMS = "retake-jobs"
local KEPT = 50
--- Where a take keeps its recipe.
recipes.TAKE_KEY = "P_EXT:retake"

local function read(proj, section, key)
  local _, text = reaper.GetProjExtState(proj, section, key)
  return text
end

local function write(proj, section, key, text)
  reaper.SetProjExtState(proj, section, key, text)
  reaper.MarkProjectDirty(proj)
end

local function slot(number)
  return ("recipe %02d"):format((number - 1) % KEPT + 1)
end

--- How many recipes the project has had.
local function count(proj)
  return math.tointeger(tonumber(read(proj, SECTION, COUNT)) or 0) or 0
end

--- The recipe of a number counted from the project's first, or nil.
local function recipe(proj, number)
  local found = json.decode(read(proj, SECTION, slot(number)))
  return type(found) == "table" and found or nil
end

--- Keep a recipe with the project.
function recipes.remember(proj, one)
  local number = count(proj) + 1
  write(proj, SECTION, slot(number), json.encode(one))
  write(proj, SECTION, COUNT, tostring(number))
end

--- The latest recipe, or nil.
function recipes.latest(proj)
  local number = count(proj)
  return number > 0 and recipe(proj, number) or nil
end

--- Keep a recipe with its take.
function recipes.attach(take, one)
  reaper.GetSetMediaItemTakeInfo_String(take, recipes.TAKE_KEY, json.encode(one), true)
end

--- A take's recipe, or nil where Retake didn't make it.
function recipes.of_take(take)
  local _, text = reaper.GetSetMediaItemTakeInfo_String(take, recipes.TAKE_KEY, "", false)
  local found = json.decode(text)
  return type(found) == "table" and found or nil
end

--- Of one job's takes, one panel at most: whoever follows a job claims it, as long as REAPER runs.
-- Ext state that isn't saved knows nothing of undo, and is the same for every script.
function recipes.claim(name)
  reaper.SetExtState(CLAIMS, name, "taken", false)
end

--- A job that may be followed by another panel.
function recipes.release(name)
  reaper.DeleteExtState(CLAIMS, name, false)
end

--- Whether some panel follows a job, or has seen its end.
function recipes.is_claimed(name)
  return reaper.GetExtState(CLAIMS, name) ~= ""
end

--- Jobs that were under way when this project was last heard of.
-- REAPER lists keys in capitals, and values cut to the size of a buffer: a job's name, which is that
-- of its files too, has none, and the value is read apart.
function recipes.pending(proj)
  local list = {}
  for index = 0, math.huge do
    local ok, key = reaper.EnumProjExtState(proj, PENDING_SECTION, index)
    if not ok then return list end
    local name = key:lower()
    local entry = json.decode(read(proj, PENDING_SECTION, name))
    if type(entry) == "table" and type(entry.order) == "table" then
      entry.name = name
      list[#list + 1] = entry
    end
  end
end

--- Whether a project waits for a job.
function recipes.is_pending(proj, name)
  return read(proj, PENDING_SECTION, name) ~= ""
end

--- Note that a job is under way, so that its takes are placed even after REAPER was closed.
function recipes.add_pending(proj, name, entry)
  write(proj, PENDING_SECTION, name, json.encode(entry))
end

--- A job is over.
function recipes.drop_pending(proj, name)
  if recipes.is_pending(proj, name) then write(proj, PENDING_SECTION, name, "") end
end

return recipes
