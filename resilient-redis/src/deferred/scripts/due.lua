#!lua flags=no-writes
-- Reads the entries of some sorted sets up to a score, in the order of their scores and then of their acceptance.
-- KEYS: the store, the sets.
-- ARGV: the id of the store, the score, the maximum number of entries, the beginning of the names of entries, the fields.
-- Returns {-1} for another store, and otherwise 0, the lowest score, and for each entry its member and its fields.
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then
  return {-1}
end
local lowest, due = false, {}
for set = 2, #KEYS do
  local first = redis.call('ZRANGE', KEYS[set], 0, 0, 'WITHSCORES')
  if first[2] and (not lowest or tonumber(first[2]) < tonumber(lowest)) then
    lowest = first[2]
  end
  local found = redis.call('ZRANGE', KEYS[set], '-inf', ARGV[2], 'BYSCORE', 'LIMIT', 0, ARGV[3], 'WITHSCORES')
  for at = 1, #found, 2 do
    due[#due + 1] = {tonumber(found[at + 1]), found[at]}
  end
end
table.sort(due, function(one, other)
  if one[1] == other[1] then
    return one[2] < other[2]
  end
  return one[1] < other[1]
end)
local entries = {0, lowest}
for at = 1, math.min(#due, tonumber(ARGV[3])) do
  local member = due[at][2]
  local fields = redis.pcall('HMGET', ARGV[4] .. string.sub(member, 17), unpack(ARGV, 5))
  -- What is no hash is damaged, and must not keep the others from being read.
  entries[#entries + 1] = {member, fields.err and 'damaged' or fields}
end
return entries
