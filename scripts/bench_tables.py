#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
#
# bench_tables.py FOLDER [--into FILE] - the figures that `make bench` left in a folder as tables of
# Markdown: on stdout, or into a page between its lines "<!-- figures -->" and "<!-- end of figures -->".

import argparse
import json
import os
import sys

BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->\n"
MIB = 1 << 20


def load(folder, name):
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        return None
    with open(path) as file:
        return json.load(file)


def number(value, unit=1.0):
    if value is None:
        return "-"
    value /= unit
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def row(*cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def head(*cells):
    return row(*cells) + "|" + "---|" * len(cells) + "\n"


def verdict(wanted, got):
    if got is None:
        return "not measured"
    return "reached" if got <= wanted else f"missed by {got - wanted:.2f}"


def targets(bench, programs):
    text = "### Targets\n\n" + head("against", "of", "cells", "at most", "ratio", "")
    for t in bench["targets"]:
        text += row(t["against"], t["of"], t["cells"], t["wanted"], number(t["got"]),
                    verdict(t["wanted"], t["got"]))
    for p in programs or []:
        text += row("the program on zram, same limit", p["program"], 1, p["target"],
                    number(p["ratio"]), verdict(p["target"], p["ratio"]))
    return text + row("LLNL umap", "all cells", 0, "0.15 / 0.45", "-", "not measured: no peer here")


def cells(bench):
    text = (f"\n### Cells: region {bench['region_bytes'] // MIB} MiB, {bench['seconds']:g} s a cell, "
            f"medians of {bench['rounds']}\n\n")
    text += head("peer", "contents", "threads", "RAM", "access", "ns/access", "noise", "us/fault",
                 "faults/access", "p50 us", "p99 us", "p99.9 us", "CPU us", "bytes written", "RAM MiB",
                 "of it store", "ratio")
    for run in bench["runs"]:
        about = (run["peer"], run["contents"], run["threads"], f"1/{run['share']}")
        if run["skipped"]:
            text += row(*about, "skipped: " + run["skipped"], *[""] * 12)
        for cell in run["cells"]:
            text += row(*about, f"{cell['pattern']} {cell['access']}", number(cell["ns_per_access"]),
                        f"{cell['noise'] * 100:.0f} %" if cell["rounds"] > 1 else "-", number(cell["ns_per_fault"], 1000),
                        number(cell["faults_per_access"]), number(cell["p50_ns"], 1000),
                        number(cell["p99_ns"], 1000), number(cell["p999_ns"], 1000),
                        number(cell["cpu_ns_per_access"], 1000),
                        number(cell["written_bytes_per_access"]), number(run["ram_bytes"], MIB),
                        number(run["store_bytes"], MIB), number(cell["ratio"]))
        for why in sorted(set(run["troubles"])):
            count = run["troubles"].count(why)
            text += row(*about, f"in {count} of {bench['rounds']} runs: {why}", *[""] * 12)
    return text


def program_table(programs):
    text = "\n### Programs\n\n" + head("program", "needs MiB", "given", "plain s", "zpager s", "zram s",
                                       "zpager RAM", "zram RAM", "ratio")
    for p in programs:
        seconds = [sorted(p["peers"][peer]["seconds"]) for peer in ("zpager", "zram")]
        middle = [number(s[len(s) // 2]) if s else p["peers"][peer]["why"]
                  for s, peer in zip(seconds, ("zpager", "zram"))]
        text += row(p["program"], number(p["need_kib"], 1024), number(p["given_kib"], 1024),
                    number(p["plain_s"]), *middle, number(p["peers"]["zpager"]["ram_kib"], 1024),
                    number(p["peers"]["zram"]["ram_kib"], 1024), number(p["ratio"]))
    return text


def mechanisms(probe):
    text = "\n### Mechanisms (`zpager probe`), ns a page\n\n" + head("mechanism", "alone", "2thr")
    for r in probe["rows"]:
        text += row(r["mechanism"], number(r["ns_alone"]), number(r["ns_2thr"]))
    return text


def main():
    parser = argparse.ArgumentParser(description="figures of make bench as Markdown")
    parser.add_argument("folder")
    parser.add_argument("--into", metavar="FILE")
    options = parser.parse_args()
    bench, programs, probe = (load(options.folder, name + ".json")
                              for name in ("bench", "programs", "probe"))
    if bench is None:
        sys.exit(f"bench_tables: no bench.json in {options.folder}; run make bench")
    text = f"{bench['date']}, Linux {bench['kernel']}, {bench['cpus']} CPUs.\n\n"
    text += targets(bench, programs) + cells(bench)
    text += program_table(programs) if programs else ""
    text += mechanisms(probe) if probe else ""
    if options.into is None:
        sys.stdout.write(text)
        return
    with open(options.into) as file:
        page = file.read()
    before, rest = page.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    with open(options.into, "w") as file:
        file.write(before + BEGIN + "\n" + text + "\n" + END + after)


if __name__ == "__main__":
    main()
