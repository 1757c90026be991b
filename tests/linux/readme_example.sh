#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The example that the README shows is examples/hello.c, which is compiled and run as a test of its own.
set -eu
shown=$(awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' "$ZPAGER_SOURCE/README.md")
[ "$shown" = "$(cat "$ZPAGER_SOURCE/examples/hello.c")" ] || {
	echo "the example in README.md differs from examples/hello.c: copy it there" >&2
	exit 1
}
lines=$(printf '%s\n' "$shown" | wc -l)
[ "$lines" -le 35 ] || {
	echo "the example has grown to $lines lines" >&2
	exit 1
}
