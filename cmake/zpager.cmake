# SPDX-License-Identifier: Apache-2.0
#
# zpager.cmake - the functions that the CMakeLists.txt of the folders use.
#
#   zp_glob(OUT FOLDER)                       the *.c of a folder, looked for again at every build
#   zp_component(NAME STD s SOURCES ...)      one part: NAME_objects and the archive NAME
#   zp_link(TARGET PART...)                   link parts that may need one another, empty ones skipped
#   zp_house_test(NAME COMMAND...)            a ctest test that checks the house itself
#
# A part that has no source yet is an INTERFACE library of the same name, so that everything
# configures and builds from the first file on.

function(zp_find_tools)
	find_program(ZP_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)
	find_package(Threads REQUIRED)
	foreach(library lz4 xxhash uring zstd cmocka)
		find_library(ZP_LIB_${library} ${library})
		mark_as_advanced(ZP_LIB_${library})
		if(NOT ZP_LIB_${library})
			message(FATAL_ERROR "lib${library} is missing; run `make setup`")
		endif()
	endforeach()
endfunction()

# The configuration: <build>/generated/zpager/autoconf.h, put before every source.
function(zp_generate_autoconf)
	set(kconfig ${PROJECT_SOURCE_DIR}/Kconfig)
	set(defconfig ${PROJECT_SOURCE_DIR}/${ZP_DEFCONFIG})
	set(script ${PROJECT_SOURCE_DIR}/scripts/genconfig.py)
	set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY
		CMAKE_CONFIGURE_DEPENDS ${kconfig} ${defconfig} ${script})
	execute_process(
		COMMAND ${ZP_PYTHON} ${script} ${kconfig} ${defconfig} ${PROJECT_BINARY_DIR}/generated
		RESULT_VARIABLE result)
	if(NOT result EQUAL 0)
		message(FATAL_ERROR "no configuration from ${ZP_DEFCONFIG}")
	endif()
endfunction()

macro(zp_common_flags)
	include_directories(${PROJECT_SOURCE_DIR}/include ${PROJECT_BINARY_DIR}/generated)
	add_compile_options(
		-Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
		-fno-strict-aliasing -fno-common
		-ffile-prefix-map=${PROJECT_SOURCE_DIR}/=
		"SHELL:-include ${PROJECT_BINARY_DIR}/generated/zpager/autoconf.h")
	if(CMAKE_C_COMPILER_ID MATCHES Clang)
		add_compile_options(-Wthread-safety)
	endif()
	add_link_options(-Wl,--as-needed)
	if(ZP_SANITIZE)
		add_compile_options(-fsanitize=${ZP_SANITIZE} -fno-sanitize-recover=all
			-fno-omit-frame-pointer)
		add_link_options(-fsanitize=${ZP_SANITIZE})
	endif()
	if(ZP_COVERAGE)
		add_compile_options(--coverage -fprofile-update=atomic)
		add_link_options(--coverage)
	endif()
endmacro()

function(zp_glob out folder)
	file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.c)
	set(${out} ${sources} PARENT_SCOPE)
endfunction()

function(zp_component name)
	cmake_parse_arguments(ARG "" "STD" "SOURCES;OPTIONS;LINK" ${ARGN})
	if(NOT ARG_SOURCES)
		add_library(${name} INTERFACE)
		set_property(GLOBAL APPEND PROPERTY ZP_EMPTY ${name})
		return()
	endif()
	add_library(${name}_objects OBJECT ${ARG_SOURCES})
	if(ARG_STD)
		target_compile_options(${name}_objects PRIVATE -std=${ARG_STD})
	endif()
	target_compile_options(${name}_objects PRIVATE ${ARG_OPTIONS})
	target_compile_definitions(${name}_objects PRIVATE
		ZP_BUILD_VERSION="${PROJECT_VERSION}")
	add_library(${name} STATIC $<TARGET_OBJECTS:${name}_objects>)
	target_link_libraries(${name} PUBLIC ${ARG_LINK})
endfunction()

# The parts of ARGN that have sources, in OUT.
function(zp_parts_with_sources out)
	set(parts)
	foreach(part ${ARGN})
		get_target_property(type ${part} TYPE)
		if(NOT type STREQUAL INTERFACE_LIBRARY)
			list(APPEND parts ${part})
		endif()
	endforeach()
	set(${out} ${parts} PARENT_SCOPE)
endfunction()

function(zp_link target)
	zp_parts_with_sources(parts ${ARGN})
	if(parts)
		list(JOIN parts "," group)
		target_link_libraries(${target} PRIVATE "$<LINK_GROUP:RESCAN,${group}>")
	endif()
	target_link_libraries(${target} PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
endfunction()

set(ZP_TEST_ENVIRONMENT
	ZPAGER_BUILD=${PROJECT_BINARY_DIR}
	ZPAGER_SOURCE=${PROJECT_SOURCE_DIR}
	ZPAGER_SANITIZE=${ZP_SANITIZE}
	ASAN_OPTIONS=handle_sigbus=0:allow_user_segv_handler=1:detect_leaks=1
	UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
	TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:handle_sigbus=0)

function(zp_house_test name)
	add_test(NAME ${name} COMMAND ${ARGN})
	set_tests_properties(${name} PROPERTIES LABELS house TIMEOUT 300 SKIP_RETURN_CODE 77
		ENVIRONMENT "${ZP_TEST_ENVIRONMENT}")
endfunction()

function(zp_report)
	get_property(empty GLOBAL PROPERTY ZP_EMPTY)
	if(empty)
		message(STATUS "parts without a source yet: ${empty}")
	endif()
	message(STATUS "zpager ${PROJECT_VERSION}, ${ZP_DEFCONFIG}, ${CMAKE_C_COMPILER_ID}, "
		"${CMAKE_BUILD_TYPE}, sanitizers: ${ZP_SANITIZE}")
endfunction()
