--[[
  Ends jobs that have a record which has not ended; the rest of their records stays. A holder is stale by it, unless nothing was new.

  Input:
    KEYS[1]  meta
    ARGV[1]  time to live of the changes, in seconds
    ARGV[2]  how many changes are kept, about
    then for each job: job id, its state as the first byte of a record has it
  Output:
    how many jobs had not ended
]]
local meta = KEYS[1]
local m = redis.call('HMGET', meta, 'generation', 'revision')
if not m[1] then return 0 end
local g = open(meta, m[1], m[2])
local ended = 0
for i = 3, #ARGV, 2 do
  local id, state = ARGV[i], tonumber(ARGV[i + 1])
  local old = recordOf(g, id)
  local was = old and string.byte(old) or TERMINAL
  if was < TERMINAL then
    local first = string.char(was - was % STATE + state + TERMINAL)
    putRecord(g, id, first .. string.sub(old, 2), '', old, ARGV[2])
    ended = ended + 1
  end
end
if ended > 0 then close(g, ARGV[1]) end
return ended
