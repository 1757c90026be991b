# SPDX-License-Identifier: Apache-2.0
#
# kernel.cmake - the bare-metal kernels, built with Debian's cross compilers beside the host's build.
#
#   zp_kernel(ARCH COMPILER FLAGS...)   <build>/kernel/ARCH/zpager-kernel.elf, target kernel_ARCH
#
# The portable part, arch/ARCH, kernel/ and, as the application, tests/qemu with the suite of all ports
# (tests/support/arch_conform*.c). No header but the compiler's own and ours. The configuration is
# configs/kernel_ARCH_defconfig. Without the compiler there is no target, and the tests say "skipped".

set(ZP_KERNEL_FLAGS
	-O2 -g -ffreestanding -nostdinc -fno-stack-protector -fno-common -fno-strict-aliasing
	-fno-pic -fno-tree-loop-distribute-patterns -ffunction-sections
	-Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror)

function(zp_kernel_sources out arch)
	set(sources)
	foreach(folder core eviction kernel arch/${arch} arch/common tests/qemu tests/qemu/hosted)
		zp_glob(some ${PROJECT_SOURCE_DIR}/${folder})
		list(APPEND sources ${some})
	endforeach()
	file(GLOB assembly CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/arch/${arch}/*.S)
	zp_glob(conform ${PROJECT_SOURCE_DIR}/tests/support)
	list(FILTER conform INCLUDE REGEX "/arch_conform[a-z_]*\\.c$")
	list(APPEND sources ${assembly} ${conform})
	file(STRINGS ${PROJECT_SOURCE_DIR}/store/freestanding.list stores REGEX "^[a-z]")
	foreach(store ${stores})
		if(EXISTS ${PROJECT_SOURCE_DIR}/store/${store})
			list(APPEND sources ${PROJECT_SOURCE_DIR}/store/${store})
		endif()
	endforeach()
	# They are bound to somebody else's algorithm and store, which this kernel has not.
	list(FILTER sources EXCLUDE REGEX "/(core/mmu_custom|store/custom)\\.c$")
	set(${out} ${sources} PARENT_SCOPE)
endfunction()

function(zp_kernel arch compiler)
	find_program(ZP_CC_${arch} ${compiler})
	mark_as_advanced(ZP_CC_${arch})
	if(NOT ZP_CC_${arch})
		message(STATUS "kernel for ${arch}: ${compiler} is missing; run `make setup`")
		return()
	endif()
	set(cc ${ZP_CC_${arch}})
	set(to ${PROJECT_BINARY_DIR}/kernel/${arch})
	set(kconfig ${PROJECT_SOURCE_DIR}/Kconfig)
	set(defconfig ${PROJECT_SOURCE_DIR}/configs/kernel_${arch}_defconfig)
	set(script ${PROJECT_SOURCE_DIR}/scripts/genconfig.py)
	set(autoconf ${to}/zpager/autoconf.h)
	execute_process(COMMAND ${cc} -print-file-name=include
		OUTPUT_VARIABLE headers OUTPUT_STRIP_TRAILING_WHITESPACE)
	add_custom_command(OUTPUT ${autoconf}
		COMMAND ${ZP_PYTHON} ${script} ${kconfig} ${defconfig} ${to}
		COMMAND ${CMAKE_COMMAND} -E touch ${autoconf}
		DEPENDS ${kconfig} ${defconfig} ${script} VERBATIM)
	set(flags ${ZP_KERNEL_FLAGS} ${ARGN} -isystem ${headers}
		-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=
		-I ${PROJECT_SOURCE_DIR}/include -include ${autoconf})

	zp_kernel_sources(sources ${arch})
	set(objects)
	foreach(source ${sources})
		file(RELATIVE_PATH path ${PROJECT_SOURCE_DIR} ${source})
		string(REPLACE "/" "-" name ${path})
		set(object ${to}/${name}.o)
		set(more -std=c11)
		if(path MATCHES "^(kernel|arch|tests)/")
			set(more -std=gnu11)
		endif()
		if(path MATCHES "^tests/")
			list(APPEND more -isystem ${PROJECT_SOURCE_DIR}/tests/qemu/hosted)
		endif()
		if(path MATCHES "\\.S$")
			list(APPEND more -x assembler-with-cpp)
			set(plain ${ARGN})
			add_custom_command(OUTPUT ${object}
				COMMAND ${cc} ${plain} -g -c ${source} -o ${object}
				DEPENDS ${source} VERBATIM)
		else()
			add_custom_command(OUTPUT ${object}
				COMMAND ${cc} ${flags} ${more} -MD -MF ${object}.d -c ${source} -o ${object}
				DEPENDS ${source} ${autoconf} DEPFILE ${object}.d VERBATIM)
		endif()
		list(APPEND objects ${object})
	endforeach()

	set(script ${PROJECT_SOURCE_DIR}/arch/${arch}/link.ld)
	set(elf ${to}/zpager-kernel.elf)
	add_custom_command(OUTPUT ${elf}
		COMMAND ${cc} ${ARGN} -nostdlib -static -no-pie -Wl,-T,${script} -Wl,--build-id=none
			-Wl,--gc-sections -Wl,--no-warn-rwx-segments -o ${elf} ${objects}
		DEPENDS ${objects} ${script} VERBATIM COMMAND_EXPAND_LISTS)
	add_custom_target(kernel_${arch} ALL DEPENDS ${elf})
endfunction()
