#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ctest-timeout: 1200
#
# run_python.sh - python3 builds a dict of two million entries and asks it.
. "$(dirname "$0")/run_common.sh"
needs $python

cat >dict.py <<'END'
import hashlib, random, sys
n = int(sys.argv[1])
table = {"key %d" % i: "value %d of the dictionary" % (i * i) for i in range(n)}
for i in range(0, n, 5):
    del table["key %d" % i]
source = random.Random(7)
digest = hashlib.sha256()
for _ in range(n // 4):
    digest.update(table.get("key %d" % source.randrange(n), "none").encode())
print(len(table), digest.hexdigest(), sum(len(value) for value in table.values()))
END
compare_stores $python dict.py "$(sized 2000000 150000)"
