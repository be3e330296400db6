#!lua name=viewfold_commit_1_@HASH@
-- viewfold's writing functions, format 1. The name carries the format and a hash of this text, so that two builds of one
-- fleet load theirs side by side. Redis' Lua is 5.1: its numbers are doubles, so stamps, revisions and versions pass
-- through as text, and unpack gives at most some 8,000 values. Redis does not roll a function back: whatever can fail is
-- looked at before the first write (docs/protocol.md). Only KEYS are touched. No allow-oom: a full server refuses it.
-- Its other parts are library_*.lua; library.cmake puts them together.
--
-- An answer is a list whose first element says what came of it:
--   ok, how many PUBLISH were refused
--   frozen, until when
--   superseded: the generation's entry is another one than the caller goes by
--   conflict, "progress", which partition (1..), its present value or ""
--   conflict, "absent", which key of KEYS (1..) is there
--   conflict, "stamp", which key of KEYS (1..), its present stamp or ""
--   wrong, which key ("": none in particular), the reason: nothing was written
--   denied, which command, which key: nothing was written

local call, unpack, tonumber, unpack_bytes -- no global is there yet while the library loads, so begin() sets these

local VALUES_MAX = 2000 -- values of one HSET, ZADD and the like: 1,000 fields
local KEYS_MAX = 4000   -- keys of one EXISTS or UNLINK

-- The key that is being looked at; a failing check names it.
local at = 0

local function begin()
  call, unpack, tonumber, unpack_bytes, at = redis.call, _G.unpack, _G.tonumber, struct.unpack, 0
end

local function now_ms()
  local time = call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function whole(text)
  local number = tonumber(text)
  if not number or number < 0 or number % 1 ~= 0 then error('bad number in the arguments: ' .. tostring(text)) end
  return number
end

-- A command that the user may not run would fail in the middle of the writes. The keys' own rights were checked with KEYS.
local function denied(command, ...)
  -- GUARD redis-rights: half a write where the server's user lacks a right
  return not redis.acl_check_cmd(command, ...)
end

-- A hash or nothing; anything else raises, with `at` naming the key.
local function must_be_hash(keys, index)
  at = index
  return call('HLEN', keys[index])
end

-- A command with many values, 1,000 pairs at a time; with none it is not called.
local function call_more(command, key, values, from, to)
  for i = from, to, VALUES_MAX do
    call(command, key, unpack(values, i, math.min(i + VALUES_MAX - 1, to)))
  end
end
