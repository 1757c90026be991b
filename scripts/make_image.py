#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
#
# make_image.py - a program as the kernel wants it on a disk (user/image.h), from a linked ELF file.
#
#   make_image.py [--stack BYTES] ELF IMAGE
#
# The loaded segments are, in this order: read + execute, read, read + write; user/program.ld makes them so.

import argparse
import struct
import sys

PAGE = 4096
MAGIC = 0x31676d6972657375
LOAD = 1
EXECUTE, WRITE, READ = 1, 2, 4
MACHINES = {62: "x86_64", 183: "arm64", 243: "riscv64"}


def fail(what):
    sys.exit("make_image: %s" % what)


def pages(size):
    return (size + PAGE - 1) // PAGE


def read_elf(path):
    """The entry, and (flags, address, bytes in the file, size in memory) of what is loaded."""
    with open(path, "rb") as file:
        elf = file.read()
    if elf[:6] != b"\x7fELF\x02\x01":
        fail("%s is not a little-endian ELF file of 64 bits" % path)
    kind, machine, _, entry, headers = struct.unpack_from("<HHIQQ", elf, 16)
    if kind != 2 or machine not in MACHINES:
        fail("%s is not a program for %s" % (path, ", ".join(MACHINES.values())))
    size, count = struct.unpack_from("<HH", elf, 54)
    segments = []
    for i in range(count):
        type_, flags, offset, address, _, in_file, in_memory, _ = struct.unpack_from(
            "<IIQQQQQQ", elf, headers + i * size)
        if type_ == LOAD and in_memory:
            segments.append((flags, address, elf[offset:offset + in_file], in_memory))
    return entry, segments


def make(entry, segments, stack):
    if [s[0] for s in segments] != [READ | EXECUTE, READ, READ | WRITE]:
        fail("not three segments of code, constants and data")
    parts = []
    body = b""
    end = 0
    for flags, address, content, in_memory in segments:
        if address % PAGE or address < end:
            fail("the segment at 0x%x does not begin with a page of its own" % address)
        n = pages(len(content))
        parts.append((address, n, 1 + len(body) // PAGE))
        body += content + bytes(n * PAGE - len(content))
        end = address + pages(in_memory) * PAGE
        if flags & WRITE:
            parts.append((address + n * PAGE, pages(in_memory) - n, 0))
        elif in_memory != len(content):
            fail("the segment at 0x%x is not in the file as a whole" % address)
    header = struct.pack("<QQ", MAGIC, entry)
    for part in parts:
        header += struct.pack("<QQQ", *part)
    header += struct.pack("<QQ", pages(stack) * PAGE, 1 + len(body) // PAGE)
    return header + bytes(PAGE - len(header)) + body


def main():
    parser = argparse.ArgumentParser(description="A program for the disk of a board.")
    parser.add_argument("--stack", type=int, default=256 << 10, help="bytes of stack it wants")
    parser.add_argument("elf")
    parser.add_argument("image")
    options = parser.parse_args()
    image = make(*read_elf(options.elf), options.stack)
    with open(options.image, "wb") as file:
        file.write(image)


main()
