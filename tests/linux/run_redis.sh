#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ctest-timeout: 1200
# ctest-serial: yes
#
# run_redis.sh - redis-server, persistence off, filled and read back through redis-cli and
# redis-benchmark, on a port of the loopback interface.
. "$(dirname "$0")/run_common.sh"
needs redis-server redis-cli redis-benchmark

values=$(sized 500000 20000)
port=$((20000 + $$ % 20000))
server=

stop() {
	[ -z "$server" ] || kill -KILL "$server" 2>/dev/null
	rm -rf "$work"
}
trap stop EXIT

cli() { redis-cli -p "$port" "$@"; }

# start COMMAND...: the server, until it answers. $server is our child: the program or zpager.
start() {
	"$@" redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --daemonize no \
		--dir "$work" >"$work/server.out" 2>"$work/server.err" </dev/null &
	server=$!
	for _ in $(seq 300); do
		[ "$(cli ping 2>/dev/null)" = PONG ] && return
		kill -0 "$server" 2>/dev/null || break
		sleep 0.1
	done
	fail "the server does not answer: $(tail -3 "$work/server.out" "$work/server.err")"
}

# 1000 bytes a value, half of them the same everywhere; as the protocol of redis.
$python - "$values" >fill <<'END'
import random, sys
source = random.Random(11)
for i in range(int(sys.argv[1])):
    value = ("%0500x" % source.getrandbits(2000)) + "x" * 500
    key = "key:%012d" % i
    sys.stdout.write(f"*3\r\n$3\r\nSET\r\n${len(key)}\r\n{key}\r\n${len(value)}\r\n{value}\r\n")
END
$python - "$values" >ask <<'END'
import random, sys
source = random.Random(12)
n = int(sys.argv[1])
for _ in range(n // 5):
    print("GET key:%012d" % source.randrange(n))
END

awk -F: '$2 + 0 >= 10000' ask >ask.high

# work_on NAME: fill, read back, and let redis-benchmark add its load.
work_on() {
	timeout -s KILL "$limit_s" redis-cli -p "$port" --pipe <fill >"$1.pipe" || fail "$1: fill"
	{
		cli dbsize
		timeout -s KILL "$limit_s" redis-cli -p "$port" <ask
	} >"$1.out" || fail "$1: read back"
	timeout -s KILL "$limit_s" redis-benchmark -p "$port" -q -n "$(sized 100000 3000)" -r 10000 -d 500 \
		-t set,get,lpush,lrange_100 >"$1.bench" || fail "$1: redis-benchmark"
	# Its keys are random, below 10000; those above are still ours.
	tail -n 200 ask.high | timeout -s KILL "$limit_s" redis-cli -p "$port" >>"$1.out" ||
		fail "$1: read back again"
}

# finish: ends the server in its own way, by the signal that it expects; the status is wanted too.
finish() {
	kill -TERM "$server"
	wait "$server"
	local status=$?
	server=
	[ $status -eq 0 ] || fail "the server ended with status $status"
}

start
work_on plain
need_kib=$(awk '/VmHWM/ { print $2 }' "/proc/$server/status")
finish
echo "redis-server: needs $((need_kib / 1024)) MiB"
for store in "${stores[@]}"; do
	mapfile -t options < <(store_option "$store")
	before=$SECONDS
	start "$zpager" run --ram "$((need_kib / 4))K" "${run_options[@]}" "${options[@]}" --
	work_on paged
	finish
	cmp -s plain.out paged.out || fail "redis-server on $store: the answers differ"
	echo "  $store: $((SECONDS - before)) s; $(tail -1 server.err)"
done
