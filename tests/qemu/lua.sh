#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# lua.sh ARCH [SECONDS] - the reference application on a board: the Lua programs of user/, with 2 MiB for
# paging. Without SECONDS it is a test: what they print is user/lua/expected.txt, nothing else is
# printed, and the kernel found its books in order. With SECONDS it is shown, with a line of figures and
# the map of the page frames every so many seconds.
#
# Environment: ZPAGER_BUILD, ZPAGER_SOURCE; ZPAGER_LIMIT, seconds. Exit: 0 right, 1 wrong, 77 something
# that is needed was not built or is not installed.
set -euo pipefail

arch=${1:?architecture}
live=${2:-0}
source=${ZPAGER_SOURCE:?directory of the source}
kernel=${ZPAGER_BUILD:?directory of the build}/kernel/$arch/demo
program=$ZPAGER_BUILD/user/$arch/lua.img
source "$source/tests/qemu/boards.sh"

board_find "$arch" || exit $?
for file in "$kernel.elf" "$program"; do
	if [ ! -e "$file" ]; then
		echo "lua.sh: $file was not built, skipped; run make setup and scripts/fetch_source.sh lua5.4"
		exit 77
	fi
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat "$kernel.image" "$program" >"$work/disk"
truncate -s 80M "$work/disk"

status=0
timeout -k 5 "${ZPAGER_LIMIT:-280}" "${board[@]}" -m 8M -kernel "$kernel.elf" -append "live=$live" \
	$(board_disk "$work/disk") </dev/null 2>&1 | tr -d '\r' | tee "$work/output" || status=$?
[ "$status" -ne 124 ] || { echo "lua.sh: still running after the time limit" >&2; exit 1; }
[ "$(board_status "$status")" -eq 0 ] || { echo "lua.sh: $arch: exit status $status" >&2; exit 1; }
[ "$live" -eq 0 ] || exit 0

# The firmware speaks first.
sed -n '/^== /,$p' "$work/output" | grep -v '^[#~]' >"$work/printed"
diff -u "$source/user/lua/expected.txt" "$work/printed" ||
	{ echo "lua.sh: $arch: that is not what it should print" >&2; exit 1; }
echo "lua.sh: $arch: as expected"
