#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# bench.sh ZPAGER OUT - `make bench`: the machine's mechanisms, the pager and its peers on the same work,
# unmodified programs; tables on stdout, JSON and a picture in the folder OUT.
#
#   QUICK=1   minutes instead of half an hour: small regions, one round
#   OPTIONS   more options of zpager bench, such as --peers zpager-lz4,zram --threads 1,2,4
set -uo pipefail
cd "$(dirname "$0")/.."

zpager=$1
out=$2
quick=()
[ -z "${QUICK:-}" ] || quick=(--quick)
mkdir -p "$out"

read -ra options <<<"${OPTIONS:-}"
status=0
"$zpager" probe --dir "$out" --json "$out/probe.json" || status=$?
echo
"$zpager" bench "${quick[@]}" --json "$out/bench.json" --svg "$out/bench.svg" "${options[@]}" ||
	exit $?
echo
ZPAGER_BUILD=$(dirname "$(dirname "$(realpath "$zpager")")") \
	scripts/bench_programs.py "${quick[@]}" --json "$out/programs.json" || status=$?
echo
echo "bench: figures in $out/probe.json, bench.json and programs.json; a picture in $out/bench.svg"
exit $status
