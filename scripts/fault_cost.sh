#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# fault_cost.sh - instructions that a fault with an eviction costs in the core and in the algorithm,
# for 10^3 to 10^6 frames: counted by callgrind on the simulator, inside z_pager_fault() alone. The
# simulated hardware and the store are left out, by the files of the functions. A run without the faults
# is subtracted, so that the warm-up drops out.
#
# FRAMES="1000 10000", ALGORITHMS="clock", FAULTS=n change what is counted.
set -euo pipefail
cd "$(dirname "$0")/.."

build=${BUILD:-build}/fault-cost
frames=${FRAMES:-1000 10000 100000 1000000}
algorithms=${ALGORITHMS:-nru clock lru}
faults=${FAULTS:-250}

command -v valgrind >/dev/null || { echo "fault_cost: valgrind is missing; run make setup" >&2; exit 1; }
cmake --preset release -B "$build" -DCMAKE_C_FLAGS=-g >/dev/null
cmake --build "$build" -j "${JOBS:-$(nproc)}" --target fault_cost >/dev/null

# Instructions in core/ and eviction/ of $3 faults and of the warm-up.
count() {
	local out=$build/callgrind.out
	valgrind --tool=callgrind --toggle-collect=z_pager_fault --callgrind-out-file="$out" \
		"$build/bin/fault_cost" "$1" "$2" "$3" >"$build/callgrind.log" 2>&1 ||
		{ cat "$build/callgrind.log" >&2; exit 1; }
	callgrind_annotate --threshold=100 "$out" | tr -d ',' |
		awk '$0 ~ /[^ ]*(core|eviction)\/[^ ]*\.[ch]:/ { sum += $1 } END { print sum }'
}

printf '%-10s' algorithm
for n in $frames; do printf '%12s' "$n"; done
printf '%10s\n' growth
for algorithm in $algorithms; do
	printf '%-10s' "$algorithm"
	first=
	for n in $frames; do
		none=$(count "$algorithm" "$n" 0)
		all=$(count "$algorithm" "$n" "$faults")
		cost=$(((all - none) / faults))
		first=${first:-$cost}
		printf '%12s' "$cost"
	done
	printf '%9s%%\n' "$(((cost - first) * 100 / first))"
done
