#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# exports_test.sh - libzpager gives away every function of zpager.h and no other name; the preload
# library gives away neither z_* nor zpager_*, because the program may have such names itself.
set -euo pipefail

shared=$ZPAGER_BUILD/lib/libzpager.so
static=$ZPAGER_BUILD/lib/libzpager.a
preload=$ZPAGER_BUILD/lib/libzpager-preload.so
header=$ZPAGER_SOURCE/include/zpager/zpager.h
failed=0

complain() {
	echo "exports: $*" >&2
	failed=1
}

names() {
	nm "$@" | awk '$2 ~ /[A-Za-z]/ && $2 !~ /^[Uwva]$/ && $2 != "A" { sub(/@.*/, "", $3); print $3 }' |
		sort -u
}

for library in "$shared" "$static"; do
	[ -e "$library" ] || { complain "$library was not built"; continue; }
	case $library in *.so) option=-D ;; *) option=-g ;; esac
	exported=$(names $option --defined-only "$library")
	others=$(grep -v '^zpager_' <<<"$exported" || true)
	[ -z "$others" ] || complain "$(basename "$library") also exports:" $others
	for name in $(cpp -P -fpreprocessed "$header" 2>/dev/null | grep -v '^static inline' |
		grep -oE '\bzpager_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u); do
		grep -qx "$name" <<<"$exported" || complain "$(basename "$library") lacks $name"
	done
done
if [ -e "$preload" ]; then
	leaked=$(names -D --defined-only "$preload" | grep -E '^(z_|zpager_)' || true)
	[ -z "$leaked" ] || complain "$(basename "$preload") exports:" $leaked
fi
exit $failed
