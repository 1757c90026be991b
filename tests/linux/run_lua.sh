#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ctest-timeout: 900
#
# run_lua.sh - lua5.4: tables and strings, a garbage collector that walks over all of them, coroutines,
# a pipe from a child.
. "$(dirname "$0")/run_common.sh"
needs lua5.4

cat >work.lua <<'END'
local n = tonumber(arg[1])
local state = 42
local function random(limit)
	state = (state * 1103515245 + 12345) & 0x7fffffff
	return state % limit + 1
end
local values = {}
for i = 1, n do
	values[i] = { key = "key " .. random(n), at = i }
end
table.sort(values, function(a, b)
	return a.key < b.key or a.key == b.key and a.at < b.at
end)
collectgarbage()
local sum = 0
local walk = coroutine.wrap(function()
	for i, value in ipairs(values) do
		coroutine.yield(value.at * (i % 97))
	end
end)
for part in walk do
	sum = sum + part
end
for _ = 1, n / 2 do
	values[random(n)] = { key = "new", at = random(n) }
end
local parts = {}
for i, value in ipairs(values) do
	parts[i] = value.key .. value.at
end
local text = table.concat(parts, "\n")
local pipe = io.popen("md5sum >" .. arg[2], "w")
pipe:write(text)
pipe:close()
for line in io.lines(arg[2]) do
	print(sum, #text, line)
end
END
n=$(sized 100000 12000)
measure lua5.4 work.lua "$n" sum

work() {
	paged "$(sized 12M 2M)" lua5.4 work.lua "$n" sum
	moved 500 500
	same "$out" "$plain"
}
in_modes work
