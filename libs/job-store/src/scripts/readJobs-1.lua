--[[
  Reads jobs of one job set and how its subscription stands, as of one moment.

  Input:
    KEYS[1]  meta
    ARGV[1]  job ids, each behind its length in two bytes: one argument costs a client less than many
    ARGV[2]  'enrichment' if it is wanted too
  Output:
    { now (ms), generation, subscription's state, reason, synced (ms or ''), heartbeat (ms), next read (ms or ''),
      aheadSince (ms or nil),
      the record of each job or nil, then the enrichment of each or nil and the cursor where it is wanted,
      then for each job that has failure details: which one (0 is the first), its failure details };
    { now (ms) } where the job set has no keys
]]
local m = redis.call('HMGET', KEYS[1], 'generation', 'state', 'reason', 'synced', 'heartbeat', 'next', 'buckets', 'aheadSince')
if not m[1] then return { now() } end
local prefix = prefixOf(KEYS[1], m[1])
local reply = { now(), m[1], m[2], m[3], m[4], m[5], m[6], m[8] }
local buckets = tonumber(m[7])
local level = levelOf(buckets)
local ids, at, number = ARGV[1], 1, 0
local details = {}
local enrichment = ARGV[2] == 'enrichment' and {}
local hasEnrichment = enrichment and redis.call('EXISTS', prefix .. 'a') == 1
while at <= #ids do
  local high, low = string.byte(ids, at, at + 1)
  local id = string.sub(ids, at + 2, at + 1 + high * 256 + low)
  at = at + 2 + #id
  local record = redis.call('HGET', prefix .. 'r' .. bucketOf(id, buckets, level), id)
  reply[9 + number] = record
  if record and string.byte(record) % TERMINAL >= FAILURE_DETAILS then
    details[#details + 1] = number
    details[#details + 1] = redis.call('HGET', prefix .. 'f', id)
  end
  if enrichment then enrichment[number + 1] = record and hasEnrichment and redis.call('HGET', prefix .. 'a', id) end
  number = number + 1
end
if enrichment then
  for i = 1, number do reply[8 + number + i] = enrichment[i] end
  reply[9 + 2 * number] = redis.call('HGET', KEYS[1], 'cursor')
end
for _, value in ipairs(details) do reply[#reply + 1] = value end
return reply
