--[[
  The one way a holder writes: a batch of records with the cursor that they stand for, or only its contact. Nothing is
  written unless generation, cursor and revision are those the holder read last, so a stale holder cannot write; and a
  record that has ended is never replaced by one in another state.

  Input:
    KEYS[1]  meta
    ARGV[1]  generation expected
    ARGV[2]  cursor expected
    ARGV[3]  revision expected
    ARGV[4]  cursor after this batch
    ARGV[5]  state of the subscription
    ARGV[6]  its reason, for people
    ARGV[7]  when the job set was last known to be level with Armada (ms by Redis' clock), '' if not since the turn began
    ARGV[8]  time to live of new keys, in seconds
    ARGV[9]  time to live of the changes, in seconds
    ARGV[10] how many changes are kept, about
    ARGV[11] number of records, then for each: job id, record, reasons ('' unless they changed)
             number of words, then for each: number, word
             number of external URIs, then for each: URI, job id behind its length
  Output:
    { now (ms), revision, unfinished jobs, terminal records that were kept }, or { now (ms) } where it was refused
]]
local meta = KEYS[1]
local time = now()
local m = redis.call('HMGET', meta, 'generation', 'cursor', 'revision', 'buckets', 'jobs', 'unfinished', 'keys')
if m[1] ~= ARGV[1] or m[2] ~= ARGV[2] or m[3] ~= ARGV[3] then return { time } end

local prefix = prefixOf(meta, m[1])
local revision = m[3] + 1
local buckets, jobs, unfinished, keys = tonumber(m[4]), tonumber(m[5]), tonumber(m[6]), tonumber(m[7])
local level = levelOf(buckets)
local kept, changes = 0, 0

local function put(key, field, value)
  if redis.call('HSET', key, field, value) == 1 and redis.call('HLEN', key) == 1 then
    keys = keys + 1
    redis.call('EXPIRE', key, ARGV[8])
  end
end

local function grow()
  local from = prefix .. 'r' .. (buckets - level)
  local to = buckets
  buckets = buckets + 1
  level = levelOf(buckets)
  local entries = redis.call('HGETALL', from)
  for i = 1, #entries, 2 do
    if bucketOf(entries[i], buckets, level) == to then
      put(prefix .. 'r' .. to, entries[i], entries[i + 1])
      redis.call('HDEL', from, entries[i])
    end
  end
  if #entries > 0 and redis.call('EXISTS', from) == 0 then keys = keys - 1 end
end

local at = 11
local function take()
  at = at + 1
  return ARGV[at]
end

for _ = 1, tonumber(ARGV[at]) do
  local id, record, reasons = take(), take(), take()
  local is = string.byte(record)
  local old = redis.call('HGET', prefix .. 'r' .. bucketOf(id, buckets, level), id)
  local was = old and string.byte(old)
  if was and was >= TERMINAL and was % STATE ~= is % STATE then
    kept = kept + 1
  else
    if not old then
      jobs = jobs + 1
      if is < TERMINAL then unfinished = unfinished + 1 end
      if jobs > buckets * JOBS_PER_BUCKET then grow() end
    elseif was < TERMINAL and is >= TERMINAL then
      unfinished = unfinished - 1
    end
    put(prefix .. 'r' .. bucketOf(id, buckets, level), id, record)
    if reasons ~= '' then put(prefix .. 'f', id, reasons) end
    if not old or was % STATE ~= is % STATE then
      redis.call('XADD', prefix .. 'c', 'MAXLEN', '~', ARGV[10], revision .. '-' .. changes, 'j', string.char(is) .. id)
      changes = changes + 1
    end
  end
end

at = at + 1
for _ = 1, tonumber(ARGV[at]) do put(prefix .. 'd', take(), take()) end

at = at + 1
for _ = 1, tonumber(ARGV[at]) do
  local uri, id = take(), take()
  local ids = redis.call('HGET', prefix .. 'u', uri) or ''
  if not string.find(ids, id, 1, true) then put(prefix .. 'u', uri, ids .. id) end
end

if changes > 0 then redis.call('EXPIRE', prefix .. 'c', ARGV[9]) end
redis.call('HSET', meta, 'cursor', ARGV[4], 'revision', revision, 'buckets', buckets, 'jobs', jobs, 'unfinished',
  unfinished, 'keys', keys, 'state', ARGV[5], 'reason', ARGV[6], 'contact', time)
if ARGV[7] ~= '' then redis.call('HSET', meta, 'level', ARGV[7]) end
return { time, revision, unfinished, kept }
