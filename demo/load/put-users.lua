-- PUT /users for wrk: nine requests of ten want an address that nobody had, the tenth wants one of a hundred that all want.
-- Ends with exit code 1 if anything but 201 was answered, or if a request was not answered at all.

local SHARED_ADDRESSES = 100

local threads = {}

function setup(thread)
  table.insert(threads, thread)
  thread:set("number", #threads)
end

function init()
  started = os.time()
  sent = 0
  answers = {}
  math.randomseed(started + number)
end

function request()
  sent = sent + 1
  local name
  if sent % 10 == 0 then
    name = "shared" .. math.random(SHARED_ADDRESSES)
  else
    name = string.format("load-%d-%d-%d", started, number, sent)
  end
  return wrk.format("PUT", "/users?email=" .. name .. "%40example.org")
end

function response(status)
  answers[status] = (answers[status] or 0) + 1
end

function done(summary)
  local total = {}
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("answers")) do
      total[status] = (total[status] or 0) + count
    end
  end
  local bad = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  print("requests without an answer: " .. bad)
  for status, count in pairs(total) do
    print("answers " .. status .. ": " .. count)
    if status ~= 201 then
      bad = bad + count
    end
  end
  os.exit(bad == 0 and 0 or 1)
end
