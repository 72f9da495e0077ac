--- Float32 WAV files, written a block at a time.
local wav = {}

local FLOAT_FORMAT, BITS = 3, 32
--- Values a call of string.pack takes at once: its arguments lie on Lua's stack.
local VALUES_A_PACK = 240
local MAX_DATA_BYTES = 2 ^ 32 - 64

--- The header of a file of so many frames; nil and why where a WAV can't hold them.
function wav.header(n_frames, n_channels, rate)
  local frame_bytes = n_channels * BITS // 8
  local data_bytes = n_frames * frame_bytes
  if data_bytes > MAX_DATA_BYTES then return nil, "the item is longer than a WAV file can be" end
  local fmt = string.pack(
    "<c4I4I2I2I4I4I2I2I2", "fmt ", 18, FLOAT_FORMAT, n_channels, rate, rate * frame_bytes,
    frame_bytes, BITS, 0
  )
  local fact = string.pack("<c4I4I4", "fact", 4, n_frames)
  local data = string.pack("<c4I4", "data", data_bytes)
  local riff_bytes = 4 + #fmt + #fact + #data + data_bytes
  return string.pack("<c4I4c4", "RIFF", riff_bytes, "WAVE") .. fmt .. fact .. data
end

local FORMATS = {}

--- The bytes of a list of values.
function wav.pack(values)
  local parts = {}
  for first = 1, #values, VALUES_A_PACK do
    local last = math.min(first + VALUES_A_PACK - 1, #values)
    local n = last - first + 1
    FORMATS[n] = FORMATS[n] or "<" .. ("f"):rep(n)
    parts[#parts + 1] = string.pack(FORMATS[n], table.unpack(values, first, last))
  end
  return table.concat(parts)
end

return wav
