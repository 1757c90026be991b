#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# freestanding.sh - show that the portable part needs no operating system and no C library.
#
#   freestanding.sh [x86_64|arm64|riscv64] [no_paging]    without an argument: all of it
#
# Compiles core/, eviction/ and the stores of store/freestanding.list for the architecture, with the
# compiler's own headers and nothing else, under configs/kernel_<arch>_defconfig; also every header
# of include/zpager by itself. Then nm: what all of it together lacks may only be the four functions
# that a compiler may call by itself, and, in a build for somebody else's algorithm or store, the
# names of the specification. With no_paging only the headers, under configs/no_paging_defconfig.
#
# Exit: 0 right, 77 the cross compiler is not there (scripts/setup.sh installs it), 1 wrong.
set -euo pipefail

source=$(cd "$(dirname "$0")/.." && pwd)
allowed='^(memcpy|memmove|memset|memcmp|z_eviction_(select|init)|z_backing_store_[a-z_]+)$'
flags=(-std=c11 -O2 -ffreestanding -nostdinc -fno-stack-protector -fno-common
	-fno-strict-aliasing -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes
	-Wmissing-prototypes -Werror)

compiler_of() {
	case $1 in
	x86_64) echo "gcc -mno-red-zone -mgeneral-regs-only" ;;
	arm64) echo "aarch64-linux-gnu-gcc -mgeneral-regs-only -mno-outline-atomics" ;;
	riscv64) echo "riscv64-linux-gnu-gcc -mcmodel=medany" ;;
	*) echo "freestanding: unknown architecture $1" >&2; exit 1 ;;
	esac
}

sources_to_compile() {
	local name
	find "$source/core" "$source/eviction" -maxdepth 1 -name '*.c' | sort
	grep '^[a-z]' "$source/store/freestanding.list" | while read -r name; do
		[ ! -e "$source/store/$name" ] || echo "$source/store/$name"
	done
}

one_arch() {
	local arch=$1 config=$2 work compiler file object count=0
	read -ra compiler <<<"$(compiler_of "$arch")"
	if ! command -v "${compiler[0]}" >/dev/null; then
		echo "freestanding: ${compiler[0]} is not installed, $arch skipped; run make setup"
		return 77
	fi
	work=$(mktemp -d)
	trap 'rm -rf "$work"' RETURN
	/usr/bin/python3 "$source/scripts/genconfig.py" "$source/Kconfig" \
		"$source/configs/$config" "$work" || return 1
	compiler+=("${flags[@]}" -isystem "$("${compiler[0]}" -print-file-name=include)"
		-I "$source/include" -include "$work/zpager/autoconf.h")

	for file in "$source"/include/zpager/*.h; do
		"${compiler[@]}" -fsyntax-only -x c "$file" \
			2>"$work/log" || { cat "$work/log" >&2; return 1; }
	done
	[ "$config" != no_paging_defconfig ] || { echo "freestanding: headers without paging: ok"; return 0; }

	mkdir "$work/objects"
	for file in $(sources_to_compile); do
		object=$work/objects/$(basename "$(dirname "$file")")-$(basename "$file" .c).o
		"${compiler[@]}" -c "$file" -o "$object" || return 1
		count=$((count + 1))
	done
	if [ "$count" -eq 0 ]; then
		echo "freestanding: $arch: there is no source yet" >&2
		return 1
	fi
	"${compiler[0]}" -r -nostdlib -o "$work/whole.o" "$work"/objects/*.o || return 1
	if nm -u "$work/whole.o" | awk '$1 == "U" { print $2 }' | grep -vE "$allowed" >"$work/lacks"; then
		echo "freestanding: $arch: the portable part needs more than it may:" >&2
		sed 's/^/  /' "$work/lacks" >&2
		return 1
	fi
	echo "freestanding: $arch: $count files, $(size "$work/whole.o" | awk 'NR == 2 { print $1 }') bytes of code: ok"
}

if [ $# -eq 0 ]; then
	for arch in x86_64 arm64 riscv64; do
		one_arch "$arch" "kernel_${arch}_defconfig" || exit $?
	done
	one_arch x86_64 no_paging_defconfig
elif [ "${2:-}" = no_paging ]; then
	one_arch "$1" no_paging_defconfig
else
	one_arch "$1" "kernel_$1_defconfig"
fi
