--[[
  Puts records in the place of those that the caller has read, and begins the job set where it is new. A record that is not what was
  read any more is left alone. An owner is stale by it, unless nothing was put.

  Input:
    KEYS[1]  meta
    ARGV[1]  generation to begin, if one must be begun (random)
    ARGV[2]  time to live of every key, in seconds
    ARGV[3]  number of external URIs, then for each: URI, job id behind its length, the URI as it is kept with the job
             number of jobs, then for each: job id, the record that was read ('' where there was none), record,
             failure details ('' unless they changed), the time of a state that the stream has not shown (ms by Armada's clock; '' for
             none that it should have)
  Output:
    { revision, which records were left alone (0 is the first), … }
]]
local meta = KEYS[1]
local time = now()
local m = redis.call('HMGET', meta, 'generation', 'layout', 'buckets', 'renewed', 'aheadSince', 'aheadUntil')
local generation = m[1]
if generation then
  if not m[2] then migrate(meta, generation) end
  keepAlive(meta, generation, m[3], m[4], time, ARGV[2])
else
  generation = ARGV[1]
  begin(meta, generation, time, 0)
  redis.call('EXPIRE', meta, ARGV[2])
end
local g = open(meta, generation, time, ARGV[2])

local at = 3
local function take()
  at = at + 1
  return ARGV[at]
end

-- Apart from the keys that meta counts: without them Armada is asked.
local uris, submitted = tonumber(ARGV[at]), g.prefix .. 's'
for _ = 1, uris do
  local uri, id, line = take(), take(), take()
  local ids = idsWith(redis.call('HGET', submitted, uri) or '', id)
  if ids then redis.call('HSET', submitted, uri, ids) end
  keepUri(g, id, line, true)
end
if uris > 0 then
  redis.call('EXPIRE', submitted, ARGV[2])
  redis.call('EXPIRE', g.prefix .. 'a', ARGV[2])
end

local aheadSince, aheadUntil = tonumber(m[5]), tonumber(m[6])
local jobs = tonumber(take())
local reply = { g.revision }
for job = 0, jobs - 1 do
  local id, read, record, details, ahead = take(), take(), take(), take(), tonumber(take())
  local old = recordOf(g, id)
  if (old or '') == read then
    putRecord(g, id, record, details, old)
    if ahead then
      aheadSince = math.min(aheadSince or ahead, ahead)
      aheadUntil = math.max(aheadUntil or ahead, ahead)
    end
  else
    reply[#reply + 1] = job
  end
end
if #reply <= jobs then close(g) end
if aheadSince then redis.call('HSET', meta, 'aheadSince', aheadSince, 'aheadUntil', aheadUntil) end
return reply
