#!lua flags=allow-oom
-- Sets the start of a machine unless another process has done it, and forgets the starts of old runs.
-- KEYS: the starts by run, the runs, the latest first. ARGV: the run, the start, the number of runs to keep.
-- Returns the start.
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 1 then
  redis.call('LPUSH', KEYS[2], ARGV[1])
  while redis.call('LLEN', KEYS[2]) > tonumber(ARGV[3]) do
    redis.call('HDEL', KEYS[1], redis.call('RPOP', KEYS[2]))
  end
end
return redis.call('HGET', KEYS[1], ARGV[1])
