--[[
  Deletes a job set that was not polled for a while, by deleting its meta: the generation's other keys are then out of
  reach, and the caller removes them in bounded steps.

  Input:
    KEYS[1]  meta
    ARGV[1]  how long ago the last poll must be, in ms
  Output:
    { generation, buckets } of what was deleted; {} where there was nothing, or it was polled since
]]
local m = redis.call('HMGET', KEYS[1], 'interest', 'generation', 'buckets')
if not m[2] or now() - m[1] < tonumber(ARGV[1]) then return {} end
redis.call('DEL', KEYS[1])
return { m[2], m[3] }
