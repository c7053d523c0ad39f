-- POST with a 64 KiB body, the same each time.
dofile("report.lua")
wrk.method = "POST"
wrk.headers["content-type"] = "application/octet-stream"
wrk.body = string.rep("x", 64 * 1024)
