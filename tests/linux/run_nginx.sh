#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ctest-timeout: 600
#
# run_nginx.sh - nginx with two workers serves files: with sendfile, through large buffers that are read
# by a pool of threads, compressed; then it is told to load its configuration again, and to end.
. "$(dirname "$0")/run_common.sh"
PATH=$PATH:/usr/sbin
needs nginx curl

mkdir files logs
$python -c '
import random, sys
source = random.Random(15)
size = int(sys.argv[1])
for i in range(8):
    with open("files/file%d" % i, "wb") as file:
        file.write(source.randbytes(size // 2 + 1000 * i) + b"the same again " * (size // 30))' "$(sized 50000000 3000000)"
chmod 755 "$work" files
# Workers of root's server give up their rights, as installed servers do, if they can read the files then.
user=
if [ "$(id -u)" -eq 0 ]; then
	user='user root root;'
	! setpriv --reuid=nobody --regid=nogroup --clear-groups test -r files/file0 || user='user nobody nogroup;'
fi

configure() {
	cat >nginx.conf <<-END
		$user
		worker_processes 2;
		daemon off;
		pid $work/nginx.pid;
		error_log $work/logs/error.log notice;
		events { worker_connections 64; }
		http {
			access_log off;
			client_body_temp_path $work/logs; proxy_temp_path $work/logs; fastcgi_temp_path $work/logs;
			uwsgi_temp_path $work/logs; scgi_temp_path $work/logs;
			default_type application/octet-stream;
			server {
				listen 127.0.0.1:$1;
				root $work/files;
				location / { sendfile on; }
				location /buffers/ {
					alias $work/files/; sendfile off; aio threads; output_buffers 2 1m;
				}
				location /gzip/ {
					alias $work/files/; sendfile off; output_buffers 2 1m; gzip on; gzip_types *;
					gzip_comp_level 2; gzip_buffers 16 64k;
				}
			}
		}
	END
}

server=
trap '[ -z "$server" ] || kill -KILL "$server" 2>/dev/null; rm -rf "$work"' EXIT

answers() { curl -s -o /dev/null --max-time 5 "http://127.0.0.1:$port/file0"; }

# start COMMAND...: on a port that was free a moment ago; on another one if it is taken by now.
start() {
	for _ in 1 2 3 4 5; do
		port=$(free_port)
		configure "$port"
		"$@" nginx -p "$work" -c "$work/nginx.conf" >server.out 2>server.err </dev/null &
		server=$!
		await "$server" answers && return
		wait "$server"
		grep -q 'in use' server.err logs/error.log || break
	done
	fail "nginx does not answer: $(tail -3 server.err logs/error.log)"
}

# ask FOLDER: all files from it, eight requests at once, compared.
ask() {
	local clients=() i client
	for i in $(seq 0 7); do
		curl -sS --fail --compressed --max-time "$limit_s" -o "got$i" \
			"http://127.0.0.1:$port/$1file$i" 2>"client$i" &
		clients+=($!)
	done
	for client in "${clients[@]}"; do
		wait "$client" || fail "a request of $1: $(cat client?)"
	done
	for i in $(seq 0 7); do
		same "got$i" "files/file$i" "$1file$i"
	done
}

serve() {
	local before=$EPOCHREALTIME
	run_line 2M
	start "${line[@]}"
	ask ''
	ask buffers/
	ask gzip/
	# New workers are forked; the old ones end when they have answered.
	kill -HUP "$(cat nginx.pid)"
	await "$server" grep -q "gracefully shutting down" logs/error.log || fail "nginx does not start new workers"
	ask buffers/
	kill -QUIT "$(cat nginx.pid)"
	wait "$server" || fail "nginx ends with status $?: $(tail -3 server.err)"
	server=
	say nginx 2M "$(since "$before")"
	moved 500 500
	grep -E '\[(alert|crit|emerg)\]' logs/error.log && fail "nginx complains"
	rm logs/error.log
}
in_modes serve
