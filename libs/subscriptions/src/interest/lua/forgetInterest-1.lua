--[[
  Forgets the interest in a job set, unless it was polled since it was read.

  Input:
    KEYS[1]  a shard of the interest
    ARGV[1]  tag of the job set
    ARGV[2]  last poll, as it was read
  Output:
    1 if it was forgotten
]]
local at = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not at or tonumber(at) > tonumber(ARGV[2]) then return 0 end
return redis.call('ZREM', KEYS[1], ARGV[1])
