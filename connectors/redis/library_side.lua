-- SIDE: what a commit changes beside documents and records: the sorted sets of indexes, of what is due and of records by state,
-- the events that are set aside, and what was dropped. The keys lie behind all others in KEYS; the arguments of each, in the same order, behind all others in ARGV.
-- Of each key, three 32-bit numbers say its kind, how many leave it, and how many come into it. The kinds, in their order:
--
--   1 SET        a sorted set: members that leave; score, member, ... that come
--   2 LIST       an aggregate's list, a sorted set by text: first and last place and the number of each run that leaves; 0,
--                member, ... that come. A member begins with its place in 19 digits, as scores are doubles, and a blank
--   3 PARTITION  what is set aside of a partition, in the same way by offset: offset, list, ... that leave; 0, member, ...
--                that come. A member is "OFFSET BYTES LIST"
--   4 BYTES      a hash: how many bytes that is; of each of those partitions, the field
--   5 DROPS      a list: texts that come behind the others
local SIDE_SHAPE = '<I4I4I4'
local SIDE_SHAPE_BYTES = 12

-- For each kind: what it needs to be allowed.
local SIDE_RIGHTS = {
  { { 'ZCARD' }, { 'ZADD', '0', 'm' }, { 'ZREM', 'm' } },
  { { 'ZLEXCOUNT', '-', '+' }, { 'ZADD', '0', 'm' }, { 'ZREMRANGEBYLEX', '-', '-' } },
  { { 'ZLEXCOUNT', '-', '+' }, { 'ZRANGE', '0', '0' }, { 'ZADD', '0', 'm' }, { 'ZREM', 'm' } },
  { { 'HGET', 'f' }, { 'HSET', 'f', 'v' } },
  { { 'LLEN' }, { 'RPUSH', 'v' } },
}
local SIDE_LEAVE_SIZE = { 1, 3, 2, 1, 1 } -- arguments of one that leaves, and of one that comes
local SIDE_COME_SIZE = { 2, 2, 2, 1, 1 }

-- What is on the side: a list of groups, one for each key.
local function read_side(shapes, last_key)
  local side, s = {}, 1
  if shapes == '' then return side end
  if #shapes % SIDE_SHAPE_BYTES ~= 0 then error('bad number of keys on the side') end
  for i = 1, #shapes / SIDE_SHAPE_BYTES do
    local kind, leave, come
    kind, leave, come, s = unpack_bytes(SIDE_SHAPE, shapes, s)
    if not SIDE_RIGHTS[kind] then error('bad kind on the side') end
    side[i] = { kind = kind, index = last_key + i, leave = leave, come = come }
  end
  return side
end

-- Of each kind by its first key.
local function check_side_rights(keys, side)
  local last
  for _, group in ipairs(side) do
    local key = keys[group.index]
    for _, need in ipairs(group.kind ~= last and SIDE_RIGHTS[group.kind] or {}) do
      -- GUARD redis-side-rights: half a write where the server's user lacks a right
      if denied(need[1], key, unpack(need, 2)) then return { 'denied', need[1], key } end
    end
    last = group.kind
  end
end

local function check_scores(args, group)
  for i = group.come_from, group.last, 2 do
    local score = tonumber(args[i])
    -- GUARD redis-side-score: half a write, as a sorted set refuses what is no number
    if not score or score ~= score then
      at = 0
      error('bad score: ' .. args[i])
    end
  end
end

local function check_set(keys, args, group)
  -- GUARD redis-side-type: half a write because an index's key holds another type
  call('ZCARD', keys[group.index])
end

-- The bounds of what begins with places or offsets from the first to the last.
local function from_place(text) return '[' .. text .. ' ' end
local function to_place(text) return '(' .. text .. '!' end
local function place_of(member) return string.sub(member, 1, 19) end

local function is_there(key, place)
  return call('ZLEXCOUNT', key, from_place(place), to_place(place)) ~= 0
end

-- Whether the event at this place of the list leaves it in the same commit.
local function leaves(args, group, place)
  for i = group.from, group.come_from - 1, 3 do
    if place >= args[i] and place <= args[i + 1] then return true end
  end
end

local function check_list(keys, args, group)
  local key = keys[group.index]
  for i = group.from, group.come_from - 1, 3 do
    -- GUARD redis-aside-taken: an event is taken in that another worker has taken before, or that was lost
    if call('ZLEXCOUNT', key, from_place(args[i]), to_place(args[i + 1])) ~= tonumber(args[i + 2]) then
      error('of the events at places ' .. args[i] .. ' to ' .. args[i + 1] .. ' not all are there')
    end
  end
  for i = group.come_from, group.last, 2 do
    -- GUARD redis-aside-place: two events stand at one place of a list, whose order is lost
    local place = place_of(args[i + 1])
    if not leaves(args, group, place) and is_there(key, place) then error('there is an event at place ' .. place .. ' already') end
  end
end

local function check_partition(keys, args, group, plan)
  local key, bytes, leaving = keys[group.index], 0, {}
  group.members = {}
  for i = group.from, group.come_from - 1, 2 do
    local found = call('ZRANGE', key, from_place(args[i]), to_place(args[i]), 'BYLEX')
    local size, list = string.match(found[1] or '', '^%d+ (%d+) (.*)$')
    -- GUARD redis-aside-offset: an event that is taken in is said to be set aside for ever
    if #found ~= 1 or list ~= args[i + 1] then
      error('the event at offset ' .. args[i] .. ' is not set aside for ' .. args[i + 1])
    end
    bytes = bytes - size
    group.members[#group.members + 1] = found[1]
    leaving[args[i]] = true
  end
  for i = group.come_from, group.last, 2 do
    -- GUARD redis-aside-twice: one event is set aside twice, and so taken in twice
    local offset = place_of(args[i + 1])
    if not leaving[offset] and is_there(key, offset) then -- an event may leave one list and come into another
      error('the event at offset ' .. offset .. ' is set aside already')
    end
    bytes = bytes + string.match(args[i + 1], '^%d+ (%d+) ')
  end
  plan.aside_bytes[#plan.aside_bytes + 1] = bytes
end

local function check_bytes(keys, args, group, plan)
  group.totals = {}
  for i = 1, group.come do
    local field = args[group.come_from + i - 1]
    local present = call('HGET', keys[group.index], field) or '0'
    -- GUARD redis-aside-bytes: half a write because what is counted on is no number
    local total = string.match(present, '^%d+$') and present + plan.aside_bytes[i] or -1
    if total < 0 then error('its field ' .. field .. ' is ' .. present .. ', which cannot be') end
    group.totals[2 * i - 1], group.totals[2 * i] = field, string.format('%.0f', total)
  end
end

local function check_drops(keys, args, group)
  -- GUARD redis-drops-type: half a write because the key of what was dropped holds another type
  call('LLEN', keys[group.index])
end

local SIDE_CHECKS = { check_set, check_list, check_partition, check_bytes, check_drops }

-- `p`: where its arguments begin.
local function check_side(keys, args, plan, p)
  plan.aside_bytes = {}
  for _, group in ipairs(plan.side) do
    local kind = group.kind
    group.from = p
    group.come_from = group.from + group.leave * SIDE_LEAVE_SIZE[kind]
    p = group.come_from + group.come * SIDE_COME_SIZE[kind]
    group.last = p - 1
  end
  if p ~= #args + 1 then error('bad number of arguments') end
  for _, group in ipairs(plan.side) do
    at = group.index
    SIDE_CHECKS[group.kind](keys, args, group, plan)
    if SIDE_COME_SIZE[group.kind] == 2 then check_scores(args, group) end
  end
end

local function write_set(key, args, group)
  call_more('ZREM', key, args, group.from, group.come_from - 1)
  call_more('ZADD', key, args, group.come_from, group.last)
end

local function write_list(key, args, group)
  for i = group.from, group.come_from - 1, 3 do
    call('ZREMRANGEBYLEX', key, from_place(args[i]), to_place(args[i + 1]))
  end
  call_more('ZADD', key, args, group.come_from, group.last)
end

local function write_partition(key, args, group)
  call_more('ZREM', key, group.members, 1, #group.members)
  call_more('ZADD', key, args, group.come_from, group.last)
end

local function write_bytes(key, args, group)
  call_more('HSET', key, group.totals, 1, #group.totals)
end

local function write_drops(key, args, group)
  call_more('RPUSH', key, args, group.come_from, group.last)
end

local SIDE_WRITES = { write_set, write_list, write_partition, write_bytes, write_drops }

local function write_side(keys, args, plan)
  for _, group in ipairs(plan.side) do
    SIDE_WRITES[group.kind](keys[group.index], args, group)
  end
end
