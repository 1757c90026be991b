#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ctest-timeout: 600
#
# bench_command.sh - `zpager bench` and `zpager probe` in their smallest form: every cell has figures that
# make sense together, contents were compared, JSON and picture can be read by others, what the kernel
# does not give is skipped with a reason, and what is wrong in a call is said. No figure is judged.
set -euo pipefail

zpager=$ZPAGER_BUILD/bin/zpager
work=$(mktemp -d "${TMPDIR:-/tmp}/zpager-test.XXXXXX")
trap 'rm -rf "$work"' EXIT

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# refused TEXT ARGUMENTS...: exit status 2, and stderr has the text.
refused() {
	local text=$1 status=0
	shift
	"$zpager" "$@" >"$work/out" 2>"$work/err" || status=$?
	[ "$status" = 2 ] || fail "$*: exit status $status"
	grep -qF -- "$text" "$work/err" || fail "$*: \"$(cat "$work/err")\" does not say \"$text\""
	[ ! -s "$work/out" ] || fail "$*: prints in spite of the error"
}

[ -x "$zpager" ] || { echo "skipped: $zpager is not built"; exit 77; }
"$zpager" run --ram 16M -- true 2>"$work/err" || { echo "skipped: $(cat "$work/err")"; exit 77; }

refused "--peers nobody: not known" bench --peers nobody
refused "--patterns up: not known" bench --patterns random,up
refused "--access fast: not known" bench --access fast
refused "--contents none: not known" bench --contents none
refused "--threads 0: not numbers" bench --threads 0
refused "--threads 1,17: not numbers" bench --threads 1,17
refused "--budgets x: not numbers" bench --budgets x
refused "--region 1M: not a size of 16M" bench --region 1M
refused "--seconds 0: not from" bench --seconds 0
refused "--rounds 10: not a number" bench --rounds 10
refused "--eviction none: no algorithm" bench --eviction none
refused "--fault-mode none: use" bench --fault-mode none
refused "--dir $work/no: No such file" bench --dir "$work/no"
refused "--json $work/no/json: No such file" bench --json "$work/no/json"
refused "--svg $work/no/svg: No such file" bench --svg "$work/no/svg"
refused "takes no argument" bench more
refused "see zpager bench --help" bench --none
refused "use zram or swapfile" bench --on plain --ram 16M -- true
refused "wants --ram" bench --on zram -- true
refused "wants a program" bench --on zram --ram 16M
refused "takes no argument" probe more
refused "see zpager probe --help" probe --none
refused "--json $work/no/json: No such file" probe --json "$work/no/json"

"$zpager" bench --help >"$work/help"
"$zpager" bench --list >"$work/list"
grep -q -- --peers "$work/help" || fail "--help does not tell of --peers"

# Every pattern and kind of contents; one thread and two. As an ordinary user the cgroup is missing.
"$zpager" bench --peers zpager-lz4,plain,pread --region 16M --seconds 0.02 --rounds 2 --threads 1,2 \
	--dir "$work" --patterns random,sequential,zipf,strided,chase --json "$work/all.json" \
	--svg "$work/all.svg" >"$work/all" 2>"$work/err" || fail "all patterns: $(cat "$work/err")"
"$zpager" bench --peers zpager-lz4,zpager-file --region 16M --seconds 0.02 --rounds 1 \
	--contents half,hi,text,zero,counters,heap --patterns zipf --access both --budgets 1/2,1/8 \
	--dir "$work" --json "$work/contents.json" >/dev/null 2>"$work/err" ||
	fail "all contents: $(cat "$work/err")"
setpriv=()
if [ "$(id -u)" = 0 ]; then
	setpriv=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	mkdir "$work/nobody" && chmod 777 "$work/nobody" && chmod 755 "$work"
fi
(cd / && "${setpriv[@]}" test -x "$zpager") || { echo "skipped: others may not run $zpager"; exit 77; }
(cd / && "${setpriv[@]}" "$zpager" bench --peers plain,zram,mmap --region 16M --seconds 0.02 --rounds 1 \
	--patterns random --dir "${work}${setpriv:+/nobody}" 2>"$work/err" >"$work/user") ||
	fail "as an ordinary user: $(cat "$work/err")"
grep -q "^zram .*skipped: not root" "$work/user" || fail "no reason: $(cat "$work/user")"
grep -q "^mmap .*skipped: not root" "$work/user" || fail "no reason: $(cat "$work/user")"
"$zpager" probe --dir "$work" --json "$work/probe.json" >"$work/probe"

/usr/bin/python3 - "$work" <<'END'
import json, math, re, sys
import xml.etree.ElementTree as xml

work = sys.argv[1]
FIGURES = ("ns_per_access", "ns_per_fault", "p50_ns", "p99_ns", "p999_ns", "faults_per_access",
           "cpu_ns_per_access", "written_bytes_per_access", "noise")

def load(name):
    return json.load(open(f"{work}/{name}.json"))

def check(data, rounds):
    for run in data["runs"]:
        assert run["skipped"] is None and run["troubles"] == [], run
        assert run["words_wrong"] == 0
        assert run["peer"] == "pread" or run["pages_checked"] == 4000 * rounds, run
        assert run["ram_bytes"] > 1 << 20
        for cell in run["cells"]:
            assert cell["rounds"] == rounds
            assert all(math.isfinite(cell[name]) and cell[name] >= 0 for name in FIGURES), cell
            assert cell["ns_per_access"] > 0
            assert 0 < cell["p50_ns"] <= cell["p99_ns"] <= cell["p999_ns"]
            if run["peer"].startswith("zpager"):
                assert cell["faults_per_access"] > 0 and cell["ns_per_fault"] > 0

data = load("all")
check(data, 2)
assert data["region_bytes"] == 16 << 20 and data["rounds"] == 2
names = [(run["peer"], run["threads"]) for run in data["runs"]]
assert names == [(p, t) for t in (1, 2) for p in ("zpager-lz4", "plain", "pread")], names
for run in data["runs"]:
    got = [(cell["pattern"], cell["access"]) for cell in run["cells"]]
    want = [(p, a) for p in ("random", "sequential", "zipf", "strided", "chase")
            for a in ("read", "write", "both")]
    assert got == ([("random", "read")] if run["peer"] == "pread" else want), got
plain = [run for run in data["runs"] if run["peer"] == "plain"][0]
assert plain["ram_bytes"] >= 16 << 20
assert [target["got"] for target in data["targets"]] == [None] * len(data["targets"])
assert {target["wanted"] for target in data["targets"]} == {0.4, 0.8, 0.2, 0.1, 1.15, 1.0, 1.02}

data = load("contents")
check(data, 1)
assert len(data["runs"]) == 2 * 6 * 2
lz4 = {(run["contents"], run["share"]): run for run in data["runs"] if run["peer"] == "zpager-lz4"}
# What compresses well takes less; less RAM means more faults.
assert lz4["zero", 8]["ram_bytes"] < lz4["half", 8]["ram_bytes"]
faults = {key: run["cells"][0]["faults_per_access"] for key, run in lz4.items()}
assert faults["half", 8] > faults["half", 2]

table = open(work + "/all").read()
assert len(re.findall(r"^zpager-lz4 +half ", table, re.M)) == 2 * 15
assert len(re.findall(r"^plain +half ", table, re.M)) == 2 * 15
assert table.count("not measured") == len(load("all")["targets"])
root = xml.parse(work + "/all.svg").getroot()
assert root.tag.endswith("svg")
assert sum(1 for _ in root.iter("{http://www.w3.org/2000/svg}title")) == 1 + 2 * (15 * 2 + 1)

probe = load("probe")
rows = {row["mechanism"]: row for row in probe["rows"]}
for name in ("LZ4 compress, half random", "memcpy of a page, cold", "memcpy of a page, hot"):
    assert rows[name]["ns_alone"] > 0, name
if "UFFDIO_COPY, one page" in rows:
    assert rows["UFFDIO_COPY, one page"]["ns_alone"] > 0
    assert rows["signal + COPY, a read"]["ns_alone"] > 0
text = open(work + "/probe").read()
assert all(name in text for name in rows)
END
echo "zpager bench and zpager probe say what they have to"
