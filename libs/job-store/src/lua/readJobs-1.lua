--[[
  Reads jobs of one job set and how its subscription stands, as of one moment.

  Input:
    KEYS[1]  meta
    ARGV[1]  '1': with what the jobs' reasons say, '0': without
    ARGV[2…] job ids
  Output:
    { now (ms), generation, subscription's state, reason, level (ms or ''), contact (ms),
      then for each job id: record or nil, reasons or nil }; { now (ms) } where the job set has no keys
]]
local m = redis.call('HMGET', KEYS[1], 'generation', 'state', 'reason', 'level', 'contact', 'buckets')
if not m[1] then return { now() } end
local prefix = prefixOf(KEYS[1], m[1])
local reply = { now(), m[1], m[2], m[3], m[4], m[5] }
local buckets = tonumber(m[6])
for i = 2, #ARGV do
  local record = redis.call('HGET', prefix .. 'r' .. bucketOf(ARGV[i], buckets), ARGV[i])
  local reasons = false
  if record and ARGV[1] == '1' and string.byte(record) % 128 >= REASONS then
    reasons = redis.call('HGET', prefix .. 'f', ARGV[i])
  end
  reply[#reply + 1] = record
  reply[#reply + 1] = reasons
end
return reply
