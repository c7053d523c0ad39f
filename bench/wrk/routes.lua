-- GET of a random route; the argument is how many there are.
dofile("report.lua")
local requests = {}
local pick = math.random

function init(arguments)
  math.randomseed(42)
  for number = 1, tonumber(arguments[1]) do
    requests[number] = wrk.format("GET", "/r/" .. (number - 1) .. "/x")
  end
end

function request()
  return requests[pick(#requests)]
end
