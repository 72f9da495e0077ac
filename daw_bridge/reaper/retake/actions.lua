--- The actions: each asks what it needs in REAPER's own dialog (which screen readers read), and
-- hands the order to the panel.
local edits = require("retake.edits")
local handover = require("retake.handover")
local project = require("retake.project")
local recipes = require("retake.recipes")
local Form = require("retake.form")
local Jobs = require("retake.jobs")

local actions = {}

local TITLES = {
  transfer = "Retake: transfer selected items",
  inpaint = "Retake: inpaint time selection",
  bandwidth = "Retake: restore highs",
  generate = "Retake: generate at cursor",
  continue = "Retake: continue item",
  vary = "Retake: vary selected items",
  loop = "Retake: loop selected items",
}

local function tell(message, title)
  reaper.ShowMessageBox(message, title or "Retake", 0)
end

--- Ask for several values; nil where the user cancels. Captions and values may hold commas.
local function ask(title, captions, defaults)
  local list = table.concat(captions, ",") .. ",extrawidth=220,separator=\n"
  local ok, text = reaper.GetUserInputs(title, #captions, list, table.concat(defaults, "\n"))
  if not ok then return nil end
  local values = {}
  for value in (text .. "\n"):gmatch("(.-)\n") do values[#values + 1] = value end
  return values
end

local function shown(value)
  return (("%g"):format(value):gsub(",", "."))
end

--- The fields of an edit's dialog: caption, what stands there, and how it gets into the form.
local function fields_of(form)
  local edit = edits.BY_NAME[form.edit]
  local fields = {
    { "Text:", form.prompt, function(text) form.prompt = edits.read_text(text) return true end },
    { "But not:", form.negative, function(text)
      form.negative = edits.read_text(text)
      return true
    end },
  }
  if edit.number then
    local label = edits.NUMBERS[edit.number].label:gsub(",", "")
    fields[#fields + 1] = { label .. ":", shown(form.numbers[edit.number]), function(text)
      local value, why = edits.read_number(edit.number, text)
      if value then form:set_number(value) end
      return value, why
    end }
  end
  fields[#fields + 1] = { "Takes (1-8):", tostring(form.takes), function(text)
    local value, why = edits.read_number("takes", text)
    form.takes = value or form.takes
    return value, why
  end }
  fields[#fields + 1] = { "Seed (empty: a new one):", "", function(text)
    form.seed = nil
    if text:match("^%s*$") then return true end
    form.seed = text:match("^%s*(%d+)%s*$") and math.tointeger(tonumber(text))
    return form.seed, ("The seed is %q; it must be a whole number."):format(text)
  end }
  return fields
end

--- Fill a form by dialog; whether the user said yes. A wrong value is named, and asked for again.
function actions.fill(form)
  while true do
    local fields, captions, defaults = fields_of(form), {}, {}
    for index, field in ipairs(fields) do captions[index], defaults[index] = field[1], field[2] end
    local values = ask(TITLES[form.edit], captions, defaults)
    if not values then return false end
    local complaint
    for index, field in ipairs(fields) do
      local ok, why = field[3](values[index] or "")
      if not ok then complaint = complaint or why end
    end
    if not complaint then return true end
    tell(complaint, TITLES[form.edit])
  end
end

--- Where an edit acts, put into an order; nil where it can't, and then the user has been told.
local function placed(order, proj)
  for key, value in pairs(project.place(proj)) do order[key] = value end
  local complaint = edits.complaint(order)
  if complaint then tell(complaint, TITLES[order.edit]) end
  return not complaint and order or nil
end

--- An edit's action. `folder` is where the scripts lie.
function actions.edit(folder, name)
  local asked_s = reaper.time_precise()
  local proj = reaper.EnumProjects(-1)
  local edit, place = edits.BY_NAME[name], project.place(proj)
  local probe = { edit = name, prompt = "-", items = place.items, stop_s = place.stop_s }
  local complaint = edits.complaint(probe) -- before anything is typed
  if complaint then return tell(complaint, TITLES[name]) end
  local form = Form.read()
  form:choose_edit(name)
  if edit.on == "cursor" and place.stop_s then
    form:set_number(math.min(place.stop_s - place.start_s, edits.NUMBERS.seconds.high))
  end
  if not actions.fill(form) then return end
  form:save()
  local order = form:order()
  order.seed = form.seed
  order = placed(order, proj)
  if order then handover.send(folder, order, asked_s) end
end

--- The latest recipe once more, with another seed: on the selected items, else on those it was of;
-- and there on the take that its take was made of.
function actions.again(folder)
  local proj = reaper.EnumProjects(-1)
  local recipe = recipes.latest(proj)
  if not recipe then
    return tell("Nothing was made in this project yet.", "Retake: repeat last with new seed")
  end
  local order = actions.again_order(recipe, project.place(proj))
  local complaint = edits.complaint(order)
  if complaint then return tell(complaint, "Retake: repeat last with new seed") end
  handover.send(folder, order)
end

local NOT_REPEATED = {
  job = true, model = true, made = true, score = true, frames = true, rate = true, source = true,
}

--- A recipe as an order for what is selected now.
function actions.again_order(recipe, place)
  local order = {}
  for key, value in pairs(recipe) do
    if not NOT_REPEATED[key] then order[key] = value end
  end
  order.seed, order.is_again = Jobs.new_seed(), true
  if #place.items > 0 then order.items = place.items end
  if place.stop_s then order.start_s, order.stop_s = place.start_s, place.stop_s end
  if edits.BY_NAME[order.edit] and edits.BY_NAME[order.edit].on == "cursor" then
    order.cursor_s, order.track = place.cursor_s, place.track
  end
  return order
end

--- Open the panel with its list of presets.
function actions.presets(folder)
  handover.send(folder, { show = "presets" })
end

return actions
