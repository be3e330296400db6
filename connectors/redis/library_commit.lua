-- COMMIT
--
-- KEYS  1 progress  2 stopped  then those that must be absent  then those that carry a stamp and are written (replaced or
--       removed)  then those that carry a stamp and were only consulted  then those on the side (above)
-- ARGV  1 stamp  2 generation  3 channel  4 how many absent  5 written  6 consulted  7 partitions  8 moved partitions
--       9 documents  10 husks  11 aggregate records  12 of each of these, which key and how many values: two 32-bit numbers,
--       the low byte first (thousands of numbers as text take the server longer to read than all conditions)
--       13 the stamp of the generation's entry  14 the shapes of what is on the side, and behind these:
--       each partition's field; each one's expected text ("": none); field and new text of each moved one;
--       the expected stamp of each key that carries one;
--       documents:         id, revision, values (field, text, ...)
--       husks:             id, revision, values
--       aggregate records: values
--       what is on the side
local HEAD = 14
local SHAPE = '<I4I4'
local SHAPE_BYTES = 8

local function read_plan(keys, args)
  local plan = {
    stamp = args[1], generation = args[2], channel = args[3],
    absent = whole(args[4]), written = whole(args[5]), consulted = whole(args[6]),
    partitions = whole(args[7]), moved = whole(args[8]),
    documents = whole(args[9]), husks = whole(args[10]), aggregates = whole(args[11]),
    shapes = args[12], entry = args[13], side_shapes = args[14], places = {}, sizes = {}, rewritten = {}, rewrites = 0,
  }
  plan.written_from = 2 + plan.absent + 1
  plan.written_to = plan.written_from + plan.written - 1
  plan.keys = plan.written_to + plan.consulted
  plan.fields_from = HEAD + 1
  plan.expected_from = plan.fields_from + plan.partitions
  plan.moved_from = plan.expected_from + plan.partitions
  plan.stamps_from = plan.moved_from + 2 * plan.moved
  plan.writes_from = plan.stamps_from + plan.written + plan.consulted
  plan.side = read_side(plan.side_shapes, plan.keys)
  if plan.keys + #plan.side ~= #keys then error('bad number of keys') end
  return plan
end

-- Walks what is to be written without writing: every key in range, every length whole. Notes each write's key and size, and
-- which of the written keys get a new value; gives the argument behind the last.
local function check_writes(plan)
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
  return p
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
  answer = check_rights(keys, plan) or check_side_rights(keys, plan.side)
  return answer or check_side(keys, args, plan, check_writes(plan))
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
  if stop < last then call_more('HSET', key, args, stop + 1, last) end
end

local function set_husk(key, args, p, values, stamp)
  call('HSET', key, '_rev', args[p + 1], '_stamp', stamp, unpack(args, p + 2, p + 1 + values))
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
  section(plan.husks, 2, 2, set_husk)
  section(plan.aggregates, 0, 1, set_aggregate)
  write_side(keys, args, plan)
  -- Progress comes behind what it stands for.
  if plan.moved > 0 then
    call_more('HSET', keys[1], args, plan.moved_from, plan.stamps_from - 1)
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

redis.register_function('viewfold_commit_1_@HASH@', commit)
