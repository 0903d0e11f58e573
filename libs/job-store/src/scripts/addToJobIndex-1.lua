--[[
  Says of jobs that they are in a job set.

  Input:
    KEYS[1]  meta of the first group
    ARGV[1]  HSET, or HSETNX where what was said of a job before stands
    ARGV[2]  tag of the job set
    ARGV[3]  the reference that it is to have, unless another job set has that
    ARGV[4]  time to live of new keys, in seconds
    then for each group: its meta, the hashes of the job ids in it
  Output:
    { groups served (see eachGroup), which jobs are in another job set (0 is the first), … }
]]
local command, tag, first, seconds = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local reply, number = { 0 }, 0
reply[1] = eachGroup(5, function(meta, hashes)
  local group = openGroup(meta)
  local reference, isNamed = referenceOf(group, tag, first)
  if not isNamed then putEntry(group.sets, 'HSET', reference, tag, seconds) end
  eachHash(hashes, function(hash)
    if not putEntry(group.jobs, command, hash, reference, seconds)
      and command == 'HSETNX' and redis.call('HGET', keyIn(group.jobs, hash), hash) ~= reference then
      reply[#reply + 1] = number
    end
    number = number + 1
  end)
  closeGroup(group, seconds)
end)
return reply
