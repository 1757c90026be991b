#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ctest-timeout: 1200
#
# run_postgres.sh - postgres: initdb, pgbench, queries that sort and join in memory; the server and each
# of its children under a pager. The same statements give the same tables as in a plain run.
#
# postgres refuses to run as root. Root's test runs it as nobody, with the one right that the monitor
# mode needs (CAP_SYS_PTRACE); an ordinary user's test runs it as himself.
. "$(dirname "$0")/run_common.sh"
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
[ -x "$bin/postgres" ] || skip "postgres is not installed"
PATH=$PATH:$bin
needs initdb postgres pgbench psql

rows=$(sized 200000 8000)
scale=$(sized 5 1)
transactions=$(sized 2000 100)
memory=$(sized 64MB 20MB)
budget=$(sized 8M 4M)
user=()
if [ "$(id -u)" -eq 0 ]; then
	needs setpriv
	user=(setpriv --reuid=nobody --regid=nogroup --clear-groups --inh-caps=+sys_ptrace --ambient-caps=+sys_ptrace)
	# nobody may not reach the build, and writes in this folder alone.
	mkdir -p zpager/bin zpager/lib
	cp "$zpager" zpager/bin && cp "$ZPAGER_BUILD"/lib/libzpager-preload.so zpager/lib
	zpager=$work/zpager/bin/zpager
	chown -R nobody:nogroup "$work"
	"${user[@]}" "$zpager" run --ram 16M "${run_options[@]}" -- true 2>"$work/probe" ||
		skip "as nobody: $(cat "$work/probe")"
fi
export PGUSER=test PGDATABASE=postgres PGHOST=$work PGTZ=UTC

server=
trap '[ -z "$server" ] || kill -QUIT "$server" 2>/dev/null; wait; rm -rf "$work"' EXIT

as_user() { "${user[@]}" timeout -s KILL "$limit_s" "$@"; }

ready() { pg_isready -q; }

# The prefix of $line or nothing.
start() {
	"${user[@]}" "$@" postgres -D data -k "$work" -c listen_addresses= -c autovacuum=off -c fsync=off \
		-c shared_buffers=16MB -c work_mem="$memory" -c maintenance_work_mem="$memory" \
		-c max_parallel_workers_per_gather=2 >server.log 2>server.err </dev/null &
	server=$!
	await "$server" ready || fail "postgres does not answer: $(tail -3 server.err)"
}

# In its own way; zpager hands the signal on.
stop() {
	kill -TERM "$server"
	wait "$server" || fail "postgres ends with status $?: $(tail -3 server.err)"
	server=
	grep -E 'PANIC|terminated by signal|ERROR' server.err && fail "the server complains"
}

cat >queries.sql <<END
\set ON_ERROR_STOP 1
create table t as select i, md5(i::text) as name, (i * 7919) % 10007 as part from generate_series(1, $rows) i;
select md5(string_agg(name, ',' order by name)) from t;
select count(*), sum(a.i::bigint * b.part) from t a join t b on a.name = md5(b.i::text);
select part, count(*), max(name) from t group by part order by 2 desc, 1 limit 5;
create index on t (name);
select i from t where name > 'f' order by name limit 3;
select sum(n) from (select sum(i) over (partition by part order by name) as n from t) s;
select length(string_agg(repeat(name, 10), '')) from t;
vacuum analyze t;
END

# bench NAME: one client and a seed, so the tables are the same each time; then four at once.
bench() {
	as_user pgbench -q -i -s $scale >"$1.init" 2>&1 || fail "pgbench -i: $(tail -3 "$1.init")"
	as_user pgbench -n -c 1 -t "$transactions" --random-seed=5 >"$1.bench" 2>&1 ||
		fail "pgbench: $(tail -3 "$1.bench")"
	{
		as_user psql -AtX -f queries.sql || fail "queries on $1"
		for table in accounts tellers branches; do
			psql -AtX -c "select md5(string_agg(t::text, ',' order by t::text)) from pgbench_$table t"
		done
		psql -AtX -c 'select count(*), sum(delta) from pgbench_history'
	} >"$1.out" 2>"$1.err"
	as_user pgbench -n -c 4 -j 2 -t $((transactions / 4)) >"$1.bench" 2>&1 ||
		fail "pgbench with four clients: $(tail -3 "$1.bench")"
	psql -AtX -c 'select (select sum(abalance) from pgbench_accounts) = sum(delta), count(*)
		from pgbench_history' >>"$1.out"
}

new_data() {
	rm -rf data
	as_user "$@" initdb -D data -U test -A trust -E UTF8 --locale=C -N >init.out 2>init.err ||
		fail "initdb: $(tail -3 init.err)"
}

new_data
start
before=$EPOCHREALTIME
bench plain
echo "postgres: plain $(since "$before") s"
stop

served() {
	local before=$EPOCHREALTIME
	run_line "$budget"
	new_data "${line[@]}"
	say initdb "$budget" "$(since "$before")"
	before=$EPOCHREALTIME
	start "${line[@]}"
	bench paged
	stop
	say postgres "$budget" "$(since "$before")"
	moved 1000 1000
	same plain.out paged.out "what the tables hold"
}
in_modes served
