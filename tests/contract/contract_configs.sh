#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# contract_configs.sh - statements 6 and 9 of the contract: what of the specified interface exists in
# each of the four configurations MMU x DEMAND_PAGING. Headers by compiling probes, symbols by nm.
#
# Environment: ZPAGER_SOURCE, ZPAGER_BUILD (its autoconf.h is what is varied), CC [gcc].
# Exit: 0 right, 1 wrong.
set -euo pipefail

source=${ZPAGER_SOURCE:?} build=${ZPAGER_BUILD:?} cc=${CC:-gcc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wrong=0

functions="z_page_fault z_page_frame_evict z_eviction_select z_eviction_init
	z_backing_store_location_get z_backing_store_location_free z_backing_store_page_out
	z_backing_store_page_in z_backing_store_page_finalize z_backing_store_init"
defined="z_free_page_count z_kernel_pager z_kernel_pager_bytes z_kernel_pager_exit
	z_kernel_pager_init z_page_fault z_page_frame_evict z_page_frame_info z_page_frames
	z_eviction_custom z_store_custom_image_pages z_store_custom_open"

complain() {
	echo "contract_configs: MMU=$mmu DEMAND_PAGING=$paging: $*" >&2
	wrong=1
}

# Does this compile, as the text of a source?
compiles() {
	printf '#include <zpager/mmu.h>\n#include <zpager/export.h>\n%s\n' "$1" >"$work/probe.c"
	"${compile[@]}" -fsyntax-only "$work/probe.c" 2>"$work/log"
}

expect() {
	local wanted=$1 what=$2 text=$3 got=no
	if compiles "$text"; then got=yes; fi
	[ "$got" = "$wanted" ] || { complain "$what: wanted $wanted, is $got"; head -n 3 "$work/log" >&2; }
}

check_headers() {
	local both=no name reserved=0
	[ "$mmu$paging" != yy ] || both=yes
	[ "$both" = no ] || reserved=CONFIG_MMU_PAGE_SIZE
	expect yes "the headers" ""
	for name in $functions; do
		expect "$both" "$name" "const void *probe(void); const void *probe(void) { return (const void *)&$name; }"
	done
	expect "$both" "Z_SCRATCH_PAGE" "void *probe(void); void *probe(void) { return Z_SCRATCH_PAGE; }"
	expect "$both" "Z_EXPORT_EVICTION" "#ifndef Z_EXPORT_EVICTION
#error
#endif"
	if [ "$mmu" = y ]; then
		expect yes "Z_VM_RESERVED" "_Static_assert(Z_VM_RESERVED == $reserved, \"\");"
		expect yes "z_page_frames" "_Static_assert(sizeof(z_page_frames) > 0, \"\");"
	else
		expect no "Z_VM_RESERVED" "_Static_assert(Z_VM_RESERVED >= 0, \"\");"
		expect no "z_page_frames" "_Static_assert(sizeof(z_page_frames) > 0, \"\");"
	fi
}

check_symbols() {
	local file name have wanted
	for file in mmu mmu_custom; do
		"${compile[@]}" -c "$source/core/$file.c" -o "$work/$file.o"
	done
	have=$(nm -g --defined-only "$work/mmu.o" "$work/mmu_custom.o" | awk 'NF == 3 { print $3 }' | sort)
	wanted=
	[ "$mmu$paging" != yy ] || wanted=$(printf '%s\n' $defined | sort)
	[ "$have" = "$wanted" ] || complain "defined are: ${have//$'\n'/ }"
	have=$(nm -u "$work/mmu_custom.o" | awk '{ print $2 }' | grep -E '^z_(eviction|backing_store)_' || true)
	for name in $functions; do
		case $name in z_page_*) continue ;; esac
		if [ "$mmu$paging" = yy ]; then
			grep -qx "$name" <<<"$have" || complain "mmu_custom.c does not call $name"
		elif grep -qx "$name" <<<"$have"; then
			complain "mmu_custom.c calls $name"
		fi
	done
	# Only who uses a custom algorithm or store needs the specified functions.
	if nm -u "$work/mmu.o" | grep -qE 'z_eviction_(select|init)$|z_backing_store_'; then
		complain "mmu.c needs a custom algorithm or store"
	fi
}

# The choices of Kconfig: which algorithm mmu.c refers to, and whether to a custom store.
check_choices() {
	local choice want define have
	for choice in NRU:z_eviction_nru CLOCK:z_eviction_clock LRU:z_eviction_lru \
		SIEVE:z_eviction_sieve S3FIFO:z_eviction_s3fifo \
		CLOCKPRO:z_eviction_clockpro MGLRU:z_eviction_mglru \
		LEARNED:z_eviction_learned \
		CUSTOM:z_eviction_custom; do
		define=CONFIG_EVICTION_${choice%%:*}
		want=${choice#*:}
		sed '/^#define CONFIG_EVICTION_/d' "$build/generated/zpager/autoconf.h" \
			>"$work/autoconf.h"
		"${compile[@]}" "-D$define=1" -DCONFIG_BACKING_STORE_CUSTOM=1 \
			-c "$source/core/mmu.c" -o "$work/choice.o"
		have=$(nm -u "$work/choice.o" | awk '{ print $2 }')
		grep -qx "$want" <<<"$have" || complain "$define does not choose $want"
		[ "$(grep -c '^z_eviction_' <<<"$have")" = 1 ] || complain "$define: more than one"
		grep -qx z_store_custom_open <<<"$have" || complain "no custom store"
	done
}

for mmu in y n; do
	for paging in y n; do
		cp "$build/generated/zpager/autoconf.h" "$work/autoconf.h"
		[ "$mmu" = y ] || sed -i '/^#define CONFIG_MMU 1$/d' "$work/autoconf.h"
		[ "$paging" = y ] || sed -i '/^#define CONFIG_DEMAND_PAGING 1$/d' "$work/autoconf.h"
		compile=("$cc" -std=c11 -ffreestanding -Wall -Wextra -Werror
			-I "$source/include" -include "$work/autoconf.h")
		check_headers
		check_symbols
	done
done
mmu=y paging=y
check_choices
[ $wrong -eq 0 ] || exit 1
echo "contract_06_and_09: four configurations: ok"
