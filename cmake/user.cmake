# SPDX-License-Identifier: Apache-2.0
#
# user.cmake - programs for user mode, with Debian's cross compilers and somebody else's sources.
#
#   zp_user(ARCH COMPILER BASE LIBC FLAGS...)   <build>/user/ARCH/lua.img, target user_ARCH
#
# The program is the Lua interpreter of user/lua_main.c; its source is Debian's source package lua5.4,
# which scripts/fetch_source.sh puts into build/sources (ZP_SOURCES). LIBC: picolibc, of the folder that
# ZP_PICOLIBC_ARCH names, or newlib, for x86_64, of which Debian has no library but the source (package
# newlib-source): the files of user/newlib.list are compiled. zp_user_host() makes the same a Linux
# program, <build>/user/host/lua, with user/host.c in place of the kernel. What is missing is said once,
# and then there is no target.
#
# BASE lies 16 MiB behind CONFIG_KERNEL_VM_BASE of the board.

set(ZP_SOURCES ${PROJECT_SOURCE_DIR}/build/sources CACHE PATH "Source packages, unpacked")
set(ZP_LUA ${ZP_SOURCES}/lua5.4/src)

# The interpreter without the libraries that need files or an operating system.
set(ZP_LUA_PARTS lapi lcode lctype ldebug ldo ldump lfunc lgc llex lmem lobject lopcodes lparser
	lstate lstring ltable ltm lundump lvm lzio lauxlib lbaselib lmathlib lstrlib ltablib)

# The same at every run, so that counted instructions repeat: hashes, and the pivots of a sort.
set(ZP_LUA_FLAGS -std=gnu99 "-Dluai_makeseed(L)=1U" "-Dl_randomizePivot()=0U")

set(ZP_USER_WARNINGS
	-Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror)

# Compile one source into OBJECT with the command in ZP_USER_COMPILE of the caller.
function(zp_user_object object source)
	add_custom_command(OUTPUT ${object}
		COMMAND ${ZP_USER_COMPILE} ${ARGN} -MD -MF ${object}.d -c ${source} -o ${object}
		DEPENDS ${source} DEPFILE ${object}.d VERBATIM)
endfunction()

# The objects of the program in OUT: Lua as it comes, and the sources of user/ that are named.
function(zp_user_objects out to)
	set(objects)
	foreach(part ${ZP_LUA_PARTS})
		zp_user_object(${to}/lua-${part}.o ${ZP_LUA}/${part}.c ${ZP_LUA_FLAGS})
		list(APPEND objects ${to}/lua-${part}.o)
	endforeach()
	foreach(name ${ARGN})
		set(source ${PROJECT_SOURCE_DIR}/user/${name})
		set(flags -std=gnu11 ${ZP_USER_WARNINGS} -isystem ${ZP_LUA})
		if(name MATCHES "\\.S$")
			set(flags -I ${PROJECT_SOURCE_DIR}/user/lua)
		endif()
		zp_user_object(${to}/${name}.o ${source} ${flags})
		list(APPEND objects ${to}/${name}.o)
	endforeach()
	file(GLOB scripts CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/user/lua/*.lua)
	add_custom_command(OUTPUT ${to}/scripts.S.o APPEND DEPENDS ${scripts})
	set(${out} ${objects} PARENT_SCOPE)
endfunction()

# Flags, and libraries in OUT_LIBRARIES, of a C library for user mode; empty if it is not there.
function(zp_user_picolibc arch out_flags out_libraries)
	set(${out_flags} PARENT_SCOPE)
	set(${out_libraries} PARENT_SCOPE)
	set(folder /usr/lib/picolibc/${ZP_PICOLIBC_${arch}})
	set(library ${folder}/lib/${ZP_PICOLIBC_VARIANT_${arch}}/libc.a)
	if(EXISTS ${library} AND EXISTS ${folder}/include/stdio.h)
		set(${out_flags} -isystem ${folder}/include PARENT_SCOPE)
		set(${out_libraries} ${library} PARENT_SCOPE)
	endif()
endfunction()

# newlib lies packed in its package; what is needed of it is unpacked once, next to the other sources.
function(zp_user_newlib arch out_flags out_libraries)
	set(${out_flags} PARENT_SCOPE)
	set(${out_libraries} PARENT_SCOPE)
	set(folder ${ZP_SOURCES}/newlib)
	file(GLOB packed /usr/src/newlib/newlib-*.tar.xz)
	if(NOT EXISTS ${folder})
		if(NOT packed)
			return()
		endif()
		set(work ${PROJECT_BINARY_DIR}/newlib-unpacked)
		file(REMOVE_RECURSE ${work})
		list(GET packed 0 packed)
		file(ARCHIVE_EXTRACT INPUT ${packed} DESTINATION ${work} PATTERNS
			*/newlib/libc/include/* */newlib/libc/machine/x86_64/* */newlib/libc/ctype/*
			*/newlib/libc/errno/* */newlib/libc/locale/* */newlib/libc/reent/*
			*/newlib/libc/stdio/* */newlib/libc/stdlib/* */newlib/libc/string/*
			*/newlib/libc/time/* */newlib/libm/common/* */newlib/libm/math/*)
		file(GLOB root ${work}/*/newlib)
		file(MAKE_DIRECTORY ${ZP_SOURCES})
		file(RENAME ${root} ${folder})
		file(REMOVE_RECURSE ${work})
	endif()
	zp_newlib_files(lines)
	foreach(line ${lines})
		string(REGEX REPLACE " .*" "" path ${line})
		if(NOT EXISTS ${folder}/${path})
			message(STATUS "newlib has no ${path}")
			return()
		endif()
	endforeach()
	set(${out_flags} -isystem ${PROJECT_SOURCE_DIR}/user/include/newlib
		-isystem ${folder}/libc/include PARENT_SCOPE)
	set(${out_libraries} none PARENT_SCOPE)
endfunction()

function(zp_newlib_files out)
	set(list ${PROJECT_SOURCE_DIR}/user/newlib.list)
	set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${list})
	file(STRINGS ${list} lines REGEX "^[a-z]")
	set(${out} ${lines} PARENT_SCOPE)
endfunction()

# The parts of newlib as one archive, compiled as its own build does it.
function(zp_newlib_archive archive to)
	set(objects)
	zp_newlib_files(lines)
	foreach(line ${lines})
		string(REPLACE " " ";" words ${line})
		list(POP_FRONT words path)
		string(REGEX REPLACE "[^A-Za-z0-9_.]" "_" name ${line})
		zp_user_object(${to}/newlib-${name}.o ${ZP_SOURCES}/newlib/${path} ${words} -w
			-fno-builtin -D__SINGLE_THREAD__ -D__NO_SYSCALLS__ -DMISSING_SYSCALL_NAMES
			-DINTERNAL_NEWLIB -I ${ZP_SOURCES}/newlib/libm/common)
		list(APPEND objects ${to}/newlib-${name}.o)
	endforeach()
	add_custom_command(OUTPUT ${archive}
		COMMAND ${CMAKE_COMMAND} -E rm -f ${archive}
		COMMAND ${CMAKE_AR} qcs ${archive} ${objects} DEPENDS ${objects} VERBATIM)
endfunction()

function(zp_user arch compiler base libc)
	find_program(ZP_CC_${arch} ${compiler})
	mark_as_advanced(ZP_CC_${arch})
	if(NOT ZP_CC_${arch})
		message(STATUS "program for ${arch}: ${compiler} is missing; run `make setup`")
		return()
	endif()
	cmake_language(CALL zp_user_${libc} ${arch} headers libraries)
	if(NOT libraries)
		message(STATUS "program for ${arch}: ${libc} is missing; run `make setup`")
		return()
	endif()
	execute_process(COMMAND ${ZP_CC_${arch}} -print-file-name=include
		OUTPUT_VARIABLE own OUTPUT_STRIP_TRAILING_WHITESPACE)
	set(to ${PROJECT_BINARY_DIR}/user/${arch})
	file(MAKE_DIRECTORY ${to})
	set(ZP_USER_COMPILE ${ZP_CC_${arch}} ${ARGN} -O2 -g -ffreestanding -fno-pic
		-fno-stack-protector -ffunction-sections -fdata-sections -U__linux__ -nostdinc ${headers}
		-isystem ${own} -I ${PROJECT_SOURCE_DIR}/include -I ${PROJECT_SOURCE_DIR}/user/include
		-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)
	zp_user_objects(objects ${to} lua_main.c memory.c system.c libc_${libc}.c scripts.S
		start_${arch}.S)
	if(libc STREQUAL newlib)
		set(libraries ${to}/libnewlib.a)
		zp_newlib_archive(${libraries} ${to})
	endif()

	set(script ${PROJECT_SOURCE_DIR}/user/program.ld)
	set(maker ${PROJECT_SOURCE_DIR}/scripts/make_image.py)
	add_custom_command(OUTPUT ${to}/lua.elf
		COMMAND ${ZP_CC_${arch}} ${ARGN} -nostdlib -static -no-pie -Wl,-T,${script}
			-Wl,--defsym=BASE=${base} -Wl,--build-id=none -Wl,--gc-sections
			-Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -o ${to}/lua.elf ${objects}
			-Wl,--start-group ${libraries} -lgcc -Wl,--end-group
		DEPENDS ${objects} ${libraries} ${script} VERBATIM)
	add_custom_command(OUTPUT ${to}/lua.img
		COMMAND ${ZP_PYTHON} ${maker} ${to}/lua.elf ${to}/lua.img
		DEPENDS ${to}/lua.elf ${maker} VERBATIM)
	add_custom_target(user_${arch} ALL DEPENDS ${to}/lua.img)
endfunction()

function(zp_user_host)
	set(to ${PROJECT_BINARY_DIR}/user/host)
	file(MAKE_DIRECTORY ${to})
	set(ZP_USER_COMPILE ${CMAKE_C_COMPILER} -O2 -g -I ${PROJECT_SOURCE_DIR}/include
		-I ${PROJECT_SOURCE_DIR}/user/include)
	zp_user_objects(objects ${to} lua_main.c memory.c host.c scripts.S)
	add_custom_command(OUTPUT ${to}/lua
		COMMAND ${CMAKE_C_COMPILER} -o ${to}/lua ${objects} -lm DEPENDS ${objects} VERBATIM)
	add_custom_target(user_host ALL DEPENDS ${to}/lua)
endfunction()

if(NOT ZP_KERNELS)
	return()
endif()
if(NOT EXISTS ${ZP_LUA}/lua.h)
	message(STATUS "programs for user mode: no ${ZP_LUA}; run scripts/fetch_source.sh lua5.4")
	return()
endif()

set(ZP_PICOLIBC_riscv64 riscv64-unknown-elf)
set(ZP_PICOLIBC_VARIANT_riscv64 release/rv64imafdc/lp64d)
set(ZP_PICOLIBC_arm64 aarch64-linux-gnu)
set(ZP_PICOLIBC_VARIANT_arm64 release)

zp_user_host()
zp_user(riscv64 riscv64-linux-gnu-gcc 0xa1000000 picolibc
	-march=rv64imafdc -mabi=lp64d -mcmodel=medany -mno-relax)
zp_user(arm64 aarch64-linux-gnu-gcc 0x81000000 picolibc -mno-outline-atomics)
zp_user(x86_64 x86_64-linux-gnu-gcc 0x41000000 newlib -fcf-protection=none)
