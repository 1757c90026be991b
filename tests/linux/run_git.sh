#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ctest-timeout: 900
#
# run_git.sh - git clone of a local repository over its own protocol (upload-pack, pack-objects with
# threads, index-pack, and their pipes), then log, fsck, repack.
. "$(dirname "$0")/run_common.sh"
needs git
export HOME=$work GIT_CONFIG_NOSYSTEM=1
git config --global user.name test
git config --global user.email test@example.org

# Every revision changes some lines of some files, and one file is large.
$python - "$(sized 600 60)" "$(sized 200 30)" >revisions <<'END'
import random, sys
source = random.Random(13)
out = sys.stdout.buffer
revisions, files = int(sys.argv[1]), int(sys.argv[2])
texts = [["line %d of %d: %x" % (i, f, source.getrandbits(40)) for i in range(300)] for f in range(files)]
def data(content):
    out.write(b"data %d\n%s\n" % (len(content), content))
for revision in range(revisions):
    out.write(b"commit refs/heads/main\ncommitter test <test@example.org> %d +0000\n" % (10**9 + revision))
    data(b"revision %d" % revision)
    for f in range(files) if revision == 0 else source.sample(range(files), 5):
        texts[f][source.randrange(300)] = "%x" % source.getrandbits(60)
        out.write(b"M 100644 inline d%d/file%d\n" % (f % 7, f))
        data("\n".join(texts[f]).encode())
    if revision % 20 == 0:
        out.write(b"M 100644 inline large\n")
        data(source.randbytes(100000) + b"x" * 1900000)
END
git init -q -b main origin && git -C origin fast-import --quiet <revisions || fail "fast-import"
git clone -q --no-local origin plain || fail "plain clone"

log() { git -C "$1" log --stat --format='%H %s %ad' main; }

clone() {
	rm -rf paged
	paged 2M git clone -q --no-local origin paged
	moved 500 500
	[ "$(tree_sum paged d0 d1 d2 d3 d4 d5 d6 large)" = "$(tree_sum plain d0 d1 d2 d3 d4 d5 d6 large)" ] ||
		fail "the working trees differ"
	log plain >expected
	paged 2M git -C paged log --stat --format='%H %s %ad' main
	same "$out" expected
	paged 2M git -C paged fsck --full --strict
	paged 2M git -C paged -c pack.threads=2 repack -q -a -d -f
	moved 500 500
	git -C paged fsck --full >/dev/null 2>"$work/fsck" || fail "fsck: $(head -3 "$work/fsck")"
	log paged >"$out"
	same "$out" expected "the log after repack"
}
in_modes clone
