#!lua name=viewfold_get
-- viewfold reader 1
-- What readers call, from any client: FCALL_RO viewfold_get 1 shop:customer_orders 4b [field ...]
-- Follows the view's pointer to the active generation. Without fields it answers as HGETALL does, with fields as HMGET; nil
-- where there is no such document, or it has expired. The number above grows with each change: a newer one replaces this.
local FIELDS_MAX = 4000

local function get(keys, args)
  if #keys ~= 1 or #args < 1 then
    return redis.error_reply('ERR use: FCALL_RO viewfold_get 1 VIEW ID [FIELD ...]')
  end
  if #args > FIELDS_MAX then return redis.error_reply('ERR viewfold_get: more than 4000 fields') end
  local generation = redis.call('GET', keys[1])
  if not generation then return false end
  local key = keys[1] .. ':' .. generation .. ':' .. args[1]
  local known = redis.call('HMGET', key, '_stamp', '_expires')
  if not known[1] then return false end
  if known[2] then
    local time = redis.call('TIME')
    if tonumber(known[2]) <= tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) then return false end
  end
  if #args == 1 then return redis.call('HGETALL', key) end
  return redis.call('HMGET', key, unpack(args, 2))
end

redis.register_function{ function_name = 'viewfold_get', callback = get, flags = { 'no-writes' } }
