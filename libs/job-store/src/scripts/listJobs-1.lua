--[[
  Lists jobs of one job set from a place on, and how its subscription stands, as of one moment.

  Jobs are listed by their place (see buckets.lua): so a list goes on after any place, however many buckets there were when it began.

  Input:
    KEYS[1]  meta
    ARGV[1]  generation expected ('': any)
    ARGV[2]  the place to begin at: the bucket that holds it is read whole
    ARGV[3]  how many jobs are wanted: no further bucket is read once there are so many
    ARGV[4]  how many jobs to look through, as above
    ARGV[5]  the states wanted, a byte each, '' for all
  Output:
    { now (ms), generation, subscription's state, reason, synced (ms or ''), heartbeat (ms), next read (ms or ''), aheadSince (ms or nil),
      cursor, the place where the next bucket begins (2^32: there is none),
      then for each job in a state that is wanted: its id, its record, its failure details, its enrichment ('' where there are none) };
    { now (ms), generation } for another generation, { now (ms) } where the job set has no keys
]]
local meta = KEYS[1]
local m = redis.call('HMGET', meta, 'generation', 'state', 'reason', 'synced', 'heartbeat', 'next', 'aheadSince', 'cursor', 'buckets')
if not m[1] then return { now() } end
if ARGV[1] ~= '' and m[1] ~= ARGV[1] then return { now(), m[1] } end
local prefix = prefixOf(meta, m[1])
local buckets = tonumber(m[9])
local level = levelOf(buckets)
local place, wanted, most = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local states
if ARGV[5] ~= '' then
  states = {}
  for i = 1, #ARGV[5] do states[string.byte(ARGV[5], i)] = true end
end
local hasEnrichment = redis.call('EXISTS', prefix .. 'a') == 1

local reply = { now(), m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8] }
local found, looked = 0, 0
local jobs = {}
while place < PLACES and found < wanted and looked < most do
  local bucket
  bucket, place = bucketOfPlace(place, buckets, level)
  local entries = redis.call('HGETALL', prefix .. 'r' .. bucket)
  looked = looked + #entries / 2
  for i = 1, #entries, 2 do
    local id, record = entries[i], entries[i + 1]
    if not states or states[string.byte(record) % STATE] then
      found = found + 1
      jobs[#jobs + 1] = id
      jobs[#jobs + 1] = record
      jobs[#jobs + 1] = failureDetailsOf(prefix, id, record)
      jobs[#jobs + 1] = hasEnrichment and redis.call('HGET', prefix .. 'a', id) or ''
    end
  end
end
reply[10] = place
for i = 1, #jobs do reply[10 + i] = jobs[i] end
return reply
