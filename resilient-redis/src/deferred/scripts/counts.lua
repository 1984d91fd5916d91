#!lua flags=no-writes
-- Counts entries.
-- KEYS: the store, the set of servers, the numbers of interrupted tries.
-- ARGV: the id of the store, `all` or `one`, the server, the beginning of the names of lists, that of the sets of live
-- entries by their acceptance, the states.
-- Returns {-1} for another store, and otherwise 0, the oldest acceptance, the number of interrupted tries, and the number
-- of entries in each state.
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then
  return {-1}
end
local servers = {ARGV[3]}
if ARGV[2] == 'all' then
  servers = redis.call('SMEMBERS', KEYS[2])
end
local oldest, interrupted, counts = false, 0, {}
for _, server in ipairs(servers) do
  local first = redis.call('ZRANGE', ARGV[5] .. server, 0, 0, 'WITHSCORES')
  if first[2] and (not oldest or tonumber(first[2]) < tonumber(oldest)) then
    oldest = first[2]
  end
  interrupted = interrupted + tonumber(redis.call('HGET', KEYS[3], server) or 0)
  for state = 6, #ARGV do
    local list = ARGV[4] .. ARGV[state] .. ':' .. server
    counts[state - 5] = (counts[state - 5] or 0) + redis.call('ZCARD', list)
  end
end
return {0, oldest, interrupted, unpack(counts)}
