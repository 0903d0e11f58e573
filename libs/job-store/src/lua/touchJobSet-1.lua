--[[
  Notes that somebody asked about a job set. Touches meta only, and only where there is one.

  Input:
    KEYS[1]  meta
    ARGV[1]  time to live of meta, in seconds
  Output:
    1 if the job set has keys, else 0
]]
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'interest', now())
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
