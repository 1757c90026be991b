#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
#
# demo_index.py - the Debian package index as tables that sqlite3 can import.
#
# Reads what `apt-cache dumpavail` prints and writes three files of tab-separated values:
#
#   DIRECTORY/package.tsv      id, name, version, architecture, section, priority, maintainer,
#                              source, installed KiB, size, description
#   DIRECTORY/field.tsv        package id, name, value: every field of every record
#   DIRECTORY/dependency.tsv   package id, kind, number of the group of alternatives, target, version

import re
import sys

KINDS = ("Depends", "Pre-Depends", "Recommends", "Suggests", "Enhances", "Breaks", "Conflicts",
         "Replaces", "Provides")
COLUMNS = ("Package", "Version", "Architecture", "Section", "Priority", "Maintainer", "Source",
           "Installed-Size", "Size", "Description")
TARGET = re.compile(r"^\s*([^\s(:\[]+)[^(]*(?:\(([^)]*)\))?")


def records(lines):
    """Each record as a list of (name, value); lines of a value are joined by blanks."""
    record = []
    for line in lines:
        line = line.rstrip("\n")
        if not line:
            if record:
                yield record
            record = []
        elif line[0] in " \t" and record:
            record[-1][1] += " " + line.strip()
        elif ":" in line:
            name, value = line.split(":", 1)
            record.append([name, value.strip()])
    if record:
        yield record


def clean(value):
    return value.replace("\t", " ").replace('"', "'")


def write(file, *values):
    file.write("\t".join(clean(str(value)) for value in values) + "\n")


def dependencies(fields):
    for kind in KINDS:
        groups = [group for group in fields.get(kind, "").split(",") if group.strip()]
        for number, group in enumerate(groups):
            for alternative in group.split("|"):
                match = TARGET.match(alternative)
                if match:
                    yield kind, number, match.group(1), match.group(2) or ""


def main():
    folder = sys.argv[1]
    names = ("package", "field", "dependency")
    package, field, dependency = (open(f"{folder}/{name}.tsv", "w", encoding="utf-8")
                                  for name in names)
    count = 0
    for count, record in enumerate(records(sys.stdin), 1):
        fields = dict(record)
        write(package, count, *(fields.get(column, "") for column in COLUMNS))
        for name, value in record:
            write(field, count, name, value)
        for entry in dependencies(fields):
            write(dependency, count, *entry)
    for file in (package, field, dependency):
        file.close()
    print(count)
    return 0 if count > 0 else 1


if __name__ == "__main__":
    sys.stdin.reconfigure(encoding="utf-8", errors="replace")
    sys.exit(main())
