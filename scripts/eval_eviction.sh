#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# eval_eviction.sh - all eviction algorithms over all traces of a folder, against the optimum.
#
#   eval_eviction.sh ZPAGER [OPTIONS of zpager sim]     (default: --summary)
#   eval_eviction.sh ZPAGER --pictures                  the curves of docs/pictures anew
#
# The folder is $TRACES or $ZPAGER_TRACES: files *.pgt or *.pgt.zst (docs/FORMATS.md).
set -euo pipefail

zpager=$1
shift
folder=${TRACES:-${ZPAGER_TRACES:-}}
if [ -z "$folder" ]; then
	cat >&2 <<'END'
eval-eviction: where are the traces? Say make eval-eviction TRACES=FOLDER, or set ZPAGER_TRACES.
They are files *.pgt.zst in the format of docs/FORMATS.md; `zpager trace` records a program's.
The small evaluation needs none: ctest --test-dir build/dev -R eval_eviction
END
	exit 2
fi

shopt -s nullglob
traces=("$folder"/*.pgt "$folder"/*.pgt.zst)
if [ ${#traces[@]} -eq 0 ]; then
	echo "eval-eviction: $folder has no trace (*.pgt or *.pgt.zst)" >&2
	exit 2
fi

# A database and a compiler, as the README shows them.
if [ "${1:-}" = --pictures ]; then
	for name in sqlite cc1; do
		"$zpager" sim --trace "$folder/$name.pgt.zst" --frames 5%:100%:2.5% --summary \
			--svg "$(dirname "$0")/../docs/pictures/misses_$name.svg"
	done
	exit
fi

options=()
for trace in "${traces[@]}"; do
	options+=(--trace "$trace")
done
[ $# -gt 0 ] || set -- --summary
exec "$zpager" sim "${options[@]}" "$@"
