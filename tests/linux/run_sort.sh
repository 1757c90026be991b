#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ctest-timeout: 1200
#
# run_sort.sh - sort of a file in memory, with one thread and with four.
. "$(dirname "$0")/run_common.sh"
needs sort

bytes=$(sized 300000000 12000000)
$python - "$bytes" >input <<'END'
import random, sys
source = random.Random(1)
left = int(sys.argv[1])
while left > 0:
    lines = "".join("%016x %d some text that is the same\n" % (source.getrandbits(64), i)
                    for i in range(20000))
    sys.stdout.write(lines[:left])
    left -= len(lines)
END
for threads in 1 4; do
	echo "sort --parallel=$threads of $((bytes / 1000000)) MB"
	compare_stores sort -S 4G --parallel=$threads input
done
