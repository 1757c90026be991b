#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# sim_command.sh - `zpager sim` as a user calls it: table, JSON and picture of a small trace agree and
# can be read by others; what is wrong in a call is said, with exit status 2.
set -euo pipefail

zpager=$ZPAGER_BUILD/bin/zpager
trace=$ZPAGER_SOURCE/tests/eval/ffmpeg.pgt.zst
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# refused TEXT ARGUMENTS...: exit status 2, and stderr has the text.
refused() {
	local text=$1 status=0
	shift
	"$zpager" sim "$@" >"$work/out" 2>"$work/err" || status=$?
	[ "$status" = 2 ] || fail "sim $*: exit status $status"
	grep -qF -- "$text" "$work/err" || fail "sim $*: \"$(cat "$work/err")\" does not say \"$text\""
	[ ! -s "$work/out" ] || fail "sim $*: prints in spite of the error"
}

refused "wants --trace"
refused "no/such: No such file" --trace no/such
refused "not a trace" --trace "$0"
refused "no such algorithm" --trace "$trace" --eviction clock,nothing
refused "not a number of frames" --trace "$trace" --frames 0
refused "not a number of frames" --trace "$trace" --frames 10%:90
refused "not a number of frames" --trace "$trace" --frames 1:1000:1
refused "not bits, soft or none" --trace "$trace" --access hard
refused "not a number from 1" --trace "$trace" --readaround x
refused "takes no argument" "$trace"
refused "see zpager sim --help" --trace "$trace" --nothing
printf 'PGT2 k=0 pages=0 refs=0 ticks=0\n' >"$work/empty"
refused "without references" --trace "$work/empty"

# Every algorithm is there; a list, twice the same trace, and a range of sizes.
"$zpager" sim --help >"$work/help"
for name in $("$zpager" list | sed -n '/eviction algorithms/,$s/^  \([^ ]*\) .*/\1/p') opt opt-wb; do
	grep -q "^  $name " "$work/help" || fail "--help does not have $name"
done
"$zpager" sim --trace "$trace" >"$work/table"
"$zpager" sim --trace "$trace" --json --jobs 1 >"$work/json"
"$zpager" sim --trace "$trace,$trace" --frames 50%:100%:25%,3000 --eviction nru --trace "$trace" \
	--json --access soft --readaround 4 --together --svg "$work/picture.svg" >"$work/json2"
if "$zpager" sim --trace "$trace" --svg no/such/folder --summary >/dev/null 2>"$work/err"; then
	fail "a picture into nowhere is no error"
fi

/usr/bin/python3 - "$work" <<'END'
import json, math, re, sys
import xml.etree.ElementTree as xml

work = sys.argv[1]
one = json.load(open(work + "/json"))
cells = one["traces"][0]["cells"]
opt = {c["frames"]: c for c in cells if c["algorithm"] == "opt"}
assert [c["percent"] for c in opt.values()] == sorted(c["percent"] for c in opt.values())
assert len(opt) == 4 and len(cells) == 4 * len(one["summary"])
table = open(work + "/table").read()
for c in cells:
    assert abs(c["misses_to_opt"] - c["misses"] / opt[c["frames"]]["misses"]) < 1e-5
    assert c["cold"] == one["traces"][0]["pages"] <= c["misses"]
    assert re.search(r"\b%s +%d +%d " % (c["algorithm"], c["misses"], c["cold"]), table), c
for s in one["summary"]:
    own = [c["misses_to_opt"] for c in cells if c["algorithm"] == s["algorithm"]]
    mean = math.exp(sum(map(math.log, own)) / len(own))
    assert abs(mean - s["misses_to_opt"]) < 1e-5 and abs(max(own) - s["worst"]) < 1e-5
    assert re.search(r"^%s +%.3f " % (s["algorithm"], mean), table, re.M), s
best = [min(c["misses_to_opt"] for c in cells if c["frames"] == f and c["kind"] == "module")
        for f in opt]
best = math.exp(sum(map(math.log, best)) / len(best))
assert re.search(r"^best module +%.3f " % best, table, re.M), best

two = json.load(open(work + "/json2"))
assert two["access"] == "soft" and two["readaround"] == 4 and two["together"]
assert [c["frames"] for c in two["traces"][0]["cells"]][::2] == [10016, 15023, 20031, 3000]
assert [s["algorithm"] for s in two["summary"]] == ["opt", "nru"]
assert len(two["traces"]) == 3
picture = xml.parse(work + "/picture.svg").getroot()
space = "{http://www.w3.org/2000/svg}"
assert len(picture.findall(space + "g")) == 3
places = [(t.get("x"), t.get("y")) for t in picture.find(space + "g").iter(space + "text")]
assert len(set(places)) == len(places), "texts lie on one another"
texts = [t.text for t in picture.iter(space + "text")]
assert "nru" in texts and "opt, the floor" in texts and "misses per million instructions" in texts
END
# The evaluation of a folder: the one trace that is in the tree; and no folder, an empty one.
eval=$ZPAGER_SOURCE/scripts/eval_eviction.sh
env -u ZPAGER_TRACES TRACES="$ZPAGER_SOURCE/tests/eval" "$eval" "$zpager" >"$work/eval"
grep -q "geometric mean of 1 traces x 4 sizes" "$work/eval" || fail "eval_eviction.sh: $(cat "$work/eval")"
for folder in "" "$work"; do
	status=0
	env -u ZPAGER_TRACES TRACES="$folder" "$eval" "$zpager" 2>"$work/err" || status=$?
	[ "$status" = 2 ] && grep -q "eval-eviction: " "$work/err" ||
		fail "eval_eviction.sh with \"$folder\": exit status $status, $(cat "$work/err")"
done
echo "zpager sim: table, JSON, picture and errors are as they should be"
