#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# demo.sh - an unmodified program on real input, with a quarter of the memory that it needs.
#
# sqlite3 loads this machine's Debian package index into a database in memory, with indexes and two
# full-text tables, and answers questions: once as it is, once under `zpager run --ram` a quarter of
# the peak that the first run showed. Fails if an answer differs, or if the peak RSS, measured from
# outside, is more than the budget + what sqlite3 shows with an empty database + 8 MiB.
#
#   ZPAGER_BUILD   where bin/zpager is (build/release)
#   DEMO_STORE     a store for --store; without it the default one
set -euo pipefail
export LC_ALL=C

cd "$(dirname "$0")/.."
scripts=$PWD/scripts
build=${ZPAGER_BUILD:-${BUILD:-build}/release}
zpager=$(realpath "$build")/bin/zpager
slack_kib=8192

fail() {
	echo "demo: $*" >&2
	exit 1
}

[ -x "$zpager" ] || fail "$zpager is not there; run make release"
for program in sqlite3 apt-cache /usr/bin/python3 /usr/bin/time; do
	command -v $program >/dev/null || fail "$program is missing; run make setup"
done

work=$(mktemp -d "${TMPDIR:-/tmp}/zpager-demo.XXXXXX")
trap 'rm -rf "$work"' EXIT

# The index, as tables. Where the machine has none, apt gets one.
make_index() {
	apt-cache dumpavail | /usr/bin/python3 "$scripts/demo_index.py" "$work" 2>/dev/null
}

get_index() {
	echo "demo: this machine has no package index; getting one with apt-get update"
	if [ "$(id -u)" -eq 0 ]; then
		apt-get update -q
	else
		sudo apt-get update -q
	fi
}

if ! records=$(make_index); then
	get_index
	records=$(make_index) || fail "there is still no package index; look at /etc/apt/sources.list"
fi
bytes=$(cat "$work"/*.tsv | wc -c)
echo "demo: $records packages of the Debian index, $((bytes >> 20)) MiB as tables"

sqlite=(sqlite3 -batch :memory: ".read $scripts/demo_load.sql" ".read $scripts/demo_queries.sql")

# run NAME COMMAND...: answers in NAME.out, stderr in NAME.err, wall time and peak RSS in NAME.time.
run() {
	local name=$1
	shift
	(cd "$work" && /usr/bin/time -v -o "$name.time" "$@" >"$name.out" 2>"$name.err") || {
		cat "$work/$name.err" >&2
		fail "the $name run failed"
	}
}
peak_kib() { awk -F': ' '/Maximum resident/ { print $2 }' "$work/$1.time"; }
wall() {
	awk -F'): ' '/Elapsed/ { n = split($2, t, ":"); s = t[n] + 60 * t[n - 1]
		if (n == 3) s += 3600 * t[1]; printf "%.1f s", s }' "$work/$1.time"
}
mib() { awk -v kib="$1" 'BEGIN { printf "%.1f MiB", kib / 1024 }'; }

echo "demo: sqlite3 without zpager ..."
run plain "${sqlite[@]}"
need=$(peak_kib plain)
given=$((need / 4))
echo "demo: it needs $(mib "$need"); the same with --ram ${given}K ..."

options=(--ram "${given}K")
[ -z "${DEMO_STORE:-}" ] || options+=(--store "$DEMO_STORE")
run empty "$zpager" run "${options[@]}" -- sqlite3 -batch :memory: 'SELECT 1;'
run paged "$zpager" run "${options[@]}" --stats "$work/paged.json" -- "${sqlite[@]}"

peak=$(peak_kib paged)
empty=$(peak_kib empty)
faults=$(grep -o '"faults": [0-9]*' "$work/paged.json" | head -1 | tr -dc 0-9)
pages_in=$(grep -o '"pages_in": [0-9]*' "$work/paged.json" | head -1 | tr -dc 0-9)
pages_out=$(grep -o '"pages_out": [0-9]*' "$work/paged.json" | head -1 | tr -dc 0-9)
limit=$((given + empty + slack_kib))

row() { printf '  %-34s %16s %16s\n' "$@"; }
echo
row "" "plain" "zpager run"
row "memory given" "all it wants" "$(mib $given)"
row "peak RSS, measured from outside" "$(mib "$need")" "$(mib "$peak")"
row "  of which with an empty database" "" "$(mib "$empty")"
row "faults" "" "$faults"
row "pages in / out" "" "$pages_in / $pages_out"
row "wall time" "$(wall plain)" "$(wall paged)"
echo
cat "$work/paged.err"

if ! cmp -s "$work/plain.out" "$work/paged.out"; then
	diff "$work/plain.out" "$work/paged.out" | head -20 >&2 || true
	fail "the answers differ"
fi
queries=$(grep -c '^-- [0-9]*\.' "$work/plain.out")
echo "demo: the answers to $queries questions ($(wc -c <"$work/plain.out") bytes) are the same"
[ "$peak" -le "$limit" ] ||
	fail "peak RSS $(mib "$peak") is above budget + empty database + 8 MiB = $(mib $limit)"
echo "demo: peak RSS is within budget + empty database + 8 MiB = $(mib $limit)"
