--[[
  Ends jobs that have a record which has not ended; the rest of their records stays. An owner is stale by it, unless nothing was new.

  Input:
    KEYS[1]  meta
    then for each job: job id, the number of its state, which is terminal
  Output:
    how many jobs had not ended
]]
local meta = KEYS[1]
local m = redis.call('HMGET', meta, 'generation', 'layout')
if not m[1] then return 0 end
if not m[2] then migrate(meta, m[1]) end
local g = open(meta, m[1])
local ended = 0
for i = 1, #ARGV, 2 do
  local id, state = ARGV[i], tonumber(ARGV[i + 1])
  local old = recordOf(g, id)
  if old and string.byte(old) < TERMINAL then
    local record = withoutRevision(old)
    local first = string.byte(record)
    putRecord(g, id, string.char(first - first % STATE + state + TERMINAL) .. string.sub(record, 2), '', old)
    ended = ended + 1
  end
end
if ended > 0 then close(g) end
return ended
