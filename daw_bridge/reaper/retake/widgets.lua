--- A few controls drawn with gfx: each is drawn and asked in one call, every frame.
local Widgets = {}
Widgets.__index = Widgets

local COLORS = {
  back = { 0.16, 0.17, 0.18 }, field = { 0.10, 0.11, 0.12 }, face = { 0.26, 0.28, 0.30 },
  hot = { 0.33, 0.36, 0.39 }, accent = { 0.20, 0.55, 0.65 }, accent_hot = { 0.25, 0.65, 0.76 },
  text = { 0.90, 0.91, 0.92 }, dim = { 0.60, 0.62, 0.64 }, bad = { 0.95, 0.50, 0.45 },
  good = { 0.50, 0.80, 0.55 }, line = { 0.32, 0.34, 0.36 },
}
local LEFT_BUTTON, RIGHT_BUTTON = 1, 2
local CENTERED, VERTICALLY_CENTERED = 1, 4
local FONT_SIZE = 15
local KEYS = {
  backspace = 8, enter = 13, escape = 27, left = 1818584692, right = 1919379572,
  home = 1752132965, ["end"] = 6647396, delete = 6579564, select_all = 1,
}
Widgets.KEYS = KEYS
--- Code points above 255 come with a 'u' in the top byte.
local UNICODE_MARK = 0x75000000
local MAX_KEYS_A_FRAME = 64

function Widgets.new()
  return setmetatable({ scale = 1, buttons = 0, focus = nil, caret = 0 }, Widgets)
end

--- Begin a frame: read the mouse and the keys. false when the window was closed.
function Widgets:begin()
  self.scale = math.max(1, gfx.ext_retina)
  local down = gfx.mouse_cap
  self.is_pressed = down & LEFT_BUTTON ~= 0
  self.is_clicked = self.is_pressed and self.buttons & LEFT_BUTTON == 0
  self.is_right_clicked = down & RIGHT_BUTTON ~= 0 and self.buttons & RIGHT_BUTTON == 0
  self.buttons = down
  if not self.is_pressed then self.held = nil end
  self.keys = {}
  for _ = 1, MAX_KEYS_A_FRAME do
    local key = math.tointeger(gfx.getchar() // 1)
    if key == 0 then break end
    if key < 0 then return false end
    self.keys[#self.keys + 1] = key
  end
  gfx.setfont(1, "Arial", math.floor(FONT_SIZE * self.scale + 0.5))
  self:fill("back", 0, 0, gfx.w / self.scale, gfx.h / self.scale)
  if self.is_clicked then self.next_focus = false end
  return true
end

--- End a frame: a click beside every field takes the keyboard away from all of them.
function Widgets:finish()
  if self.is_clicked then self.focus = self.next_focus or nil end
  gfx.update()
end

function Widgets:color(name)
  local c = COLORS[name]
  gfx.set(c[1], c[2], c[3], 1)
end

function Widgets:fill(color, x, y, w, h)
  local s = self.scale
  self:color(color)
  gfx.rect(x * s, y * s, w * s, h * s, 1)
end

function Widgets:frame(color, x, y, w, h)
  local s = self.scale
  self:color(color)
  gfx.rect(x * s, y * s, w * s, h * s, 0)
end

function Widgets:is_over(x, y, w, h)
  local mx, my = gfx.mouse_x / self.scale, gfx.mouse_y / self.scale
  return mx >= x and mx < x + w and my >= y and my < y + h
end

--- A text on one line, cut off at its box.
function Widgets:text(text, x, y, w, h, color, is_centered)
  local s = self.scale
  self:color(color or "text")
  gfx.x, gfx.y = x * s, y * s
  local flags = VERTICALLY_CENTERED + (is_centered and CENTERED or 0)
  gfx.drawstr(text, flags, (x + w) * s, (y + h) * s)
end

--- Whether a text is longer than a box is wide.
function Widgets:is_cut_off(text, w)
  return gfx.measurestr(text) > w * self.scale
end

--- A button; whether it was clicked.
function Widgets:button(label, x, y, w, h, is_main)
  local is_over = self:is_over(x, y, w, h)
  local color = is_main and (is_over and "accent_hot" or "accent") or (is_over and "hot" or "face")
  self:fill(color, x, y, w, h)
  self:text(label, x + 4, y, w - 8, h, "text", true)
  return is_over and self.is_clicked
end

--- A button that opens a menu.
function Widgets:dropdown(label, x, y, w, h)
  local is_over = self:is_over(x, y, w, h)
  self:fill(is_over and "hot" or "face", x, y, w, h)
  self:text(label, x + 8, y, w - 30, h)
  local s, cx, cy = self.scale, x + w - 14, y + h / 2
  self:color("dim")
  gfx.triangle((cx - 4) * s, (cy - 2) * s, (cx + 4) * s, (cy - 2) * s, cx * s, (cy + 3) * s)
  return is_over and self.is_clicked
end

--- A menu below a point; which entry was chosen, 0 for none.
function Widgets:menu(entries, x, y)
  gfx.x, gfx.y = x * self.scale, y * self.scale
  local chosen = gfx.showmenu(entries)
  self.buttons = 0 -- the button came up while the menu had the mouse
  return math.tointeger(chosen // 1)
end

--- A slider with its label and value; the value.
function Widgets:slider(id, kind, value, x, y, w, h)
  local share = (value - kind.low) / (kind.high - kind.low)
  self:fill("field", x, y, w, h)
  self:fill("accent", x, y, w * share, h)
  local shown = (("%.4g"):format(value):gsub(",", "."))
  self:text(kind.label, x + 8, y, w - 70, h)
  self:text(shown, x + w - 62, y, 54, h, "text", true)
  if self.is_clicked and self:is_over(x, y, w, h) then self.held = id end
  if self.held ~= id then return value end
  local at = math.max(0, math.min(1, (gfx.mouse_x / self.scale - x) / w))
  local steps = math.floor(at * (kind.high - kind.low) / kind.step + 0.5)
  return math.max(kind.low, math.min(kind.high, kind.low + steps * kind.step))
end

--- A bar that fills.
function Widgets:bar(share, x, y, w, h, color)
  self:fill("field", x, y, w, h)
  self:fill(color or "accent", x, y, w * math.max(0, math.min(1, share)), h)
end

local function character_of(key)
  if key >= UNICODE_MARK and key < UNICODE_MARK + 0x110000 then return utf8.char(key - UNICODE_MARK) end
  if key >= 32 and key < 256 and key ~= 127 then return utf8.char(key) end
end

local function byte_before(text, caret)
  return caret > 0 and (utf8.offset(text, -1, caret + 1) or 1) - 1 or 0
end

local function byte_after(text, caret)
  return caret < #text and utf8.offset(text, 2, caret + 1) - 1 or #text
end

--- A key's work on a text with its caret (in bytes); whether it was Enter.
function Widgets:edit(text, key)
  local caret = math.min(self.caret, #text)
  local character = character_of(key)
  if character then
    text, caret = text:sub(1, caret) .. character .. text:sub(caret + 1), caret + #character
  elseif key == KEYS.backspace then
    local from = byte_before(text, caret)
    text, caret = text:sub(1, from) .. text:sub(caret + 1), from
  elseif key == KEYS.delete then
    text = text:sub(1, caret) .. text:sub(byte_after(text, caret) + 1)
  elseif key == KEYS.left then
    caret = byte_before(text, caret)
  elseif key == KEYS.right then
    caret = byte_after(text, caret)
  elseif key == KEYS.home then
    caret = 0
  elseif key == KEYS["end"] then
    caret = #text
  end
  self.caret = caret
  return text, key == KEYS.enter
end

--- A field to type in; its text, and whether Enter was hit. `hint` stands there while it is empty.
function Widgets:field(id, text, hint, x, y, w, h)
  self:fill("field", x, y, w, h)
  if self.is_clicked and self:is_over(x, y, w, h) then
    self.next_focus, self.caret = id, #text
  end
  local is_entered = false
  local has_focus = self.focus == id
  if has_focus then
    for _, key in ipairs(self.keys) do
      local is_enter
      text, is_enter = self:edit(text, key)
      is_entered = is_entered or is_enter
    end
  end
  self:frame(has_focus and "accent" or "line", x, y, w, h)
  if text == "" and not has_focus then
    self:text(hint, x + 8, y, w - 16, h, "dim")
    return text, is_entered
  end
  -- What is left of the caret shows its end, so that the caret stays in sight.
  local before = text:sub(1, self.caret)
  local shift = has_focus and math.max(0, gfx.measurestr(before) / self.scale - (w - 20)) or 0
  self:clipped_text(text, x + 8, y, w - 16, h, shift)
  if has_focus then
    local at = x + 8 + gfx.measurestr(before) / self.scale - shift
    self:fill("text", at, y + 4, 1, h - 8)
  end
  return text, is_entered
end

--- A text whose first `shift` pixels are cut away.
function Widgets:clipped_text(text, x, y, w, h, shift)
  while shift > 0 and #text > 0 do
    local first = text:sub(1, byte_after(text, 0))
    shift = shift - gfx.measurestr(first) / self.scale
    text = text:sub(#first + 1)
  end
  self:text(text, x, y, w, h)
end

return Widgets
