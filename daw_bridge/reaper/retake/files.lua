--- Files: read and replaced whole, copied a little at a time.
local files = {}

local SEPARATOR = package.config:sub(1, 1)
local CHUNK_BYTES = 256 * 1024

--- Parts of a path put together.
function files.join(folder, name)
  if folder:match("[/\\]$") then return folder .. name end
  return folder .. SEPARATOR .. name
end

--- Whether a path leads from the top of a disk or of the network.
function files.is_absolute(path)
  return path:match("^[/\\]") ~= nil or path:match("^%a:[/\\]") ~= nil
end

--- A file's bytes, or nil and why not.
function files.read(path)
  local file, why = io.open(path, "rb")
  if not file then return nil, why end
  local text = file:read("a")
  file:close()
  if not text then return nil, path .. " can't be read" end
  return text
end

--- Whether a file is there to be read.
function files.exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

--- Where a file is written before it takes its name; servers sweep what begins with a dot.
function files.part_of(path)
  local folder, name = path:match("^(.-)([^/\\]+)$")
  return folder .. "." .. name .. ".part"
end

--- Put a new file in place whole: nobody ever reads half of it. nil and why where it failed.
-- On Windows a file of that name must be gone before.
function files.put(folder, name, text)
  local path = files.join(folder, name)
  local part = files.part_of(path)
  local file, why = io.open(part, "wb")
  if not file then return nil, why end
  local ok, failed = file:write(text)
  local closed, late = file:close()
  if ok and closed then
    ok, failed = os.rename(part, path)
    if ok then return true end
  end
  os.remove(part)
  return nil, failed or late
end

--- The pairs of `key=value` lines, in order, as {key, value}.
function files.pairs_of(text)
  local found = {}
  for line in text:gmatch("[^\r\n]+") do
    local key, value = line:match("^%s*([^#=%s][^=]-)%s*=(.*)$")
    if key then found[#found + 1] = { key, value } end
  end
  return found
end

--- `key=value` lines of {key, value} pairs; line ends inside a value become spaces.
function files.lines_of(keys)
  local lines = {}
  for index, pair in ipairs(keys) do
    local value = tostring(pair[2]):gsub("[%c]+", " ")
    lines[index] = pair[1] .. "=" .. value .. "\n"
  end
  return table.concat(lines)
end

--- The `key=value` lines of a file as a table (the last of a key counts), or nil and why.
function files.read_table(path)
  local text, why = files.read(path)
  if not text then return nil, why end
  local found = {}
  for _, pair in ipairs(files.pairs_of(text)) do found[pair[1]] = pair[2] end
  return found
end

--- A path that no file has yet: `folder/stem.ext`, else `folder/stem 2.ext` and so on.
function files.unused(folder, stem, ext)
  local path, n = files.join(folder, stem .. ext), 1
  while files.exists(path) or files.exists(files.part_of(path)) do
    n = n + 1
    path = files.join(folder, ("%s %d%s"):format(stem, n, ext))
  end
  return path
end

local Copier = {}
Copier.__index = Copier

--- A copy of a file that is made step by step; nil and why where it can't begin.
function files.copier(from, to)
  local source, why = io.open(from, "rb")
  if not source then return nil, why end
  local n_bytes = source:seek("end")
  source:seek("set")
  local target
  local part = files.part_of(to)
  target, why = io.open(part, "wb")
  if not target then
    source:close()
    return nil, why
  end
  local self = { source = source, target = target, part = part, to = to, left = n_bytes }
  return setmetatable(self, Copier)
end

--- Copy until `deadline_s` of time_precise. true when it is whole, false when there is more,
-- nil and why when it failed; then nothing is left lying there.
function Copier:step(deadline_s)
  while self.left > 0 do
    local chunk = self.source:read(math.min(CHUNK_BYTES, self.left))
    if not chunk then return self:give_up("the take became shorter while it was copied") end
    local ok, why = self.target:write(chunk)
    if not ok then return self:give_up(why) end
    self.left = self.left - #chunk
    if self.left > 0 and reaper.time_precise() > deadline_s then return false end
  end
  self.source:close()
  local ok, why = self.target:close() -- a full disk may say so only now
  if ok then ok, why = os.rename(self.part, self.to) end
  if not ok then
    os.remove(self.part)
    return nil, why
  end
  return true
end

--- Stop and leave nothing behind.
function Copier:give_up(why)
  self.source:close()
  self.target:close()
  os.remove(self.part)
  return nil, why
end

return files
