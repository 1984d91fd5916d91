#!lua flags=allow-oom
-- Creates the store unless another client has done it. The whole hash is written at once.
-- KEYS: the store. ARGV: the format, the id, the secret. Returns the format, the id and the secret.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'format', ARGV[1], 'id', ARGV[2], 'secret', ARGV[3])
end
return redis.call('HMGET', KEYS[1], 'format', 'id', 'secret')
