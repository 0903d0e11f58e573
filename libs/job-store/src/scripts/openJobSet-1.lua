--[[
  Takes a job set up for writing: makes its meta where there is none, begins a new generation where keys that the meta counts
  are gone (a cursor without its records would lose jobs for good), and renews every key's time to live.

  A job set that a newer version has written is left to it. Where no owner of that version has been heard of for STALLED_AFTER ms,
  it was rolled back: the job set is then taken over. Its stream is read once more from the beginning, and records in states that
  this version does not know are removed, so that the stream makes them anew.

  Input:
    KEYS[1]  meta
    ARGV[1]  generation to begin, if one must be begun (random)
    ARGV[2]  time to live of every key, in seconds
    ARGV[3]  the owner, by the name that readers see ('': none)
    ARGV[4]  the generation that the owner wrote last ('': none)
    ARGV[5]  the revision that it was given then
  Output:
    { now (ms), generation, cursor, revision, unfinished jobs, when it was reconciled (ms, nil: never), keys lost (0: none),
      strings (number, string, …), events a minute (nil: not known), when that was (ms) }, or { now (ms), nil, layout } where it is left to a newer version
]]
local meta = KEYS[1]
local time = now()

local function takeOver(generation)
  local g = open(meta, generation, time, ARGV[2])
  eachRecord(g.prefix, g.buckets, function(part, id, record)
    local first = string.byte(record)
    if not STATES[first % STATE] then
      count(g, first, -1)
      redis.call('HDEL', g.prefix .. part, id)
      if redis.call('EXISTS', g.prefix .. part) == 0 then g.keys = g.keys - 1 end
    end
  end)
  g.layout = LAYOUT
  close(g)
  redis.call('HSET', meta, 'cursor', '', 'state', 'connecting', 'reason', '', 'heartbeat', time, 'next', '', 'synced', '')
end

local m = redis.call('HMGET', meta, 'generation', 'layout', 'heartbeat', 'next', 'buckets', 'keys')
local generation, layout, lost = m[1], tonumber(m[2]), 0
if generation then
  if not layout then
    migrate(meta, generation)
  elseif layout > LAYOUT and time - math.max(m[3], tonumber(m[4]) or 0) <= STALLED_AFTER then
    return { time, false, layout }
  end
  lost = tonumber(m[6]) - renewKeys(prefixOf(meta, generation), tonumber(m[5]), ARGV[2])
end
if not generation or lost > 0 then
  generation = ARGV[1]
  begin(meta, generation, time, LAYOUT)
else
  if layout and layout > LAYOUT then takeOver(generation) end
  redis.call('HSET', meta, 'renewed', time)
end
redis.call('HSET', meta, 'owner', ARGV[3])
redis.call('EXPIRE', meta, ARGV[2])
local position = redis.call('HMGET', meta, 'cursor', 'revision', 'reconciled', 'rate', 'heartbeat')
-- Redis has lost writes of this owner: what they were given is not given out again, though the clock of this server may be behind.
if generation == ARGV[4] and tonumber(position[2]) < tonumber(ARGV[5]) then
  redis.call('HSET', meta, 'revision', ARGV[5])
  position[2] = ARGV[5]
end
local g = open(meta, generation, time)
countsOf(g)
local strings = redis.call('HGETALL', prefixOf(meta, generation) .. 'd')
return { time, generation, position[1], position[2], g.unfinished, position[3], lost, strings, position[4], position[5] }
