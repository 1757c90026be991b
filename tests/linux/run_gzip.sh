#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ctest-timeout: 600
#
# run_gzip.sh - gzip there and back. Its tables are static, so it has nothing to page: what is shown is
# that it runs. pigz or xz would page; run_xz.sh does.
. "$(dirname "$0")/run_common.sh"
needs gzip
$python -c '
import random, sys
source = random.Random(9)
words = ["".join(source.choices("etaoinshrdlu", k=source.randint(2, 9))) for _ in range(5000)]
left = int(sys.argv[1])
while left > 0:
    text = " ".join(source.choices(words, k=20000)) + "\n"
    sys.stdout.write(text[:left])
    left -= len(text)' "$(sized 100000000 5000000)" >input
gzip -9nc input >plain.gz

there_and_back() {
	paged 1M gzip -9nc input
	same "$out" plain.gz
	paged 1M gzip -dc plain.gz
	same "$out" input
}
in_modes there_and_back
