--[[
  Keeps enrichment of jobs that have a record, in the place of what was kept before of the same line.

  Input:
    KEYS[1]  meta
    ARGV[1]  time to live of the enrichment, in seconds
    then for each job: job id, its enrichment: a line each for its runs, its cancellation, its error and its namespace, empty where
           there is none
  Output:
    none
]]
local meta = KEYS[1]
local m = redis.call('HMGET', meta, 'generation', 'buckets')
if not m[1] then return end
local prefix = prefixOf(meta, m[1])
local buckets = tonumber(m[2])
local level = levelOf(buckets)
-- What is kept behind the four lines, first of all the external URI, stays; an older version wrote three.
local LINES = '^([^\n]*)\n([^\n]*)\n([^\n]*)\n?([^\n]*)(.*)$'
for i = 2, #ARGV, 2 do
  local id, enrichment = ARGV[i], ARGV[i + 1]
  if redis.call('HEXISTS', prefix .. 'r' .. bucketOf(id, buckets, level), id) == 1 then
    local before = redis.call('HGET', prefix .. 'a', id)
    if before then
      local old = { string.match(before, LINES) }
      local lines = { string.match(enrichment, LINES) }
      for line = 1, 5 do
        if lines[line] == '' then lines[line] = old[line] end
      end
      enrichment = table.concat(lines, '\n', 1, 4) .. lines[5]
    end
    redis.call('HSET', prefix .. 'a', id, enrichment)
  end
end
redis.call('EXPIRE', prefix .. 'a', ARGV[1])
