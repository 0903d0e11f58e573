--[[
  Notes that somebody asks about job sets, by Redis' clock.

  Input:
    KEYS[1]  a shard of the demand
    ARGV[1…] tags of job sets
  Output:
    now (ms)
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, tag in ipairs(ARGV) do redis.call('ZADD', KEYS[1], now, tag) end
return now
