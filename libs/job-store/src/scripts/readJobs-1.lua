--[[
  Reads jobs of one job set and how its subscription stands, as of one moment.

  Input:
    KEYS[1]  meta
    ARGV[1]  job ids, each behind its length in two bytes: one argument costs a client less than many
    ARGV[2]  'enrichment' if it is wanted too
  Output:
    { now (ms), generation, subscription's state, reason, synced (ms or ''), heartbeat (ms), next read (ms or ''),
      aheadSince (ms or nil),
      the record of each job behind its length in two bytes, 0 for a job that is not there: one text, too, costs a client less than many,
      then the enrichment of each or nil and the cursor where it is wanted,
      then for each job that has failure details: which one (0 is the first), its failure details };
    { now (ms) } where the job set has no keys
]]
local m = redis.call('HMGET', KEYS[1], 'generation', 'state', 'reason', 'synced', 'heartbeat', 'next', 'buckets', 'aheadSince')
if not m[1] then return { now() } end
local prefix = prefixOf(KEYS[1], m[1])
local reply = { now(), m[1], m[2], m[3], m[4], m[5], m[6], m[8] }
local buckets = tonumber(m[7])
local level = levelOf(buckets)
local call, byte, sub = redis.call, string.byte, string.sub
local ids, at, number = ARGV[1], 1, 0
local records, details = {}, {}
local enrichment = ARGV[2] == 'enrichment' and {}
local hasEnrichment = enrichment and call('EXISTS', prefix .. 'a') == 1
-- Of buckets their keys, and of lengths their two bytes: a thousand jobs need few of either.
local keys, lengths = {}, {}
while at <= #ids do
  local high, low = byte(ids, at, at + 1)
  local id = sub(ids, at + 2, at + 1 + high * 256 + low)
  at = at + 2 + #id
  local bucket = bucketOf(id, buckets, level)
  local key = keys[bucket]
  if not key then
    key = prefix .. 'r' .. bucket
    keys[bucket] = key
  end
  local record = call('HGET', key, id)
  local length = record and #record or 0
  if not lengths[length] then lengths[length] = string.char(math.floor(length / 256), length % 256) end
  records[2 * number + 1] = lengths[length]
  records[2 * number + 2] = record or ''
  if record and byte(record) % TERMINAL >= FAILURE_DETAILS then
    details[#details + 1] = number
    details[#details + 1] = call('HGET', prefix .. 'f', id)
  end
  number = number + 1
  if enrichment then enrichment[number] = record and hasEnrichment and call('HGET', prefix .. 'a', id) end
end
reply[9] = table.concat(records)
if enrichment then
  for i = 1, number do reply[9 + i] = enrichment[i] end
  reply[10 + number] = call('HGET', KEYS[1], 'cursor')
end
for _, value in ipairs(details) do reply[#reply + 1] = value end
return reply
