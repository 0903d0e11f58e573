--[[
  Included before the scripts that address job records or the job index, behind the constants that scripts.ts gives.

  The records of a job set lie in hashes ("buckets") that stay small enough for Redis' compact form, and their number
  grows with the job set by linear hashing: one more bucket at a time, filled from the one that it splits.

  Of a record the scripts read its first byte and, behind it, the revision. Both are the same in every layout (ADR 17), so that
  scripts of one version may meet records of another.
]]
local JOBS_PER_BUCKET = 40
local STATE = 32 -- the first byte modulo this: the number of the state
local REVISION = 32 -- bit: the revision follows, which it does not in layout 1
local FAILURE_DETAILS = 64 -- bit: the job has an entry in the hash of failure details
local TERMINAL = 128 -- bit

-- The greatest power of two that is not greater: worth computing once for many job ids.
local function levelOf(buckets)
  local level = 1
  while level * 2 <= buckets do level = level * 2 end
  return level
end

-- Linear hashing: the bucket of a hash.
local function bucketAt(hash, buckets, level)
  local bucket = hash % (level * 2)
  if bucket >= buckets then bucket = bucket - level end
  return bucket
end

local function bucketOf(id, buckets, level)
  local hash
  local first, a, b, c, d = string.byte(id), string.byte(id, 13, 16)
  if #id == 16 and first ~= 255 then
    hash = a * 16777216 + b * 65536 + c * 256 + d -- a packed ULID ends with chance
  else
    hash = tonumber(string.sub(redis.sha1hex(id), 1, 8), 16)
  end
  return bucketAt(hash, buckets, level)
end

-- The place of a job: the bits of its hash the other way round. A place never changes, and a bucket holds all places from one to another:
-- a bucket that is split gives the later half of its places away.
local PLACES = 4294967296

local function reversed(number)
  local result = 0
  for _ = 1, 32 do
    result = result * 2 + number % 2
    number = math.floor(number / 2)
  end
  return result
end

-- The bucket that holds a place, and the place where the next bucket begins.
local function bucketOfPlace(place, buckets, level)
  local bucket = bucketAt(reversed(place), buckets, level)
  local isSplit = bucket % level + level < buckets
  return bucket, reversed(bucket) + PLACES / (isSplit and level * 2 or level)
end

-- The generation's keys begin with the meta key, its last part replaced.
local function prefixOf(meta, generation)
  return string.sub(meta, 1, -5) .. generation .. ':'
end

-- Exists while anybody watches the job set's changes, which are then published. Apart from meta, since a job set is watched before it has
-- one, and through generations.
local function watchedKey(meta)
  return string.sub(meta, 1, -5) .. 'watched'
end

local function changesChannel(meta)
  return string.sub(meta, 1, -5) .. 'changes'
end

-- The failure details of a job, '' where its record has none.
local function failureDetailsOf(prefix, id, record)
  if string.byte(record) % TERMINAL < FAILURE_DETAILS then return '' end
  return redis.call('HGET', prefix .. 'f', id) or ''
end

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Pushes the time to live of a generation's keys ahead; returns how many of those that the meta counts exist. Submitted URIs
-- and enrichment are not counted: Armada is asked again for what is lost of them.
local function renewKeys(prefix, buckets, seconds)
  local existing = 0
  for bucket = 0, buckets - 1 do
    existing = existing + redis.call('EXPIRE', prefix .. 'r' .. bucket, seconds)
  end
  for _, part in ipairs({ 'f', 'd', 'u' }) do
    existing = existing + redis.call('EXPIRE', prefix .. part, seconds)
  end
  for _, part in ipairs({ 's', 'a' }) do redis.call('EXPIRE', prefix .. part, seconds) end
  return existing
end

local RENEW_AFTER = 100 -- a tenth of the time to live, in ms

-- Pushes the time to live of meta ahead, and from time to time that of all keys: a job set can be polled for longer than that
-- without being opened or written anew.
local function keepAlive(meta, generation, buckets, renewed, time, seconds)
  redis.call('EXPIRE', meta, seconds)
  if time - (tonumber(renewed) or 0) < seconds * RENEW_AFTER then return end
  renewKeys(prefixOf(meta, generation), tonumber(buckets), seconds)
  redis.call('HSET', meta, 'renewed', time)
end
