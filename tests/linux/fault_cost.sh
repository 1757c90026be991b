#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# fault_cost.sh - instructions of a fault in the core and the algorithm, counted by callgrind on the simulator,
# against the stored figures: more than 15 % above one of them is a failure. No clock is looked at.
#
# To store new ones: RENEW=1 with the same variables as below; the commit says why.
set -euo pipefail

command -v valgrind >/dev/null || { echo "skipped: valgrind is missing"; exit 77; }
if nm "$ZPAGER_BUILD/bin/fault_cost" | grep -qE '__(asan|tsan)_init'; then
	echo "skipped: a sanitizer's own instructions would be counted"
	exit 77
fi
if ! readelf -S "$ZPAGER_BUILD/bin/fault_cost" | grep -q '\.debug_info'; then
	echo "skipped: without debug information it is not known whose an instruction is"
	exit 77
fi
export BINARY=$ZPAGER_BUILD/bin/fault_cost
AGAINST=$ZPAGER_SOURCE/tests/linux/fault_cost.txt FRAMES="1000 10000" ALGORITHMS="nru clock lru sweep" FAULTS=200 \
	"$ZPAGER_SOURCE/scripts/fault_cost.sh"
# A fault costs the same with any number of frames: held to 15 % by the script itself.
RENEW='' FRAMES="10000 100000 1000000" ALGORITHMS=sweep "$ZPAGER_SOURCE/scripts/fault_cost.sh"
