-- SPDX-License-Identifier: Apache-2.0
--
-- strings.lua - a text of so many MiB, built from lines: first one MiB of different lines, then the
-- text behind itself until it is long enough. Then every MiB of it is looked at.
--
-- Argument: a power of two, in MiB.

local mib = ...
local size = 1 << 20

local lines = {}
local bytes = 0
local i = 0
while bytes < size do
	i = i + 1
	local line = string.format("%06d the quick brown fox %x jumps over %s\n", i, i * 2654435761 % 65536,
		string.rep(string.char(97 + i % 26), i % 41))
	lines[i] = line
	bytes = bytes + #line
end
local text = string.sub(table.concat(lines), 1, size - 1) .. "\n"
lines = nil
while #text < mib * size do
	text = text .. text
end

-- A byte of every page, whatever the size of a page; and the first line of each MiB, but for the first.
local sum = 0
for at = 1, #text, 1021 do
	sum = (sum * 31 + string.byte(text, at)) % 0x7fffffff
end
local found = 0
local from = string.find(text, "\n000001 ", 1, true)
while from do
	found = found + 1
	from = string.find(text, "\n000001 ", from + 1, true)
end
print(#text, i, found, sum)
