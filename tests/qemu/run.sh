#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh ARCH - boot the test kernel of an architecture in QEMU and read its result lines.
#
# Right is: no FAIL, no PANIC, a SUMMARY that agrees with the lines counted here, and the exit status
# 0 that the kernel gave to the test device. Time is counted in instructions (-icount), so that a run is
# the same on a slow host, and when repeated. QEMU_CPU names another CPU than the board's usual one.
#
# Environment: ZPAGER_BUILD, the build's directory. Exit: 0 right, 1 wrong, 77 something that is needed
# is not installed (scripts/setup.sh installs it).
set -euo pipefail

arch=${1:?architecture}
kernel=${ZPAGER_BUILD:?directory of the build}/kernel/$arch/zpager-kernel.elf
limit=110
passes=0 # QEMU's exit status when the kernel says 0

case $arch in
riscv64) machine=(qemu-system-riscv64 -M virt -m 8M -bios default ${QEMU_CPU:+-cpu "$QEMU_CPU"}) ;;
arm64) machine=(qemu-system-aarch64 -M virt,gic-version=2 -cpu "${QEMU_CPU:-cortex-a53}" -m 8M -semihosting) ;;
x86_64) machine=(qemu-system-x86_64 -M microvm,acpi=off,pic=off,pit=off,rtc=off -m 8M
	-cpu "${QEMU_CPU:-max}" -device isa-debug-exit,iobase=0xf4,iosize=0x04) passes=85 ;;
*) echo "run.sh: no board for $arch" >&2; exit 1 ;;
esac

if ! command -v "${machine[0]}" >/dev/null; then
	echo "run.sh: ${machine[0]} is not installed, skipped; run make setup"
	exit 77
fi
if [ ! -e "$kernel" ]; then
	echo "run.sh: $kernel was not built: no cross compiler; skipped; run make setup"
	exit 77
fi

output=$(mktemp)
trap 'rm -f "$output"' EXIT
status=0
timeout -k 5 "$limit" "${machine[@]}" -icount shift=0,sleep=off -nographic -no-reboot -kernel "$kernel" \
	</dev/null 2>&1 | tr -d '\r' >"$output" || status=$?
cat "$output"
if [ "$status" -eq "$passes" ]; then
	status=0
elif [ "$status" -eq 0 ]; then
	status=255
fi

passed=$(grep -c '^PASS ' "$output" || true)
failed=$(grep -c '^FAIL ' "$output" || true)
skipped=$(grep -c '^SKIP ' "$output" || true)
if [ "$status" -eq 124 ]; then
	echo "run.sh: still running after $limit s" >&2
	exit 1
fi
if [ "$status" -ne 0 ] || [ "$failed" -ne 0 ] || grep -q '^PANIC' "$output"; then
	echo "run.sh: $arch: $failed failed, exit status $status" >&2
	exit 1
fi
if [ "$passed" -eq 0 ] || ! grep -qx "SUMMARY $passed passed, 0 failed, $skipped skipped" "$output"; then
	echo "run.sh: $arch: the summary does not agree with $passed lines of PASS" >&2
	exit 1
fi
echo "run.sh: $arch: $passed passed, $skipped skipped"
