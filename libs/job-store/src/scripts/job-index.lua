--[[
  Included before the scripts of the job index, behind buckets.lua.

  The job index is a few groups, each with a hash tag of its own, so that Redis Cluster spreads them. A group has two tables. Each lies in
  hashes that stay small, as the records of a job set do, and their number grows with the table:
    j0, j1, …  the first bytes of a hash of a job id → the reference of its job set
    s0, s1, …  the reference of a job set → its tag. It is good in this group alone, where no two job sets share one; see GONE
  Fields of a group's meta:
    jobs, jobBuckets  entries in j0, j1, …, and how many of these there are
    sets, setBuckets  the same of s0, s1, …
    renewed           when the time to live of all keys was last pushed ahead (ms)

  One call serves all groups that lie on the same server, although KEYS names the meta of the first one alone.
]]
local REFERENCES = 16777216 -- three bytes
-- In the place of a tag: the job set is gone, and another one may have been given the next reference because of it.
local GONE = ''

local function openGroup(meta)
  local m = redis.call('HMGET', meta, 'jobs', 'jobBuckets', 'sets', 'setBuckets')
  local prefix = string.sub(meta, 1, -5)
  local function tableOf(part, entries, buckets)
    buckets = tonumber(buckets) or 1
    return { prefix = prefix .. part, keys = {}, entries = tonumber(entries) or 0, buckets = buckets, level = levelOf(buckets) }
  end
  return { meta = meta, jobs = tableOf('j', m[1], m[2]), sets = tableOf('s', m[3], m[4]) }
end

local function closeGroup(group, seconds)
  redis.call('HSET', group.meta, 'jobs', group.jobs.entries, 'jobBuckets', group.jobs.buckets,
    'sets', group.sets.entries, 'setBuckets', group.sets.buckets)
  redis.call('EXPIRE', group.meta, seconds)
end

local function numberOf(field)
  local a, b, c = string.byte(field, 1, 3)
  return a * 65536 + b * 256 + c
end

local function keyIn(entries, field)
  local bucket = bucketAt(numberOf(field), entries.buckets, entries.level)
  local key = entries.keys[bucket]
  if not key then
    key = entries.prefix .. bucket
    entries.keys[bucket] = key
  end
  return key
end

-- One more bucket, filled from the one that it splits.
local function growTable(entries, seconds)
  local from = entries.prefix .. (entries.buckets - entries.level)
  local to = entries.prefix .. entries.buckets
  entries.buckets = entries.buckets + 1
  entries.level = levelOf(entries.buckets)
  local all, moved, fields = redis.call('HGETALL', from), {}, {}
  for i = 1, #all, 2 do
    if keyIn(entries, all[i]) == to then
      fields[#fields + 1] = all[i]
      moved[#moved + 1] = all[i]
      moved[#moved + 1] = all[i + 1]
    end
  end
  if #fields == 0 then return end
  redis.call('HSET', to, unpack(moved))
  redis.call('EXPIRE', to, seconds)
  redis.call('HDEL', from, unpack(fields))
end

-- `command` is HSET, or HSETNX where an entry that there is stays. Returns whether there was none.
local function putEntry(entries, command, field, value, seconds)
  local key = keyIn(entries, field)
  if redis.call(command, key, field, value) == 0 then return false end
  if redis.call('HLEN', key) == 1 then redis.call('EXPIRE', key, seconds) end
  entries.entries = entries.entries + 1
  if entries.entries > entries.buckets * JOBS_PER_BUCKET then growTable(entries, seconds) end
  return true
end

local function removeEntry(entries, field)
  entries.entries = entries.entries - redis.call('HDEL', keyIn(entries, field), field)
end

-- The reference that is so many behind this one, or before it.
local function beside(reference, distance)
  local number = (numberOf(reference) + distance) % REFERENCES
  return string.char(math.floor(number / 65536), math.floor(number / 256) % 256, number % 256)
end

local function holderOf(group, reference)
  return redis.call('HGET', keyIn(group.sets, reference), reference)
end

-- The reference that a job set has in a group, or is to have: from `first` on, the first one that no other job set has. Returns as
-- well whether the job set has it.
local function referenceOf(group, tag, first)
  local reference, free = first, nil
  while true do
    local holder = holderOf(group, reference)
    if holder == tag then return reference, true end
    if not holder then return free or reference, false end
    if holder == GONE then free = free or reference end
    reference = beside(reference, 1)
  end
end

-- Takes out the job set that has a reference. Those that were given later ones because of it are still found.
local function removeReference(group, reference)
  if holderOf(group, beside(reference, 1)) then
    redis.call('HSET', keyIn(group.sets, reference), reference, GONE)
    return
  end
  repeat
    removeEntry(group.sets, reference)
    reference = beside(reference, -1)
  until holderOf(group, reference) ~= GONE
end

-- Calls `visit(meta, hashes)` for the groups in ARGV from `at` on: of each its meta, and hashes of job ids. Returns how many it visited: all
-- up to one that is not on this server, which Redis Cluster has moved or is moving at the moment. In the midst of a group that would leave half of its
-- work: what is looked for is a key that never exists.
local function eachGroup(at, visit)
  for i = at, #ARGV, 2 do
    local absent = ARGV[i] .. '-'
    if i == at then
      redis.call('EXISTS', absent)
    elseif type(redis.pcall('EXISTS', absent)) == 'table' then
      return (i - at) / 2
    end
    visit(ARGV[i], ARGV[i + 1])
  end
  return (#ARGV - at + 1) / 2
end

local function eachHash(hashes, visit)
  for i = 1, #hashes, JOB_HASH_BYTES do visit(string.sub(hashes, i, i + JOB_HASH_BYTES - 1)) end
end
