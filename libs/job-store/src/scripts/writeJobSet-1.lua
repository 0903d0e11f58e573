--[[
  The one way an owner writes: a batch of records with the cursor that they stand for, or only its heartbeat. Nothing is
  written unless generation, cursor and revision are those the owner read last, so a stale owner cannot write; and a
  terminal record is never replaced by one in another state.

  Input:
    KEYS[1]  meta
    ARGV[1]  generation expected
    ARGV[2]  cursor expected
    ARGV[3]  revision expected
    ARGV[4]  cursor after this batch
    ARGV[5]  state of the subscription
    ARGV[6]  its reason, for people
    ARGV[7]  when the job set was last known to be synced with Armada (ms by Redis' clock), '' where nothing new is known
    ARGV[8]  time to live of new keys, in seconds
    ARGV[9]  'reconciled' where it has just been compared with Armada's api.Jobs, else ''
    ARGV[10] when it is read again (ms by Redis' clock), '' while it is watched or read
    ARGV[11] the latest time of its events (ms by Armada's clock), '' where it has none
    ARGV[12] events of the job set a minute
    ARGV[13] the records one after the other: job id, record, failure details ('' unless they changed), each behind its length in 2, 2
             and 4 bytes
    ARGV[14] number of strings, then for each: number, string
             number of external URIs, then for each: URI, job id behind its length, the URI as it is kept with the job
  Output:
    { now (ms), revision, unfinished jobs (nil: as before), terminal records that were kept, aheadSince (nil: none) }, or { now (ms) } where it was refused
]]
local meta = KEYS[1]
local time = now()
local m = redis.call('HMGET', meta, 'generation', 'cursor', 'revision', 'aheadSince', 'aheadUntil')
if m[1] ~= ARGV[1] or m[2] ~= ARGV[2] or m[3] ~= ARGV[3] then return { time } end
local g = open(meta, m[1], time, ARGV[8])
g.layout = LAYOUT
local kept = 0

local at = 14
local function take()
  at = at + 1
  return ARGV[at]
end

for _ = 1, tonumber(ARGV[at]) do put(g, 'd', take(), take()) end

local uris = tonumber(take())
for _ = 1, uris do
  local uri, id, line = take(), take(), take()
  local ids = idsWith(redis.call('HGET', g.prefix .. 'u', uri) or '', id)
  if ids then put(g, 'u', uri, ids) end
  keepUri(g, id, line, false)
end
if uris > 0 then redis.call('EXPIRE', g.prefix .. 'a', g.seconds) end

-- Behind the URIs: a notice has a job with its URI.
local records, from = ARGV[13], 1
while from <= #records do
  local id, record, details
  id, record, details, from = struct.unpack('>Hc0Hc0I4c0', records, from)
  local old = recordOf(g, id)
  local was = old and string.byte(old)
  if was and was >= TERMINAL and was % STATE ~= string.byte(record) % STATE then
    kept = kept + 1
  else
    putRecord(g, id, record, details, old)
  end
end

close(g)
redis.call('HSET', meta, 'cursor', ARGV[4], 'state', ARGV[5], 'reason', ARGV[6], 'heartbeat', time, 'next', ARGV[10], 'rate', ARGV[12])
if ARGV[9] ~= '' then redis.call('HSET', meta, 'reconciled', time) end
if records ~= '' and ARGV[11] ~= '' then redis.call('HSET', meta, 'lastChange', ARGV[11]) end
if ARGV[7] ~= '' then redis.call('HSET', meta, 'synced', ARGV[7]) end

-- The stream has come as far as api.Jobs was once it shows an event of that time. What it does not show although it was compared with
-- api.Jobs, it never shows.
local aheadSince, shown = m[4], tonumber(ARGV[11])
if aheadSince then
  if ARGV[9] ~= '' or (shown and shown >= tonumber(m[5])) then
    redis.call('HDEL', meta, 'aheadSince', 'aheadUntil')
    aheadSince = false
  elseif shown and shown > tonumber(aheadSince) then
    redis.call('HSET', meta, 'aheadSince', ARGV[11])
    aheadSince = ARGV[11]
  end
end
return { time, g.revision, g.unfinished or false, kept, aheadSince }
