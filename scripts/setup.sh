#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# setup.sh - install what the build, the tests and the demo need, on Debian 12.
#
# Names of packages only, no versions, no downloads past apt. If everything is there already it does
# nothing and takes a fraction of a second; otherwise it needs root or sudo. It never asks a question.
#
#   scripts/setup.sh            install what is missing
#   scripts/setup.sh --check    only say what is missing; exit 1 if anything is
#
# redis-server, nginx and postgresql are here because the tests run them as unmodified programs. Their
# packages start services; a policy-rc.d that answers "no" holds that back during the installation, and
# the services are not enabled for the next boot either.
set -euo pipefail

build=(cmake ninja-build make gcc libc6-dev linux-libc-dev binutils pkg-config python3
	python3-kconfiglib)
libraries=(liblz4-dev libxxhash-dev liburing-dev libseccomp-dev libcmocka-dev
	libmimalloc-dev libmimalloc2.0 libzstd-dev)
checks=(clang clang-format clang-tidy libclang-rt-14-dev gcovr valgrind git
	gcc-aarch64-linux-gnu gcc-riscv64-linux-gnu qemu-system-misc opensbi
	qemu-system-arm qemu-system-x86 seabios dpkg-dev)
# The C libraries of the reference application: binaries, and for x86_64 a source.
user=(picolibc-aarch64-linux-gnu picolibc-riscv64-unknown-elf newlib-source)
programs=(sqlite3 redis-server redis-tools xz-utils time
	tar rsync curl nginx-light git perl lua5.4 gzip imagemagick postgresql)

packages=("${build[@]}" "${libraries[@]}" "${checks[@]}" "${user[@]}" "${programs[@]}")

installed() {
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	echo "setup: this is not a Debian system; install by hand what corresponds to: ${packages[*]}" >&2
	exit 1
fi

# The interpreter that the boards run comes as a source package. Without it they do without the program.
fetch_sources() {
	[ "${1:-}" = --check ] || "$(dirname "$0")/fetch_source.sh" lua5.4 ||
		echo "setup: no source of lua5.4: the kernels are built without the reference application" >&2
}

missing=()
for package in "${packages[@]}"; do
	installed "$package" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
	fetch_sources "$@"
	exit 0
fi
if [ "${1:-}" = --check ]; then
	echo "setup: missing: ${missing[*]}" >&2
	exit 1
fi

if [ "$(id -u)" -eq 0 ]; then
	root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
	root=(sudo -n)
elif command -v sudo >/dev/null && [ -t 0 ]; then
	root=(sudo)
else
	echo "setup: missing packages, and neither root nor sudo. As root, run:" >&2
	echo "  apt-get install ${missing[*]}" >&2
	exit 1
fi

policy=/usr/sbin/policy-rc.d
kept=
guarded=no
restore_policy() {
	[ "$guarded" = yes ] || return 0
	"${root[@]}" rm -f "$policy"
	[ -z "$kept" ] || "${root[@]}" mv "$kept" "$policy"
	guarded=no
}
trap restore_policy EXIT

# Hold back every start of a service while the packages are unpacked; an older policy comes back.
guard_services() {
	if [ -e "$policy" ]; then
		kept=$policy.zpager-kept
		"${root[@]}" mv "$policy" "$kept"
	fi
	guarded=yes
	printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null
	"${root[@]}" chmod 755 "$policy"
}

install_missing() {
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
		--no-install-recommends -o Dpkg::Use-Pty=0 "${missing[@]}"
}

echo "setup: installing ${missing[*]}"
services=()
for package in redis-server nginx-light postgresql; do
	case " ${missing[*]} " in *" $package "*) services+=("${package%-light}.service") ;; esac
done
guard_services
"${root[@]}" apt-get update -q || echo "setup: apt-get update failed; trying with the lists there are" >&2
install_missing
if [ ${#services[@]} -gt 0 ] && command -v systemctl >/dev/null && [ -d /run/systemd/system ]; then
	"${root[@]}" systemctl disable --now "${services[@]}" >/dev/null 2>&1 || true
fi

for package in "${missing[@]}"; do
	installed "$package" || { echo "setup: $package is still missing" >&2; exit 1; }
done
fetch_sources
echo "setup: done"
