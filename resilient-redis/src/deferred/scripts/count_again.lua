#!lua flags=allow-oom
-- Forgets the entries that another program removed, and counts the others.
-- KEYS: the store, the totals, the set of servers.
-- ARGV: the id of the store, the beginning of the names of entries, that of lists, the bytes of an entry without texts,
-- the beginnings of the names of the sets of live entries by their acceptance, of live entries by when a sweep changes
-- them and of ended entries, and the states, each with 1 for live ones and 0 for others.
-- Returns {-1} for another store, and otherwise {0}.
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then
  return {-1}
end
-- The length of a field, 0 also if the key is no hash.
local function length(entry, field)
  local length = redis.pcall('HSTRLEN', entry, field)
  return type(length) == 'number' and length or 0
end
local live, bytes = 0, 0
for _, server in ipairs(redis.call('SMEMBERS', KEYS[3])) do
  for state = 8, #ARGV, 2 do
    local list = ARGV[3] .. ARGV[state] .. ':' .. server
    for _, member in ipairs(redis.call('ZRANGE', list, 0, -1)) do
      local entry = ARGV[2] .. string.sub(member, 17)
      -- What is no hash is damaged, and stays.
      if redis.pcall('HSTRLEN', entry, 'row') == 0 then
        redis.call('ZREM', list, member)
        for set = 5, 7 do
          redis.call('ZREM', ARGV[set] .. server, member)
        end
      else
        live = live + ARGV[state + 1]
        bytes = bytes + ARGV[4] + length(entry, 'arguments') + length(entry, 'principal') + length(entry, 'result')
      end
    end
  end
end
redis.call('HSET', KEYS[2], 'live', string.format('%.0f', live), 'bytes', string.format('%.0f', bytes))
return {0}
