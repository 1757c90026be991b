#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ctest-timeout: 900
#
# run_convert.sh - imagemagick's convert works on a picture, with threads. Its pixels are in one large
# anonymous mapping for each step.
. "$(dirname "$0")/run_common.sh"
needs convert
size=$(sized 2400x1800 320x240)
convert -size "$size" -seed 4 plasma:fractal -quality 90 picture.jpg || fail "no picture"
convert -size "$size" -seed 5 plasma:red-blue -alpha set -channel A -evaluate set 40% other.png

steps=(picture.jpg -resize 130% -rotate 7 -unsharp 0x1 other.png -composite -contrast-stretch 1% -colorspace Gray)
measure convert "${steps[@]}" -depth 8 rgb:-

work() {
	paged "$(sized 64M 4M)" convert "${steps[@]}" -depth 8 rgb:-
	moved 1000 1000
	same "$out" "$plain"
}
in_modes work
