--[[
  Notes that a job set is polled, where there is one, and keeps its keys alive.

  Input:
    KEYS[1]  meta
    ARGV[1]  time to live of every key, in seconds
  Output:
    1 if the job set has keys, else 0
]]
local meta = KEYS[1]
local m = redis.call('HMGET', meta, 'generation', 'buckets', 'renewed')
if not m[1] then return 0 end
local time = now()
redis.call('HSET', meta, 'interest', time)
keepAlive(meta, m[1], m[2], m[3], time, ARGV[1])
return 1
