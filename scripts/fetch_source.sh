#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# fetch_source.sh - get Debian source packages, unpacked, once each.
#
#   scripts/fetch_source.sh NAME...     build/sources/NAME, for each that is not there yet
#
# Where from: the entries of this machine's own package lists that are Debian's (a suite of Debian and
# the component main), asked for sources instead of packages. That is a configuration of apt in a
# temporary directory; the machine's own stays as it is, and neither root nor a "deb-src" line is
# needed. apt checks the signature of the archive and, through it, the hashes of what it downloads.
# Half a download never counts: the unpacked directory gets its name last. Needs dpkg-dev.
#
# ZPAGER_SOURCES: another directory than build/sources. ZPAGER_APT: another than /etc/apt (for tests).
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
sources=${ZPAGER_SOURCES:-$root/${BUILD:-build}/sources}
etc=${ZPAGER_APT:-/etc/apt}

fail() {
	echo "fetch_source: $*" >&2
	exit 1
}

# Suites of Debian, as an extended regular expression.
suites='(oldoldstable|oldstable|stable|testing|unstable|sid'
suites+='|buster|bullseye|bookworm|trixie|forky|duke)((-updates|-security|-proposed-updates|/updates)?)'

# One-line entries: "deb [options] uri suite components".
from_list() {
	awk -v suites="^$suites\$" '
		$1 == "deb" {
			at = 2
			if ($2 ~ /^\[/)
				while (at <= NF && $(at++) !~ /\]$/)
					;
			main = 0
			for (i = at + 2; i <= NF; i++)
				main += $i == "main"
			if ($(at + 1) ~ suites && main) {
				sub(/deb/, "deb-src")
				print
			}
		}' "$1"
}

# Entries of several lines, with an empty one between them.
from_sources() {
	sed '/^#/d' "$1" | awk -v suites="^$suites\$" '
		BEGIN { RS = ""; FS = "\n" }
		{
			good = binary = main = 0
			on = 1
			for (i = 1; i <= NF; i++) {
				n = split($i, word, /[ \t]+/)
				field = tolower(word[1])
				if (field == "enabled:" && tolower(word[2]) ~ /^(no|false|0|off|without|disable)$/)
					on = 0
				for (j = 2; j <= n; j++) {
					good += field == "suites:" && word[j] ~ suites
					main += field == "components:" && word[j] == "main"
					binary += field == "types:" && word[j] == "deb"
				}
				if (field == "types:")
					$i = "Types: deb-src"
			}
			if (on && good && main && binary) {
				for (i = 1; i <= NF; i++)
					print $i
				print ""
			}
		}'
}

# The temporary configuration of apt in $work; the lists are fetched once for all packages.
prepare_apt() {
	mkdir -p "$work/parts" "$work/lists/partial" "$work/cache/archives/partial"
	for file in "$etc/sources.list" "$etc"/sources.list.d/*.list; do
		[ ! -f "$file" ] || from_list "$file" >>"$work/parts/debian.list"
	done
	for file in "$etc"/sources.list.d/*.sources; do
		[ ! -f "$file" ] || from_sources "$file" >>"$work/parts/debian.sources"
	done
	cat "$work"/parts/* 2>/dev/null | grep -q . ||
		fail "no list of Debian's own packages in $etc/sources.list or $etc/sources.list.d;" \
			"add one, or unpack the source package by hand to $sources/NAME"
	options=(-q -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$work/parts"
		-o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache"
		-o "APT::Sandbox::User=$(id -un)" -o APT::Update::Error-Mode=any
		-o Acquire::Languages=none -o Acquire::Retries=1 -o Acquire::http::Timeout=30
		-o Acquire::https::Timeout=30)
	apt-get "${options[@]}" update >"$work/log" 2>&1 ||
		no_network "the list of Debian's source packages cannot be fetched"
}

no_network() {
	sed 's/^/  /' "$work/log" >&2
	fail "$1: is there a network?" \
		"Without one, unpack the source package by hand to $sources/NAME (see scripts/README.md)"
}

fetch() {
	local name=$1 to=$work/$1
	mkdir "$to"
	(cd "$to" && apt-get "${options[@]}" --only-source --download-only source "$name") \
		>"$work/log" 2>&1 || no_network "the source package $name cannot be fetched"
	# The hashes have been checked by apt; dpkg-source checks them once more.
	dpkg-source -x "$to"/*.dsc "$to/unpacked" >"$work/log" 2>&1 ||
		{ cat "$work/log" >&2; fail "$name cannot be unpacked"; }
	# If somebody else was faster, theirs is as good.
	mv -T "$to/unpacked" "$sources/$name" 2>/dev/null || [ -d "$sources/$name" ] ||
		fail "cannot write $sources/$name"
	echo "fetch_source: $sources/$name"
}

[ $# -gt 0 ] || fail "say which: scripts/fetch_source.sh NAME..."
missing=()
for name in "$@"; do
	[[ $name =~ ^[a-z0-9][a-z0-9+.-]*$ ]] || fail "'$name' is not the name of a package"
	[ -d "$sources/$name" ] || missing+=("$name")
done
[ ${#missing[@]} -gt 0 ] || exit 0

for tool in apt-get dpkg-source; do
	command -v "$tool" >/dev/null || fail "$tool is missing; run \`make setup\` (package dpkg-dev)"
done
mkdir -p "$sources"
work=$(mktemp -d "$sources/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
prepare_apt
for name in "${missing[@]}"; do
	fetch "$name"
done
