--[[
  Put around a script of BullMQ that gives delayed jobs their time, or compares that with the time now. BullMQ passes the time of its
  caller, but replicas' clocks differ, and each may be set. So the script goes by Redis' clock, which all replicas share.

  Input:
    MARKER   the number of the key that wakes a worker for a delayed job, where the script sets it, else nil
    ARGV[2]  now, by the caller's clock (ms); the rest is BullMQ's
  Output:
    BullMQ's, but the time of the next delayed job is by the caller's clock, and LOOK_EVERY_MS from now at most, so that a caller whose
    clock is set back meanwhile sleeps no longer
]]
local LOOK_EVERY_MS = 1000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ahead = ARGV[2] - now
ARGV[2] = string.format('%.0f', now)

local function script()
--SCRIPT
end

local reply = script()
if type(reply) == 'table' and (tonumber(reply[4]) or 0) > 0 then
  reply[4] = math.min(reply[4], now + LOOK_EVERY_MS) + ahead
end
-- The marker's score is the time of the next delayed job, by a clock that is not that of the worker it wakes: 0 has the worker ask.
if MARKER then redis.call('ZADD', KEYS[MARKER], 'XX', 0, '1') end
return reply
