#!lua flags=no-writes
-- Reads one entry.
-- KEYS: the store, and the holders of keys if the entry is found by its key.
-- ARGV: the id of the store, the hash of the key or the receipt, the beginning of the names of entries, the fields.
-- Returns {-1} for another store, {0} if nothing is found, and otherwise 0, the receipt and the fields.
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then
  return {-1}
end
local receipt = ARGV[2]
if KEYS[2] then
  receipt = redis.call('HGET', KEYS[2], receipt)
end
if not receipt then
  return {0}
end
return {0, {receipt, redis.call('HMGET', ARGV[3] .. receipt, unpack(ARGV, 4))}}
