#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# nth.sh read|write N ERRNO [always] - a configuration of QEMU's blkdebug: the Nth read or write of the
# disk fails with that error number (5 EIO, 28 ENOSPC); with `always` all of them from the Nth on.
#
# A state machine: state 1 at first, one further with each request of the kind, and in state N the
# error. The files *.conf here are what this prints, for the cases that need no sweep.
set -euo pipefail

kind=${1:?read or write}
n=${2:?which one, from 1}
errno=${3:?error number}
case $kind in
read | write) ;;
*) echo "nth.sh: $kind is neither read nor write" >&2; exit 1 ;;
esac

for ((i = 1; i < n; i++)); do
	printf '[set-state]\nevent = "%s_aio"\nstate = "%d"\nnew_state = "%d"\n\n' "$kind" "$i" $((i + 1))
done
printf '[inject-error]\nevent = "%s_aio"\niotype = "%s"\nstate = "%d"\nerrno = "%d"\n' "$kind" "$kind" "$n" "$errno"
if [ "${4:-}" != always ]; then
	printf 'once = "on"\n'
fi
