--- JSON, as much of it as recipes and presets need.
-- Lists are tables whose keys are 1..n, and an empty table is written as an object unless it was
-- made by json.list(). null reads as nil, so it drops out of objects and ends lists.
local json = {}

local LIST = { __name = "json.list" }
local ESCAPES = {
  ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
  ["`"] = "\\u0060", -- project files have three quotes, and change the third where all are used
}
local UNESCAPED = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }
local DEEPEST = 64

--- A table that is written as a list even while it is empty.
function json.list(values)
  return setmetatable(values or {}, LIST)
end

local function quoted(text)
  local escaped = text:gsub('[%c"\\`]', function(c)
    return ESCAPES[c] or ("\\u%04x"):format(c:byte())
  end)
  return '"' .. escaped .. '"'
end

--- A number's text, with a point whatever the system's language writes; null where it is none.
local function number_text(value)
  if math.type(value) == "integer" then return ("%d"):format(value) end
  if value ~= value or value == math.huge or value == -math.huge then return "null" end
  return (("%.14g"):format(value):gsub(",", "."))
end

local encode

local function encode_list(value, depth)
  local parts = {}
  for index, one in ipairs(value) do parts[index] = encode(one, depth + 1) end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function encode_object(value, depth)
  local keys, parts = {}, {}
  for key in pairs(value) do keys[#keys + 1] = tostring(key) end
  table.sort(keys) -- the same table, the same text
  for index, key in ipairs(keys) do
    parts[index] = quoted(key) .. ":" .. encode(value[key], depth + 1)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

function encode(value, depth)
  local kind = type(value)
  if depth > DEEPEST then error("json: nested more than " .. DEEPEST .. " deep") end
  if kind == "string" then return quoted(value) end
  if kind == "number" then return number_text(value) end
  if kind == "boolean" then return tostring(value) end
  if kind == "nil" then return "null" end
  if kind ~= "table" then error("json: can't write a " .. kind) end
  if getmetatable(value) == LIST or #value > 0 then return encode_list(value, depth) end
  return encode_object(value, depth)
end

--- A value's JSON on one line.
function json.encode(value)
  return encode(value, 0)
end

local function fail(at, what)
  error({ json = ("byte %d: %s"):format(at, what) }, 0)
end

local function skip(text, at)
  return text:find("[^ \t\r\n]", at) or #text + 1
end

--- The code point of \uXXXX at `at`, surrogate pairs joined, and where it ends.
local function unicode_escape(text, at)
  local high = tonumber(text:match("^u(%x%x%x%x)", at) or fail(at, "a broken \\u escape"), 16)
  local low = text:match("^\\u([dD][c-fC-F]%x%x)", at + 5)
  if high >= 0xD800 and high < 0xDC00 and low then
    return 0x10000 + (high - 0xD800) * 0x400 + tonumber(low, 16) - 0xDC00, at + 11
  end
  return high, at + 5
end

local function decode_string(text, at)
  local parts, from = {}, at + 1
  while true do
    local stop = text:find('["\\]', from) or fail(at, "a text that doesn't end")
    parts[#parts + 1] = text:sub(from, stop - 1)
    if text:sub(stop, stop) == '"' then return table.concat(parts), stop + 1 end
    local c = text:sub(stop + 1, stop + 1)
    if c == "u" then
      local code
      code, from = unicode_escape(text, stop + 1)
      parts[#parts + 1] = utf8.char(code)
    else
      parts[#parts + 1] = UNESCAPED[c] or c
      from = stop + 2
    end
  end
end

local decode

local function decode_list(text, at, depth)
  local list, n = json.list(), 0
  at = skip(text, at + 1)
  if text:sub(at, at) == "]" then return list, at + 1 end
  while true do
    local value
    value, at = decode(text, at, depth + 1)
    if value ~= nil then
      n = n + 1
      list[n] = value
    end
    at = skip(text, at)
    local c = text:sub(at, at)
    if c == "]" then return list, at + 1 end
    if c ~= "," then fail(at, "',' or ']' is missing") end
    at = at + 1
  end
end

local function decode_object(text, at, depth)
  local object = {}
  at = skip(text, at + 1)
  if text:sub(at, at) == "}" then return object, at + 1 end
  while true do
    local key
    at = skip(text, at)
    if text:sub(at, at) ~= '"' then fail(at, "a key must be a text") end
    key, at = decode_string(text, at)
    at = skip(text, at)
    if text:sub(at, at) ~= ":" then fail(at, "':' is missing") end
    object[key], at = decode(text, at + 1, depth + 1)
    at = skip(text, at)
    local c = text:sub(at, at)
    if c == "}" then return object, at + 1 end
    if c ~= "," then fail(at, "',' or '}' is missing") end
    at = at + 1
  end
end

local WORDS = { ["true"] = true, ["false"] = false }

function decode(text, at, depth)
  if depth > DEEPEST then fail(at, "nested too deep") end
  at = skip(text, at)
  local c = text:sub(at, at)
  if c == '"' then return decode_string(text, at) end
  if c == "{" then return decode_object(text, at, depth) end
  if c == "[" then return decode_list(text, at, depth) end
  local word = text:match("^%a+", at)
  if word == "null" then return nil, at + 4 end
  if word and WORDS[word] ~= nil then return WORDS[word], at + #word end
  local digits = text:match("^-?%d+%.?%d*[eE]?[+-]?%d*", at)
  local number = digits and tonumber(digits)
  if not number then fail(at, "no value here") end
  return number, at + #digits
end

--- The value of a JSON text; nil and a sentence where it is none.
function json.decode(text)
  local ok, value, stop = pcall(decode, text or "", 1, 0)
  if not ok then
    if type(value) == "table" and value.json then return nil, value.json end
    error(value, 0)
  end
  if skip(text, stop) <= #text then return nil, ("byte %d: more than one value"):format(stop) end
  return value
end

return json
