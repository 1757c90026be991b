#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ctest-timeout: 600
#
# run_curl.sh - curl fetches files from a local server: one large, then many at once (non-blocking
# sockets, poll, a buffer of 100 KB for each transfer), the name looked up by a thread.
. "$(dirname "$0")/run_common.sh"
needs curl

mkdir files
$python -c '
import random, sys
source = random.Random(14)
open("files/large", "wb").write(source.randbytes(int(sys.argv[1])))
for i in range(60):
    open("files/file%d" % i, "wb").write(source.randbytes(200000 + i))' "$(sized 200000000 20000000)"

$python -u -m http.server 0 --bind 127.0.0.1 --directory files >server.out 2>server.err &
server=$!
trap 'kill -TERM "$server"; wait "$server" 2>/dev/null; rm -rf "$work"' EXIT
await "$server" grep -q 'port [0-9]' server.out || fail "no server: $(tail -3 server.err)"
port=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' server.out)

fetch() {
	paged 1M curl -sS --fail --max-time "$limit_s" -o got "http://localhost:$port/large"
	same got files/large "the large file"
	rm -rf many && mkdir many
	paged 1M curl -sS --fail --max-time "$limit_s" --parallel --parallel-immediate --parallel-max 60 \
		-o 'many/file#1' "http://127.0.0.1:$port/file[0-59]"
	moved 500 500
	for i in $(seq 0 59); do
		same "many/file$i" "files/file$i" "file$i"
	done
	paged 1M curl -sS -o /dev/null -w '%{http_code} %{size_download}\n' -r 1000-1999 \
		"http://127.0.0.1:$port/none"
	grep -q '^404 ' "$out" || fail "a file that is not there: $(cat "$out")"
}
in_modes fetch
