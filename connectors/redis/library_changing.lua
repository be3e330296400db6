-- PREPARE: a generation's registry entry, its script and the readers' pointer, each where there is none.
--
-- KEYS  1 pointer  2 registry  3 script  4 progress  5 stopped  6 a document  7 a husk  8 an aggregate record  9 a sorted set
--       10 what was dropped (the last five only stand for all of their kind: the user's rights on them are looked at)
-- ARGV  1 number  2 entry (JSON)  3 script hash  4 our format  5 the entry's stamp  6 the entry where one was dropped, or
--       "": what was dropped stays so  then file, text, file, text, ...
--
-- ok, 1 where the entry is this call's; newer, a registry's format; denied, command, key; wrong, key, reason
local NEEDED = { -- command, which key, further arguments; PUBLISH is not needed: a refused one is counted
  { 'SET', 1, 'v' }, { 'GET', 1 }, { 'HSET', 2, 'f', 'v' }, { 'HGETALL', 2 }, { 'HSET', 3, 'f', 'v' }, { 'UNLINK', 3 },
  { 'HMGET', 4, 'f' }, { 'HGET', 4, 'f' }, { 'HGETALL', 4 }, { 'HSET', 4, 'f', 'v' }, { 'HDEL', 4, 'f' }, { 'HLEN', 5 }, { 'HSET', 5, 'f', 'v' },
  { 'HDEL', 5, 'f' }, { 'EXISTS', 6 }, { 'HGET', 6, 'f' }, { 'HLEN', 6 }, { 'HGETALL', 6 }, { 'HSET', 6, 'f', 'v' },
  { 'UNLINK', 6 }, { 'HSET', 7, 'f', 'v' }, { 'HSET', 8, 'f', 'v' }, { 'ZADD', 9, '0', 'm' }, { 'ZREM', 9, 'm' },
  { 'ZREMRANGEBYLEX', 9, '-', '-' }, { 'ZCARD', 9 }, { 'ZCOUNT', 9, '0', '0' }, { 'ZLEXCOUNT', 9, '-', '+' }, { 'ZRANGE', 9, '0', '0' },
  { 'ZRANDMEMBER', 9 }, { 'LLEN', 10 }, { 'LRANGE', 10, '0', '0' }, { 'RPUSH', 10, 'v' },
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
  call_more('HSET', key, args, from, #args)
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

-- RIGHTS: KEYS 1 any key; whether the user may do to it what cannot be asked in another way
local function rights(keys)
  if denied('RPUSH', keys[1], 'v') then return { 'denied', 'RPUSH', keys[1] } end
  return { 'ok' }
end

redis.register_function{ function_name = 'viewfold_rights_1_@HASH@', callback = rights, flags = { 'no-writes' } }
redis.register_function('viewfold_adopt_1_@HASH@', adopt)
redis.register_function('viewfold_drop_begin_1_@HASH@', drop_begin)
redis.register_function('viewfold_drop_more_1_@HASH@', drop_more)
redis.register_function('viewfold_note_1_@HASH@', note)
redis.register_function('viewfold_prepare_1_@HASH@', prepare)
redis.register_function('viewfold_freeze_1_@HASH@', freeze)
