--[[
  Announces how many watches a replica holds and how many job sets wait for one there, and grants it more of the fleet's budget. What a
  replica announced counts as held until it has been silent for so long that it must have closed its watches, or been killed.

  Input:
    KEYS[1]  hash: replica -> "time (ms) held hot-waiting warm-waiting"
    ARGV[1]  replica
    ARGV[2]  watches it holds
    ARGV[3]  budget of the fleet
    ARGV[4]  watches claimed for hot job sets, ARGV[5] for warm ones, ARGV[6] for cold ones
    ARGV[7]  hot job sets that wait here, ARGV[8] warm ones
    ARGV[9]  what a silent replica held is free after so long (ms)
    ARGV[10] a replica that was silent for so long (ms) has no share and waits for nothing
    ARGV[11] 'leaving' where this one is to have no share any more from now on, else ''
  Output:
    { granted to hot, to warm, to cold, what is still free (below 0: so many are too many), other replicas, watches that they hold,
      their waiting hot job sets, their waiting warm ones }
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local free = tonumber(ARGV[3]) - tonumber(ARGV[2])
local replicas, held, hot, warm = 0, 0, 0, 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if all[i] ~= ARGV[1] then
    local at, holds, waitsHot, waitsWarm = string.match(all[i + 1], '^(%d+) (%d+) (%d+) (%d+)$')
    local silent = now - (tonumber(at) or 0)
    if silent > tonumber(ARGV[9]) then
      redis.call('HDEL', KEYS[1], all[i])
    else
      free = free - tonumber(holds)
      if silent <= tonumber(ARGV[10]) then
        replicas, held = replicas + 1, held + tonumber(holds)
        hot, warm = hot + tonumber(waitsHot), warm + tonumber(waitsWarm)
      end
    end
  end
end

-- What hotter job sets wait for is not granted to colder ones.
local function grant(wanted, kept)
  local granted = math.max(0, math.min(tonumber(wanted), free - kept))
  free = free - granted
  return granted, tonumber(wanted) - granted
end
local toHot, noHot = grant(ARGV[4], 0)
local waitingHot = hot + tonumber(ARGV[7]) + noHot
local toWarm, noWarm = grant(ARGV[5], waitingHot)
local waitingWarm = warm + tonumber(ARGV[8]) + noWarm
local toCold = grant(ARGV[6], waitingHot + waitingWarm)

local holds = tonumber(ARGV[2]) + toHot + toWarm + toCold
local at = ARGV[11] == 'leaving' and now - ARGV[10] - 1 or now
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %d %d %d', at, holds, ARGV[7] + noHot, ARGV[8] + noWarm))
return { toHot, toWarm, toCold, free, replicas, held, hot, warm }
