--[[
  Reads jobs of a job set that changed after a revision, in the order of their places (see buckets.lua), page by page. After the last page
  every job that changed last up to the revision that the first page returned has been read, however the buckets were split meanwhile.

  Input:
    KEYS[1]  meta
    ARGV[1]  generation expected
    ARGV[2]  revision after which jobs changed; -1 for all jobs
    ARGV[3]  the place to begin at: the bucket that holds it is read whole
    ARGV[4]  how many buckets to look through at most
    ARGV[5]  a page has no further bucket once it has this many jobs
  Output:
    { revision, the place where the next bucket begins (2^32: there is none), then for each job: its id, its record, its failure details and
      its enrichment ('' for none) }; {} for another generation
]]
local m = redis.call('HMGET', KEYS[1], 'generation', 'revision', 'buckets')
if m[1] ~= ARGV[1] then return {} end
local prefix = prefixOf(KEYS[1], m[1])
local after, place, buckets = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(m[3])
local level = levelOf(buckets)
local most = 2 + 4 * ARGV[5]
local reply = { tonumber(m[2]), 0 }

-- 0 where a version that kept none has written the record.
local function revisionOf(record)
  if string.byte(record) % FAILURE_DETAILS < REVISION then return 0 end
  local revision, scale, at = 0, 1, 2
  while true do
    local byte = string.byte(record, at)
    revision = revision + byte % 128 * scale
    if byte < 128 then return revision end
    scale, at = scale * 128, at + 1
  end
end

local looked = 0
while place < PLACES and looked < tonumber(ARGV[4]) and #reply < most do
  local bucket
  bucket, place = bucketOfPlace(place, buckets, level)
  local entries = redis.call('HGETALL', prefix .. 'r' .. bucket)
  for i = 1, #entries, 2 do
    local id, record = entries[i], entries[i + 1]
    if revisionOf(record) > after then
      local at = #reply
      reply[at + 1], reply[at + 2] = id, record
      reply[at + 3] = failureDetailsOf(prefix, id, record)
      reply[at + 4] = redis.call('HGET', prefix .. 'a', id) or ''
    end
  end
  looked = looked + 1
end
reply[2] = place
return reply
