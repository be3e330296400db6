-- FIND: a page of an index. A sorted set is in the order of scores, and of equal ones by their members' bytes, so a place in it
-- is a rank; to find one among equal scores takes a binary search, as Redis looks members up by bytes only where all scores
-- are equal.
--
-- KEYS  1 the index
-- ARGV  1 reverse, or "": from the beginning of what is meant, or from its end  2 how many  then bounds: from (what is meant
--       begins at this place) or to (it ends before it), a score, and "=" and a member, or "+": behind all with this score
--
-- member, score, ... always in the set's order

-- Byte by byte: Lua's own comparison goes by the server's locale.
local function is_before(a, b)
  for i = 1, math.min(#a, #b) do
    local left, right = string.byte(a, i), string.byte(b, i)
    if left ~= right then return left < right end
  end
  return #a < #b
end

-- How many members stand before the place.
local function rank_of(key, score, place)
  local behind = call('ZCOUNT', key, '-inf', score)
  if place == '+' then return behind end
  local low, high, member = call('ZCOUNT', key, '-inf', '(' .. score), behind, string.sub(place, 2)
  while low < high do
    local middle = math.floor((low + high) / 2)
    -- GUARD redis-find-place: a page begins anywhere among equal values, so documents come twice or not at all
    if is_before(call('ZRANGE', key, middle, middle)[1], member) then low = middle + 1 else high = middle end
  end
  return low
end

local function find(keys, args)
  begin()
  local key, count, first, last = keys[1], whole(args[2]), 0, call('ZCARD', keys[1]) -- ranks, the last not included
  for i = 3, #args, 3 do
    local rank = rank_of(key, args[i + 1], args[i + 2])
    if args[i] == 'from' then first = math.max(first, rank) else last = math.min(last, rank) end
  end
  if args[1] == 'reverse' then first = math.max(first, last - count) else last = math.min(last, first + count) end
  if first >= last then return {} end
  return call('ZRANGE', key, first, last - 1, 'WITHSCORES')
end

redis.register_function{ function_name = 'viewfold_find_1_@HASH@', callback = find, flags = { 'no-writes' } }
