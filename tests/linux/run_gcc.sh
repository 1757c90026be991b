#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ctest-timeout: 1200
#
# run_gcc.sh - gcc -O2 of a large generated file: cc1 and as run under exec, each with its own pager.
. "$(dirname "$0")/run_common.sh"
needs gcc

$python - "$(sized 6000 120)" >large.c <<'END'
import random, sys
source = random.Random(5)
count = int(sys.argv[1])
print("struct s { int a[16]; double d; };")
for i in range(count):
    print(f"int f{i}(struct s *p, int x, int y)\n{{\n\tint r = x;\n")
    for j in range(12):
        a, b, c = (source.randrange(16) for _ in range(3))
        print(f"\tfor (int k = 0; k < y; k++) r += p->a[{a}] * (k ^ {source.randrange(1000)}) - p->a[{b}];")
        print(f"\tif (r > {source.randrange(9999)}) p->a[{c}] = r; else p->d += r * {source.random():.6f};")
    print(f"\treturn r + {'f%d(p, y, x / 2)' % source.randrange(i) if i and source.random() < .5 else '1'};\n}}")
END
compare_stores gcc -O2 -S -o - large.c
measure sh -c 'gcc -O2 -c -o large.o large.c && cat large.o'
compare default sh -c 'gcc -O2 -c -o large.o large.c && cat large.o'
