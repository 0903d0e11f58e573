--[[
  Takes jobs of a job set out of the index, or the job set itself once it has none any more.

  Input:
    KEYS[1]  meta of the first group
    ARGV[1]  tag of the job set
    ARGV[2]  the reference that it was to have
    ARGV[3]  time to live of a group's meta, in seconds
    then for each group: its meta, the hashes of the job ids in it; '' for the job set itself
  Output:
    groups served (see eachGroup)
]]
local tag, first, seconds = ARGV[1], ARGV[2], ARGV[3]
return eachGroup(4, function(meta, hashes)
  local group = openGroup(meta)
  local reference, isNamed = referenceOf(group, tag, first)
  if not isNamed then return end
  if hashes == '' then removeReference(group, reference) end
  eachHash(hashes, function(hash)
    if redis.call('HGET', keyIn(group.jobs, hash), hash) == reference then removeEntry(group.jobs, hash) end
  end)
  closeGroup(group, seconds)
end)
