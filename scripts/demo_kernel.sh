#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# demo_kernel.sh BUILD ARCH - `make demo-kernel ARCH=riscv64`: the Lua interpreter and four programs in it, in
# user mode on a board (emulated) with 2 MiB for paging; a line of figures and the map of the page
# frames every two seconds. BUILD: the configured build directory.
set -euo pipefail

build=${1:?build directory}
arch=${2:?riscv64, arm64 or x86_64}
root=$(cd "$(dirname "$0")/.." && pwd)

cmake --build "$build" --target "kernel_${arch}_demo" "user_$arch" >/dev/null
ZPAGER_BUILD=$build ZPAGER_SOURCE=$root ZPAGER_LIMIT=900 bash "$root/tests/qemu/lua.sh" "$arch" 2
