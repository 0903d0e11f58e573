--[[
  Reads which job sets jobs are in.

  Input:
    KEYS[1]  meta of the first group
    then for each group: its meta, the hashes of the job ids in it
  Output:
    { groups served (see eachGroup), for each job in two bytes the number of its job set's tag among those that follow (0: not known),
      tag of a job set, … }
]]
local NOT_KNOWN = string.char(0, 0)
local reply, numbers, jobs = { 0, '' }, {}, 0
reply[1] = eachGroup(1, function(meta, hashes)
  local group, known = openGroup(meta), {}
  eachHash(hashes, function(hash)
    local reference = redis.call('HGET', keyIn(group.jobs, hash), hash)
    local number = reference and known[reference]
    if reference and not number then
      local tag = redis.call('HGET', keyIn(group.sets, reference), reference)
      number = NOT_KNOWN
      if tag then
        reply[#reply + 1] = tag
        number = string.char(math.floor((#reply - 2) / 256), (#reply - 2) % 256)
        known[reference] = number
      end
    end
    jobs = jobs + 1
    numbers[jobs] = number or NOT_KNOWN
  end)
end)
reply[2] = table.concat(numbers)
return reply
