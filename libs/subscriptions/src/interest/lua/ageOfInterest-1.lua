--[[
  Returns how long ago a job set was polled last.

  Input:
    KEYS[1]  a shard of the interest
    ARGV[1]  tag of the job set
  Output:
    ms since the last poll, or nil where there was none
]]
local time = redis.call('TIME')
local at = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not at then return false end
return time[1] * 1000 + math.floor(time[2] / 1000) - at
