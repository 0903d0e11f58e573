--[[
  Reads which job sets jobs are in.

  Input:
    KEYS[1]  meta of the first group
    then for each group: its meta, the hashes of the job ids in it
  Output:
    { groups served (see eachGroup), for each job in two bytes the number of its job set's tag among those that follow (0: not known),
      tag of a job set, … }
]]
local reply, numbers = { 0, '' }, {}
reply[1] = eachGroup(1, function(meta, hashes)
  local group, known = openGroup(meta), {}
  eachHash(hashes, function(hash)
    local reference = redis.call('HGET', keyIn(group.jobs, hash), hash)
    local number = reference and known[reference] or 0
    if reference and not known[reference] then
      local tag = redis.call('HGET', keyIn(group.sets, reference), reference)
      if tag then
        reply[#reply + 1] = tag
        number = #reply - 2
        known[reference] = number
      end
    end
    numbers[#numbers + 1] = string.char(math.floor(number / 256), number % 256)
  end)
end)
reply[2] = table.concat(numbers)
return reply
