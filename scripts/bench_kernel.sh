#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# bench_kernel.sh BUILD [ARCH...] - the figures of the boards: `make bench-kernel`, or with ARCH=arm64.
#
# Counted in instructions by the emulator (-icount shift=0), so that they repeat:
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

for arch in "${archs[@]}"; do
	cmake --build "$build" --target "kernel_${arch}_bench" >/dev/null
	for what in cost bench; do
		ZPAGER_BUILD=$build ZPAGER_LIMIT=300 bash "$root/tests/qemu/run.sh" "$arch" bench 1 \
			"run=$what" >"$build/bench_$arch.log" ||
			{ tail -5 "$build/bench_$arch.log" >&2; exit 1; }
		sed -nE "s/^(COST|LOCKED|RAM|SCAN) /$arch &/p" "$build/bench_$arch.log"
	done
done
"$root/scripts/size.sh"
