#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ctest-timeout: 600
#
# run_tar.sh - tar makes an archive of a tree and takes it apart again. tar needs next to nothing,
# so its records are large: 8 MiB each, which read() fills and write() empties while they are out.
. "$(dirname "$0")/run_common.sh"
needs tar
make_tree tree "$(sized 20000 400)"

factor=16384
tar -cf plain.tar -b $factor --sort=name --numeric-owner tree || fail "plain run"

archive() {
	paged 2M tar -cf paged.tar -b $factor --sort=name --numeric-owner tree
	same plain.tar paged.tar "the archive"
	moved 1000 0
	rm -rf back && mkdir back
	paged 2M tar -xf paged.tar -b $factor -C back
	moved 1000 1000
	[ "$(tree_sum back/tree)" = "$(tree_sum tree)" ] || fail "what came back differs"
	paged 2M tar -df paged.tar -b $factor
	[ ! -s "$out" ] || fail "tar sees a difference: $(head -3 "$out")"
	# Through a pipe, with a child: tar forks for the program that compresses.
	paged 2M tar -cf paged.tar.gz -I 'gzip -1' -b $factor --sort=name --numeric-owner tree
	gzip -dc paged.tar.gz | cmp -s - plain.tar || fail "the compressed archive differs"
}
in_modes archive
