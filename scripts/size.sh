#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# size.sh [--keep] - what the pager costs a kernel in text, data and bss, for each architecture.
#
# Compiled with -Os and assertions off, as configs/kernel_<arch>_defconfig says but with what a small
# system does without (ZPAGER_CHECK=n: the walkers over the state; ZPAGER_EVENTS=n: the ring of events;
# ZPAGER_GHOSTS=n: recognising refaults, which nru does not want to know). Parts:
#
#   core    what the linker keeps of core/ for the two functions that the specification lets a kernel
#           call (z_page_fault, z_page_frame_evict), start-up, map and unmap
#   nru     the eviction algorithm    ram    the RAM store, with slots.c and table.c
#   hooks   arch/<arch>/mmu.c: the hooks of arch.h on that MMU's tables
#
# and, for comparison, all of core/ whether something calls it or not, and the first three in one link
# with link-time optimization ("with-lto"). The sum of the four parts is
# compared with docs/SIZE.txt: more than 2 % above what stands there is a failure, and so is more than
# the limit of LIMIT_<arch> bytes. --keep writes docs/SIZE.txt anew.
#
# Exit: 0 right, 1 grown too much, 77 no cross compiler at all (scripts/setup.sh installs them).
set -euo pipefail

source=$(cd "$(dirname "$0")/.." && pwd)
kept=$source/docs/SIZE.txt
LIMIT_arm64=12288

compiler_of() {
	case $1 in
	x86_64) echo "gcc -mno-red-zone -mgeneral-regs-only -fcf-protection=none" ;;
	arm64) echo "aarch64-linux-gnu-gcc -mgeneral-regs-only -mno-outline-atomics" ;;
	riscv64) echo "riscv64-linux-gnu-gcc -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany" ;;
	esac
}

binutils_of() {
	case $1 in
	x86_64) echo "" ;;
	arm64) echo aarch64-linux-gnu- ;;
	riscv64) echo riscv64-linux-gnu- ;;
	esac
}

roots=(z_page_fault z_page_frame_evict z_kernel_pager_bytes z_kernel_pager_init z_pager_map
	z_pager_unmap)

# Text (with read-only data), data, bss of the objects given.
size_of() {
	"$1"size -t "${@:2}" | awk 'END { print $1, $2, $3 }'
}

compile_parts() {
	local arch=$1 work=$2 file
	local flags=(-std=gnu11 -Os -DNDEBUG -ffreestanding -nostdinc -fno-stack-protector -fno-common
		-fno-strict-aliasing -fno-pic -ffunction-sections -fdata-sections
		-fno-asynchronous-unwind-tables -fno-unwind-tables)
	read -ra cc <<<"$(compiler_of "$arch")" # the caller's

	{ cat "$source/configs/kernel_${arch}_defconfig"
	echo "CONFIG_ZPAGER_EVENTS=n"
	echo "CONFIG_ZPAGER_GHOSTS=n"
	echo "CONFIG_ZPAGER_CHECK=n"; } >"$work/defconfig"
	/usr/bin/python3 "$source/scripts/genconfig.py" "$source/Kconfig" "$work/defconfig" "$work"
	cc+=("${flags[@]}" -isystem "$("${cc[0]}" -print-file-name=include)" -I "$source/include"
		-include "$work/zpager/autoconf.h")
	mkdir "$work/core" "$work/nru" "$work/ram" "$work/hooks"
	for file in "$source"/core/*.c; do
		[ "$(basename "$file")" = mmu_custom.c ] ||
			"${cc[@]}" -c "$file" -o "$work/core/$(basename "$file" .c).o"
	done
	"${cc[@]}" -c "$source/eviction/nru.c" -o "$work/nru/nru.o"
	for file in ram slots table; do
		"${cc[@]}" -c "$source/store/$file.c" -o "$work/ram/$file.o"
	done
	[ ! -e "$source/arch/$arch/mmu.c" ] ||
		"${cc[@]}" -c "$source/arch/$arch/mmu.c" -o "$work/hooks/mmu.o"
}

# The first three parts compiled with -flto and linked; what they call of others is not resolved.
link_with_lto() {
	local arch=$1 work=$2 root files=() keep=()
	for root in "${roots[@]}" z_ram_store_open z_eviction_nru; do
		keep+=("-Wl,-u,$root")
	done
	for file in "$source"/core/*.c "$source"/eviction/nru.c "$source"/store/{ram,slots,table}.c; do
		[ "$(basename "$file")" = mmu_custom.c ] || files+=("$file")
	done
	"${cc[@]}" -flto -nostdlib -static -no-pie -Wl,--gc-sections -Wl,-e,z_page_fault \
		-Wl,--unresolved-symbols=ignore-all -Wl,--build-id=none "${keep[@]}" \
		-o "$work/lto.elf" "${files[@]}" 2>"$work/lto.log" || { cat "$work/lto.log" >&2; return 1; }
}

# Lines `<arch> <part> <text> <data> <bss>`.
measure() {
	local arch=$1 work=$2 tool root keep=() part cc
	tool=$(binutils_of "$arch")
	compile_parts "$arch" "$work"
	link_with_lto "$arch" "$work"
	for root in "${roots[@]}"; do
		keep+=(-u "$root")
	done
	"${tool}ld" -r --gc-sections -e z_page_fault "${keep[@]}" -o "$work/core/linked.ro" "$work"/core/*.o
	"${tool}ld" -r --gc-sections -e z_ram_store_open -o "$work/ram/linked.ro" "$work"/ram/*.o
	"${tool}ld" -r --gc-sections -e z_eviction_nru -o "$work/nru/linked.ro" "$work"/nru/*.o
	for part in core nru ram; do
		echo "$arch $part $(size_of "$tool" "$work/$part/linked.ro")"
	done
	if [ -e "$work/hooks/mmu.o" ]; then
		echo "$arch hooks $(size_of "$tool" "$work/hooks/mmu.o")"
	fi
	echo "$arch with-lto $(size_of "$tool" "$work/lto.elf")"
	echo "$arch all-of-core $(size_of "$tool" "$work"/core/*.o)"
}

table() {
	awk '{ printf "%-8s %-12s %7d %7d %7d\n", $1, $2, $3, $4, $5 }
	$2 != "all-of-core" && $2 != "with-lto" { t[$1] += $3; d[$1] += $4; b[$1] += $5 }
	$2 == "all-of-core" { printf "%-8s %-12s %7d %7d %7d\n", $1, "sum", t[$1], d[$1], b[$1] }' "$1"
}

sum_in() {
	awk -v arch="$2" '$1 == arch && $2 == "sum" { print $3 }' "$1"
}

compare() {
	local arch=$1 now before limit=LIMIT_$1
	now=$(sum_in "$2" "$arch")
	before=$([ ! -e "$kept" ] || sum_in "$kept" "$arch")
	if [ -z "$before" ]; then
		echo "size: $arch: nothing kept to compare with" >&2
	elif [ $((now * 100)) -gt $((before * 102)) ]; then
		echo "size: $arch: text grew from $before to $now; if that is right: scripts/size.sh --keep" >&2
		return 1
	fi
	if [ -n "${!limit:-}" ] && [ "$now" -gt "${!limit}" ]; then
		echo "size: $arch: $now bytes of text, above the goal of ${!limit}" >&2
	fi
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
found=()
: >"$work/lines"
for arch in ${ARCHS:-x86_64 arm64 riscv64}; do
	read -ra cc <<<"$(compiler_of "$arch")"
	if ! command -v "${cc[0]}" >/dev/null; then
		echo "size: ${cc[0]} is not installed, $arch skipped; run make setup"
		continue
	fi
	[ -e "$source/arch/$arch/mmu.c" ] || echo "size: there is no arch/$arch: without its hooks"
	mkdir "$work/$arch"
	measure "$arch" "$work/$arch" >>"$work/lines"
	found+=("$arch")
done
[ ${#found[@]} -gt 0 ] || exit 77
{ printf '%-8s %-12s %7s %7s %7s\n' arch part text data bss
table "$work/lines"; } >"$work/table"
cat "$work/table"
if [ "${1:-}" = --keep ]; then
	cp "$work/table" "$kept"
fi
for arch in "${found[@]}"; do
	compare "$arch" "$work/table" || status=1
done
exit "$status"
