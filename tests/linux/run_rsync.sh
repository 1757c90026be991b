#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ctest-timeout: 600
#
# run_rsync.sh - rsync between two trees: three processes that fork from each other and talk over
# sockets. What they page is the list of files, and the sums of the blocks of a large file.
. "$(dirname "$0")/run_common.sh"
needs rsync
make_tree tree "$(sized 20000 400)"
$python -c '
import random, sys
source = random.Random(8)
data = bytearray(source.randbytes(int(sys.argv[1])))
open("old", "wb").write(data)
for i in range(0, len(data), len(data) // 20):
    data[i:i + 1000] = source.randbytes(1000 + i % 500)
open("tree/large", "wb").write(data)' "$(sized 60000000 20000000)"

copy() {
	rm -rf copy
	paged 1M rsync -aH tree/ copy/
	[ "$(tree_sum copy)" = "$(tree_sum tree)" ] || fail "the copy differs"
	# The differences of an older state alone: sums, and a hash table of them.
	cp old copy/large
	rm -r copy/d1
	echo more >copy/of-its-own
	paged "$(sized 2M 1M)" rsync -aH --delete --checksum --no-whole-file --block-size=700 -i tree/ copy/
	moved 200 200
	grep -q '^\*deleting *of-its-own' "$out" || fail "nothing was deleted: $(head -3 "$out")"
	[ "$(tree_sum copy)" = "$(tree_sum tree)" ] || fail "the copy differs after the second run"
	paged 1M rsync -aHn --delete --checksum -i tree/ copy/
	[ ! -s "$out" ] || fail "rsync still sees a difference: $(head -3 "$out")"
}
in_modes copy
