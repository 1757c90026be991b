#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# check.sh - everything that has to hold, in stages; the first one that fails stops it and is named.
#
# The full test run of the dev build comes last, so that ctest's summary is the end of the output.
# BUILD=directory puts the builds elsewhere than build/; JOBS=n limits the compiler runs at a time.
set -euo pipefail
cd "$(dirname "$0")/.."

export BUILD=${BUILD:-build}
jobs=${JOBS:-$(nproc)}
host_labels='^(unit|contract|conform|model|sim|eval|regress)$'
times=()

stage() {
	local name=$1 start=$SECONDS
	shift
	printf '\n==== %s\n' "$name"
	if ! "$@"; then
		printf '\ncheck: FAILED in the stage "%s"\n' "$name" >&2
		exit 1
	fi
	times+=("$(printf '%6d s  %s' $((SECONDS - start)) "$name")")
}

build() {
	cmake --preset "$1" -B "$BUILD/$1" >"$BUILD/$1.configure.log" 2>&1 ||
		{ cat "$BUILD/$1.configure.log"; return 1; }
	cmake --build "$BUILD/$1" -j "$jobs"
}

run_tests() {
	local preset=$1
	shift
	ctest --test-dir "$BUILD/$preset" --output-on-failure -j2 --no-tests=error "$@"
}

build_and_test() {
	build "$1" && run_tests "$@"
}

mkdir -p "$BUILD"
stage "setup" scripts/setup.sh
stage "lint" scripts/lint.py
stage "freestanding builds" scripts/freestanding.sh
stage "gcc build" build dev
stage "clang build, unit tests" build_and_test clang -L '^unit$'
stage "clang-tidy" scripts/tidy.sh
stage "release build, host tests" build_and_test release -L "$host_labels"
stage "address and undefined-behaviour sanitizers" build_and_test asan
stage "thread sanitizer" build_and_test tsan -L '^threads$'
stage "branch coverage of the core" scripts/coverage.sh

printf '\nstages so far:\n'
printf '%s\n' "${times[@]}"
stage "all tests of the gcc build" run_tests dev
