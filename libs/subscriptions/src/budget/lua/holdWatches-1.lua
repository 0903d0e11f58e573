--[[
  Announces how many watches a replica holds and how many job sets wait for one there, and grants it more of the fleet's budget. What a
  replica announced counts as held until it has been silent for so long that it must have closed its watches, or been killed.

  Input:
    KEYS[1]  hash: replica -> "time (ms) held waiting 0", and replica:waiting -> how many job sets of each heat wait, from the coldest on,
             which earlier versions remove: to them, all that wait are hot
    ARGV[1]  replica
    ARGV[2]  watches it holds
    ARGV[3]  budget of the fleet
    ARGV[4]  watches claimed, for job sets of each heat
    ARGV[5]  job sets of each heat that wait here
    ARGV[6]  what a silent replica held is free after so long (ms)
    ARGV[7]  a replica that was silent for so long (ms) has no share and waits for nothing
    ARGV[8]  'leaving' where this one is to have no share any more from now on, else ''
  Output:
    { what is still free (below 0: so many are too many), other replicas, watches that they hold, granted to each heat, all that wait of
      each heat }
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local free = tonumber(ARGV[3]) - tonumber(ARGV[2])

local function parse(counts)
  local parsed = {}
  for count in string.gmatch(counts, '%d+') do parsed[#parsed + 1] = tonumber(count) end
  return parsed
end
local claims, waitingHere = parse(ARGV[4]), parse(ARGV[5])
local waiting = parse(ARGV[5])

local replicas, held = 0, 0
local all = redis.call('HGETALL', KEYS[1])
local value = {}
for i = 1, #all, 2 do value[all[i]] = all[i + 1] end
for replica, announced in pairs(value) do
  if replica ~= ARGV[1] and not string.find(replica, ':waiting$') then
    local at, holds = string.match(announced, '^(%d+) (%d+) ')
    local silent = now - (tonumber(at) or 0)
    if silent > tonumber(ARGV[6]) then
      redis.call('HDEL', KEYS[1], replica, replica .. ':waiting')
    else
      free = free - tonumber(holds)
      if silent <= tonumber(ARGV[7]) then
        replicas, held = replicas + 1, held + tonumber(holds)
        for heat, count in ipairs(parse(value[replica .. ':waiting'] or '')) do
          if waiting[heat] then waiting[heat] = waiting[heat] + count end
        end
      end
    end
  end
end

-- What hotter job sets wait for is not granted to colder ones.
local kept, granted, allGranted, allWaiting = 0, {}, 0, 0
for heat = #claims, 1, -1 do
  granted[heat] = math.max(0, math.min(claims[heat], free - kept))
  free = free - granted[heat]
  local refused = claims[heat] - granted[heat]
  waiting[heat], waitingHere[heat] = waiting[heat] + refused, waitingHere[heat] + refused
  kept = kept + waiting[heat]
  allGranted, allWaiting = allGranted + granted[heat], allWaiting + waitingHere[heat]
end

local at = ARGV[8] == 'leaving' and now - ARGV[7] - 1 or now
redis.call('HSET', KEYS[1],
  ARGV[1], string.format('%.0f %d %d 0', at, ARGV[2] + allGranted, allWaiting),
  ARGV[1] .. ':waiting', table.concat(waitingHere, ' '))
return { free, replicas, held, table.concat(granted, ' '), table.concat(waiting, ' ') }
