#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# coverage.sh - branch coverage of core/ by the tests on the simulator; below 90 % it fails.
#
# The branches of an assertion that hold back our own bugs cannot be taken by a test and do not
# count: lines with Z_ASSERT are left out. Nothing else is.
set -euo pipefail
cd "$(dirname "$0")/.."

build=${BUILD:-build}/coverage
least=90

cmake --preset coverage -B "$build" >/dev/null
cmake --build "$build" -j "${JOBS:-$(nproc)}"
find "$build" -name '*.gcda' -delete
ctest --test-dir "$build" --output-on-failure -j2 --no-tests=error \
	-L '^(unit|contract|conform|model|sim|regress)$' >"$build/tests.log" ||
	{ cat "$build/tests.log"; exit 1; }
gcovr --root . --object-directory "$build" --filter 'core/' --branches \
	--exclude-lines-by-pattern '.*\bZ_ASSERT\w*\(.*' --gcov-ignore-parse-errors \
	--fail-under-branch $least "$build/core" ||
	{ echo "coverage: the branches of core/ are covered below $least %" >&2; exit 1; }
