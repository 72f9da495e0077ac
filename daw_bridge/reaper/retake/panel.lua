--- The panel: what to make, on what, and how far it is. It does the work of the actions too.
local Form = require("retake.form")
local Jobs = require("retake.jobs")
local Presets = require("retake.presets")
local Server = require("retake.server")
local Widgets = require("retake.widgets")
local actions = require("retake.actions")
local edits = require("retake.edits")
local handover = require("retake.handover")
local json = require("retake.json")
local project = require("retake.project")
local recipes = require("retake.recipes")

local Panel = {}
Panel.__index = Panel

local TITLE, SECTION, WINDOW = "Retake", "retake", "window"
local MARGIN, GAP, ROW = 10, 6, 26
local BEAT_EVERY_S = 1.0
--- What set_action_options knows: run again the script ends; then REAPER begins it anew.
local END_IF_RUN_AGAIN, BEGIN_ANEW = 1, 2

function Panel.new(folder)
  local self = {
    folder = folder, form = Form.read(), presets = Presets.read(folder), ui = Widgets.new(),
    jobs = Jobs.new(Server.new(folder)), beat_s = -math.huge,
    is_open = false, is_used = false,
  }
  self.told = self.presets.why
  return setmetatable(self, Panel)
end

--- Open the window where it was last.
function Panel:open()
  local kept = json.decode(reaper.GetExtState(SECTION, WINDOW)) or {}
  local function number(name, default)
    return type(kept[name]) == "number" and kept[name] or default
  end
  gfx.ext_retina = 1
  gfx.init(TITLE, number("w", 380), number("h", 420), number("dock", 0), number("x", 200), number("y", 200))
  self.is_open = true
end

--- Keep where the window is.
function Panel:keep_window()
  local dock, x, y, w, h = gfx.dock(-1, 0, 0, 0, 0)
  local kept = json.encode({ dock = dock, x = x, y = y, w = w, h = h })
  if kept ~= self.kept_window then
    self.kept_window = kept
    reaper.SetExtState(SECTION, WINDOW, kept, true)
  end
end

--- Take up orders of actions.
function Panel:take_orders(proj)
  for _, order in ipairs(handover.take()) do
    if not self.is_open then self:open() end
    if order.show == "presets" then
      self.wants_presets = true
    else
      self:start(proj, order)
    end
  end
end

--- Begin an order; what is wrong with it is said in the panel.
function Panel:start(proj, order)
  local _, why = self.jobs:start(proj, order)
  self.told = why
end

--- Make what the form says, where the project is.
function Panel:make(proj)
  local order = self.form:order()
  for key, value in pairs(project.place(proj)) do order[key] = value end
  self.form:save()
  self:start(proj, order)
end

--- The latest recipe again.
function Panel:make_again(proj)
  local recipe = recipes.latest(proj)
  if not recipe then
    self.told = "Nothing was made in this project yet."
    return
  end
  self:start(proj, actions.again_order(recipe, project.place(proj)))
end

--- Where the edit would act now, for the user to see before.
function Panel:target(proj)
  local edit, place = edits.BY_NAME[self.form.edit], project.place(proj)
  local n = #place.items
  local items = n == 0 and "no item selected" or n == 1 and "1 item" or n .. " items"
  if edit.on == "cursor" then return ("at the edit cursor, %.3f s"):format(place.cursor_s) end
  if edit.on ~= "hole" then return "on " .. items end
  if not place.stop_s then return items .. ", no time selection" end
  return ("%.3f to %.3f s in %s"):format(place.start_s, place.stop_s, items)
end

function Panel:draw_choices(x, y, w)
  local ui, form = self.ui, self.form
  local half = (w - GAP) / 2
  if ui:dropdown(edits.BY_NAME[form.edit].label, x, y, half, ROW) then
    local labels = {}
    for index, edit in ipairs(edits.LIST) do
      labels[index] = (edit.name == form.edit and "!" or "") .. edit.label
    end
    local chosen = edits.LIST[ui:menu(table.concat(labels, "|"), x, y + ROW)]
    if chosen then form:choose_edit(chosen.name) end
  end
  local label = form.preset and form.preset.name or "No preset"
  local is_asked = ui:dropdown(label, x + half + GAP, y, half, ROW) or self.wants_presets
  self.wants_presets = nil
  if is_asked then
    local menu, names = self.presets:menu(form.preset and form.preset.name)
    local name = names[ui:menu(menu, x + half + GAP, y + ROW)]
    if name ~= nil then form:choose_preset(name and self.presets.by_name[name] or nil) end
  end
  return y + ROW + GAP
end

function Panel:draw_text(x, y, w, proj)
  local ui, form = self.ui, self.form
  local hint = "what it should sound like"
  if form.preset and form.preset.default ~= "" then hint = form.preset.default end
  local is_entered
  form.prompt, is_entered = ui:field("prompt", form.prompt, hint, x, y, w - 36, ROW)
  if ui:button("…", x + w - 30, y, 30, ROW) then self.wants_dialog = true end
  if is_entered then self:make(proj) end
  return y + ROW + GAP
end

function Panel:draw_numbers(x, y, w)
  local ui, form = self.ui, self.form
  local number = edits.BY_NAME[form.edit].number
  if number then
    local kind = edits.NUMBERS[number]
    form:set_number(ui:slider(number, kind, form.numbers[number], x, y, w, ROW))
    y = y + ROW + GAP
  end
  ui:text("Takes", x, y, 50, ROW, "dim")
  if ui:button("−", x + 54, y, ROW, ROW) then form.takes = math.max(1, form.takes - 1) end
  ui:text(tostring(form.takes), x + 54 + ROW, y, ROW, ROW, "text", true)
  if ui:button("+", x + 54 + 2 * ROW, y, ROW, ROW) then form.takes = math.min(8, form.takes + 1) end
  if form.edit == "continue" then
    local side = form.direction == "after" and "after the item" or "before the item"
    if ui:button(side, x + w - 130, y, 130, ROW) then form:turn() end
  end
  return y + ROW + GAP
end

function Panel:draw_buttons(x, y, w, proj)
  local ui = self.ui
  local wide = math.floor(w * 0.62)
  ui:text(self:target(proj), x, y, w, 20, "dim")
  y = y + 22
  if ui:button("Retake", x, y, wide, ROW + 4, true) then self:make(proj) end
  if ui:button("Last, new seed", x + wide + GAP, y, w - wide - GAP, ROW + 4) then
    self:make_again(proj)
  end
  return y + ROW + 4 + GAP
end

local STATE_COLORS = { failed = "bad", done = "good", cancelled = "dim" }

function Panel:draw_job(job, x, y, w)
  local ui = self.ui
  local color = STATE_COLORS[job.state] or "accent"
  local line, line_w = job:line(), w * 0.5 - 26
  ui:text(job.title, x, y, w * 0.5, 20)
  ui:text(line, x + w * 0.5, y, line_w, 20, STATE_COLORS[job.state] or "dim")
  ui:bar(job:is_ended() and 1 or job.fraction, x, y + 20, w - 26, 4, color)
  local is_read_on = ui.is_clicked and ui:is_over(x, y, w - 26, 24)
  if is_read_on and job.message and ui:is_cut_off(line, line_w) then self.wants_message = job end
  if ui:button("×", x + w - 20, y + 2, 20, 20) then
    if job:is_ended() then self.jobs:forget(job) else job:cancel(self.jobs.server) end
  end
end

function Panel:draw_jobs(x, y, w, bottom)
  for index = #self.jobs.list, 1, -1 do
    if y + 28 > bottom then break end
    self:draw_job(self.jobs.list[index], x, y, w)
    y = y + 32
  end
end

--- One frame; false when the window was closed.
function Panel:draw(proj)
  local ui = self.ui
  if not ui:begin() then return false end
  local w, h = gfx.w / ui.scale, gfx.h / ui.scale
  local x, y, inner = MARGIN, MARGIN, w - 2 * MARGIN
  y = self:draw_choices(x, y, inner)
  y = self:draw_text(x, y, inner, proj)
  y = self:draw_numbers(x, y, inner)
  y = self:draw_buttons(x, y, inner, proj)
  local told = self.told or self.jobs.server.told
  if told then
    ui:text(told, x, y, inner, 20, self.told and "bad" or "dim")
    y = y + 24
  end
  self:draw_jobs(x, y, inner, h - MARGIN)
  if ui.is_right_clicked then self:dock_menu() end
  ui:finish()
  return true
end

--- Docked or not, by right click.
function Panel:dock_menu()
  local is_docked = math.tointeger(gfx.dock(-1) // 1) & 1 == 1
  local x, y = gfx.mouse_x / self.ui.scale, gfx.mouse_y / self.ui.scale
  if self.ui:menu((is_docked and "!" or "") .. "Dock the panel", x, y) == 1 then
    gfx.dock(is_docked and 0 or 1)
  end
end

--- The dialog with everything, after the frame: it is modal.
function Panel:dialog(proj)
  self.wants_dialog = nil
  if actions.fill(self.form) then
    local order = self.form:order()
    order.seed = self.form.seed
    for key, value in pairs(project.place(proj)) do order[key] = value end
    self.form:save()
    self:start(proj, order)
  end
end

--- What a job says, in full: its row in the panel may show no more than the beginning.
local function tell(job)
  reaper.ShowMessageBox(job.title .. ": " .. job.message, TITLE, 0)
end

--- The message that was clicked on, after the frame: it is modal.
function Panel:show_message()
  local job = self.wants_message
  self.wants_message = nil
  tell(job)
end

--- Look which project is in front; one that was opened may wait for takes.
function Panel:meet_project()
  local proj, path = reaper.EnumProjects(-1)
  local seen = tostring(proj) .. (path or "") -- one tab's pointer may serve another project later
  if seen ~= self.seen then
    self.seen = seen
    self.jobs:adopt(proj)
  end
  return proj
end

--- Say what REAPER is to do when the panel is run again: with jobs under way another one must take
-- them up, or their takes would lie unplaced.
function Panel:choose_options()
  local options = END_IF_RUN_AGAIN
  if self.jobs:is_busy() then
    options = options | BEGIN_ANEW
    self.is_begun_anew = true -- for good: whether REAPER forgets the option again isn't documented
  end
  if options == self.options or not reaper.APIExists("set_action_options") then return end
  self.options = options
  reaper.set_action_options(options)
end

--- Tell in a dialog what the closed panel can't show any more.
function Panel:tell_failures()
  for _, job in ipairs(self.jobs.list) do
    if job.state == "failed" and not job.is_told then
      job.is_told = true
      tell(job)
    end
  end
end

--- One tick of REAPER's; whether there is to be another.
function Panel:tick()
  local now_s = reaper.time_precise()
  if now_s - self.beat_s >= BEAT_EVERY_S then
    self.beat_s = now_s
    handover.beat(now_s)
  end
  local proj = self:meet_project()
  self:take_orders(proj)
  self.jobs:step()
  self:choose_options()
  if self.is_open then
    self.is_open = self:draw(proj)
    if self.is_open then self:keep_window() end
    if self.is_open and self.wants_dialog then self:dialog(proj) end
    if self.is_open and self.wants_message then self:show_message() end
  elseif self.jobs:is_busy() then
    self:tell_failures()
  else
    self:tell_failures()
    return false
  end
  return true
end

--- The script ends: by itself, or because the user has run it again.
function Panel:stop()
  self.form:save()
  self.jobs:pause()
  handover.stop(self.is_open and self.is_begun_anew)
  if self.is_open then gfx.quit() end
end

--- Run until the window is closed and nothing is under way any more.
function Panel.run(folder)
  local panel = Panel.new(folder)
  panel:choose_options()
  if not handover.was_shut() then panel:open() end
  reaper.atexit(function() panel:stop() end)
  for _, one in ipairs(project.all()) do panel.jobs:adopt(one.proj) end -- in every tab
  local function loop()
    if panel:tick() then reaper.defer(loop) end
  end
  loop()
end

return Panel
