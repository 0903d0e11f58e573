--[[
  Notes that somebody asks about a job set, by Redis' clock; not where it is a new one and there are too many.

  Input:
    KEYS[1]  a shard of the demand
    ARGV[1]  tag of the job set
    ARGV[2]  the most job sets in a shard
    ARGV[3]  it is quiet when nobody asked for so long (ms)
  Output:
    0 if somebody asked about it before, 1 if it is new, 2 if it is new and was not noted, 3 if it was quiet before
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not known and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 2 end
redis.call('ZADD', KEYS[1], now, ARGV[1])
if not known then return 1 end
if now - known >= tonumber(ARGV[3]) then return 3 end
return 0
