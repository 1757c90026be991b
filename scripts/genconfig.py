#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
#
# genconfig.py - read Kconfig and one defconfig, write autoconf.h (and the full .config beside it).
#
#   genconfig.py KCONFIG DEFCONFIG OUTPUT_DIRECTORY     writes OUTPUT_DIRECTORY/zpager/autoconf.h
#
# Needs Debian's python3-kconfiglib, hence the system's python. A name that Kconfig does not know, a
# value that is out of its range, or numbers that contradict each other: one line and exit 1. The
# header is rewritten only when it changes, so that nothing is compiled again without need.

import os
import sys

try:
    import kconfiglib
except ImportError:
    sys.exit("genconfig: python3-kconfiglib is missing; run `make setup`")

HEADER = ("/* SPDX-License-Identifier: Apache-2.0 */\n"
          "/* autoconf.h - the configuration, made by scripts/genconfig.py; do not edit. */\n")


def number(kconf, name):
    symbol = kconf.syms[name]
    return int(symbol.str_value, 0) if symbol.str_value else 0


def contradictions(kconf):
    """Conditions that Kconfig's language cannot express."""
    if kconf.syms["MMU"].str_value != "y":
        return
    page = number(kconf, "MMU_PAGE_SIZE")
    if page & (page - 1):
        yield "MMU_PAGE_SIZE is not a power of two"
        return
    if number(kconf, "SRAM_SIZE_KIB") * 1024 != number(kconf, "Z_NUM_PAGE_FRAMES") * page:
        yield "SRAM_SIZE_KIB is not Z_NUM_PAGE_FRAMES * MMU_PAGE_SIZE"
    for name in ("KERNEL_VM_BASE", "KERNEL_VM_SIZE", "SRAM_BASE"):
        if number(kconf, name) % page:
            yield "%s is not a multiple of MMU_PAGE_SIZE" % name


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: genconfig.py KCONFIG DEFCONFIG OUTPUT_DIRECTORY")
    kconfig, defconfig, output = sys.argv[1:]
    kconf = kconfiglib.Kconfig(kconfig, warn_to_stderr=False)
    kconf.warn_assign_undef = True
    kconf.load_config(defconfig)
    problems = list(kconf.warnings) + list(contradictions(kconf))
    if problems:
        sys.exit("\n".join("genconfig: %s: %s" % (defconfig, p.strip()) for p in problems))
    directory = os.path.join(output, "zpager")
    os.makedirs(directory, exist_ok=True)
    kconf.write_autoconf(os.path.join(directory, "autoconf.h"), header=HEADER)
    kconf.write_config(os.path.join(output, "config"), header="", save_old=False)


main()
