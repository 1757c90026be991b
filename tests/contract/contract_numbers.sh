#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# contract_numbers.sh - does every statement of the contract, 1 to 54, have a test that ran and passed?
# A test carries the number in its name: contract_NN_short_words. Skipped ones do not count.
#
# Environment: ZPAGER_SOURCE, ZPAGER_BUILD. Exit: 0 all there, 1 one is missing or fails, 77 the
# test programs are not built.
set -euo pipefail

build=${ZPAGER_BUILD:?} source=${ZPAGER_SOURCE:?}
passed=$(mktemp)
trap 'rm -f "$passed"' EXIT
failed=0

for file in "$source"/tests/contract/custom_*.c; do
	program=$build/tests/$(basename "$file" .c)
	if [ ! -x "$program" ]; then
		echo "contract_numbers: $program is not built"
		exit 77
	fi
	"$program" >"$passed.out" 2>&1 || { echo "contract_numbers: $program fails" >&2; failed=1; }
	grep -oE '^\[ +OK \] contract_[0-9]{2}_' "$passed.out" | grep -oE '[0-9]{2}' >>"$passed" || true
	rm -f "$passed.out"
done

for number in $(seq -w 1 54); do
	if ! grep -qx "$number" "$passed"; then
		echo "contract_numbers: no passing test for statement $number" >&2
		failed=1
	fi
done
[ $failed -eq 0 ] || exit 1
echo "contract_numbers: all 54 statements have a test that passes"
