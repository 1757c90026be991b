#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# run_errors.sh - zpager run says what is wrong in one line, and is otherwise not noticed: status,
# signals, stdin and stdout, file descriptors, children.
. "$(dirname "$0")/run_common.sh"
needs gcc

failed=0
bad() {
	echo "FAIL: $*" >&2
	failed=1
}

# refused STATUS PATTERN ARGUMENTS...: zpager ARGUMENTS gives exactly one line, and that status.
refused() {
	local status=$1 pattern=$2 got
	shift 2
	"$zpager" "$@" >out 2>err </dev/null
	got=$?
	[ $got -eq "$status" ] || bad "zpager $*: status $got, not $status: $(cat err)"
	[ "$(wc -l <err)" -eq 1 ] && [ ! -s out ] || bad "zpager $*: not one line: $(cat out err)"
	grep -qE -- "$pattern" err || bad "zpager $*: no \"$pattern\" in: $(cat err)"
}

# ends STATUS OUTPUT ARGUMENTS...: zpager run ARGUMENTS ends so and prints that.
ends() {
	local status=$1 output=$2 got
	shift 2
	timeout -s KILL 60 "$zpager" run --ram 16M "${run_options[@]}" "$@" >out 2>err </dev/null
	got=$?
	[ $got -eq "$status" ] || bad "zpager run $*: status $got, not $status: $(cat err)"
	[ "$(cat out)" = "$output" ] || bad "zpager run $*: \"$(cat out)\", not \"$output\""
	grep -q '^zpager: budget 16.0 MiB, peak RSS .* faults, .* pages in, .* out, .* s in faults' err ||
		bad "zpager run $*: no summary in: $(cat err)"
}

echo "what is refused, before the program runs"
refused 2 'not a size' run --ram lots -- true
refused 2 'not a size' run --ram 12Q -- true
refused 2 'not a size' run --ram -5M -- true
refused 2 'too small' run --ram 0 -- true
refused 2 'too small' run --ram 64K -- true
refused 2 'more than this machine has' run --ram 4096T -- true
refused 2 'no algorithm of that name; use one of .*clock' run --eviction none -- true
refused 2 'use monitor, signal or auto' run --fault-mode none -- true
refused 2 'use auto, copy-move, copy-recycle or copy' run --mechanism none -- true
refused 2 'store' run --store none: -- true
refused 2 'store' run --store 'file:/no/such/folder' -- true
refused 2 'store' run --store 'lz4:size=none' -- true
refused 2 'no program' run
refused 2 'unknown option --none' run --none -- true
refused 2 'needs a value' run --ram
refused 2 'no command "none"' none
refused 2 'takes no argument' list none
refused 2 '/no/such/folder/stats' run --stats /no/such/folder/stats -- true
refused 127 'no such program' run -- no-such-program
refused 127 'No such file' run -- ./no-such-program
refused 126 'not a file' run -- ./
echo data >plain-file
refused 126 'Permission denied|can be executed' run -- ./plain-file
chmod +x plain-file
refused 126 'neither a program nor a script' run -- ./plain-file

echo 'int main(void) { return 0; }' >null.c
gcc -o dynamic null.c || skip "gcc makes no program"
if gcc -static -o static null.c 2>/dev/null; then
	refused 2 'statically linked.*link it dynamically' run -- ./static
	printf '#!%s/static\n' "$work" >script && chmod +x script
	refused 2 'statically linked' run -- ./script
fi
cp dynamic set-uid && chmod u+s set-uid
refused 2 'set-uid or set-gid.*run a copy' run -- ./set-uid
cp dynamic set-gid && chmod g+s set-gid
refused 2 'set-uid or set-gid' run -- ./set-gid
if command -v setcap >/dev/null && cp dynamic capable && setcap cap_net_raw+ep capable 2>/dev/null; then
	refused 2 'file capabilities' run -- ./capable
fi

echo "what passes through"
ends 0 '' -- true
ends 7 '' -- sh -c 'exit 7'
ends 0 'a b' -- echo a b
ends 0 '' -- ./dynamic
for name in TERM INT HUP USR1 SEGV KILL ABRT; do
	ends $((128 + $(kill -l $name))) '' -- sh -c "kill -$name \$\$" 2>/dev/null
done
[ "$(echo through | "$zpager" run "${run_options[@]}" -- cat 2>/dev/null)" = through ] || bad "stdin"
[ "$(printf 'x%.0s' {1..200000} | "$zpager" run "${run_options[@]}" -- wc -c 2>/dev/null)" = 200000 ] || bad "long stdin"
"$zpager" run "${run_options[@]}" -- sh -c 'exit $#' sh a b c 2>/dev/null
[ $? -eq 3 ] || bad "arguments"
[ "$(LD_PRELOAD=libc.so.6 "$zpager" run "${run_options[@]}" -- sh -c 'echo $LD_PRELOAD' 2>/dev/null | grep -c 'preload.so:libc.so.6$')" = 1 ] ||
	bad "an LD_PRELOAD that was there is gone"

# A signal that is sent to zpager reaches the program, whose handler decides.
cat >handler.sh <<'END'
trap 'echo got it; exit 9' TERM
echo ready
while :; do sleep 0.1; done
END
"$zpager" run "${run_options[@]}" -- sh handler.sh >out 2>err &
child=$!
for _ in $(seq 100); do grep -q ready out && break; sleep 0.1; done
kill -TERM $child
wait $child
[ $? -eq 9 ] && grep -q 'got it' out || bad "SIGTERM did not reach the handler: $(cat out err)"

# SIGKILL to zpager takes the program along.
"$zpager" run "${run_options[@]}" -- sh -c 'echo $$ >pid; exec sleep 60' 2>/dev/null &
child=$!
for _ in $(seq 100); do [ -s pid ] && break; sleep 0.1; done
kill -KILL $child
wait $child 2>/dev/null
for _ in $(seq 50); do kill -0 "$(cat pid)" 2>/dev/null || break; sleep 0.1; done
kill -0 "$(cat pid)" 2>/dev/null && bad "the program outlived zpager"

echo "statistics"
"$zpager" run "${run_options[@]}" --ram 16M --stats stats.json -- $python -c 'x = bytearray(30 << 20)' 2>/dev/null
$python - stats.json <<'END' || bad "--stats: $(cat stats.json)"
import json, sys
data = json.load(open(sys.argv[1]))
assert data["exit_status"] == 0 and data["signal"] == 0
assert data["budget_bytes"] == 16 << 20
assert data["peak_rss_bytes"] > 16 << 20
assert data["faults"] > 1000 and data["pages_out"] > 3000
assert data["processes"][0]["pager"]["pages_zeroed"] > 7000
assert data["processes"][0]["program"].startswith("python")
assert data["processes"][0]["pager"]["pagefaults"] == data["faults"]
END
{ "$zpager" run "${run_options[@]}" --ram 16M --stats stats.json -- $python -c '
import os, signal, time
x = bytearray(30 << 20)
time.sleep(0.5)
os.kill(os.getpid(), signal.SIGKILL)' & wait $!; } 2>/dev/null
grep -q '"signal": 9' stats.json && ! grep -q '"pages_out": 0,' stats.json ||
	bad "figures of a killed program: $(cat stats.json)"

echo "file descriptors"
ends 0 '3' -- $python -c 'import os; print(os.open("/dev/null", os.O_RDONLY))' 3<&-
ends 0 'ok' -- $python -c '
import os
os.closerange(3, 65536)
x = bytearray(40 << 20)
for i in range(3, 1024):
    try: os.dup2(1, i)
    except OSError: pass
assert sum(x[::4096]) == 0
x[::4096] = b"a" * len(x[::4096])
assert x.count(b"a") == len(x[::4096])
print("ok")'

echo "signal mode"
cat >touch.c <<'END'
#include <stdlib.h>
int main(void)
{
	size_t n = (30 << 20) / sizeof(long), bad = 0;
	long *words = malloc(n * sizeof(long));

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < n; i += 100) words[i] = (long)i + round;
		for (size_t i = 0; i < n; i += 100) bad += words[i] != (long)i + round;
	}
	return bad == 0 ? 42 : 1;
}
END
gcc -O1 -o touch touch.c || bad "gcc"
ends 42 '' --fault-mode signal -- ./touch
ends 42 '' --mechanism copy --eviction lru -- ./touch
# A program without the library keeps the filter and has no handler.
cat >static.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
int main(void)
{
	char *big = malloc(10 << 20);
	struct iovec v[2] = {{memset(big, 'a', 10 << 20), 3}, {"b\n", 2}};

	return writev(1, v, 2) == 5 ? 42 : 1;
}
END
if gcc -O1 -static -o static static.c 2>/dev/null; then
	ends 42 'aaab' --fault-mode signal -- sh -c './static'
fi
ends 0 'bare' --fault-mode signal -- env -i /bin/echo bare
ends 0 'deep' --fault-mode signal -- sh -c 'sh -c "sh -c \"echo deep | cat\""'
ends 0 'chosen' --fault-mode auto -- sh -c 'echo chosen | cat'
echo 'int main(void) { return *(volatile int *)8; }' >crash.c
gcc -O1 -o crash crash.c || bad "gcc"
ends 139 '' --fault-mode signal -- ./crash
grep -q 'SIGSEGV in signal mode.*--fault-mode monitor' err || bad "no hint: $(cat err)"

echo "children"
cat >fork.py <<'END'
import os
n = 150000
table = {i: "value %d" % i for i in range(n)}
total = sum(map(len, table.values()))
reader, writer = os.pipe()
child = os.fork()
if child == 0:
    assert sum(map(len, table.values())) == total
    for i in range(0, n, 3):
        table[i] = "changed by the child %d" % i
    os.write(writer, b"%d" % sum(map(len, table.values())))
    os._exit(5)
for i in range(0, n, 5):
    table[i] = "parent"
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
print(os.read(reader, 100).decode(), sum(map(len, table.values())))
END
expected=$($python fork.py)
for store in default file: 'lz4:size=1G&own=yes' 'ram:size=1G&own=yes'; do
	mapfile -t options < <(store_option "$store")
	ends 0 "$expected" --ram 14M --ram 16M "${options[@]}" -- $python fork.py
done
ends 0 'got a' -- bash -c 'echo a | cat | (read x; echo got $x)'
ends 0 '1000000 3' -- perl -e '$| = 1; my $x = "a" x 1000000;
	if (!fork) { print length($x); exit 3 } wait; print " ", $? >> 8, "\n"'
ends 0 'spawned' -- $python -c 'import subprocess; print(subprocess.check_output(["echo", "spawned"], text=True), end="")'
ends 0 'replaced' -- sh -c 'exec echo replaced'

echo "other ways to fork, and what is around it"
cat >forms.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define N 300000

static char *lines[N]; /* more than the budget */

static int good(void)
{
	int n = 0;
	char line[64];

	for (int i = 0; i < N; i++) {
		snprintf(line, sizeof(line), "line %d of many that take some room", i);
		n += strcmp(line, lines[i]) == 0;
	}
	return n == N;
}

int main(int argc, char **argv)
{
	char text[64] = "";
	void *library;
	int fd, status;
	pid_t child;

	for (int i = 0; i < N; i++)
		if (asprintf(&lines[i], "line %d of many that take some room", i) < 0)
			return 1;
	if (strcmp(argv[1], "forkpty") == 0) {
		child = forkpty(&fd, NULL, NULL, NULL);
		if (child == 0) {
			printf("%d %d\n", good(), isatty(0));
			exit(0);
		}
		if (read(fd, text, sizeof(text) - 1) < 0)
			return 1;
		waitpid(child, &status, 0);
		printf("%.3s %d %d\n", text, status, good());
	} else if (strcmp(argv[1], "daemon") == 0) {
		FILE *file = fopen(argv[2], "w");

		if (daemon(1, 0) != 0)
			return 1;
		fprintf(file, "%d %d\n", good(), getsid(0) == getpid());
		fclose(file);
	} else if (strcmp(argv[1], "unloaded") == 0) {
		library = dlopen("./handlers.so", RTLD_NOW);
		if (library == NULL || (child = fork()) < 0)
			return 1;
		if (child == 0)
			_exit(*(int *)dlsym(library, "called"));
		waitpid(child, &status, 0);
		printf("%d %d ", WEXITSTATUS(status), *(int *)dlsym(library, "called"));
		dlclose(library);
		child = fork();
		if (child == 0)
			_exit(good());
		waitpid(child, &status, 0);
		printf("%x\n", status);
	}
	return argc > 3;
}
END
cat >handlers.c <<'END'
#include <pthread.h>

int called;

static void prepare(void) { called += 1; }
static void parent(void) { called += 10; }
static void child(void) { called += 100; }

__attribute__((constructor)) static void begin(void) { pthread_atfork(prepare, parent, child); }
END
gcc -O1 -o forms forms.c -lutil && gcc -O1 -shared -fPIC -o handlers.so handlers.c || bad "gcc"
ends 0 '1 1 0 1' -- ./forms forkpty
ends 0 '101 11 100' -- ./forms unloaded
ends 0 '' -- ./forms daemon answer
for _ in $(seq 200); do [ -s answer ] && break; sleep 0.1; done
[ "$(cat answer)" = '1 1' ] || bad "after daemon(): $(cat answer)"

exit $failed
