-- Posts one body over and over; says at the end, on one line of JSON, what it counted.
-- wrk … -s wrk.lua URL -- BODY_FILE CONTENT_TYPE

function init(args)
  local file = assert(io.open(args[1], "rb"))
  wrk.method = "POST"
  wrk.body = file:read("*a")
  wrk.headers["Content-Type"] = args[2]
  file:close()
  local text = wrk.format() -- once: made anew for each request it would cost more than the fastest server does
  request = function() return text end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "microseconds": %d, "p50": %f, "p99": %f, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
