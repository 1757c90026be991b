#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
#
# drop_segment.py FROM TO NAME - copy a 64-bit little-endian ELF so that a loader does not load section NAME.
#
# The program header of the section becomes one of type PT_NULL; everything else stays. (objcopy -R
# would leave an empty segment with address 0, which QEMU takes for where the kernel begins.)

import struct
import sys


def main():
    source, target, wanted = sys.argv[1:]
    with open(source, "rb") as file:
        elf = bytearray(file.read())
    if elf[:6] != b"\x7fELF\x02\x01":
        sys.exit("drop_segment: %s is no 64-bit little-endian ELF" % source)
    phoff, shoff = struct.unpack_from("<QQ", elf, 32)
    phsize, phnum, shsize, shnum, names = struct.unpack_from("<5H", elf, 54)
    strings = struct.unpack_from("<Q", elf, shoff + names * shsize + 24)[0]
    addresses = set()
    for i in range(shnum):
        name, = struct.unpack_from("<I", elf, shoff + i * shsize)
        address, = struct.unpack_from("<Q", elf, shoff + i * shsize + 16)
        end = elf.index(b"\0", strings + name)
        if elf[strings + name:end].decode() == wanted:
            addresses.add(address)
    if not addresses:
        sys.exit("drop_segment: %s has no section %s" % (source, wanted))
    for i in range(phnum):
        at = phoff + i * phsize
        if struct.unpack_from("<Q", elf, at + 16)[0] in addresses:
            struct.pack_into("<I", elf, at, 0)
    with open(target, "wb") as file:
        file.write(elf)


if __name__ == "__main__":
    main()
