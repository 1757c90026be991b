#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ctest-timeout: 1200
#
# run_xz.sh - xz -9 with two threads, there and back. With a quarter of its memory its match finder
# faults once or more for each byte of input (random access to tables), so the input is small.
. "$(dirname "$0")/run_common.sh"
needs xz

$python - "$(sized 10000000 300000)" >input <<'END'
import random, sys
source = random.Random(3)
words = ["".join(source.choices("etaoinshrdlu", k=source.randint(2, 9))) for _ in range(5000)]
left = int(sys.argv[1])
while left > 0:
    text = " ".join(source.choices(words, k=20000)) + "\n"
    sys.stdout.write(text[:left])
    left -= len(text)
END
level=$(sized -9 -1)
compare_stores xz "$level" -T2 --block-size="$(sized 5MiB 150KiB)" -c input
cp "$work/paged.out" input.xz
compare_stores xz -dc input.xz
cmp -s input "$work/paged.out" || fail "what came back is not what went in"
