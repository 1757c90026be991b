# SPDX-License-Identifier: Apache-2.0
#
# run_common.sh - for the tests of `zpager run`: where it is, a folder to work in, and how a program
# is compared with itself. Sourced; not a test.
#
#   measure COMMAND...           runs it plain; $plain has its output, $need_kib its peak RSS
#   compare STORE COMMAND...     runs it with a quarter of $need_kib (2 MiB at least); fails if the
#                                output differs
#   compare_stores COMMAND...    measure, then compare with each store of $stores
#
# ZPAGER_FULL=1 runs the sizes that issue and README speak of; without it they take seconds.
set -uo pipefail
export LC_ALL=C

zpager=${ZPAGER_BUILD:?is set by ctest}/bin/zpager
full=${ZPAGER_FULL:-0}
limit_s=${ZPAGER_LIMIT_S:-$([ "$full" = 1 ] && echo 1500 || echo 240)}
python=/usr/bin/python3
# own=yes: the RAM of the store beyond the budget, so that a store in RAM can hold three quarters.
stores=("default" "file:" "lz4:size=1G&own=yes" "ram:size=2G&own=yes")

work=$(mktemp -d "${TMPDIR:-/tmp}/zpager-test.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

fail() {
	echo "FAIL: $*" >&2
	exit 1
}

skip() {
	echo "skipped: $*"
	exit 77
}

[ -x "$zpager" ] || skip "$zpager is not built"
"$zpager" run --ram 16M -- true 2>"$work/probe" || skip "$(cat "$work/probe")"

# needs PROGRAM...: skip if one is missing.
needs() {
	local program
	for program in "$@"; do
		command -v "$program" >/dev/null || skip "$program is not installed"
	done
}

# sized FULL SMALL: one of them.
sized() { [ "$full" = 1 ] && echo "$1" || echo "$2"; }

peak_kib() { awk -F': ' '/Maximum resident/ { print $2 }' "$1"; }
seconds() { awk -F'): ' '/Elapsed/ { n = split($2, t, ":"); print t[n] + 60 * t[n - 1] }' "$1"; }

measure() {
	plain=$work/plain.out
	/usr/bin/time -v -o "$work/plain.time" timeout -s KILL "$limit_s" "$@" \
		>"$plain" 2>"$work/plain.err" </dev/null ||
		fail "plain run of $1: status $?: $(tail -3 "$work/plain.err")"
	need_kib=$(peak_kib "$work/plain.time")
	echo "$1: needs $((need_kib / 1024)) MiB, $(seconds "$work/plain.time") s"
}

store_option() { [ "$1" = default ] || printf -- '--store\n%s\n' "$1"; }

compare() {
	local store=$1 options
	# The small sizes of some programs would give less than any pager can start with.
	local given_kib=$((need_kib / 4 > 2048 ? need_kib / 4 : 2048))
	shift
	mapfile -t options < <(store_option "$store")
	/usr/bin/time -v -o "$work/paged.time" timeout -s KILL "$limit_s" \
		"$zpager" run --ram "${given_kib}K" "${options[@]}" -- "$@" \
		>"$work/paged.out" 2>"$work/paged.err" </dev/null ||
		fail "$1 on $store: status $?: $(tail -3 "$work/paged.err")"
	cmp -s "$plain" "$work/paged.out" || fail "$1 on $store: the output differs"
	echo "  $store: $(seconds "$work/paged.time") s; $(tail -1 "$work/paged.err")"
}

compare_stores() {
	local store
	measure "$@"
	for store in "${stores[@]}"; do
		compare "$store" "$@"
	done
}
