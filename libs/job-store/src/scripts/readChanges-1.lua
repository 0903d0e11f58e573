--[[
  Reads jobs of some buckets that changed after a revision.

  Buckets are read in ascending order, one page after the other, until there is none: when a bucket is split meanwhile, its jobs move
  to a later one, so none is missed. After the last page, whatever changed up to the revision that the first page returned has been
  read, as it was then or later.

  Input:
    KEYS[1]  meta
    ARGV[1]  generation expected
    ARGV[2]  revision after which jobs changed; -1 for all jobs
    ARGV[3]  first bucket
    ARGV[4]  how many buckets to look through at most
    ARGV[5]  a page has no further bucket once it has this many jobs
  Output:
    { revision, next bucket (0: there is none), then for each job: its id, its record, its failure details and its enrichment ('' for
      none) }; {} for another generation
]]
local m = redis.call('HMGET', KEYS[1], 'generation', 'revision', 'buckets')
if m[1] ~= ARGV[1] then return {} end
local prefix = prefixOf(KEYS[1], m[1])
local after, bucket, buckets = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(m[3])
local behind = math.min(bucket + tonumber(ARGV[4]), buckets)
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

while bucket < behind and #reply < most do
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
  bucket = bucket + 1
end
if bucket < buckets then reply[2] = bucket end
return reply
