--- Presets: read from presets.json beside the scripts, which `retake install reaper` writes.
-- Without that file there are none, and everything else works.
local edits = require("retake.edits")
local files = require("retake.files")
local json = require("retake.json")

local Presets = {}
Presets.__index = Presets

local function text_of(value)
  return type(value) == "string" and value or ""
end

--- One entry as the panel needs it, or nil where this bridge can't use it.
local function entry(raw)
  if type(raw) ~= "table" or type(raw.name) ~= "string" or not edits.BY_NAME[raw.edit] then return nil end
  local parameters = type(raw.parameters) == "table" and raw.parameters or {}
  return {
    name = raw.name, edit = raw.edit, parameters = parameters, description = text_of(raw.description),
    family = raw.family_title or raw.family or "", default = text_of(raw.default),
  }
end

--- The presets of a folder; an unreadable or damaged file counts as none, and `why` says so.
function Presets.read(folder)
  local self = setmetatable({ list = {}, by_name = {} }, Presets)
  local text = files.read(files.join(folder, "presets.json"))
  if not text then return self end
  local raw, why = json.decode(text)
  if type(raw) ~= "table" then
    self.why = "presets.json can't be read (" .. (why or "no list") .. "); run: retake install reaper"
    return self
  end
  for _, one in ipairs(raw.presets or raw) do
    local preset = entry(one)
    if preset and not self.by_name[preset.name] then
      self.list[#self.list + 1] = preset
      self.by_name[preset.name] = preset
    end
  end
  return self
end

--- A menu of all of them for gfx.showmenu, one submenu a family, and what its choices stand for.
-- The first choice is none.
function Presets:menu(chosen)
  local names, parts = { false }, { (chosen and "" or "!") .. "No preset" }
  local families, order = {}, {}
  for _, preset in ipairs(self.list) do
    if not families[preset.family] then
      families[preset.family] = {}
      order[#order + 1] = preset.family
    end
    table.insert(families[preset.family], preset)
  end
  for _, family in ipairs(order) do
    local members = families[family]
    parts[#parts + 1] = ">" .. Presets.escaped(family ~= "" and family or "Presets")
    for index, preset in ipairs(members) do
      local mark = index == #members and "<" or "" -- with it, a tick would be a second sign
      local label = edits.BY_NAME[preset.edit].label .. ": " .. preset.name
      if preset.name == chosen then label = "• " .. label end
      parts[#parts + 1] = mark .. Presets.escaped(label)
      names[#names + 1] = preset.name
    end
  end
  return table.concat(parts, "|"), names
end

--- A text without the signs a menu takes for orders.
function Presets.escaped(text)
  return (text:gsub("|", "/"):gsub("^[#!<>]+", ""):gsub("&", "&&"))
end

return Presets
