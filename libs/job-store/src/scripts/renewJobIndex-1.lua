--[[
  Pushes the time to live of a group of the job index ahead, unless that was done a short while ago.

  Input:
    KEYS[1]  meta of the group
    ARGV[1]  time to live of every key, in seconds
  Output:
    none
]]
local meta, seconds = KEYS[1], ARGV[1]
local time = now()
if time - (tonumber(redis.call('HGET', meta, 'renewed')) or 0) < seconds * RENEW_AFTER then return end
if redis.call('EXPIRE', meta, seconds) == 0 then return end
local group = openGroup(meta)
for _, entries in ipairs({ group.jobs, group.sets }) do
  for bucket = 0, entries.buckets - 1 do redis.call('EXPIRE', entries.prefix .. bucket, seconds) end
end
redis.call('HSET', meta, 'renewed', time)
