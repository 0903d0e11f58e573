--[[
  Records polls of a job set, by Redis' clock; not where the job set is new and there are too many.

  A score is the time of the last poll in whole ms, and in its fraction, of which a double has 12 bits, how often the job set is polled: 32 times
  the binary logarithm of 1 + polls a minute, in 4096ths. The rate is a moving average with a half-life of a minute, of what all queries record.

  Input:
    KEYS[1]  a shard of the interest
    ARGV[1]  tag of the job set
    ARGV[2]  the most job sets in a shard
    ARGV[3]  a job set is quiet when it was not polled for this long (ms)
    ARGV[4]  polls since the caller recorded the last ones
  Output:
    0 if it was polled before, 1 if it is new, 2 if it is new and was refused, 3 if it was quiet before
]]
local HALF_LIFE_MS = 60000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not known and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 2 end
local at = math.floor(known or now)
local perMinute = 2 ^ (((known or now) - at) * 128) - 1
perMinute = perMinute * 2 ^ -(math.max(0, now - at) / HALF_LIFE_MS) + ARGV[4] * math.log(2) * 60000 / HALF_LIFE_MS
local fraction = math.min(4095, math.floor(32 * math.log(1 + perMinute) / math.log(2) + 0.5))
redis.call('ZADD', KEYS[1], string.format('%.17g', now + fraction / 4096), ARGV[1])
if not known then return 1 end
if now - at >= tonumber(ARGV[3]) then return 3 end
return 0
