--[[
  Keeps facts of jobs that have a record, in the place of those of their kind kept before.

  Input:
    KEYS[1]  meta
    ARGV[1]  time to live of the facts, in seconds
    then for each job: job id, its facts: a line each for its run, its cancellation and its error, empty where there is none
  Output:
    none
]]
local meta = KEYS[1]
local m = redis.call('HMGET', meta, 'generation', 'buckets')
if not m[1] then return end
local prefix = prefixOf(meta, m[1])
local buckets = tonumber(m[2])
local level = levelOf(buckets)
local LINES = '^([^\n]*)\n([^\n]*)\n([^\n]*)$'
for i = 2, #ARGV, 2 do
  local id, facts = ARGV[i], ARGV[i + 1]
  if redis.call('HEXISTS', prefix .. 'r' .. bucketOf(id, buckets, level), id) == 1 then
    local before = redis.call('HGET', prefix .. 'a', id)
    if before then
      local old = { string.match(before, LINES) }
      local lines = { string.match(facts, LINES) }
      for line = 1, 3 do
        if lines[line] == '' then lines[line] = old[line] end
      end
      facts = table.concat(lines, '\n')
    end
    redis.call('HSET', prefix .. 'a', id, facts)
  end
end
redis.call('EXPIRE', prefix .. 'a', ARGV[1])
