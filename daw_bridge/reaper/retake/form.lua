--- What the user has set: kept from one session to the next, made into an order.
local edits = require("retake.edits")
local json = require("retake.json")

local Form = {}
Form.__index = Form

local SECTION, KEY = "retake", "form"

--- The form as it was left last, or as new.
function Form.read()
  local kept = json.decode(reaper.GetExtState(SECTION, KEY))
  local self = { edit = "transfer", prompt = "", negative = "", takes = 1, direction = "after" }
  for key, value in pairs(type(kept) == "table" and kept or {}) do
    if type(self[key]) == type(value) then self[key] = value end
  end
  if not edits.BY_NAME[self.edit] then self.edit = "transfer" end
  self.takes = edits.read_number("takes", self.takes) or 1
  self.numbers = Form.read_numbers(type(kept) == "table" and kept.numbers)
  return setmetatable(self, Form)
end

function Form.read_numbers(kept)
  local numbers = {}
  for name, kind in pairs(edits.NUMBERS) do
    local value = type(kept) == "table" and kept[name]
    numbers[name] = value and edits.read_number(name, value) or kind.default
  end
  return numbers
end

--- Keep it for the next session.
function Form:save()
  local kept = {
    edit = self.edit, prompt = self.prompt, negative = self.negative, takes = self.takes,
    direction = self.own_direction or self.direction, numbers = self.numbers,
  }
  reaper.SetExtState(SECTION, KEY, json.encode(kept), true)
end

--- Choose an edit; a preset of another one is let go.
function Form:choose_edit(name)
  self.edit = name
  if self.preset and self.preset.edit ~= name then self:choose_preset(nil) end
end

--- The side a preset of `continue` goes on at; with any other, or none, the user's own stands again.
local function choose_side(self, preset)
  local own = self.own_direction or self.direction
  if preset and preset.edit == "continue" then
    self.own_direction = own
    self.direction = preset.parameters.direction == "before" and "before" or "after"
  else
    self.own_direction, self.direction = nil, own
  end
end

--- Choose a preset, or none: its edit with it, and its number and side where it has them.
function Form:choose_preset(preset)
  self.preset, self.is_touched = preset, false
  choose_side(self, preset)
  if not preset then return end
  self.edit = preset.edit
  local number = edits.BY_NAME[preset.edit].number
  local value = number and preset.parameters[number]
  if value then self.numbers[number] = edits.read_number(number, value) or self.numbers[number] end
end

--- Go on at the item's other side; from then on that is the user's own choice.
function Form:turn()
  self.direction = self.direction == "after" and "before" or "after"
  self.own_direction = nil
end

--- Set the edit's main number; from then on it counts more than the preset's.
function Form:set_number(value)
  local number = edits.BY_NAME[self.edit].number
  if self.numbers[number] ~= value then
    self.numbers[number], self.is_touched = value, true
  end
end

--- The order it makes; where it acts is added by who knows the project.
function Form:order()
  local edit = edits.BY_NAME[self.edit]
  local order = { edit = self.edit, prompt = edits.read_text(self.prompt), takes = self.takes }
  if self.negative ~= "" then order.negative = edits.read_text(self.negative) end
  if self.preset then order.preset = self.preset.name end
  if edit.number and (not self.preset or self.is_touched) then
    order[edit.number] = self.numbers[edit.number]
  end
  if self.edit == "continue" then order.direction = self.direction end
  return order
end

return Form
