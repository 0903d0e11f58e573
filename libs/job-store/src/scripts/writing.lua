--[[
  Included before the scripts that write job records, behind buckets.lua.

  Fields of meta:
    generation  one life of the job set's keys (random)
    layout      the layout that an owner wrote last; 0 until one has, none in layout 1. Who writes without owning does not raise it:
                a query that is upgraded first must not take job sets from the owners there are
    cursor      the last message whose event is in the records ('': none)
    revision    of the last write of records, cursor or heartbeat. It grows with each write and runs ahead of `origin` as Redis' clock
                does, so that after Redis lost writes no revision is given out again that a reader may have seen (ADR 33)
    origin      the moment at which the revision would have been 0 (ms); none where only older versions have written
    counts      how many jobs are in each state, as KIND=JOBS,… (see kindOf)
    buckets     number of buckets
    keys        how many keys of this generation there must be
    state       of the subscription, and `reason` for it
    heartbeat   when an owner wrote last (ms)
    next        when the job set is read again (ms), '' while it is watched or read
    synced      when the job set was last known to be synced with Armada (ms), '' if never
    reconciled  when it was last compared with Armada's api.Jobs (ms)
    aheadSince  the time of the oldest state that api.Jobs reported and the stream has not shown yet (ms, Armada's clock); none where
                there is no such state, or the stream has shown later events since
    aheadUntil  the time of the newest (ms, Armada's clock), where there is aheadSince
    firstSeen   when its first generation began (ms); none where an older version began it
    owner       who took it up last, by name; '' where it has none
    lastChange  the latest time of the events of a batch with records (ms, Armada's clock)
    interest    when it was last polled (ms)
    renewed     when the time to live of all keys was last pushed ahead (ms)
]]

-- Redis Cluster moves a slot key by key, and until it is done any use of a key that is not there is an error. In the midst of a
-- script that would leave half of its work. So a script that writes begins with a key that is not there: nearly always that is the mark of
-- those who watch the job set's changes, else one that never exists.
local isWatched = redis.call('EXISTS', watchedKey(KEYS[1])) == 1
if isWatched then redis.call('EXISTS', KEYS[1] .. '-') end

-- A URI's job ids are kept up to so many bytes (10,000 ULIDs); the oldest go first.
local LONGEST_IDS = 180000

-- Begins a generation: a job set without a cursor and without jobs.
local function begin(meta, generation, time, layout)
  redis.call('HSET', meta, 'generation', generation, 'layout', layout, 'cursor', '', 'revision', 1, 'counts', '',
    'origin', time - 1, 'buckets', 1, 'keys', 0, 'state', 'connecting', 'reason', '', 'heartbeat', time, 'next', '', 'synced', '')
  redis.call('HDEL', meta, 'reconciled', 'aheadSince', 'aheadUntil')
  redis.call('HSETNX', meta, 'interest', time)
  redis.call('HSETNX', meta, 'firstSeen', time)
  redis.call('HSET', meta, 'renewed', time)
end

-- Jobs are counted by what the first byte of a record says of the state: its number, and whether it is terminal. So nobody
-- needs a table of the states, which a newer version may have more of, to know what has ended.
local function kindOf(first)
  return first % STATE + (first >= TERMINAL and TERMINAL or 0)
end

-- A number in as few bytes as it needs (LEB128).
local function varint(number)
  local bytes = ''
  while number >= 128 do
    bytes = bytes .. string.char(number % 128 + 128)
    number = math.floor(number / 128)
  end
  return bytes .. string.char(number)
end

-- A generation while a script writes it: what meta says of it, to be put back by close(). Heartbeats, which are most of the
-- writes, count nothing: counts are taken apart when they are first needed.
local function open(meta, generation, time, seconds)
  local m = redis.call('HMGET', meta, 'layout', 'revision', 'counts', 'buckets', 'keys', 'origin')
  local buckets, previous = tonumber(m[4]), tonumber(m[2])
  local origin = tonumber(m[6]) or time - previous - 1
  return {
    meta = meta, generation = generation, prefix = prefixOf(meta, generation), layout = tonumber(m[1]), previous = previous,
    revision = math.max(previous + 1, time - origin), newOrigin = not m[6] and origin, storedCounts = m[3],
    buckets = buckets, level = levelOf(buckets), keys = tonumber(m[5]), seconds = seconds, changes = {}, changeBytes = 0,
    bucketKeys = {}, existing = {},
  }
end

local function countsOf(g)
  if g.counts then return g.counts end
  g.counts, g.jobs, g.unfinished = {}, 0, 0
  for kind, jobs in string.gmatch(g.storedCounts, '(%d+)=(%d+)') do
    kind, jobs = tonumber(kind), tonumber(jobs)
    g.counts[kind] = jobs
    g.jobs = g.jobs + jobs
    if kind < TERMINAL then g.unfinished = g.unfinished + jobs end
  end
  return g.counts
end

local function count(g, first, jobs)
  local counts, kind = countsOf(g), kindOf(first)
  counts[kind] = (counts[kind] or 0) + jobs
  g.jobs = g.jobs + jobs
  if first < TERMINAL then g.unfinished = g.unfinished + jobs end
end

-- As meta keeps them; as they were where nothing was counted.
local function formatCounts(g)
  if not g.counts then return g.storedCounts end
  local texts = {}
  for kind, jobs in pairs(g.counts) do
    if jobs > 0 then texts[#texts + 1] = kind .. '=' .. jobs end
  end
  return table.concat(texts, ',')
end

local function sized(text)
  return varint(#text) .. text
end

-- A longer notice would take its subscribers' buffers: it says only that there is a revision, and they read what it changed.
local LONGEST_NOTICE = 1048576
local NOTICE_FORMAT = 1

-- Publishes this write to those who watch the job set, as change-notice.ts reads it. A notice that is lost, or may not be sent, is missed by
-- its subscribers: the next one names the revision before it. So an error here must not fail the write, which is done.
local function publish(g)
  local isWhole = g.changeBytes <= LONGEST_NOTICE
  local notice = string.char(NOTICE_FORMAT, isWhole and 1 or 0) .. sized(g.generation) .. varint(g.previous) .. varint(g.revision)
  redis.pcall('SPUBLISH', changesChannel(g.meta), isWhole and notice .. table.concat(g.changes) or notice)
end

local function close(g)
  redis.call('HSET', g.meta, 'layout', g.layout, 'revision', g.revision, 'counts', formatCounts(g),
    'buckets', g.buckets, 'keys', g.keys)
  if g.newOrigin then redis.call('HSET', g.meta, 'origin', g.newOrigin) end
  if isWatched then publish(g) end
end

-- Redis is asked once in a script whether a hash is new.
local function putIn(g, key, field, value)
  if redis.call('HSET', key, field, value) == 0 or g.existing[key] then return end
  g.existing[key] = true
  if redis.call('HLEN', key) == 1 then
    g.keys = g.keys + 1
    redis.call('EXPIRE', key, g.seconds)
  end
end

local function put(g, part, field, value)
  putIn(g, g.prefix .. part, field, value)
end

-- The key of a bucket, made once in a script: Lua takes as long to make a text of a number as Redis takes for a command.
local function keyOfBucket(g, bucket)
  local key = g.bucketKeys[bucket]
  if not key then
    key = g.prefix .. 'r' .. bucket
    g.bucketKeys[bucket] = key
  end
  return key
end

local function recordKey(g, id)
  return keyOfBucket(g, bucketOf(id, g.buckets, g.level))
end

local function recordOf(g, id)
  return redis.call('HGET', recordKey(g, id), id)
end

-- Entries that are moved by one command. Lua takes up to about 8,000 arguments.
local MOVED_AT_ONCE = 1000

-- One more bucket, filled from the one that it splits.
local function grow(g)
  local from, to = keyOfBucket(g, g.buckets - g.level), keyOfBucket(g, g.buckets)
  g.buckets = g.buckets + 1
  g.level = levelOf(g.buckets)
  local entries, fields, moved, left = redis.call('HGETALL', from), {}, {}, 0
  local function move()
    if #fields == 0 then return end
    redis.call('HSET', to, unpack(moved))
    redis.call('HDEL', from, unpack(fields))
    if not g.existing[to] then
      g.existing[to] = true
      g.keys = g.keys + 1
      redis.call('EXPIRE', to, g.seconds)
    end
    fields, moved = {}, {}
  end
  for i = 1, #entries, 2 do
    if recordKey(g, entries[i]) == to then
      fields[#fields + 1] = entries[i]
      moved[#moved + 1] = entries[i]
      moved[#moved + 1] = entries[i + 1]
      if #fields == MOVED_AT_ONCE then move() end
    else
      left = left + 1
    end
  end
  move()
  if #entries > 0 and left == 0 then
    g.keys = g.keys - 1
    g.existing[from] = nil
  end
end

-- What a notice has of a record: all that a read of it would show.
local function noteChange(g, id, record)
  local change = sized(id) .. sized(record) .. sized(failureDetailsOf(g.prefix, id, record)) .. sized(redis.call('HGET', g.prefix .. 'a', id) or '')
  g.changes[#g.changes + 1] = change
  g.changeBytes = g.changeBytes + #change
end

-- Puts a record, which has no revision yet, in the place of `old` (false: the job is new). Failure details are '' where they
-- did not change.
local function putRecord(g, id, record, details, old)
  local first = string.byte(record)
  if old then count(g, string.byte(old), -1) end
  count(g, first, 1)
  if g.jobs > g.buckets * JOBS_PER_BUCKET then grow(g) end
  g.stamp = g.stamp or varint(g.revision)
  local stamped = string.char(first + REVISION) .. g.stamp .. string.sub(record, 2)
  putIn(g, recordKey(g, id), id, stamped)
  if details ~= '' then put(g, 'f', id, details) end
  if isWatched then noteChange(g, id, stamped) end
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

-- Keeps the external URI of a job, whose id is behind its length, as the fifth line of what addEnrichment-1.lua keeps of it. A URI that was
-- kept before stays, unless the new one `wins`: a submitted item's does, as in Armada, over the annotation, which is all that streams show.
local BESIDE = '^([^\n]*)\n([^\n]*)\n([^\n]*)\n?([^\n]*)\n?([^\n]*)(.*)$'
local function keepUri(g, id, line, wins)
  local key, field = g.prefix .. 'a', string.sub(id, 3)
  if redis.call('HSETNX', key, field, '\n\n\n\n' .. line) == 1 then return end
  local lines = { string.match(redis.call('HGET', key, field), BESIDE) }
  if lines[5] ~= '' and not wins then return end
  lines[5] = line
  redis.call('HSET', key, field, table.concat(lines, '\n', 1, 5) .. lines[6])
end

-- Calls `visit(part, id, record)` for every record.
local function eachRecord(prefix, buckets, visit)
  for bucket = 0, buckets - 1 do
    local part = 'r' .. bucket
    local entries = redis.call('HGETALL', prefix .. part)
    for i = 1, #entries, 2 do visit(part, entries[i], entries[i + 1]) end
  end
end

-- Turns the meta of layout 1, which had other names and no counts by state, into that of layout 2. Its records stay.
local function migrate(meta, generation)
  local m = redis.call('HMGET', meta, 'buckets', 'contact', 'level')
  local g = { storedCounts = '' }
  eachRecord(prefixOf(meta, generation), tonumber(m[1]), function(_, _, record) count(g, string.byte(record), 1) end)
  redis.call('HSET', meta, 'layout', 2, 'counts', formatCounts(g), 'heartbeat', m[2], 'synced', m[3])
  redis.call('HDEL', meta, 'contact', 'level', 'unfinished', 'jobs')
end
