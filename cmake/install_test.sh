#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# install_test.sh - installs into a temporary prefix, then builds and runs examples/hello.c as a user
# would: with pkg-config (shared, static) and with find_package (shared, static).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
hello=$ZPAGER_SOURCE/examples/hello.c

if [ ! -e "$hello" ]; then
	echo "install: examples/hello.c is not there yet; installation alone is tested"
fi
cmake --install "$ZPAGER_BUILD" --prefix "$prefix" >"$work/log" || { cat "$work/log"; exit 1; }
for file in lib/libzpager.so.0 lib/libzpager.a lib/pkgconfig/zpager.pc include/zpager/zpager.h; do
	[ -e "$prefix/$file" ] || { echo "install: $file was not installed" >&2; exit 1; }
done
[ -e "$hello" ] || exit 77

export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
run() {
	echo "install: $1"
	LD_LIBRARY_PATH=$prefix/lib "$2"
}
cc -Wall -Wextra -Werror "$hello" -o "$work/shared" $(pkg-config --cflags --libs zpager)
run "pkg-config, shared" "$work/shared"
cc -Wall -Wextra -Werror "$hello" -o "$work/static" $(pkg-config --cflags zpager) \
	"$prefix/lib/libzpager.a" $(pkg-config --static --libs-only-l zpager | sed 's/-lzpager//')
run "pkg-config, static" "$work/static"

cmake -S "$ZPAGER_SOURCE/cmake/find_package_test" -B "$work/build" -G Ninja \
	-DCMAKE_PREFIX_PATH="$prefix" -DHELLO="$hello" >"$work/log" || { cat "$work/log"; exit 1; }
cmake --build "$work/build" >"$work/log" || { cat "$work/log"; exit 1; }
run "find_package, shared" "$work/build/hello_shared"
run "find_package, static" "$work/build/hello_static"
