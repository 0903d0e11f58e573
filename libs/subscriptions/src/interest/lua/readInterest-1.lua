--[[
  Reads a page of job sets, with when each was polled last.

  Input:
    KEYS[1]  a shard of the interest
    ARGV[1]  index of the first job set, ARGV[2] of the last, in the order of the last poll
  Output:
    { now (ms), tag, last poll (ms), tag, last poll, … }
]]
local time = redis.call('TIME')
local reply = redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[2], 'WITHSCORES')
table.insert(reply, 1, time[1] * 1000 + math.floor(time[2] / 1000))
return reply
