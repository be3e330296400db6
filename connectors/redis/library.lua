#!lua name=viewfold_commit_1_@HASH@
-- viewfold's writing functions, format 1. The name carries the format and a hash of this text, so that two builds of one
-- fleet load theirs side by side. Redis' Lua is 5.1: its numbers are doubles, so stamps, revisions and versions pass
-- through as text, and unpack gives at most some 8,000 values. Redis does not roll a function back: whatever can fail is
-- looked at before the first write (docs/protocol.md). Only KEYS are touched. No allow-oom: a full server refuses it.
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
--       the low byte first (thousands of numbers as text take the server longer to read than all conditions)
--       13 the stamp of the generation's entry, and behind these:
--       each partition's field; each one's expected text ("": none); field and new text of each moved one;
--       the expected stamp of each key that carries one;
--       documents:         id, revision, values (field, text, ...)
--       husks:             id, revision, values
--       aggregate records: values
local HEAD = 13
local SHAPE = '<I4I4'
local SHAPE_BYTES = 8

local function read_plan(keys, args)
  local plan = {
    stamp = args[1], generation = args[2], channel = args[3],
    absent = whole(args[4]), written = whole(args[5]), consulted = whole(args[6]),
    partitions = whole(args[7]), moved = whole(args[8]),
    documents = whole(args[9]), husks = whole(args[10]), aggregates = whole(args[11]),
    shapes = args[12], entry = args[13], places = {}, sizes = {}, rewritten = {}, rewrites = 0,
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
    values = call('HMGET', keys[1], 'frozen', 'generation', unpack(args, plan.fields_from, plan.expected_from - 1))
  else
    values = call('HMGET', keys[1], 'frozen', 'generation')
  end
  -- GUARD redis-superseded: a worker goes on writing what was adopted or dropped meanwhile
  if values[2] ~= plan.entry then return { 'superseded' } end
  if values[1] then
    -- GUARD redis-frozen: a write into a generation that is being switched away from; in the server's time, so it ends by itself
    if whole(values[1]) > now_ms() then return { 'frozen', values[1] } end
  end
  for i = 1, plan.partitions do
    local present = values[i + 2] or ''
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
-- ARGV  1 number  2 entry (JSON)  3 script hash  4 our format  5 the entry's stamp  6 the entry where one was dropped, or
--       "": what was dropped stays so  then file, text, file, text, ...
--
-- ok, 1 where the entry is this call's; newer, a registry's format; denied, command, key; wrong, key, reason
local NEEDED = { -- command, which key, further arguments; PUBLISH is not needed: a refused one is counted
  { 'SET', 1, 'v' }, { 'GET', 1 }, { 'HSET', 2, 'f', 'v' }, { 'HGETALL', 2 }, { 'HSET', 3, 'f', 'v' }, { 'UNLINK', 3 },
  { 'HMGET', 4, 'f' }, { 'HGET', 4, 'f' }, { 'HGETALL', 4 }, { 'HSET', 4, 'f', 'v' }, { 'HDEL', 4, 'f' }, { 'HLEN', 5 }, { 'HSET', 5, 'f', 'v' },
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

local function set_script(key, args, from)
  call('UNLINK', key)
  set_more(key, args, from, #args)
end

local function prepare(keys, args)
  begin()
  local checked, answer = pcall(check_view, keys, args)
  if not checked then return { 'wrong', keys[at] or '', tostring(answer) } end
  if answer then return answer end
  local created, present = 0, call('HGET', keys[2], args[1])
  local entry = present and cjson.decode(present) or {}
  -- GUARD redis-drop-stays: a worker that had been running a dropped generation makes it again, with the script of then
  local replaced = entry.state == 'dropped' and args[6] ~= ''
  if not present or replaced then
    set_script(keys[3], args, 7)
    call('HSET', keys[2], args[1], replaced and args[6] or args[2])
    call('HSET', keys[4], 'generation', args[5])
    created = 1
  elseif entry.state ~= 'active' then
    return { 'ok', 0 } -- being dropped, or dropped: nothing is made
  else
    if call('EXISTS', keys[3]) == 0 and entry.script_hash == args[3] then
      set_script(keys[3], args, 7) -- lost; what is at hand is the same
    end
    if not call('HGET', keys[4], 'generation') then call('HSET', keys[4], 'generation', entry.stamp) end
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

-- ENTRIES THAT CHANGE: adopting and dropping. Each goes by the stamp of the generation's entry; what commits go by is the
-- progress hash's field `generation`, changed in the same call.

-- Gives the entry where it is in one of the two states and has the stamp; raises where something is not ours.
local function entry_of(registry, number, stamp, state, or_state)
  local present = call('HGET', registry, number)
  local entry = present and cjson.decode(present)
  if entry and entry.stamp == stamp and (entry.state == state or entry.state == or_state) then return entry end
end

local function first_denied(needs)
  for _, need in ipairs(needs) do
    if denied(unpack(need)) then return { 'denied', need[1], need[2] } end
  end
end

-- "orders/3":1043 of each partition that has progress, sorted.
local function positions_of(progress)
  local fields, list = call('HGETALL', progress), {}
  for i = 1, #fields, 2 do
    local next = string.match(fields[i + 1], '^{"next":(%d+),')
    if next and string.find(fields[i], '/', 1, true) then list[#list + 1] = cjson.encode(fields[i]) .. ':' .. next end
  end
  table.sort(list)
  return (string.gsub(table.concat(list, ','), '\\/', '/'))
end

-- ADOPT: KEYS 1 registry 2 script 3 progress; ARGV 1 number 2 the entry's stamp 3 its next one 4 the next entry up to the
-- adoption's positions 5 and from there on  then file, text, ...
local function check_adopt(keys, args)
  at = 2
  must_be_hash(keys, 2)
  must_be_hash(keys, 3)
  at = 1
  -- GUARD redis-adopt-once: of two operators at once one has not seen what the other did
  if not entry_of(keys[1], args[1], args[2], 'active') then return { 'superseded' } end
  return first_denied({
    { 'HSET', keys[1], 'f', 'v' }, { 'HSET', keys[2], 'f', 'v' }, { 'UNLINK', keys[2] }, { 'HGETALL', keys[3] },
    { 'HSET', keys[3], 'f', 'v' },
  })
end

local function adopt(keys, args)
  begin()
  local checked, answer = pcall(check_adopt, keys, args)
  if not checked then return { 'wrong', keys[at] or '', tostring(answer) } end
  if answer then return answer end
  local positions = positions_of(keys[3])
  set_script(keys[2], args, 6)
  call('HSET', keys[1], args[1], args[4] .. positions .. args[5])
  -- GUARD redis-adopt-fences: old workers write on, and the view is folded by both scripts, mixed at random
  call('HSET', keys[3], 'generation', args[3])
  return { 'ok' }
end

-- DROP_BEGIN: KEYS 1 pointer 2 registry 3 script 4 progress; ARGV 1 number 2 the entry's stamp 3 its next one 4 the next
-- entry
local function check_drop_begin(keys, args)
  at = 1
  call('GET', keys[1])
  must_be_hash(keys, 4)
  at = 2
  if not entry_of(keys[2], args[1], args[2], 'active', 'dropping') then return { 'superseded' } end
  return first_denied({
    { 'UNLINK', keys[1] }, { 'HSET', keys[2], 'f', 'v' }, { 'UNLINK', keys[3] }, { 'HSET', keys[4], 'f', 'v' },
    { 'SCAN', '0' }, -- by which the rest is found: what was begun could not be finished without
  })
end

local function drop_begin(keys, args)
  begin()
  local checked, answer = pcall(check_drop_begin, keys, args)
  if not checked then return { 'wrong', keys[at] or '', tostring(answer) } end
  if answer then return answer end
  call('HSET', keys[2], args[1], args[4])
  call('HSET', keys[4], 'generation', args[3])
  if call('GET', keys[1]) == args[1] then call('UNLINK', keys[1]) end
  call('UNLINK', keys[3])
  return { 'ok' }
end

-- DROP_MORE: KEYS 1 registry  then documents  then what else is the generation's; ARGV 1 number 2 the entry's stamp
-- 3 how many documents 4 bytes of a document's key before its id 5 the last entry, or "": there is more
local function drop_more(keys, args)
  begin()
  local checked, entry = pcall(entry_of, keys[1], args[1], args[2], 'dropping')
  if not checked then return { 'wrong', keys[1], tostring(entry) } end
  -- GUARD redis-drop-own: who was stopped while dropping removes what was built anew meanwhile
  if not entry then return { 'superseded' } end
  local documents, head, gone = whole(args[3]), whole(args[4]), {}
  for i = 2, #keys do
    local ours = i > documents + 1
    if not ours then
      local told, id = pcall(call, 'HGET', keys[i], 'id')
      -- GUARD redis-drop-ours: what begins like our keys and is not ours goes too
      ours = told and id == string.sub(keys[i], head + 1)
    end
    if ours then gone[#gone + 1] = keys[i] end
  end
  for from = 1, #gone, KEYS_MAX do
    call('UNLINK', unpack(gone, from, math.min(from + KEYS_MAX - 1, #gone)))
  end
  if args[5] ~= '' then call('HSET', keys[1], args[1], args[5]) end
  return { 'ok', #gone }
end

-- NOTE: KEYS 1 progress 2 stopped; ARGV 1 the stamp of the generation's entry 2 a partition  3 why it stopped, or nothing
local function note(keys, args)
  begin()
  -- GUARD redis-note: a note about what was dropped stands in what is built anew
  if call('HGET', keys[1], 'generation') ~= args[1] then return { 'superseded' } end
  if args[3] then call('HSET', keys[2], args[2], args[3]) else call('HDEL', keys[2], args[2]) end
  return { 'ok' }
end

redis.register_function('viewfold_commit_1_@HASH@', commit)
redis.register_function('viewfold_adopt_1_@HASH@', adopt)
redis.register_function('viewfold_drop_begin_1_@HASH@', drop_begin)
redis.register_function('viewfold_drop_more_1_@HASH@', drop_more)
redis.register_function('viewfold_note_1_@HASH@', note)
redis.register_function('viewfold_prepare_1_@HASH@', prepare)
redis.register_function('viewfold_freeze_1_@HASH@', freeze)
