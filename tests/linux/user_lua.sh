#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# user_lua.sh - the reference application of the boards, built for the host, prints what it should.
set -euo pipefail

program=$ZPAGER_BUILD/user/host/lua
expected=$ZPAGER_SOURCE/user/lua/expected.txt
if [ ! -x "$program" ]; then
	echo "skipped: no $program; scripts/fetch_source.sh lua5.4 gets the source, then configure again"
	exit 77
fi

out=$(mktemp)
trap 'rm -f "$out"' EXIT
"$program" | grep -v '^#' >"$out"
diff -u "$expected" "$out"
