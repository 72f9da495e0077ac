--- One job: an item (or the cursor) from what is heard to the take in the project.
--
--   finding ─► reading ─► asking ─► waiting ─► copying ─► placing ─► done
--   (a server) (samples)  (request) (status)   (takes)    (undo point)     or failed, cancelled
--
-- Each state has one function of STEPS, called once a tick; it never waits, and gives the next
-- state or nothing.
local edits = require("retake.edits")
local files = require("retake.files")
local placing = require("retake.placing")
local project = require("retake.project")
local reading = require("retake.reading")
local recipes = require("retake.recipes")
local spots = require("retake.spots")
local Status = require("retake.server").Status

local Job = {}
Job.__index = Job

--- A running job's status file changes four times a second; silence for so long is looked into.
local QUIET_S = 3.0
local ENDED = { done = true, failed = true, cancelled = true }

--- A job of an order. `target`: item, take and hole for an edit of an item, nothing for generate.
function Job.new(proj, order, target, now_s)
  local name = "reaper-" .. reaper.genGuid(""):gsub("[{}]", ""):lower()
  local self = {
    name = name, proj = proj, order = order, state = "finding", title = edits.title(order),
    fraction = 0, stage = "", left_s = -1, heard_s = now_s, made = {},
    path = project.path_of(proj),
  }
  for key, value in pairs(target or {}) do self[key] = value end
  return setmetatable(self, Job)
end

--- The take an order is about: the one that plays; of "again" the one that was made of.
local function heard_take(proj, order, item)
  local take = reaper.GetActiveTake(item)
  local recipe = take and order.is_again and recipes.of_take(take)
  local source = recipe and recipe.source and reaper.GetMediaItemTakeByGUID(proj, recipe.source)
  if source and reaper.GetMediaItemTake_Item(source) == item then return source end
  return take
end

--- A job of an item; one that has failed already where the item can't be read.
function Job.of_item(proj, order, item, now_s)
  local take = heard_take(proj, order, item)
  local plan, why = reading.plan(item, take)
  local target = { plan = plan, item_guid = project.guid_of(item) }
  if plan then
    target.take_guid = project.guid_of_take(take)
    target.start_offset_s = reaper.GetMediaItemTakeInfo_Value(take, "D_STARTOFFS")
    target.length_s = reaper.GetMediaItemInfo_Value(item, "D_LENGTH")
    target.hole, why = Job.hole_of(order, item, plan)
  end
  local self = Job.new(proj, order, target, now_s)
  if why then self:fail(why) end
  return self
end

--- The time selection within an item, as the server reads a hole; nil and a sentence.
function Job.hole_of(order, item, plan)
  if edits.BY_NAME[order.edit].on ~= "hole" then return nil end
  local at_s = reaper.GetMediaItemInfo_Value(item, "D_POSITION")
  local length_s = reaper.GetMediaItemInfo_Value(item, "D_LENGTH")
  local from_s = math.max(order.start_s - at_s, 0) + plan.lead_s
  local to_s = math.min(order.stop_s - at_s, length_s) + plan.lead_s
  local first = math.floor(from_s * plan.rate + 0.5)
  local last = math.min(math.floor(to_s * plan.rate + 0.5), plan.frames)
  if last <= first then return nil, "The time selection lies outside the item." end
  return ("%d:%d"):format(first, last - first)
end

--- A job that was under way when its project was closed, from what recipes kept of it; nil where
-- that is no job's.
function Job.adopted(proj, entry, now_s)
  if edits.complaint(entry.order) then return nil end
  local target = entry.target
  local is_whole = type(target) == "table" and type(target.plan) == "table" and target.take_guid
  if edits.BY_NAME[entry.order.edit].on ~= "cursor" and not is_whole then return nil end
  local self = Job.new(proj, entry.order, entry.target, now_s)
  self.name, self.state, self.asked_s = entry.name, "waiting", now_s
  recipes.claim(self.name)
  return self
end

--- What recipes keep of it. One the server wasn't asked for yet is begun once more from its order.
local function entry_of(self)
  local target = {
    plan = self.plan, item_guid = self.item_guid, take_guid = self.take_guid,
    start_offset_s = self.start_offset_s, length_s = self.length_s,
  }
  if self.asked_s then return { order = self.order, target = target } end
  local order = {}
  for key, value in pairs(self.order) do order[key] = value end
  if self.item_guid then order.items = { self.item_guid } end -- the others' jobs have their own
  return { order = order, target = target, is_unasked = true }
end

--- Let the project wait for it, and no other panel take it up.
function Job:keep()
  recipes.claim(self.name)
  recipes.add_pending(self.proj, self.name, entry_of(self))
end

--- Whether its project is gone: closed, or another one is in its place under the same pointer. A
-- path that has changed is that of the same project, saved under a new name, if it still waits for
-- the job. Unsaved projects all have the same path; there the item tells them apart, else that too.
function Job:is_homeless()
  if not project.is_open(self.proj) then return true end
  local path = project.path_of(self.proj)
  if path == self.path and (path ~= "" or self.take_guid) then return false end
  if not recipes.is_pending(self.proj, self.name) then return true end
  self.path = path
  return false
end

function Job:is_ended()
  return ENDED[self.state] == true
end

local QUIETLY = { finding = "looking for the server", waiting = "waiting its turn" }

--- One line about how it stands, for the user.
function Job:line()
  if self.message then return self.message end
  if self.stage == "" then
    return self.fraction > 0 and "working" or QUIETLY[self.state] or self.state
  end
  local left = self.left_s >= 0 and (", %d s left"):format(math.ceil(self.left_s)) or ""
  return self.stage .. left
end

--- Where samples that are read for it lie; in the spool, so that any server finds them.
local function upload_path(self)
  return files.join(files.join(self.spool, "uploads"), self.name .. ".wav")
end

--- Stop reading and copying; what is half written goes.
function Job:pause()
  if self.reader then self.reader:give_up(nil, self:is_homeless()) end
  if self.copier then self.copier:give_up() end
  self.reader, self.copier = nil, nil
  if self.spool and not self.asked_s then os.remove(upload_path(self)) end
end

--- Take away the copies that no take plays.
function Job:drop_copies()
  for _, one in ipairs(self.made) do os.remove(one.path) end
  self.made = {}
end

--- The job is over: what only it needed goes, copies no take plays too, and the project waits for
-- it no more. `is_kept` where its take may still come.
function Job:finish(state, message, is_kept)
  self:pause()
  if state ~= "done" then self:drop_copies() end
  if is_kept then
    recipes.release(self.name)
  else
    if self.spool then os.remove(upload_path(self)) end
    if project.is_open(self.proj) then recipes.drop_pending(self.proj, self.name) end
  end
  self.state, self.message = state, message
  return state
end

function Job:fail(message, is_kept)
  return self:finish("failed", message, is_kept)
end

--- Stop it: at once while the server knows nothing of it, else by asking.
function Job:cancel(server)
  if self:is_ended() then return end
  self.wants_cancel = true
  if self.state == "waiting" or self.state == "asking" then
    if self.spool and server:is_waiting(self.spool, self.name) and not self.is_known then
      server:withdraw(self.spool, self.name)
    elseif self.state == "waiting" then
      self.message = "stopping"
      return
    end
  end
  self:finish("cancelled", "cancelled")
end

local STEPS = {}

function STEPS.finding(self, world)
  self.spool = world.server:spool(world.now_s)
  if not self.spool then
    local why = world.server:despair(world.now_s, self.heard_s)
    return why and self:fail(why)
  end
  self.message = nil
  world.server:learn_model(self.spool)
  if not self.plan or self.plan.kind == "file" then return "asking" end
  return "reading"
end

--- The original take, wherever undo and the user have put it; nil where it is gone.
local function original_take(self)
  local take = reaper.GetMediaItemTakeByGUID(self.proj, self.take_guid)
  if take and reaper.ValidatePtr2(self.proj, take, "MediaItem_Take*") then return take end
end

function STEPS.reading(self, world)
  local take = original_take(self)
  if not take then return self:fail("The item was deleted before it was read.") end
  if not self.reader then
    reaper.RecursiveCreateDirectory(files.join(self.spool, "uploads"), 0)
    local why
    self.reader, why = reading.open(take, self.plan, upload_path(self))
    if not self.reader then return self:fail("The item can't be read: " .. tostring(why)) end
  end
  local is_done, why = self.reader:step(world.deadline_s)
  self.fraction, self.stage = self.reader:fraction(), "reading the item"
  if is_done == nil then
    self.reader = nil
    return self:fail("The item can't be read: " .. tostring(why))
  end
  if not is_done then return nil end
  self.reader, self.fraction, self.stage = nil, 0, ""
  return "asking"
end

--- Keys of submit that say where the sound is.
local function clip_keys(self)
  local plan = self.plan
  if not plan then return {} end
  local from = plan.kind == "accessor" and { "upload", self.name } or { "path", plan.path }
  return { from, { "start", plan.start_frames or 0 }, { "frames", plan.frames } }
end

function STEPS.asking(self, world)
  local keys = { { "request", "submit" }, { "client", "reaper" } }
  for _, group in ipairs({ edits.keys(self.order), clip_keys(self) }) do
    table.move(group, 1, #group, #keys + 1, keys)
  end
  if self.hole then keys[#keys + 1] = { "hole", self.hole } end
  local ok, why = world.server:put(self.spool, self.name, keys)
  if not ok then return self:fail("The request can't be written: " .. tostring(why)) end
  self.asked_s, self.heard_s = world.now_s, world.now_s
  self:keep()
  return "waiting"
end

--- Ask for something under the job's own name, once the last such request is taken.
local function ask_again(self, world, request)
  if world.server:is_waiting(self.spool, self.name) then return false end
  local keys = { { "request", request }, { "client", "reaper" } }
  if not world.server:put(self.spool, self.name, keys) then return false end
  self.asked_s = world.now_s
  return true
end

--- Nothing was heard for a while: is the server gone? Jobs survive it, so another takes this up.
local function look_after(self, world)
  local server = world.server
  local lies_there = server:is_waiting(self.spool, self.name)
  if lies_there and server:is_late(world.now_s, self.asked_s) or not server:look(world.now_s) then
    if self.wants_cancel then -- the next server finds the cancel and stops it then
      ask_again(self, world, "cancel")
      return self:finish("cancelled", "cancelled")
    end
    self.message = self.is_known and "The server stopped; it is being started again."
      or "The server doesn't answer; it is being started."
    server:start(world.now_s)
    local why = server:despair(world.now_s, self.heard_s)
    if why then
      if not self.is_known then server:withdraw(self.spool, self.name) end
      return self:fail(why, self.is_known)
    end
  elseif not lies_there then
    -- Its last words were taken: it lives. Ask for more, now and then.
    if world.now_s - self.asked_s > QUIET_S then
      self.heard_s, self.message = world.now_s, nil
      ask_again(self, world, "status")
    end
  end
end

local ENDINGS = {}

function ENDINGS.done(self)
  self.message = nil
  return "copying"
end

function ENDINGS.cancelled(self)
  return self:finish("cancelled", "cancelled")
end

function ENDINGS.failed(self)
  return self:fail(self.status.message or self.status.code or "the job failed")
end

ENDINGS.refused = ENDINGS.failed

function STEPS.waiting(self, world)
  self.spool = self.spool or world.server:spool(world.now_s)
  if not self.spool then return nil end
  if self.wants_cancel and not self.is_cancel_asked then
    self.is_cancel_asked = ask_again(self, world, "cancel")
  end
  local status = Status.read(self.spool, self.name, self.status)
  if not status or status == self.status then
    if world.now_s - self.heard_s > QUIET_S then return look_after(self, world) end
    return nil
  end
  self.status, self.heard_s, self.is_known = status, world.now_s, true
  self.fraction, self.stage = status.fraction, status.stage or ""
  self.left_s = status.seconds_left
  if not self.wants_cancel then self.message = nil end
  world.server:heard()
  world.server:learn_model(self.spool)
  return ENDINGS[status.state] and ENDINGS[status.state](self)
end

local function recipe_of(self, take, world)
  local recipe = { job = self.name, model = world.server.model, made = os.time() }
  for key, value in pairs(self.order) do recipe[key] = value end
  recipe.is_again, recipe.source = nil, self.take_guid
  recipe.seed, recipe.score = take.seed, take.score
  recipe.rate, recipe.frames = take.rate, take.frames
  if recipe.score ~= recipe.score then recipe.score = nil end
  return recipe
end

--- Where the takes stay when the project has no place for them any more.
local function kept_at(self)
  local first = self.status and self.status.takes[1]
  return first and first.path or "the server's spool"
end

function STEPS.copying(self, world)
  self.stage, self.left_s = "copying the take", -1
  world.server:learn_model(self.spool)
  if self.take_guid and not original_take(self) then
    return self:fail("The item is gone; the take stays at " .. kept_at(self))
  end
  local take = self.status.takes[#self.made + 1]
  if not take then return "placing" end
  if not self.copier then
    local folder, why = project.media_folder(self.proj)
    if not folder then return self:fail(why .. " The take stays at " .. kept_at(self)) end
    local path = files.unused(folder, placing.file_stem(self.order, take.seed), ".wav")
    self.copier, why = files.copier(take.path, path)
    if not self.copier then return self:fail("The take can't be copied: " .. tostring(why)) end
    self.copying = path
  end
  local is_done, why = self.copier:step(world.deadline_s)
  if is_done == nil then
    self.copier = nil
    return self:fail(("The take can't be copied: %s. It stays at %s"):format(why, kept_at(self)))
  end
  if not is_done then return nil end
  self.copier = nil
  local lead_s = self.plan and self.plan.lead_s or 0
  local made = { path = self.copying, seed = take.seed, lead_s = lead_s, frames = take.frames,
    rate = take.rate, recipe = recipe_of(self, take, world) }
  self.made[#self.made + 1] = made
  return self.status.takes[#self.made + 1] == nil and "placing" or nil
end

function STEPS.placing(self, world)
  local original = self.take_guid and original_take(self)
  if self.take_guid and not original then
    return self:fail("The item is gone; the take stays at " .. kept_at(self))
  end
  local spot = spots.of(self, original)
  if placing.has_to_wait(self.proj, spot) then
    self.stage = "waiting for its project's tab"
    return nil
  end
  local sources, why = placing.place(self.proj, spot, self.made, self.order)
  if not sources then return self:fail(tostring(why)) end
  world.peaks:add(self.proj, sources)
  recipes.remember(self.proj, self.made[1].recipe)
  return self:finish("done", ("%d take%s"):format(#self.made, #self.made > 1 and "s" or ""))
end

--- One tick of its life. `world` has server, peaks, now_s and deadline_s.
function Job:step(world)
  if self:is_ended() then return end
  if self:is_homeless() then
    local place = self.spool and files.join(self.spool, self.name .. ".1.wav") or "the spool"
    self:fail(self.asked_s and "The project was closed; the take will lie at " .. place
      or "The project was closed before the job began.", true)
    return
  end
  local next_state = STEPS[self.state](self, world)
  if next_state then self.state = next_state end
end

return Job
