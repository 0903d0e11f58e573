--[[
  Records a poll of a job set, by Redis' clock; not where the job set is new and there are too many.

  Input:
    KEYS[1]  a shard of the interest
    ARGV[1]  tag of the job set
    ARGV[2]  the most job sets in a shard
    ARGV[3]  a job set is quiet when it was not polled for this long (ms)
  Output:
    0 if it was polled before, 1 if it is new, 2 if it is new and was refused, 3 if it was quiet before
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not known and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 2 end
redis.call('ZADD', KEYS[1], now, ARGV[1])
if not known then return 1 end
if now - known >= tonumber(ARGV[3]) then return 3 end
return 0
