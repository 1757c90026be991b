#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# fault_cost.sh - instructions that a fault with an eviction costs in the core and in the algorithm,
# for 10^3 to 10^6 frames: counted by callgrind on the simulator, inside z_pager_fault() alone. The
# simulated hardware and the store are left out, by the files of the functions. A run without the faults
# is subtracted, so that the warm-up drops out.
#
# FRAMES="1000 10000", ALGORITHMS="clock", FAULTS=n change what is counted. BINARY=file: counted with that
# fault_cost, which is not built then. AGAINST=file: fails if a figure is more than 15 % above that file's line
# "ALGORITHM FRAMES INSTRUCTIONS"; RENEW=1 writes the file instead. Fails too if the figures of an algorithm for 10^4 frames
# and more differ by more than 15 % of the least.
set -euo pipefail
cd "$(dirname "$0")/.."

build=${BUILD:-build}/fault-cost
binary=${BINARY:-$build/bin/fault_cost}
against=${AGAINST:-}
worse=0
frames=${FRAMES:-1000 10000 100000 1000000}
algorithms=${ALGORITHMS:-nru clock lru sweep}
faults=${FAULTS:-250}

command -v valgrind >/dev/null || { echo "fault_cost: valgrind is missing; run make setup" >&2; exit 1; }
if [ -z "${BINARY:-}" ]; then
	cmake --preset release -B "$build" -DCMAKE_C_FLAGS=-g >/dev/null
	cmake --build "$build" -j "${JOBS:-$(nproc)}" --target fault_cost >/dev/null
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -n "$against" ] && [ -n "${RENEW:-}" ]; then : >"$against"; fi

# Instructions in core/ and eviction/ of $3 faults and of the warm-up.
count() {
	local out=$work/callgrind.out
	valgrind --tool=callgrind --toggle-collect=z_pager_fault --callgrind-out-file="$out" \
		"$binary" "$1" "$2" "$3" >"$work/callgrind.log" 2>&1 ||
		{ cat "$work/callgrind.log" >&2; exit 1; }
	callgrind_annotate --threshold=100 "$out" | tr -d ',' |
		awk '$0 ~ /[^ ]*(core|eviction)\/[^ ]*\.[ch]:/ { sum += $1 } END { print sum }'
}

# Is the figure within 15 % of the stored one?
compare() {
	local stored
	[ -n "$against" ] || return 0
	if [ -n "${RENEW:-}" ]; then
		echo "$1 $2 $3" >>"$against"
		return 0
	fi
	stored=$(awk -v a="$1" -v n="$2" '$1 == a && $2 == n { print $3 }' "$against")
	if [ -z "$stored" ] || [ $(($3 * 100)) -gt $((stored * 115)) ]; then
		echo "fault_cost: $1 with $2 frames: $3 instructions, $against says ${stored:-nothing}" >&2
		worse=1
	fi
}

# Are the figures of 10^4 frames and more as near to each other as they should be?
compare_sizes() {
	local least=$2 most=$2 one
	for one in "${@:2}"; do
		if [ "$one" -lt "$least" ]; then least=$one; fi
		if [ "$one" -gt "$most" ]; then most=$one; fi
	done
	if [ $((most * 100)) -gt $((least * 115)) ]; then
		echo "fault_cost: $1: from $least to $most instructions, by the number of frames" >&2
		worse=1
	fi
}

printf '%-10s' algorithm
for n in $frames; do printf '%12s' "$n"; done
printf '%10s\n' growth
for algorithm in $algorithms; do
	printf '%-10s' "$algorithm"
	first=
	large=()
	for n in $frames; do
		none=$(count "$algorithm" "$n" 0)
		all=$(count "$algorithm" "$n" "$faults")
		cost=$(((all - none) / faults))
		if [ "$cost" -le 0 ]; then
			echo "fault_cost: $binary has no debug information, or no faults" >&2
			exit 1
		fi
		first=${first:-$cost}
		if [ "$n" -ge 10000 ]; then large+=("$cost"); fi
		printf '%12s' "$cost"
		compare "$algorithm" "$n" "$cost"
	done
	printf '%9s%%\n' "$(((cost - first) * 100 / first))"
	if [ ${#large[@]} -gt 1 ]; then compare_sizes "$algorithm" "${large[@]}"; fi
done
exit $worse
