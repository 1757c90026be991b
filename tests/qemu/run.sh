#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh ARCH VARIANT CPUS 'COMMAND LINE' [BLKDEBUG] - boot a test kernel in QEMU and read its result lines.
#
#   ARCH       x86_64, arm64, riscv64         VARIANT  tests, noirq, custom, bench, big, small (cmake/kernel.cmake)
#   CPUS       1 to 4; with one, time is counted in instructions (-icount), so that a run is the same on a
#              slow host, and when repeated; with several it is the host's
#   BLKDEBUG   a file of tests/qemu/blkdebug: which requests of the disk fail
#
# Right is: no FAIL, no PANIC, a SUMMARY that agrees with the lines counted here, and the exit status
# 0 that the kernel gave to the machine. QEMU_CPU names another CPU than the board's usual one.
#
# Environment: ZPAGER_BUILD, the build's directory; ZPAGER_LIMIT, seconds. Exit: 0 right, 1 wrong, 77
# something that is needed is not installed (scripts/setup.sh installs it).
set -euo pipefail

arch=${1:?architecture}
variant=${2:?variant}
cpus=${3:?number of CPUs}
words=${4:?command line}
blkdebug=${5:-}
kernel=${ZPAGER_BUILD:?directory of the build}/kernel/$arch/$variant
limit=${ZPAGER_LIMIT:-170}
source "$(dirname "$0")/boards.sh"

board_find "$arch" || exit $?
if [ ! -e "$kernel.elf" ]; then
	echo "run.sh: $kernel.elf was not built: no cross compiler; skipped; run make setup"
	exit 77
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$kernel.image" "$work/disk"
truncate -s 16M "$work/disk"
time=()
[ "$cpus" -gt 1 ] || time=(-icount shift=0,sleep=off)
memory=8M
[ "$variant" != bench ] || memory=32M
[ "$variant" != big ] || memory=640M

status=0
timeout -k 5 "$limit" "${board[@]}" -smp "$cpus" -m "$memory" "${time[@]}" -kernel "$kernel.elf" \
	-append "$words" $(board_disk "$work/disk" "$blkdebug") \
	</dev/null 2>&1 | tr -d '\r' >"$work/output" || status=$?
cat "$work/output"

[ "$status" -eq 124 ] && { echo "run.sh: still running after $limit s" >&2; exit 1; }
status=$(board_status "$status")
passed=$(grep -c '^PASS ' "$work/output" || true)
failed=$(grep -c '^FAIL ' "$work/output" || true)
skipped=$(grep -c '^SKIP ' "$work/output" || true)
if [ "$status" -ne 0 ] || [ "$failed" -ne 0 ] || grep -q '^PANIC' "$work/output"; then
	echo "run.sh: $arch: $failed failed, exit status $status" >&2
	exit 1
fi
if [ "$passed" -eq 0 ] ||
	! grep -qx "SUMMARY $passed passed, 0 failed, $skipped skipped" "$work/output"; then
	echo "run.sh: $arch: the summary does not agree with $passed lines of PASS" >&2
	exit 1
fi
echo "run.sh: $arch $variant, $cpus CPUs, $words: $passed passed, $skipped skipped"
