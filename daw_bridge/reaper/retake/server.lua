--- The Retake server as a script sees it: found by its server.conf, started, and asked in files.
-- Nothing here waits: whoever wants an answer asks again at the next tick.
local files = require("retake.files")

local Server = {}
Server.__index = Server

local LOOK_EVERY_S = 0.5
--- A request nobody takes away for so long was left to a server that is gone.
local TAKEN_S = 5.0
--- Between two attempts to start a server: loading PyTorch alone can take half a minute. One that
-- has come up and gone since is started again sooner.
local START_EVERY_S, START_AGAIN_S = 90.0, 10.0
local GIVEN_UP_S = 180.0
local NO_WAIT, NO_WAIT_MINIMIZED = -1, -2

local function home_folder(...)
  for _, name in ipairs({ ... }) do
    local value = os.getenv(name)
    if value and value ~= "" then return value end
  end
  return "."
end

--- The user's own state folder on this system, as the server chooses it.
local function default_state_folder()
  local chosen = os.getenv("RETAKE_STATE_DIR")
  if chosen and chosen ~= "" then return chosen end
  local system = reaper.GetOS()
  if system:match("^Win") then
    return files.join(home_folder("LOCALAPPDATA", "USERPROFILE"), "retake")
  end
  if system:match("^OSX") or system:match("^macOS") then
    return files.join(home_folder("HOME"), "Library/Application Support/retake")
  end
  local xdg = os.getenv("XDG_STATE_HOME")
  return files.join(xdg and xdg ~= "" and xdg or home_folder("HOME") .. "/.local/state", "retake")
end

--- The server of this user.
-- `folder` is where the scripts lie: `retake install reaper` leaves a retake.conf there that says
-- how to start a server (command=) and, where it isn't the usual one, its state folder (state=).
function Server.new(folder)
  local installed = files.read_table(files.join(folder, "retake.conf")) or {}
  local self = {
    command = installed.command or "retake serve",
    folder = installed.state or default_state_folder(),
    looked_s = -math.huge,
    started_s = -math.huge,
    start_every_s = START_EVERY_S,
    told = nil, -- what the user should know about the server just now
    model = "",
  }
  return setmetatable(self, Server)
end

--- What server.conf says, read twice a second at most; nil where no server has written one.
function Server:look(now_s)
  if now_s - self.looked_s >= LOOK_EVERY_S then
    self.looked_s = now_s
    local conf = files.read_table(files.join(self.folder, "server.conf"))
    if conf and conf.spool and conf.spool ~= "" then
      if not self.conf or self.conf.pid ~= conf.pid then self:met() end
      self.conf = conf
    else
      self.conf = nil
    end
  end
  return self.conf
end

--- A server this script hasn't seen yet.
function Server:met()
  self.told = nil
  self.start_every_s = START_AGAIN_S
end

--- It has spoken: it is there, whatever was feared.
function Server:heard()
  self.told = nil
end

--- The spool folder, or nil; then a server is being started.
function Server:spool(now_s)
  local conf = self:look(now_s)
  if conf then return conf.spool end
  self:start(now_s)
end

--- Start a server, unless one was started just now. What came of it stands in `told`.
function Server:start(now_s)
  if now_s - self.started_s < self.start_every_s then return end
  self.start_every_s = START_EVERY_S
  self.started_s = now_s
  local is_windows = reaper.GetOS():match("^Win")
  local ok = reaper.ExecProcess(self.command, is_windows and NO_WAIT_MINIMIZED or NO_WAIT)
  self.told = "Starting the Retake server…"
  if not ok then
    self.told = "The Retake server can't be started with: " .. self.command
  end
end

--- A sentence that says what to do where no server was found since `since_s`, or nil while there
-- is hope.
function Server:despair(now_s, since_s)
  if now_s - since_s < GIVEN_UP_S then return nil end
  return "No Retake server answers. Start one in a terminal with: " .. self.command
end

--- A request file is written where it can be taken; nil and why where it can't.
function Server:put(spool, name, keys)
  return files.put(spool, name .. ".request", files.lines_of(keys))
end

--- Whether a request still lies there.
function Server:is_waiting(spool, name)
  return files.exists(files.join(spool, name .. ".request"))
end

--- Take a request back that no server has taken.
function Server:withdraw(spool, name)
  os.remove(files.join(spool, name .. ".request"))
end

--- Whether a request that was put at `put_s` has waited too long for a living server.
function Server:is_late(now_s, put_s)
  return now_s - put_s > TAKEN_S
end

--- Ask once which model this server runs; read the answer when it is there.
function Server:learn_model(spool)
  local name = "reaper-hello"
  if self.hello_asked ~= self.conf then
    self.hello_asked = self.conf
    os.remove(files.join(spool, name .. ".answer"))
    self:put(spool, name, { { "request", "hello" }, { "client", "reaper" } })
    return
  end
  if self.model_of == self.conf then return end
  local answer = files.read_table(files.join(spool, name .. ".answer"))
  if answer and answer["end"] then
    self.model, self.model_of = answer.model or "", self.conf
    os.remove(files.join(spool, name .. ".answer"))
  end
end

local Status = {}

--- How a job stands: its status file as a table with `state`, numbers as numbers, and `takes`;
-- nil where there is none. `text` is what was read last; the same text gives the same table.
function Status.read(spool, name, last)
  local text = files.read(files.join(spool, name .. ".status"))
  if not text then return nil end
  if last and last.text == text then return last end
  local found = { text = text, takes = {} }
  for _, pair in ipairs(files.pairs_of(text)) do
    local key, value = pair[1], pair[2]
    if key == "take" then
      found.takes[#found.takes + 1] = Status.take(value)
    else
      found[key] = value
    end
  end
  found.fraction = tonumber(found.fraction) or 0
  found.seconds_left = tonumber(found.seconds_left) or -1
  return found
end

--- A take line: index, frames, rate, channels, seed, score, path.
function Status.take(line)
  local index, frames, rate, channels, seed, score, path =
    line:match("^(%d+) (%d+) (%d+) (%d+) (%-?%d+) (%S+) (.*)$")
  return {
    index = math.tointeger(tonumber(index)),
    frames = math.tointeger(tonumber(frames)),
    rate = math.tointeger(tonumber(rate)),
    channels = math.tointeger(tonumber(channels)),
    seed = seed, -- a text: 63 bits, and never counted with
    score = tonumber(score),
    path = path,
  }
end

Server.Status = Status
return Server
