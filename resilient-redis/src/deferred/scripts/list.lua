#!lua flags=no-writes
-- Reads entries in the order of their acceptance.
-- KEYS: the store, the set of servers.
-- ARGV: the id of the store, `all` or `one`, the server, `receipt` or `member`, the receipt or member after which the
-- list begins or nothing, the maximum number of entries, the beginning of the names of entries, that of lists, the number
-- of states, the states, the fields.
-- Returns {-1} for another store, and otherwise 0 and for each entry its member and its fields.
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then
  return {-1}
end
local after, most, states = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[9])
if after ~= '' and ARGV[4] == 'receipt' then
  after = redis.call('HGET', ARGV[7] .. after, 'member')
  if not after then
    return {0}
  end
end
local from = '-'
if after ~= '' then
  from = '(' .. after
end
local servers = {ARGV[3]}
if ARGV[2] == 'all' then
  servers = redis.call('SMEMBERS', KEYS[2])
end
local members = {}
for _, server in ipairs(servers) do
  for state = 10, 9 + states do
    local list = ARGV[8] .. ARGV[state] .. ':' .. server
    for _, member in ipairs(redis.call('ZRANGE', list, from, '+', 'BYLEX', 'LIMIT', 0, ARGV[6])) do
      members[#members + 1] = member
    end
  end
end
table.sort(members)
local entries = {0}
for at = 1, math.min(#members, most) do
  local entry = ARGV[7] .. string.sub(members[at], 17)
  local fields = redis.pcall('HMGET', entry, unpack(ARGV, 10 + states))
  -- What is no hash is damaged, and must not keep the others from being read.
  entries[#entries + 1] = {members[at], fields.err and 'damaged' or fields}
end
return entries
