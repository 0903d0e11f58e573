--[[
  Returns how a job set stands as a whole.

  Input:
    KEYS[1]  meta
  Output:
    { now (ms), generation, subscription's state, reason, synced (ms or ''), heartbeat (ms), next read (ms or ''), aheadSince (ms or nil),
      cursor, counts, owner, firstSeen (ms), lastChange (ms), each nil where it is not known };
    { now (ms) } where the job set has no keys
]]
local m = redis.call('HMGET', KEYS[1], 'generation', 'state', 'reason', 'synced', 'heartbeat', 'next', 'aheadSince', 'cursor', 'counts',
  'owner', 'firstSeen', 'lastChange')
if not m[1] then return { now() } end
return { now(), unpack(m) }
