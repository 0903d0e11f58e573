--[[
  How long ago somebody asked about a job set.

  Input:
    KEYS[1]  a shard of the demand
    ARGV[1]  tag of the job set
  Output:
    ms since the last interest, or nil where there is none
]]
local time = redis.call('TIME')
local at = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not at then return false end
return time[1] * 1000 + math.floor(time[2] / 1000) - at
