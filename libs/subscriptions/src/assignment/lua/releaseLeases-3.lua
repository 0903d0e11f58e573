--[[
  Gives the assignments of dead owners to BullMQ's next check for stalled jobs, which need not wait for their locks then: it moves those that
  are marked as stalled and have no lock.

  Input:
    KEYS[1]  BullMQ's active jobs
    KEYS[2]  BullMQ's jobs that are marked as stalled
    KEYS[3]  BullMQ's mark of a recent check, which would put the next one off
    ARGV[1]  what the keys of BullMQ's jobs begin with
    ARGV[2]  a lease that lasts longer than this (ms) was renewed just now, so that its owner lives, whatever is said of it
    ARGV[3]  and on: owners that are taken for dead, as the tokens of their locks begin
  Output:
    how many assignments it is
]]
local dead = {}
for i = 3, #ARGV do dead[ARGV[i]] = true end
local released = 0
for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  local lock = ARGV[1] .. id .. ':lock'
  local token = redis.call('GET', lock)
  if token and dead[string.match(token, '^[^:]*')] and redis.call('PTTL', lock) <= tonumber(ARGV[2]) then
    redis.call('DEL', lock)
    redis.call('SADD', KEYS[2], id)
    released = released + 1
  end
end
if released > 0 then redis.call('DEL', KEYS[3]) end
return released
