-- GET, the same each time.
dofile("report.lua")
