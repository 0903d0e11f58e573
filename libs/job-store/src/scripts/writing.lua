--[[
  Included before the scripts that write job records, behind buckets.lua.
]]

-- Redis Cluster moves a slot key by key, and until it is done any use of a key that is not there is an error. In the midst of a
-- script that would leave half of its work: this key never exists, so the error comes before anything is written.
redis.call('EXISTS', KEYS[1] .. '-')

-- A URI's job ids are kept up to so many bytes (10,000 ULIDs); the oldest go first.
local LONGEST_IDS = 180000

-- Begins a generation: a job set without a cursor and without jobs.
local function begin(meta, generation, time)
  redis.call('HSET', meta, 'generation', generation, 'cursor', '', 'revision', 1, 'unfinished', 0, 'jobs', 0,
    'buckets', 1, 'keys', 0, 'state', 'connecting', 'reason', '', 'level', '', 'contact', time, 'next', '')
  redis.call('HSETNX', meta, 'interest', time)
  redis.call('HSET', meta, 'renewed', time)
end

-- A generation while a script writes it: what meta counts, to be put back by close().
local function open(meta, generation, revision, seconds)
  local m = redis.call('HMGET', meta, 'buckets', 'jobs', 'unfinished', 'keys')
  local buckets = tonumber(m[1])
  return {
    meta = meta, prefix = prefixOf(meta, generation), revision = revision + 1, seconds = seconds, changes = 0,
    buckets = buckets, level = levelOf(buckets), jobs = tonumber(m[2]), unfinished = tonumber(m[3]), keys = tonumber(m[4]),
  }
end

local function put(g, part, field, value)
  local key = g.prefix .. part
  if redis.call('HSET', key, field, value) == 1 and redis.call('HLEN', key) == 1 then
    g.keys = g.keys + 1
    redis.call('EXPIRE', key, g.seconds)
  end
end

local function bucketKey(g, id)
  return 'r' .. bucketOf(id, g.buckets, g.level)
end

local function recordOf(g, id)
  return redis.call('HGET', g.prefix .. bucketKey(g, id), id)
end

-- One more bucket, filled from the one that it splits.
local function grow(g)
  local from = g.prefix .. 'r' .. (g.buckets - g.level)
  local to = 'r' .. g.buckets
  g.buckets = g.buckets + 1
  g.level = levelOf(g.buckets)
  local entries = redis.call('HGETALL', from)
  for i = 1, #entries, 2 do
    if bucketKey(g, entries[i]) == to then
      put(g, to, entries[i], entries[i + 1])
      redis.call('HDEL', from, entries[i])
    end
  end
  if #entries > 0 and redis.call('EXISTS', from) == 0 then g.keys = g.keys - 1 end
end

-- Puts a record in the place of `old` (false: the job is new). Reasons are '' where they did not change.
local function putRecord(g, id, record, reasons, old, changesKept)
  local is, was = string.byte(record), old and string.byte(old)
  if not old then
    g.jobs = g.jobs + 1
    if is < TERMINAL then g.unfinished = g.unfinished + 1 end
    if g.jobs > g.buckets * JOBS_PER_BUCKET then grow(g) end
  elseif was < TERMINAL and is >= TERMINAL then
    g.unfinished = g.unfinished - 1
  end
  put(g, bucketKey(g, id), id, record)
  if reasons ~= '' then put(g, 'f', id, reasons) end
  if not old or was % STATE ~= is % STATE then
    redis.call('XADD', g.prefix .. 'c', 'MAXLEN', '~', changesKept, g.revision .. '-' .. g.changes, 'j',
      string.char(is) .. id)
    g.changes = g.changes + 1
  end
end

-- A URI's job ids with one more at their end, each behind its length in two bytes; nil where it is among them already.
local function idsWith(ids, id)
  if string.find(ids, id, 1, true) then return nil end
  ids = ids .. id
  while #ids > LONGEST_IDS do
    local high, low = string.byte(ids, 1, 2)
    ids = string.sub(ids, 3 + high * 256 + low)
  end
  return ids
end

local function close(g, changesSeconds)
  if g.changes > 0 then redis.call('EXPIRE', g.prefix .. 'c', changesSeconds) end
  redis.call('HSET', g.meta, 'revision', g.revision, 'buckets', g.buckets, 'jobs', g.jobs, 'unfinished', g.unfinished,
    'keys', g.keys)
end
