--[[
  Looks through some buckets of a job set for jobs that have not ended.

  Input:
    KEYS[1]  meta
    ARGV[1]  generation expected
    ARGV[2]  first bucket
    ARGV[3]  how many buckets
  Output:
    { the next bucket (0: there is none), then for each job that has not ended: its id, its record }; { 0 } for another generation
]]
local m = redis.call('HMGET', KEYS[1], 'generation', 'buckets')
if m[1] ~= ARGV[1] then return { 0 } end
local prefix = prefixOf(KEYS[1], m[1])
local first, buckets = tonumber(ARGV[2]), tonumber(m[2])
local next = math.min(first + tonumber(ARGV[3]), buckets)
local reply = { next < buckets and next or 0 }
for bucket = first, next - 1 do
  local entries = redis.call('HGETALL', prefix .. 'r' .. bucket)
  for i = 1, #entries, 2 do
    if string.byte(entries[i + 1]) < TERMINAL then
      reply[#reply + 1] = entries[i]
      reply[#reply + 1] = entries[i + 1]
    end
  end
end
return reply
