--[[
  Reads which jobs of a job set have an external URI.

  Input:
    KEYS[1]  meta
    ARGV[1]  external URI
  Output:
    { job ids that were submitted with it, job ids that carry it as their annotation }, each id behind its length in two
    bytes; '' for none
]]
local generation = redis.call('HGET', KEYS[1], 'generation')
if not generation then return { '', '' } end
local prefix = prefixOf(KEYS[1], generation)
return { redis.call('HGET', prefix .. 's', ARGV[1]) or '', redis.call('HGET', prefix .. 'u', ARGV[1]) or '' }
