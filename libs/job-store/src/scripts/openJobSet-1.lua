--[[
  Begins a turn of writing a job set: makes its meta where there is none, begins a new generation where keys that the
  meta counts are gone (a cursor without its records would lose jobs for good), and renews every key's time to live.

  Input:
    KEYS[1]  meta
    ARGV[1]  generation to begin, if one must be begun (random)
    ARGV[2]  time to live of every key, in seconds
  Output:
    { now (ms), generation, cursor, revision, unfinished jobs, when it was reconciled (ms, nil: never), keys lost (0: none),
      words (number, word, …) }
]]
local meta = KEYS[1]
local time = now()
local m = redis.call('HMGET', meta, 'generation', 'cursor', 'revision', 'unfinished', 'buckets', 'keys', 'reconciled')
local generation, lost = m[1], 0
if generation then
  lost = tonumber(m[6]) - renewKeys(prefixOf(meta, generation), tonumber(m[5]), ARGV[2])
end
if not generation or lost > 0 then
  generation = ARGV[1]
  m = { generation, '', '1', '0' }
  begin(meta, generation, time)
else
  redis.call('HSET', meta, 'renewed', time)
end
redis.call('EXPIRE', meta, ARGV[2])
local words = redis.call('HGETALL', prefixOf(meta, generation) .. 'd')
return { time, generation, m[2], m[3], m[4], m[7] or false, lost, words }
