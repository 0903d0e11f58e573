--[[
  Notes that somebody asked about a job set, where there is one: touches meta, and from time to time pushes the time to live
  of all its keys ahead, since a job set can be polled for longer than that without being opened or written anew.

  Input:
    KEYS[1]  meta
    ARGV[1]  time to live of every key, in seconds
  Output:
    0 if the job set has no keys, 1 if it has, 2 if their time to live was pushed ahead
]]
local RENEW_AFTER = 100 -- a tenth of the time to live, in ms
local meta = KEYS[1]
local m = redis.call('HMGET', meta, 'generation', 'buckets', 'renewed')
if not m[1] then return 0 end
local time = now()
redis.call('HSET', meta, 'interest', time)
redis.call('EXPIRE', meta, ARGV[1])
if time - (tonumber(m[3]) or 0) < ARGV[1] * RENEW_AFTER then return 1 end
renewKeys(prefixOf(meta, m[1]), tonumber(m[2]), ARGV[1])
redis.call('HSET', meta, 'renewed', time)
return 2
