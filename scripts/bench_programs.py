#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
#
# bench_programs.py - unmodified programs under `zpager run` and on the kernel's swap on zram, with the
# same limit, in turn: wall times, RAM as seen from outside, and the ratio beside its target.
#
#   bench_programs.py [--quick] [--rounds N] [--share N] [--json FILE] [PROGRAM...]
#
# PROGRAM: sqlite3, sort, python3, redis. Each runs plain first, which says what it needs; the limit is
# 1/SHARE of that (default 4). The pager's store is RAM beyond its budget, as what zram keeps is beyond
# the cgroup's limit; a cgroup gets MARGIN more, for what of a program zpager does not page: data of its
# libraries, its stack (1.3 MiB of Private_Dirty in python3 and redis), page tables. Outputs are
# compared with the plain run's. What cannot run here is a line that says why.
#
#   ZPAGER_BUILD         where bin/zpager is (build/release)
#   ZPAGER_RUN_OPTIONS   more options of zpager run

import argparse
import json
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("ZPAGER_BUILD") or os.path.join(HERE, "..", "build", "release")
ZPAGER = os.path.realpath(os.path.join(BUILD, "bin", "zpager"))
OPTIONS = os.environ.get("ZPAGER_RUN_OPTIONS", "").split()
MARGIN_KIB = 2048
TRIES = 3
LEAST_KIB = 8192
TARGET = 0.8
LIMIT_S = 300
PYTHON = "/usr/bin/python3"

DICT = """
import hashlib, random, sys
n = int(sys.argv[1])
table = {"key %d" % i: "value %d of the dictionary" % (i * i) for i in range(n)}
for i in range(0, n, 5):
    del table["key %d" % i]
source = random.Random(7)
digest = hashlib.sha256()
for _ in range(n // 4):
    digest.update(table.get("key %d" % source.randrange(n), "none").encode())
print(len(table), digest.hexdigest(), sum(len(value) for value in table.values()))
"""


class Skipped(Exception):
    """It cannot run here."""


class Result:
    """One run of a program: wall time, output, and the RAM that its process had at most."""

    def __init__(self, seconds, output, ram_kib, said):
        self.seconds = seconds
        self.output = output
        self.said = said
        found = re.search(r"zpager: \w+: RAM ([\d.]+) (MiB|GiB) at most", said)
        if found:
            ram_kib = float(found.group(1)) * (1024 if found.group(2) == "MiB" else 1 << 20)
        self.ram_kib = ram_kib


def timed(work, argv):
    """The command under time(1), whose figure, unlike our own, is not above what we ourselves take."""
    return ["/usr/bin/time", "-q", "-f", "%M", "-o", os.path.join(work, "rss")] + argv


def start(argv, **how):
    """A process in a session of its own, so that all that it starts can be ended with it."""
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True, **how)


def end(process):
    """It and all that it started have ended when this returns."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def wait(process, work):
    """The status of a process and its peak RSS in KiB; it is ended if it takes too long."""
    try:
        status = process.wait(LIMIT_S)
    except subprocess.TimeoutExpired:
        raise Skipped("took too long and was ended")
    finally:
        end(process)
    with open(os.path.join(work, "rss")) as file:
        return status, int(file.read().split()[-1])


def judge(name, status, said):
    if status == 2 and "--on" in said:
        raise Skipped(said.strip().splitlines()[-1].replace("zpager: ", ""))
    if status != 0:
        last = said.strip().splitlines()[-1:] or ["no word"]
        raise Skipped(f"{name} ended with {status}: {last[0]}")


class Command:
    """A program that reads files and prints."""

    def __init__(self, name, argv):
        self.name = name
        self.argv = argv

    def run(self, prefix, work):
        with open(os.path.join(work, "out"), "w+b") as out, \
                open(os.path.join(work, "err"), "w+") as err:
            begin = time.monotonic()
            process = start(timed(work, prefix + self.argv), cwd=work, stdout=out, stderr=err)
            status, rss = wait(process, work)
            seconds = time.monotonic() - begin
            out.seek(0)
            err.seek(0)
            said = err.read()
            judge(self.name, status, said)
            return Result(seconds, out.read(), rss, said)


class Redis:
    """A server; what counts is the time in which it is filled and asked."""

    name = "redis"

    def __init__(self, work, values):
        for program in ("redis-server", "redis-cli"):
            if not shutil.which(program):
                raise Skipped(f"{program} is not installed")
        source = random.Random(11)
        self.port = str(20000 + os.getpid() % 20000)
        with open(os.path.join(work, "fill"), "w") as fill:
            for i in range(values):
                value = "%0500x" % source.getrandbits(2000) + "x" * 500
                fill.write(f"*3\r\n$3\r\nSET\r\n$16\r\nkey:{i:012d}\r\n${len(value)}\r\n{value}\r\n")
        with open(os.path.join(work, "ask"), "w") as ask:
            for _ in range(values // 2):
                ask.write(f"GET key:{source.randrange(values):012d}\n")

    def client(self, work, script, *more):
        with open(os.path.join(work, script), "rb") as file:
            return subprocess.run(["redis-cli", "-p", self.port, *more], stdin=file,
                                  capture_output=True, timeout=LIMIT_S, check=True).stdout

    def start(self, prefix, work, err):
        argv = ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--save", "",
                "--appendonly", "no", "--dir", work]
        server = start(timed(work, prefix + argv), stdout=subprocess.DEVNULL, stderr=err)
        for _ in range(300):
            answer = subprocess.run(["redis-cli", "-p", self.port, "ping"], capture_output=True)
            if answer.stdout.startswith(b"PONG"):
                return server
            if server.poll() is not None:
                break
            time.sleep(0.05)
        end(server)
        err.seek(0)
        judge("redis-server", server.returncode or 1, err.read())

    def ask(self, work):
        """Seconds that it takes to fill and to ask it, and its answers; None: it fails."""
        begin = time.monotonic()
        try:
            self.client(work, "fill", "--pipe")
            output = self.client(work, "ask")
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            output = None
        return time.monotonic() - begin, output

    def run(self, prefix, work):
        with open(os.path.join(work, "err"), "w+") as err:
            server = self.start(prefix, work, err)
            try:
                seconds, output = self.ask(work)
                subprocess.run(["redis-cli", "-p", self.port, "shutdown", "nosave"],
                               capture_output=True)
                status, rss = wait(server, work)
            finally:
                end(server)
            err.seek(0)
            said = err.read()
            judge("redis-server", status, said)
            if output is None:
                raise Skipped("redis-server does not answer all that it is asked")
            return Result(seconds, output, rss, said)


def make_sqlite(work, quick):
    if not shutil.which("sqlite3"):
        raise Skipped("sqlite3 is not installed")
    available = subprocess.Popen(["apt-cache", "dumpavail"], stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL)
    index = subprocess.run([PYTHON, os.path.join(HERE, "demo_index.py"), work],
                           stdin=available.stdout, capture_output=True)
    available.stdout.close()
    available.wait()
    if index.returncode != 0:
        raise Skipped("this machine has no package index; run apt-get update")
    for name in os.listdir(work):
        if name.endswith(".tsv"):
            path = os.path.join(work, name)
            with open(path, errors="surrogateescape") as file:
                lines = file.readlines()
            with open(path, "w", errors="surrogateescape") as file:
                file.writelines(lines[:len(lines) // (8 if quick else 2)])
    return Command("sqlite3", ["sqlite3", "-batch", ":memory:",
                               f".read {HERE}/demo_load.sql", f".read {HERE}/demo_queries.sql"])


def make_sort(work, quick):
    source = random.Random(1)
    with open(os.path.join(work, "input"), "w") as file:
        for i in range(120000 if quick else 300000):
            file.write("%016x %d some text that is the same\n" % (source.getrandbits(64), i))
    return Command("sort", ["sort", "-S", "4G", "--parallel=2", "input"])


def make_python(work, quick):
    with open(os.path.join(work, "dict.py"), "w") as file:
        file.write(DICT)
    return Command("python3", [PYTHON, "dict.py", "100000" if quick else "300000"])


def make_redis(work, quick):
    return Redis(work, 20000 if quick else 60000)


MAKERS = {"sqlite3": make_sqlite, "sort": make_sort, "python3": make_python, "redis": make_redis}


def prefixes(need_kib, given_kib):
    store = f"lz4:size={need_kib * 3 // 2048 + 16}M&own=yes"
    return {
        "zpager": [ZPAGER, "run", "--ram", f"{given_kib}K", "--store", store, *OPTIONS, "--"],
        "zram": [ZPAGER, "bench", "--on", "zram", "--ram", f"{given_kib + MARGIN_KIB}K", "--"],
    }


def run_again(program, prefix, work, figures):
    """A run. Whom the kernel kills in its cgroup, finding nothing to reclaim, gets another. None: no figure."""
    for _ in range(TRIES):
        try:
            return program.run(prefix, work)
        except Skipped as why:
            figures["why"] = str(why)
            if "killed by the kernel" not in str(why):
                break
    return None


def measure(name, options, work):
    """All rounds of a program: a dictionary for JSON."""
    program = MAKERS[name](work, options.quick)
    plain = program.run([], work)
    given_kib = max(int(plain.ram_kib) // options.share, LEAST_KIB)
    entry = {"program": name, "need_kib": plain.ram_kib, "given_kib": given_kib,
             "plain_s": plain.seconds, "rounds": options.rounds, "target": TARGET, "peers": {}}
    for _ in range(options.rounds):
        for peer, prefix in prefixes(int(plain.ram_kib), given_kib).items():
            figures = entry["peers"].setdefault(peer, {"seconds": [], "ram_kib": 0, "why": None})
            result = run_again(program, prefix, work, figures)
            if result is None:
                continue
            if result.output != plain.output:
                raise SystemExit(f"bench: {name} on {peer}: the output is WRONG")
            figures["seconds"].append(round(result.seconds, 3))
            figures["ram_kib"] = max(figures["ram_kib"], result.ram_kib)
    medians = [statistics.median(entry["peers"][peer]["seconds"] or [float("nan")])
               for peer in ("zpager", "zram")]
    ratio = medians[0] / medians[1]
    entry["ratio"] = ratio if ratio == ratio else None
    return entry


def seconds_text(figures):
    if not figures["seconds"]:
        return "-"
    return f"{statistics.median(figures['seconds']):.2f}"


def show(entry):
    peers = entry["peers"]
    ratio = entry["ratio"]
    if ratio is None:
        verdict = "not measured"
    elif ratio <= TARGET:
        verdict = f"{ratio:8.2f}  reached"
    else:
        verdict = f"{ratio:8.2f}  missed by {ratio - TARGET:.2f}"
    print(f"{entry['program']:8} {entry['need_kib'] / 1024:9.1f} {entry['given_kib'] / 1024:9.1f}"
          f" {entry['plain_s']:9.2f} {seconds_text(peers['zpager']):>9}"
          f" {seconds_text(peers['zram']):>9} {peers['zpager']['ram_kib'] / 1024:10.1f}"
          f" {peers['zram']['ram_kib'] / 1024:9.1f} {TARGET:8.2f} {verdict}", flush=True)
    for peer, figures in peers.items():
        if figures["why"]:
            print(f"{'':8} {peer}: {figures['why']}")


def main():
    parser = argparse.ArgumentParser(description="unmodified programs: zpager run against zram")
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help=", ".join(MAKERS))
    parser.add_argument("--quick", action="store_true", help="small inputs, one round")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--share", type=int, default=4, help="RAM is 1/SHARE of what it needs")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 3)
    wanted = options.programs or list(MAKERS)
    for name in wanted:
        if name not in MAKERS:
            parser.error(f"{name}: not known; {', '.join(MAKERS)}")
    entries = []
    print(f"{'program':8} {'needs MiB':>9} {'given':>9} {'plain s':>9} {'zpager s':>9} {'zram s':>9}"
          f" {'zpager RAM':>10} {'zram RAM':>9} {'at most':>8} {'ratio':>8}")
    for name in wanted:
        with tempfile.TemporaryDirectory(prefix="zpager-bench.", dir="/var/tmp") as work:
            try:
                entries.append(measure(name, options, work))
                show(entries[-1])
            except Skipped as why:
                print(f"{name:8} skipped: {why}")
    if options.json:
        with open(options.json, "w") as file:
            json.dump(entries, file, indent=1)


if __name__ == "__main__":
    for ending in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(ending, lambda number, frame: sys.exit(128 + number))
    main()
