# SPDX-License-Identifier: Apache-2.0
#
# find_package(zpager) gives zpager::zpager (shared) and zpager::zpager_static.

include(${CMAKE_CURRENT_LIST_DIR}/zpagerTargets.cmake)
