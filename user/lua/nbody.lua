-- SPDX-License-Identifier: Apache-2.0
--
-- nbody.lua - the sun and four planets pull at one another; the total energy before and after.
--
-- Argument: the number of steps. Start: positions in astronomical units, velocities in the same and
-- days, masses in suns, of a day in 1980 (well-known values of this benchmark).

local steps = ...
local sun_mass = 4 * math.pi * math.pi
local year = 365.24

local function body(x, y, z, vx, vy, vz, mass)
	return {x = x, y = y, z = z, vx = vx * year, vy = vy * year, vz = vz * year,
		mass = mass * sun_mass}
end

local bodies = {
	body(0, 0, 0, 0, 0, 0, 1),
	body(4.84143144246472090, -1.16032004402742839, -0.103622044471123109,
		0.00166007664274403694, 0.00769901118419740425, -0.0000690460016972063023,
		0.000954791938424326609),
	body(8.34336671824457987, 4.12479856412430479, -0.403523417114321381,
		-0.00276742510726411600, 0.00499852801234917238, 0.0000230417297573763929,
		0.000285885980666130812),
	body(12.8943695621391310, -15.1111514016986312, -0.223307578892655734,
		0.00296460137564761618, 0.00237847173959480950, -0.0000296589568540237556,
		0.0000436624404335156298),
	body(15.3796971148509165, -25.9193146099879641, 0.179258772950371181,
		0.00268067772490389322, 0.00162824170038242295, -0.0000951592254519715870,
		0.0000515138902046611451),
}

-- The sun moves so that the whole does not.
local function rest()
	local px, py, pz = 0, 0, 0
	for _, b in ipairs(bodies) do
		px, py, pz = px + b.vx * b.mass, py + b.vy * b.mass, pz + b.vz * b.mass
	end
	local sun = bodies[1]
	sun.vx, sun.vy, sun.vz = -px / sun_mass, -py / sun_mass, -pz / sun_mass
end

local function energy()
	local sum = 0
	for i, a in ipairs(bodies) do
		sum = sum + a.mass * (a.vx * a.vx + a.vy * a.vy + a.vz * a.vz) / 2
		for j = i + 1, #bodies do
			local b = bodies[j]
			local dx, dy, dz = a.x - b.x, a.y - b.y, a.z - b.z
			sum = sum - a.mass * b.mass / math.sqrt(dx * dx + dy * dy + dz * dz)
		end
	end
	return sum
end

local function advance(dt)
	for i = 1, #bodies do
		local a = bodies[i]
		for j = i + 1, #bodies do
			local b = bodies[j]
			local dx, dy, dz = a.x - b.x, a.y - b.y, a.z - b.z
			local square = dx * dx + dy * dy + dz * dz
			local pull = dt / (square * math.sqrt(square))
			local by_b, by_a = b.mass * pull, a.mass * pull
			a.vx, a.vy, a.vz = a.vx - dx * by_b, a.vy - dy * by_b, a.vz - dz * by_b
			b.vx, b.vy, b.vz = b.vx + dx * by_a, b.vy + dy * by_a, b.vz + dz * by_a
		end
	end
	for _, b in ipairs(bodies) do
		b.x, b.y, b.z = b.x + dt * b.vx, b.y + dt * b.vy, b.z + dt * b.vz
	end
end

rest()
print(string.format("%.9f", energy()))
for _ = 1, steps do
	advance(0.01)
end
print(string.format("%.9f", energy()))
