--- All jobs of this script: begun from orders, stepped a little each tick, shown by the panel.
local Job = require("retake.job")
local edits = require("retake.edits")
local placing = require("retake.placing")
local project = require("retake.project")
local recipes = require("retake.recipes")

local Jobs = {}
Jobs.__index = Jobs

--- Of REAPER's thirty ticks a second each may take so long, however much there is to do.
local BUDGET_S = 0.008
local KEPT_ENDED = 30
local MAX_SEED = 2 ^ 31 - 1

math.randomseed(os.time() + math.floor(reaper.time_precise() * 1000)) -- Lua 5.3 seeds nothing

function Jobs.new(server)
  return setmetatable({ server = server, peaks = placing.Peaks.new(), list = {} }, Jobs)
end

--- A seed nobody chose.
function Jobs.new_seed()
  return math.random(0, math.tointeger(MAX_SEED))
end

--- Begin what an order asks for, one job an item. nil and a sentence where it can't be.
function Jobs:start(proj, order)
  local complaint = edits.complaint(order)
  if complaint then return nil, complaint end
  order.seed = order.seed or Jobs.new_seed()
  local now_s = reaper.time_precise()
  if edits.BY_NAME[order.edit].on == "cursor" then
    order.rate = order.rate or project.rate(proj)
    self:begin(Job.new(proj, order, nil, now_s))
    return 1
  end
  local items, n = project.find_items(proj, order.items), 0
  for _, guid in ipairs(order.items) do
    if items[guid] and (#order.items == 1 or self:touches(order, items[guid])) then
      self:begin(Job.of_item(proj, order, items[guid], now_s))
      n = n + 1
    end
  end
  if n == 0 then return nil, "None of the items is there (or under the time selection)." end
  return n
end

--- Whether an order is about an item at all: of many selected, those under the hole.
function Jobs:touches(order, item)
  if edits.BY_NAME[order.edit].on ~= "hole" then return true end
  local at_s = reaper.GetMediaItemInfo_Value(item, "D_POSITION")
  local end_s = at_s + reaper.GetMediaItemInfo_Value(item, "D_LENGTH")
  return order.start_s < end_s and order.stop_s > at_s
end

--- A new job: from here on its project waits for it.
function Jobs:begin(job)
  if not job:is_ended() then job:keep() end
  self:add(job)
end

function Jobs:add(job)
  self.list[#self.list + 1] = job
  local n_ended = 0
  for index = #self.list, 1, -1 do
    if self.list[index]:is_ended() then
      n_ended = n_ended + 1
      if n_ended > KEPT_ENDED then table.remove(self.list, index) end
    end
  end
end

--- Take an ended job off the list.
function Jobs:forget(job)
  for index, one in ipairs(self.list) do
    if one == job then return table.remove(self.list, index) end
  end
end

--- Begin a job once more that the server was not asked for; where that can't be, it has failed.
local function begin_again(self, proj, entry)
  recipes.drop_pending(proj, entry.name)
  local ok, why = self:start(proj, entry.order)
  if ok then return end
  local job = Job.new(proj, entry.order, nil, reaper.time_precise())
  job:fail(why)
  self:add(job)
end

--- Take up the jobs a project was waiting for when it, or REAPER, or the panel was closed.
function Jobs:adopt(proj)
  for _, entry in ipairs(recipes.pending(proj)) do
    local is_free = not recipes.is_claimed(entry.name)
    if is_free and entry.is_unasked and edits.BY_NAME[entry.order.edit] then
      begin_again(self, proj, entry)
    elseif is_free then
      local job = Job.adopted(proj, entry, reaper.time_precise())
      if job then self:add(job) end
    end
  end
end

--- One tick: every job gets a step, the work of all stays within the budget.
function Jobs:step()
  local now_s = reaper.time_precise()
  local world = {
    server = self.server, peaks = self.peaks, now_s = now_s, deadline_s = now_s + BUDGET_S,
  }
  local n = #self.list
  for _ = 1, n do
    -- In turn, so that a long copy of the first never starves the last.
    self.turn = (self.turn or 0) % n + 1
    local job = self.list[self.turn]
    if not job:is_ended() then
      local ok, why = pcall(job.step, job, world)
      -- One job's trouble is not the others', nor the panel's.
      if not ok then job:fail("Retake's own fault: " .. tostring(why)) end
    end
    if reaper.time_precise() > world.deadline_s then break end
  end
  self.peaks:step(world.deadline_s)
end

--- The script ends: half-written files go, the jobs themselves go on and are adopted later.
function Jobs:pause()
  for _, job in ipairs(self.list) do
    if not job:is_ended() then
      job:pause()
      job:drop_copies()
      recipes.release(job.name)
    end
  end
end

--- Whether any job is under way.
function Jobs:is_busy()
  for _, job in ipairs(self.list) do
    if not job:is_ended() then return true end
  end
  return self.peaks.queue[1] ~= nil
end

return Jobs
