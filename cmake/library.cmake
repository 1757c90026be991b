# SPDX-License-Identifier: Apache-2.0
#
# library.cmake - libzpager, shared and static, its pkg-config and CMake package files.
#
# Both forms hold core, eviction, store and arch/linux, and both give away the names zpager_* only:
# the shared one through cmake/libzpager.map, the static one as a single object whose other symbols
# have been made local, so that a program may use the name z_fault() for itself.

if(NOT TARGET zpager_arch_linux_objects)
	message(STATUS "libzpager: nothing to build, arch/linux has no source yet")
	return()
endif()

set(ZP_PARTS zpager_core zpager_eviction zpager_store)
set(ZP_SYSTEM_LIBRARIES lz4 xxhash zstd uring seccomp pthread dl)
set(map ${CMAKE_CURRENT_LIST_DIR}/libzpager.map)

add_library(zpager_shared SHARED $<TARGET_OBJECTS:zpager_arch_linux_objects>)
zp_link(zpager_shared ${ZP_PARTS})
target_link_libraries(zpager_shared PRIVATE seccomp)
target_link_options(zpager_shared PRIVATE -Wl,--version-script=${map})
if(NOT ZP_SANITIZE)
	target_link_options(zpager_shared PRIVATE -Wl,--no-undefined)
endif()
set_target_properties(zpager_shared PROPERTIES OUTPUT_NAME zpager EXPORT_NAME zpager
	VERSION ${PROJECT_VERSION} SOVERSION 0 LINK_DEPENDS ${map})
target_include_directories(zpager_shared INTERFACE
	$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

zp_parts_with_sources(parts ${ZP_PARTS})
set(part_files)
foreach(part ${parts})
	list(APPEND part_files $<TARGET_FILE:${part}>)
endforeach()
set(whole ${PROJECT_BINARY_DIR}/libzpager.o)
add_custom_command(OUTPUT ${whole}
	COMMAND ${CMAKE_LINKER} -r -o ${whole} $<TARGET_OBJECTS:zpager_arch_linux_objects>
		--start-group ${part_files} --end-group
	COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=zpager_* ${whole}
	DEPENDS zpager_arch_linux_objects $<TARGET_OBJECTS:zpager_arch_linux_objects>
		${parts} ${part_files}
	COMMAND_EXPAND_LISTS VERBATIM COMMENT "libzpager.a: one object, only zpager_* global")
add_library(zpager_static STATIC ${whole})
set_source_files_properties(${whole} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
set_target_properties(zpager_static PROPERTIES OUTPUT_NAME zpager LINKER_LANGUAGE C)
target_link_libraries(zpager_static INTERFACE ${ZP_SYSTEM_LIBRARIES})
target_include_directories(zpager_static INTERFACE
	$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

# What is installed: zpager.h, eviction.h for an algorithm of the program's own, and the headers that
# they include, directly or not.
function(zp_public_headers out header)
	set(found ${${out}})
	set(file ${PROJECT_SOURCE_DIR}/include/zpager/${header})
	if(EXISTS ${file} AND NOT file IN_LIST found)
		set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
		list(APPEND found ${file})
		file(STRINGS ${file} lines REGEX "^#include [<\"]zpager/")
		foreach(line ${lines})
			string(REGEX REPLACE "^#include [<\"]zpager/([^>\"]*).*" "\\1" next "${line}")
			zp_public_headers(found ${next})
		endforeach()
	endif()
	set(${out} ${found} PARENT_SCOPE)
endfunction()
set(headers)
zp_public_headers(headers zpager.h)
zp_public_headers(headers eviction.h)
install(FILES ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/zpager)

include(CMakePackageConfigHelpers)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/zpager)
list(TRANSFORM ZP_SYSTEM_LIBRARIES PREPEND -l OUTPUT_VARIABLE private)
list(JOIN private " " ZP_LIBS_PRIVATE)
configure_file(${CMAKE_CURRENT_LIST_DIR}/zpager.pc.in ${PROJECT_BINARY_DIR}/zpager.pc @ONLY)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/zpagerConfigVersion.cmake
	COMPATIBILITY SameMinorVersion)
install(TARGETS zpager_shared zpager_static EXPORT zpagerTargets)
install(EXPORT zpagerTargets NAMESPACE zpager:: DESTINATION ${package})
install(FILES ${CMAKE_CURRENT_LIST_DIR}/zpagerConfig.cmake
	${PROJECT_BINARY_DIR}/zpagerConfigVersion.cmake DESTINATION ${package})
install(FILES ${PROJECT_BINARY_DIR}/zpager.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

if(NOT ZP_SANITIZE AND NOT ZP_COVERAGE)
	zp_house_test(exports ${CMAKE_CURRENT_LIST_DIR}/exports_test.sh)
	zp_house_test(install ${CMAKE_CURRENT_LIST_DIR}/install_test.sh)
endif()
