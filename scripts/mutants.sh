#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# mutants.sh [NAME...] - plant the faults of tests/mutants, one at a time, and see the tests fail.
#
# Works in a copy of the files that git knows, in a temporary directory. Fails if a mutant survives.
# TMPDIR says where; JOBS=n limits the compiler runs at a time.
set -euo pipefail
cd "$(dirname "$0")/.."

jobs=${JOBS:-$(nproc)}
labels='^(unit|contract|conform|model|sim|regress)$'
copy=$(mktemp -d "${TMPDIR:-/tmp}/zpager-mutants.XXXXXX")
trap 'rm -rf "$copy"' EXIT
tree=$copy/tree
build=$copy/build

git ls-files -z | tar --null --files-from=- -cf - | { mkdir "$tree" && tar -xf - -C "$tree"; }

# Build it; true also if nothing was to be done.
compile() {
	cmake --build "$build" -j "$jobs" >"$copy/build.log" 2>&1
}

run_tests() {
	ctest --test-dir "$build" -j2 --no-tests=error --timeout 120 -L "$labels" >"$copy/tests.log" 2>&1
}

# Plant the sed script $1 in its files, keeping the originals.
plant() {
	local file
	for file in $(sed -n 's/^# files: //p' "$1"); do
		cp "$tree/$file" "$copy/original"
		sed -i -f "$1" "$tree/$file"
		if cmp -s "$tree/$file" "$copy/original"; then
			echo "mutants: $1 changes nothing in $file: renew it" >&2
			return 1
		fi
	done
}

restore() {
	local file
	for file in $(sed -n 's/^# files: //p' "$1"); do
		cp "$file" "$tree/$file"
	done
}

cmake -S "$tree" --preset dev -B "$build" >"$copy/configure.log" 2>&1 ||
	{ cat "$copy/configure.log"; exit 1; }
compile || { tail -n 50 "$copy/build.log"; exit 1; }
run_tests || { tail -n 50 "$copy/tests.log"; echo "mutants: fails without any" >&2; exit 1; }

survivors=0
for mutant in tests/mutants/*.sed; do
	name=$(basename "$mutant" .sed)
	if [ $# -gt 0 ] && ! printf '%s\n' "$@" | grep -qx "$name"; then
		continue
	fi
	plant "$mutant"
	printf '%s: %s\n' "$name" "$(sed -n 's/^# what: //p' "$mutant")"
	if ! compile; then
		tail -n 20 "$copy/build.log"
		echo "mutants: $name does not compile: renew it" >&2
		exit 1
	fi
	if run_tests; then
		echo "    SURVIVED"
		survivors=$((survivors + 1))
	else
		sed -n '/The following tests FAILED/,$s/^[[:space:]]*[0-9]* - \([^ ]*\) .*/    noticed by \1/p' \
			"$copy/tests.log"
	fi
	restore "$mutant"
done
if [ "$survivors" -gt 0 ]; then
	echo "mutants: $survivors survived" >&2
	exit 1
fi
