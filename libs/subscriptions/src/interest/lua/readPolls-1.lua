--[[
  Returns how long ago a job set was polled last, and how often it is polled, as recordInterest stores it.

  Input:
    KEYS[1]  a shard of the interest
    ARGV[1]  tag of the job set
  Output:
    { ms since the last poll, polls a minute on average until then }, or nil where there was none
]]
local time = redis.call('TIME')
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not score then return false end
local at = math.floor(score)
return { time[1] * 1000 + math.floor(time[2] / 1000) - at, tostring(2 ^ ((score - at) * 128) - 1) }
