-- SPDX-License-Identifier: Apache-2.0
--
-- sort.lua - a table of n numbers, in an order that looks random, sorted; its ends, its middle, and a
-- sum in which every number counts with its place.
--
-- Argument: n; a number takes 16 bytes.

local n = ...
local seed = 42
local t = {}

for i = 1, n do
	seed = (seed * 1103515245 + 12345) % 0x80000000
	t[i] = seed
end
table.sort(t)

local sum = 0
for i = 1, n do
	if i > 1 and t[i - 1] > t[i] then
		error("not sorted at " .. i)
	end
	sum = (sum * 31 + t[i]) % 0x7fffffff
end
print(n, t[1], t[n // 2], t[n], sum)
