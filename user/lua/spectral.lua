-- SPDX-License-Identifier: Apache-2.0
--
-- spectral.lua - the spectral norm of the matrix a(i, j) = 1 / ((i + j)(i + j + 1) / 2 + i + 1) cut off
-- at n rows and columns, by ten steps of the power method on a'a.
--
-- Argument: n.

local n = ...

local function a(i, j)
	local k = i + j
	return 1 / (k * (k + 1) // 2 + i + 1)
end

local function times(v, transposed)
	local result = {}
	for i = 0, n - 1 do
		local sum = 0
		for j = 0, n - 1 do
			sum = sum + (transposed and a(j, i) or a(i, j)) * v[j + 1]
		end
		result[i + 1] = sum
	end
	return result
end

local function dot(v, w)
	local sum = 0
	for i = 1, n do
		sum = sum + v[i] * w[i]
	end
	return sum
end

local u, v = {}, nil
for i = 1, n do
	u[i] = 1
end
for _ = 1, 10 do
	v = times(times(u, false), true)
	u = times(times(v, false), true)
end
print(string.format("%.9f", math.sqrt(dot(u, v) / dot(v, v))))
