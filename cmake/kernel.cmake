# SPDX-License-Identifier: Apache-2.0
#
# kernel.cmake - the bare-metal kernels, built with Debian's cross compilers beside the host's build.
#
#   zp_kernel(ARCH COMPILER FLAGS...)   <build>/kernel/ARCH/VARIANT.elf and .image, target kernel_ARCH
#
# The portable part, arch/ARCH and arch/common, kernel/ and an application, in several variants:
#
#   tests    tests/qemu with the suite of all ports (tests/support/arch_conform*.c)
#   noirq    the same, CONFIG_DEMAND_PAGING_ALLOW_IRQ off
#   custom   the same, bound to the algorithm and the store of tests/qemu/custom
#   demo     kernel/demo: a program of user mode that is bigger than the RAM for paging
#   bench    tests, with more RAM for the kernel itself, so that its pagers can have more page frames
#   big      the same with half a GiB, for 65,536 of them
#   small    tests, without the ring of events and without recognising refaults
#
# The last three are for figures (scripts/bench_kernel.sh). No test of ctest boots them, so they are built only
# when asked for.
#
# No header but the compiler's own and ours. The configuration is configs/kernel_ARCH_defconfig, and
# what configs/kernel_variant_VARIANT and kernel_variant_VARIANT_ARCH say differently. What belongs to the on-demand section is not in the .elf but
# in the .image, which is the beginning of the disk. Without the compiler there is no target, and the
# tests say "skipped".

set(ZP_KERNEL_FLAGS
	-O2 -g -ffreestanding -nostdinc -fno-stack-protector -fno-common -fno-strict-aliasing
	-fno-pic -fomit-frame-pointer -fno-tree-loop-distribute-patterns -ffunction-sections
	-Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror)

# Optimised across files at the link: a fault goes through many small functions of different files. Not so
# what the compiler calls by name on its own (string.c), and what has a section of its own: nothing of the
# kernel may move there, nor from there into the kernel. The limits of the inliner are for programs that
# are big; a kernel has one path that matters. What it says at the link of values that may be unset
# is wrong where a flag tells whether they are read; each file has been compiled with that warning.
set(ZP_KERNEL_LTO -flto -fno-fat-lto-objects
	--param inline-unit-growth=200 --param max-inline-insns-auto=60)
set(ZP_KERNEL_LINK ${ZP_KERNEL_LTO} -flto-partition=one -Wno-maybe-uninitialized
	-nostdlib -static -no-pie -Wl,--build-id=none -Wl,--gc-sections -Wl,--no-warn-rwx-segments)

function(zp_kernel_sources out arch variant)
	set(sources)
	set(folders core eviction kernel arch/${arch} arch/common)
	if(variant STREQUAL demo)
		list(APPEND folders kernel/demo)
	else()
		list(APPEND folders tests/qemu tests/qemu/hosted)
		zp_glob(conform ${PROJECT_SOURCE_DIR}/tests/support)
		list(FILTER conform INCLUDE REGEX "/arch_conform[a-z_]*\\.c$")
		list(APPEND sources ${conform})
	endif()
	if(variant STREQUAL custom)
		list(APPEND folders tests/qemu/custom)
	endif()
	foreach(folder ${folders})
		zp_glob(some ${PROJECT_SOURCE_DIR}/${folder})
		list(APPEND sources ${some})
	endforeach()
	file(GLOB assembly CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/arch/${arch}/*.S)
	list(APPEND sources ${assembly})
	file(STRINGS ${PROJECT_SOURCE_DIR}/store/freestanding.list stores REGEX "^[a-z]")
	foreach(store ${stores})
		list(APPEND sources ${PROJECT_SOURCE_DIR}/store/${store})
	endforeach()
	if(NOT variant STREQUAL custom)
		# It is bound to somebody else's algorithm and store, which the others have not.
		list(FILTER sources EXCLUDE REGEX "/core/mmu_custom\\.c$")
	endif()
	set(${out} ${sources} PARENT_SCOPE)
endfunction()

# The configuration of a variant, in ${to}/zpager/autoconf.h; ZP_VM_BASE, where its paged window begins.
function(zp_kernel_config to arch variant)
	set(kconfig ${PROJECT_SOURCE_DIR}/Kconfig)
	set(defconfig ${PROJECT_SOURCE_DIR}/configs/kernel_${arch}_defconfig)
	file(GLOB more CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/configs/kernel_variant_${variant}
		${PROJECT_SOURCE_DIR}/configs/kernel_variant_${variant}_${arch})
	set(script ${PROJECT_SOURCE_DIR}/scripts/genconfig.py)
	file(READ ${defconfig} text)
	foreach(file ${more})
		file(STRINGS ${file} lines)
		foreach(line ${lines})
			string(REGEX REPLACE "=.*" "" key ${line})
			string(REGEX REPLACE "${key}=[^\n]*\n" "" text "${text}")
			string(APPEND text "${line}\n")
		endforeach()
	endforeach()
	string(REGEX MATCH "CONFIG_KERNEL_VM_BASE=([^\n]*)" ZP_VM_BASE "${text}")
	set(ZP_VM_BASE ${CMAKE_MATCH_1} PARENT_SCOPE)
	file(CONFIGURE OUTPUT ${to}/defconfig CONTENT "${text}" @ONLY)
	set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${defconfig} ${more})
	add_custom_command(OUTPUT ${to}/zpager/autoconf.h
		COMMAND ${ZP_PYTHON} ${script} ${kconfig} ${to}/defconfig ${to}
		COMMAND ${CMAKE_COMMAND} -E touch ${to}/zpager/autoconf.h
		DEPENDS ${kconfig} ${to}/defconfig ${script} VERBATIM)
endfunction()

function(zp_kernel_object object source cc flags plain)
	file(RELATIVE_PATH path ${PROJECT_SOURCE_DIR} ${source})
	if(path MATCHES "\\.S$")
		add_custom_command(OUTPUT ${object}
			COMMAND ${cc} ${plain} -x assembler-with-cpp -g -MD -MF ${object}.d -c ${source}
				-o ${object}
			DEPENDS ${source} DEPFILE ${object}.d VERBATIM)
		return()
	endif()
	set(more -std=c11)
	if(path MATCHES "^(kernel|arch|tests)/")
		set(more -std=gnu11)
	endif()
	if(path MATCHES "^tests/")
		list(APPEND more -isystem ${PROJECT_SOURCE_DIR}/tests/qemu/hosted)
	elseif(NOT path MATCHES "^kernel/(demo/|string\\.c)")
		list(APPEND more ${ZP_KERNEL_LTO})
	endif()
	add_custom_command(OUTPUT ${object}
		COMMAND ${cc} ${flags} ${more} -MD -MF ${object}.d -c ${source} -o ${object}
		DEPENDS ${source} ${to}/zpager/autoconf.h DEPFILE ${object}.d VERBATIM)
endfunction()

function(zp_kernel_variant arch cc variant)
	set(to ${PROJECT_BINARY_DIR}/kernel/${arch}/${variant})
	execute_process(COMMAND ${cc} -print-file-name=include
		OUTPUT_VARIABLE headers OUTPUT_STRIP_TRAILING_WHITESPACE)
	zp_kernel_config(${to} ${arch} ${variant})
	set(flags ${ZP_KERNEL_FLAGS} ${ARGN} -isystem ${headers}
		-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=
		-I ${PROJECT_SOURCE_DIR}/include -include ${to}/zpager/autoconf.h)
	zp_kernel_sources(sources ${arch} ${variant})
	set(objects)
	foreach(source ${sources})
		file(RELATIVE_PATH path ${PROJECT_SOURCE_DIR} ${source})
		string(REPLACE "/" "-" name ${path})
		zp_kernel_object(${to}/${name}.o ${source} ${cc} "${flags}" "${ARGN}")
		list(APPEND objects ${to}/${name}.o)
	endforeach()

	set(script ${PROJECT_SOURCE_DIR}/arch/${arch}/link.ld)
	set(drop ${PROJECT_SOURCE_DIR}/scripts/drop_segment.py)
	string(REGEX REPLACE "gcc$" "objcopy" objcopy ${cc})
	set(elf ${PROJECT_BINARY_DIR}/kernel/${arch}/${variant})
	add_custom_command(OUTPUT ${elf}.elf ${elf}.image
		COMMAND ${cc} ${flags} ${ZP_KERNEL_LINK} -Wl,-T,${script}
			-Wl,--defsym=link_vm_base=${ZP_VM_BASE} -o ${elf}.whole ${objects}
		COMMAND ${objcopy} -O binary -j .ondemand ${elf}.whole ${elf}.image
		COMMAND ${ZP_PYTHON} ${drop} ${elf}.whole ${elf}.elf .ondemand
		DEPENDS ${objects} ${script} ${drop} VERBATIM COMMAND_EXPAND_LISTS)
	set(ZP_ELF ${elf}.elf PARENT_SCOPE)
endfunction()

function(zp_kernel arch compiler)
	find_program(ZP_CC_${arch} ${compiler})
	mark_as_advanced(ZP_CC_${arch})
	if(NOT ZP_CC_${arch})
		message(STATUS "kernel for ${arch}: ${compiler} is missing; run `make setup`")
		return()
	endif()
	set(elfs)
	foreach(variant tests noirq custom demo bench big small)
		zp_kernel_variant(${arch} ${ZP_CC_${arch}} ${variant} ${ARGN})
		add_custom_target(kernel_${arch}_${variant} DEPENDS ${ZP_ELF})
		if(NOT variant MATCHES "^(bench|big|small)$")
			list(APPEND elfs ${ZP_ELF})
		endif()
	endforeach()
	add_custom_target(kernel_${arch} ALL DEPENDS ${elfs})
endfunction()
