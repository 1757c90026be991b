#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tidy.sh - clang-tidy (checks: .clang-tidy) over what is ours and not a test, with the clang build's
# compile commands. Two processes at a time. The ports to other CPUs are not in that build.
set -euo pipefail
cd "$(dirname "$0")/.."

build=${BUILD:-build}/clang
[ -e "$build/build.ninja" ] || cmake --preset clang -B "$build" >/dev/null
ninja -C "$build" build.ninja >/dev/null

files=$(find core eviction store arch tools -name '*.c' ! -path 'arch/riscv64/*' \
	! -path 'arch/arm64/*' ! -path 'arch/x86_64/*' 2>/dev/null | sort)
if [ -z "$files" ]; then
	echo "tidy: there is no source yet"
	exit 0
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
xargs -P "${JOBS:-$(nproc)}" -n 4 clang-tidy --quiet -p "$build" <<<"$files" >"$log" 2>/dev/null ||
	status=1
if [ $status -ne 0 ]; then
	cat "$log"
	echo "tidy: failed" >&2
fi
exit $status
