--[[
  Gives records to jobs that have none, and begins the job set where it is new. What has a record keeps it. An owner is stale
  by it, unless nothing was new.

  Input:
    KEYS[1]  meta
    ARGV[1]  generation to begin, if one must be begun (random)
    ARGV[2]  time to live of every key, in seconds
    ARGV[3]  number of jobs, then for each: job id, record, failure details ('' for none)
             number of external URIs, then for each: URI, job id behind its length
  Output:
    how many jobs were new
]]
local meta = KEYS[1]
local time = now()
local m = redis.call('HMGET', meta, 'generation', 'layout', 'buckets', 'renewed')
local generation = m[1]
if generation then
  if not m[2] then migrate(meta, generation) end
  keepAlive(meta, generation, m[3], m[4], time, ARGV[2])
else
  generation = ARGV[1]
  begin(meta, generation, time, 0)
  redis.call('EXPIRE', meta, ARGV[2])
end
local g = open(meta, generation, ARGV[2])

local at = 3
local function take()
  at = at + 1
  return ARGV[at]
end

local new = 0
for _ = 1, tonumber(ARGV[at]) do
  local id, record, details = take(), take(), take()
  if not recordOf(g, id) then
    putRecord(g, id, record, details, false)
    new = new + 1
  end
end
if new > 0 then close(g) end

-- Apart from the keys that meta counts: without them Armada is asked.
at = at + 1
local uris = g.prefix .. 's'
for _ = 1, tonumber(ARGV[at]) do
  local uri, id = take(), take()
  local ids = idsWith(redis.call('HGET', uris, uri) or '', id)
  if ids then redis.call('HSET', uris, uri, ids) end
end
redis.call('EXPIRE', uris, ARGV[2])
return new
