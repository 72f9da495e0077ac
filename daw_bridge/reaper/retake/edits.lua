--- The edits as this bridge offers them: what each acts on, and what the user sets.
local edits = {}

--- AudioLDM's checkpoints work at 16 kHz, and the engine takes cutoffs up to 95 % of half of that.
local HIGHEST_CUTOFF_HZ = 7600

--- Every number the panel and the dialogs ask for: its label, range, step and what it starts at.
edits.NUMBERS = {
  strength = { label = "Strength", low = 0, high = 1, step = 0.05, default = 0.5 },
  amount = { label = "Amount", low = 0, high = 1, step = 0.05, default = 0.5 },
  cutoff = {
    label = "Cutoff (Hz, 0 finds it)", low = 0, high = HIGHEST_CUTOFF_HZ, step = 100, default = 0,
  },
  seconds = { label = "Seconds", low = 0.1, high = 60, step = 0.5, default = 5 },
  seam = { label = "Seam (s)", low = 0.01, high = 5, step = 0.05, default = 0.5 },
  takes = { label = "Takes", low = 1, high = 8, step = 1, default = 1, is_whole = true },
}

--- `on` is what an edit needs: "items" (those selected), "hole" (a time selection in them) or
-- "cursor"; `gives` is "take" (on the item) or "item" (a new one); `number` is its main dose.
edits.LIST = {
  { name = "transfer", label = "Transfer", on = "items", gives = "take", number = "strength",
    needs_text = true },
  { name = "inpaint", label = "Inpaint", on = "hole", gives = "take" },
  { name = "bandwidth", label = "Restore highs", on = "items", gives = "take", number = "cutoff" },
  { name = "generate", label = "Generate", on = "cursor", gives = "item", number = "seconds",
    needs_text = true },
  { name = "continue", label = "Continue", on = "items", gives = "item", number = "seconds" },
  { name = "vary", label = "Vary", on = "items", gives = "take", number = "amount" },
  { name = "loop", label = "Loop", on = "items", gives = "take", number = "seam" },
}

edits.BY_NAME = {}
for _, edit in ipairs(edits.LIST) do edits.BY_NAME[edit.name] = edit end

local MAX_TEXT_BYTES = 2000

--- A number of this kind read from a text; nil and a sentence where it is none or out of range.
function edits.read_number(name, text)
  local kind = edits.NUMBERS[name]
  local value = tonumber((tostring(text):gsub(",", "."):gsub("^%s+", "")))
  if not value or value ~= value or value < kind.low or value > kind.high then
    return nil, ("%s is %q; it must be a number from %g to %g."):format(
      kind.label, tostring(text), kind.low, kind.high
    )
  end
  if kind.is_whole then value = math.tointeger(math.floor(value + 0.5)) end
  return value
end

--- A text as it is sent: on one line, without spaces around it.
function edits.read_text(text)
  return (tostring(text or ""):gsub("[%c%s]+", " "):gsub("^ ", ""):gsub(" $", ""))
end

--- What is wrong with an order, as a sentence, or nil.
function edits.complaint(order)
  local edit = edits.BY_NAME[order.edit]
  if not edit then return ("No edit is called %q."):format(tostring(order.edit)) end
  local text = order.prompt or ""
  if #text > MAX_TEXT_BYTES then
    return ("The text has %d bytes; at most %d are read."):format(#text, MAX_TEXT_BYTES)
  end
  if edit.needs_text and text == "" and not order.preset then
    return "Type what it should sound like, or pick a preset."
  end
  if edit.on ~= "cursor" and #(order.items or {}) == 0 then
    return "Select at least one audio item first."
  end
  if edit.on == "hole" and not order.stop_s then
    return "Make a time selection inside the item: that is what will be filled."
  end
end

--- What the user calls what was made: the text, else the preset, else the edit.
function edits.title(order)
  local text = order.prompt
  if not text or text == "" then text = order.preset end
  return text or edits.BY_NAME[order.edit].label:lower()
end

--- The name of a take, as every bridge gives it.
function edits.take_name(order, seed)
  return ("Retake: %s (seed %s)"):format(edits.title(order), seed)
end

--- What the undo history says.
function edits.undo_name(order)
  local label, title = edits.BY_NAME[order.edit].label:lower(), edits.title(order)
  if title == label then return "Retake: " .. label end
  return ("Retake: %s (%s)"):format(label, title)
end

--- A number as the server reads it, with a point whatever the system's language writes.
local function number_text(value)
  if math.type(value) == "integer" then return tostring(value) end
  return (("%.10g"):format(value):gsub(",", "."))
end

--- The order's own keys of submit, as {key, value} pairs; where the sound is comes apart.
function edits.keys(order)
  local keys = {}
  local function add(key, value)
    if type(value) == "number" then value = number_text(value) end
    if value ~= nil and value ~= "" then keys[#keys + 1] = { key, value } end
  end
  if order.preset then add("preset", order.preset) else add("edit", order.edit) end
  for _, key in ipairs({ "prompt", "negative", "takes", "seed", "model", "rate", "channels" }) do
    add(key, order[key])
  end
  local edit = edits.BY_NAME[order.edit]
  if edit.number then add(edit.number, order[edit.number]) end
  if order.edit == "continue" then add("direction", order.direction) end
  return keys
end

return edits
