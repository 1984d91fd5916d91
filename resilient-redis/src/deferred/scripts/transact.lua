-- Applies commands if the store is the expected one and all checks hold, or else nothing. A command fails only on a key
-- that another program wrote; those before it stay applied.
-- KEYS: the store, the totals, and one for each check and each command.
-- ARGV: the id of the store, whether to number a new entry, the number of checks, the checks, the commands.
-- A check is a test, a field of the hash at its key and the value; a command is its name, whether the number of the new
-- entry precedes its last argument, the number of arguments after the key, and these arguments.
-- Returns {-1} for another store, {n} if check n fails, and otherwise 0 and the reply of each command.
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then
  return {-1}
end
local key, at = 2, 4
for check = 1, tonumber(ARGV[3]) do
  key = key + 1
  local found, expected = redis.call('HGET', KEYS[key], ARGV[at + 1]), ARGV[at + 2]
  if ARGV[at] == 'equal' then
    if (found or '') ~= expected then
      return {check}
    end
  elseif tonumber(found or 0) > tonumber(expected) then
    return {check}
  end
  at = at + 3
end
local number = ''
if ARGV[2] == 'new' then
  number = string.format('%016x', redis.call('HINCRBY', KEYS[2], 'entries', 1))
end
local replies = {0}
while at <= #ARGV do
  key = key + 1
  local last = at + 2 + tonumber(ARGV[at + 2])
  local command = {ARGV[at], KEYS[key]}
  for argument = at + 3, last do
    command[#command + 1] = ARGV[argument]
  end
  if ARGV[at + 1] == 'new' then
    command[#command] = number .. command[#command]
  end
  replies[#replies + 1] = redis.call(unpack(command))
  at = last + 1
end
return replies
