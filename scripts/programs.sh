#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# programs.sh [NAME...] - whole programs under `zpager run`, in full size, compared with a plain run
# (tests/linux/run_NAME.sh): some chosen for their system calls, with each mechanism, minutes each; some
# for their memory, with a quarter of what they need and with each store. All of them: hours.
set -uo pipefail
cd "$(dirname "$0")/.."

ZPAGER_SOURCE=$PWD
ZPAGER_BUILD=$(realpath "${BUILD:-build}/release") || exit 1
export ZPAGER_SOURCE ZPAGER_BUILD ZPAGER_FULL=1
[ $# -gt 0 ] || set -- tar rsync curl nginx git perl lua gzip convert postgres redis gcc python xz sort
failed=0
for name in "$@"; do
	printf '==== %s\n' "$name"
	bash "tests/linux/run_$name.sh" || failed=$((failed + 1))
done
exit $((failed > 0))
