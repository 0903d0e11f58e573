--[[
  Has every later write of a job set publish what it changes, for some time, and says where the job set stands now: what was written
  before is not published. Where Redis refuses the mark, as when it is full, nothing is published, and where it stands is all there is.

  Input:
    KEYS[1]  meta
    ARGV[1]  for how long, in ms
  Output:
    { now (ms), generation, revision, subscription's state, reason, synced (ms or ''), heartbeat (ms), next read (ms or ''),
      aheadSince (ms or nil), cursor };
    { now (ms) } where the job set has no keys
]]
redis.pcall('SET', watchedKey(KEYS[1]), '', 'PX', ARGV[1])
local m = redis.call('HMGET', KEYS[1], 'generation', 'revision', 'state', 'reason', 'synced', 'heartbeat', 'next', 'aheadSince', 'cursor')
if not m[1] then return { now() } end
return { now(), unpack(m) }
