#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# bench_kernel.sh BUILD [ARCH...] - the figures of the boards: `make bench-kernel`, or with ARCH=arm64.
#
# With up to 65,536 page frames: two minutes for each. Counted in instructions by the emulator (-icount shift=0), so that they repeat:
#   COST    from trap to return of a fault, without the copy of the page, with the goal beside it
#   LOCKED  the longest stretch with interrupts locked, ALLOW_IRQ=y
#   RAM     bytes for a page frame
#   SCAN    faults of a cyclic scan of 1.5 times the frames, and of a random mix, and the optimum
# and the sizes of scripts/size.sh. BUILD: the configured build directory.
set -euo pipefail

build=${1:?build directory}
shift
root=$(cd "$(dirname "$0")/.." && pwd)
archs=("$@")
[ ${#archs[@]} -gt 0 ] || archs=(x86_64 arm64 riscv64)

# measure ARCH VARIANT WHAT [NOTE]
measure() {
	ZPAGER_BUILD=$build ZPAGER_LIMIT=900 bash "$root/tests/qemu/run.sh" "$1" "$2" 1 "run=$3" \
		>"$build/bench_$1.log" || { tail -5 "$build/bench_$1.log" >&2; exit 1; }
	sed -nE "s/^(COST|LOCKED|RAM|SCAN) /$1${4:+ $4} &/p" "$build/bench_$1.log"
}

for arch in "${archs[@]}"; do
	cmake --build "$build" --target "kernel_${arch}_bench" "kernel_${arch}_big" \
		"kernel_${arch}_small" >/dev/null
	measure "$arch" big cost
	measure "$arch" small cost "small"
	measure "$arch" bench bench
	[ "$arch" != arm64 ] || QEMU_CPU=max measure "$arch" bench cost "-cpu max"
done
"$root/scripts/size.sh"
