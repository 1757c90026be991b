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
# For programs that were chosen for their system calls, with budgets that are given:
#
#   paged SIZE COMMAND...        runs it with that budget, in the mode of $mode; output in $out
#   moved OUT IN                 fails unless that many pages went out and came in
#   in_modes FUNCTION            calls it with $mode set: once, in full size for each mechanism
#
# ZPAGER_FULL=1 runs the sizes that issue and README speak of; without it they take seconds.
# ZPAGER_RUN_OPTIONS='--fault-mode signal' is given to each `zpager run`, before what a test says.
set -uo pipefail
export LC_ALL=C

zpager=${ZPAGER_BUILD:?is set by ctest}/bin/zpager
full=${ZPAGER_FULL:-0}
limit_s=${ZPAGER_LIMIT_S:-$([ "$full" = 1 ] && echo 1500 || echo 240)}
python=/usr/bin/python3
# own=yes: the RAM of the store beyond the budget, so that a store in RAM can hold three quarters.
stores=("default" "file:" "lz4:size=1G&own=yes" "ram:size=2G&own=yes")

read -ra run_options <<<"${ZPAGER_RUN_OPTIONS:-}"
mode=()

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
"$zpager" run --ram 16M "${run_options[@]}" -- true 2>"$work/probe" || skip "$(cat "$work/probe")"

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
		"$zpager" run --ram "${given_kib}K" "${run_options[@]}" "${options[@]}" -- "$@" \
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

# make_tree FOLDER FILES: files of up to 40 KB in nested folders, links of both kinds, odd names.
make_tree() {
	$python - "$1" "$2" <<'END'
import os, random, sys
source = random.Random(6)
root, files = sys.argv[1], int(sys.argv[2])
for i in range(files):
    folder = "%s/d%d/e%d" % (root, i % 7, i % 31)
    os.makedirs(folder, exist_ok=True)
    name = "%s/file %d" % (folder, i)
    with open(name, "wb") as file:
        file.write(source.randbytes(source.randrange(20000)))
        file.write(b"text " * source.randrange(4000))
    os.chmod(name, source.choice((0o644, 0o600, 0o755)))
    os.utime(name, (10**9 + i, 10**9 + i))
    if i % 11 == 0:
        os.symlink("file %d" % i, name + " link")
        os.link(name, name + " hard")
END
}

# tree_sum FOLDER [NAME...]: one sum over names, kinds, modes, links and contents.
tree_sum() {
	local folder=$1
	shift
	(cd "$folder" && find "${@:-.}" -printf '%P %y %m %n %l\n' | sort &&
		find "${@:-.}" -type f -print0 | sort -z | xargs -0 md5sum) | md5sum
}

# A figure of the whole run, from --stats: pages_in, pages_out, faults.
figure() { sed -n "1s/.*\"$1\": \([0-9]*\),.*/\1/p" "$work/stats.json"; }

# The memory that was touched in all processes, each page counted once as long as it is mapped.
touched_kib() {
	grep -o '"pages_zeroed": [0-9]*' "$work/stats.json" | awk '{ n += $2 } END { print 4 * n }'
}

# run_line SIZE: the words before the program, in $line. Servers are started with them by hand.
run_line() {
	line=("$zpager" run --ram "$1" "${run_options[@]}" "${mode[@]}" --stats "$work/stats.json" --)
}

say() {
	echo "  ${mode[*]:-default}: $1: touched $(touched_kib) KiB, budget $2," \
		"$(figure faults) faults, $(figure pages_out) pages out, $(figure pages_in) in; $3 s"
}

paged() {
	local size=$1 before=$EPOCHREALTIME
	shift
	out=$work/paged.out
	run_line "$size"
	timeout -s KILL "$limit_s" "${line[@]}" "$@" >"$out" 2>"$work/paged.err" </dev/null ||
		fail "$1 ${mode[*]}: status $?: $(tail -3 "$work/paged.err")"
	say "$1" "$size" "$(since "$before")"
}

since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.2f", b - a }'; }

moved() {
	local went came
	went=$(figure pages_out)
	came=$(figure pages_in)
	[ "$went" -ge "$1" ] && [ "$came" -ge "$2" ] ||
		fail "${mode[*]}: $went pages went out and $came came in, expected are $1 and $2"
}

in_modes() {
	mode=()
	if [ "$full" = 1 ]; then
		mode=(--mechanism copy)
		"$@"
		mode=(--mechanism copy-move)
	fi
	"$@"
}

# await PID COMMAND...: until it succeeds; fails when that process has ended, or after a minute.
await() {
	local pid=$1 end=$((SECONDS + 60))
	shift
	until "$@"; do
		kill -0 "$pid" 2>/dev/null && [ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# A port of the loopback interface that nobody uses now.
free_port() {
	$python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

same() { cmp -s "$1" "$2" || fail "${mode[*]}: ${3:-the output} differs"; }
