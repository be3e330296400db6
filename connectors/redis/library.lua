#!lua name=viewfold_commit_1_@HASH@
-- viewfold's writing functions, format 1. The name carries the format and a hash of this text, so that two builds of one
-- fleet load theirs side by side. Redis' Lua is 5.1: its numbers are doubles, so stamps, revisions and versions pass
-- through as text, and unpack gives at most some 8,000 values. Redis does not roll a function back: whatever can fail is
-- looked at before the first write (PROTOCOL.md 7). Only KEYS are touched. No allow-oom: a full server refuses the call.
--
-- An answer is a list whose first element says what came of it:
--   ok, how many PUBLISH were refused
--   frozen, until when
--   conflict, "progress", which partition (1..), its present value or ""
--   conflict, "absent", which key of KEYS (1..) is there
--   conflict, "stamp", which key of KEYS (1..), its present stamp or ""
--   wrong, which key ("": none in particular), the reason: nothing was written
--   denied, which command, which key: nothing was written

local call, unpack, tonumber, unpack_bytes -- no global is there yet while the library loads, so begin() sets these

local VALUES_MAX = 2000 -- values of one HSET: 1,000 fields
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

-- COMMIT
--
-- KEYS  1 progress  2 stopped  then those that must be absent  then those that carry a stamp and are written (replaced or
--       removed)  then those that carry a stamp and were only consulted
-- ARGV  1 stamp  2 generation  3 channel  4 how many absent  5 written  6 consulted  7 partitions  8 moved partitions
--       9 documents  10 husks  11 aggregate records  12 of each of these, which key and how many values: two 32-bit numbers,
--       the low byte first (thousands of numbers as text take the server longer to read than all conditions), and behind these:
--       each partition's field; each one's expected text ("": none); field and new text of each moved one;
--       the expected stamp of each key that carries one;
--       documents:         id, revision, values (field, text, ...)
--       husks:             id, revision, values
--       aggregate records: values
local HEAD = 12
local SHAPE = '<I4I4'
local SHAPE_BYTES = 8

local function read_plan(keys, args)
  local plan = {
    stamp = args[1], generation = args[2], channel = args[3],
    absent = whole(args[4]), written = whole(args[5]), consulted = whole(args[6]),
    partitions = whole(args[7]), moved = whole(args[8]),
    documents = whole(args[9]), husks = whole(args[10]), aggregates = whole(args[11]),
    shapes = args[12], places = {}, sizes = {}, rewritten = {}, rewrites = 0,
  }
  plan.written_from = 2 + plan.absent + 1
  plan.written_to = plan.written_from + plan.written - 1
  plan.keys = plan.written_to + plan.consulted
  plan.fields_from = HEAD + 1
  plan.expected_from = plan.fields_from + plan.partitions
  plan.moved_from = plan.expected_from + plan.partitions
  plan.stamps_from = plan.moved_from + 2 * plan.moved
  plan.writes_from = plan.stamps_from + plan.written + plan.consulted
  if plan.keys ~= #keys then error('bad number of keys') end
  return plan
end

-- Walks what is to be written without writing: every key in range, every length whole, and nothing left over. Notes each
-- write's key and size, and which of the written keys get a new value.
local function check_writes(args, plan)
  local p, last, s, shapes, rewritten = plan.writes_from, plan.written_to, 1, plan.shapes, plan.rewritten
  local places, sizes, with_head = plan.places, plan.sizes, plan.documents + plan.husks
  local count = with_head + plan.aggregates
  if #shapes ~= SHAPE_BYTES * count then error('bad number of writes') end
  for i = 1, count do
    local index, values
    index, values, s = unpack_bytes(SHAPE, shapes, s)
    if index < 3 or index > last or values % 2 ~= 0 then error('bad write at argument ' .. p) end
    if index >= plan.written_from then rewritten[index], plan.rewrites = true, plan.rewrites + 1 end
    places[i], sizes[i] = index, values
    p = p + values + (i <= with_head and 2 or 0)
  end
  if p ~= #args + 1 then error('bad number of arguments') end
end

local function check_rights(keys, plan)
  if plan.moved > 0 then
    if denied('HSET', keys[1], 'f', 'v') then return { 'denied', 'HSET', keys[1] } end
    if denied('HDEL', keys[2], 'f') then return { 'denied', 'HDEL', keys[2] } end
  end
  if plan.documents + plan.husks + plan.aggregates > 0 and denied('HSET', keys[3], 'f', 'v') then
    return { 'denied', 'HSET', keys[3] }
  end
  if plan.written > 0 then
    local key = keys[plan.written_from]
    if denied('UNLINK', key) then return { 'denied', 'UNLINK', key } end
    if denied('HLEN', key) then return { 'denied', 'HLEN', key } end
  end
end

local function check_progress(keys, args, plan)
  at = 1
  local values
  if plan.partitions > 0 then
    values = call('HMGET', keys[1], 'frozen', unpack(args, plan.fields_from, plan.expected_from - 1))
  else
    values = call('HMGET', keys[1], 'frozen')
  end
  if values[1] then
    -- GUARD redis-frozen: a write into a generation that is being switched away from; in the server's time, so it ends by itself
    if whole(values[1]) > now_ms() then return { 'frozen', values[1] } end
  end
  for i = 1, plan.partitions do
    local present = values[i + 1] or ''
    -- GUARD redis-progress: a zombie's batch, or one that has been written already
    if present ~= args[plan.expected_from + i - 1] then return { 'conflict', 'progress', i, present } end
  end
end

local function check_absent(keys, plan)
  local last = plan.written_from - 1
  for from = 3, last, KEYS_MAX do
    local to = math.min(from + KEYS_MAX - 1, last)
    -- GUARD redis-absent: overwriting what another worker made where nothing was
    if call('EXISTS', unpack(keys, from, to)) > 0 then
      for i = from, to do
        if call('EXISTS', keys[i]) == 1 then return { 'conflict', 'absent', i } end
      end
    end
  end
end

local function check_stamps(keys, args, plan)
  local offset = plan.stamps_from - plan.written_from
  -- GUARD redis-consulted: a decision rests on what was only looked at too
  for i = plan.written_from, plan.keys do
    at = i
    local present = call('HGET', keys[i], '_stamp')
    -- GUARD redis-stamp: folding onto a document that another worker has changed meanwhile
    if present ~= args[offset + i] then return { 'conflict', 'stamp', i, present or '' } end
  end
end

-- Everything that can fail. Gives an answer where the batch may not be written; raises where something is not ours.
local function check(keys, args, plan)
  local answer = check_progress(keys, args, plan) or check_absent(keys, plan) or check_stamps(keys, args, plan)
  if answer then return answer end
  -- GUARD redis-type: half a write because a key to be written later holds another type
  must_be_hash(keys, 2)
  at = 0
  check_writes(args, plan)
  return check_rights(keys, plan)
end

-- Sets the fields of a hash, 1,000 at a time.
local function set_more(key, args, from, to)
  for i = from, to, VALUES_MAX do
    call('HSET', key, unpack(args, i, math.min(i + VALUES_MAX - 1, to)))
  end
end

-- Those of the written keys that get no new value.
local function remove(keys, plan)
  if plan.rewrites == plan.written then return end
  local left = {}
  for i = plan.written_from, plan.written_to do
    if not plan.rewritten[i] then left[#left + 1] = keys[i] end
  end
  for from = 1, #left, KEYS_MAX do
    call('UNLINK', unpack(left, from, math.min(from + KEYS_MAX - 1, #left)))
  end
end

local function set_document(key, args, p, values, stamp)
  local last = p + 1 + values
  local stop = math.min(p + 1 + VALUES_MAX, last)
  call('HSET', key, 'id', args[p], '_rev', args[p + 1], '_stamp', stamp, unpack(args, p + 2, stop))
  if stop < last then set_more(key, args, stop + 1, last) end
end

local function set_husk(key, args, p, values, stamp)
  call('HSET', key, 'husk', 'new', '_rev', args[p + 1], '_stamp', stamp, unpack(args, p + 2, p + 1 + values))
end

local function set_aggregate(key, args, p, values, stamp)
  call('HSET', key, '_stamp', stamp, unpack(args, p, p + values - 1))
end

-- Everything is replaced as a whole: no stale field stays. Most often it has the fields that it had before, and writing over
-- them costs the server half of what removing it first would. Where the number of fields then says that others are left, it
-- is removed and written again.
local function write(keys, args, plan)
  local places, sizes, stamp, p, n = plan.places, plan.sizes, plan.stamp, plan.writes_from, 0
  remove(keys, plan)
  local function section(count, extra, own, set)
    for i = n + 1, n + count do
      local index, values = places[i], sizes[i]
      local key = keys[index]
      set(key, args, p, values, stamp)
      -- GUARD redis-stale-field: a field that the document does not have any more stays in the store
      if index >= plan.written_from and call('HLEN', key) ~= own + values / 2 then
        call('UNLINK', key)
        set(key, args, p, values, stamp)
      end
      p = p + extra + values
    end
    n = n + count
  end
  section(plan.documents, 2, 3, set_document)
  section(plan.husks, 2, 3, set_husk)
  section(plan.aggregates, 0, 1, set_aggregate)
  -- Progress comes behind what it stands for.
  if plan.moved > 0 then
    set_more(keys[1], args, plan.moved_from, plan.stamps_from - 1)
    for i = plan.moved_from, plan.stamps_from - 1, 2 do
      call('HDEL', keys[2], args[i])
    end
  end
end

-- Last, and protected: the batch is written, whether anybody may hear of it or not.
local function publish(args, plan)
  local p, refused, pcall = plan.writes_from, 0, redis.pcall
  local channel, generation, sizes = plan.channel, plan.generation .. ':', plan.sizes
  for i = 1, plan.documents + plan.husks do
    local told = pcall('PUBLISH', channel, generation .. args[p] .. ':' .. args[p + 1])
    if type(told) == 'table' then refused = refused + 1 end
    p = p + 2 + sizes[i]
  end
  return refused
end

local function commit(keys, args)
  begin()
  local read, plan = pcall(read_plan, keys, args)
  if not read then return { 'wrong', '', tostring(plan) } end
  local checked, answer = pcall(check, keys, args, plan)
  if not checked then return { 'wrong', keys[at] or '', tostring(answer) } end
  -- GUARD redis-all-or-nothing: nothing is rolled back, so all conditions come before the first write
  if answer then return answer end
  write(keys, args, plan)
  return { 'ok', publish(args, plan) }
end

-- PREPARE: a generation's registry entry, its script and the readers' pointer, each where there is none.
--
-- KEYS  1 pointer  2 registry  3 script  4 progress  5 stopped  6 a document  7 a husk  8 an aggregate record (the last three
--       only stand for all of their kind: the user's rights on them are looked at)
-- ARGV  1 number  2 entry (JSON)  3 script hash  4 our format  then file, text, file, text, ...
--
-- ok, 1 where the entry is this call's; newer, a registry's format; denied, command, key; wrong, key, reason
local NEEDED = { -- command, which key, further arguments; PUBLISH is not needed: a refused one is counted
  { 'SET', 1, 'v' }, { 'GET', 1 }, { 'HSET', 2, 'f', 'v' }, { 'HGETALL', 2 }, { 'HSET', 3, 'f', 'v' }, { 'UNLINK', 3 },
  { 'HMGET', 4, 'f' }, { 'HGETALL', 4 }, { 'HSET', 4, 'f', 'v' }, { 'HDEL', 4, 'f' }, { 'HLEN', 5 }, { 'HSET', 5, 'f', 'v' },
  { 'HDEL', 5, 'f' }, { 'EXISTS', 6 }, { 'HGET', 6, 'f' }, { 'HLEN', 6 }, { 'HGETALL', 6 }, { 'HSET', 6, 'f', 'v' },
  { 'UNLINK', 6 }, { 'HSET', 7, 'f', 'v' }, { 'HSET', 8, 'f', 'v' },
}

local function check_view(keys, args)
  for _, need in ipairs(NEEDED) do
    if denied(need[1], keys[need[2]], unpack(need, 3)) then return { 'denied', need[1], keys[need[2]] } end
  end
  at = 1
  call('GET', keys[1])
  must_be_hash(keys, 3)
  must_be_hash(keys, 4)
  must_be_hash(keys, 5)
  at = 2
  local entries = call('HGETALL', keys[2])
  for i = 2, #entries, 2 do
    local format = cjson.decode(entries[i]).format
    -- GUARD redis-format: an older build writing into what a newer one has laid out
    if format > tonumber(args[4]) then return { 'newer', tostring(format) } end
  end
end

local function set_script(keys, args)
  call('UNLINK', keys[3])
  set_more(keys[3], args, 5, #args)
end

local function prepare(keys, args)
  begin()
  local checked, answer = pcall(check_view, keys, args)
  if not checked then return { 'wrong', keys[at] or '', tostring(answer) } end
  if answer then return answer end
  local created, present = 0, call('HGET', keys[2], args[1])
  if not present then
    set_script(keys, args)
    call('HSET', keys[2], args[1], args[2])
    created = 1
  elseif call('EXISTS', keys[3]) == 0 and cjson.decode(present).script_hash == args[3] then
    set_script(keys, args) -- lost; what is at hand is the same
  end
  call('SET', keys[1], args[1], 'NX')
  return { 'ok', created }
end

-- FREEZE: KEYS 1 progress; ARGV 1 for how many milliseconds, 0 ends it. A limit in the server's time.
local function freeze(keys, args)
  begin()
  local duration = whole(args[1])
  if duration == 0 then
    call('HDEL', keys[1], 'frozen')
  else
    call('HSET', keys[1], 'frozen', string.format('%.0f', now_ms() + duration))
  end
  return { 'ok' }
end

redis.register_function('viewfold_commit_1_@HASH@', commit)
redis.register_function('viewfold_prepare_1_@HASH@', prepare)
redis.register_function('viewfold_freeze_1_@HASH@', freeze)
