#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# fetch_source.sh - scripts/fetch_source.sh with an archive of our own in a directory: both forms of
# apt's lists, entries that are not Debian's left alone, once and not again, and nothing left behind of
# what is damaged or not there.
set -euo pipefail

for tool in apt-get dpkg-source dpkg-scansources; do
	command -v "$tool" >/dev/null || { echo "skipped: no $tool (package dpkg-dev)"; exit 77; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
archive=$work/archive
export ZPAGER_APT=$work/etc ZPAGER_SOURCES=$work/sources

fail() {
	echo "fetch_source: $*" >&2
	[ ! -f "$work/out" ] || cat "$work/out" >&2
	exit 1
}

fetch() {
	"$ZPAGER_SOURCE/scripts/fetch_source.sh" "$@" >"$work/out" 2>&1
}

# An archive with the one suite bookworm and the one source package zpthing.
make_archive() {
	local tree=$work/zpthing-1.0 lists=$archive/dists/bookworm
	mkdir -p "$tree/debian/source" "$archive/pool" "$lists/main/source"
	echo "3.0 (native)" >"$tree/debian/source/format"
	echo "what it is" >"$tree/README"
	printf 'zpthing (1.0) bookworm; urgency=low\n\n  * New.\n\n -- A B <a@b.example>  %s\n' \
		"Thu, 01 Jan 2026 00:00:00 +0000" >"$tree/debian/changelog"
	printf 'Source: zpthing\nMaintainer: A B <a@b.example>\n\nPackage: zpthing\n%s\n' \
		"$(printf 'Architecture: all\nDescription: a thing')" >"$tree/debian/control"
	(cd "$archive/pool" && dpkg-source -b "$tree") >/dev/null
	(cd "$archive" && dpkg-scansources pool) >"$lists/main/source/Sources" 2>/dev/null
	{
		printf 'Origin: Debian\nSuite: bookworm\nCodename: bookworm\n'
		printf 'Components: main\nArchitectures: all\nDate: %s\nSHA256:\n' "$(LC_ALL=C date -uR)"
		printf ' %s %s main/source/Sources\n' \
			"$(sha256sum <"$lists/main/source/Sources" | cut -d' ' -f1)" \
			"$(stat -c %s "$lists/main/source/Sources")"
	} >"$lists/Release"
}

# Whoever asked one of these would fail: the directories are not there.
strangers() {
	cat <<END
deb [trusted=yes] file:$work/nowhere bookworm-pgdg main
deb [trusted=yes] file:$work/nowhere bookworm contrib
# deb [trusted=yes] file:$work/nowhere bookworm main
deb-src [trusted=yes] file:$work/nowhere sid main
END
}

mkdir -p "$work/etc/sources.list.d"
make_archive

fetch zpthing && fail "no lists, and nothing is said"
grep -q "no list of Debian's own packages" "$work/out" || fail "the want of a list is not said"

{ strangers; echo "deb [arch=amd64 trusted=yes] file:$archive bookworm main contrib"; } \
	>"$work/etc/sources.list"
fetch zpthing || fail "one line: not fetched"
[ "$(cat "$work/sources/zpthing/README")" = "what it is" ] || fail "one line: another content"

mv "$archive" "$archive.away"
fetch zpthing || fail "what is there is fetched again"
mv "$archive.away" "$archive"
fetch ../zpthing && fail "a path is taken for a name"

rm -r "$work/sources" "$work/etc/sources.list"
strangers >"$work/etc/sources.list.d/strangers.list"
cat >"$work/etc/sources.list.d/some.sources" <<END
Types: deb
URIs: file:$work/nowhere
Suites: nodistro
Components: main

# The good one has a comment in it.
Types: deb
URIs: file:$archive
# So.
Suites: bookworm
Components: main
Trusted: yes

Enabled: no
Types: deb
URIs: file:$work/nowhere
Suites: bookworm
Components: main
END
fetch zpthing || fail "several lines: not fetched"
[ "$(cat "$work/sources/zpthing/README")" = "what it is" ] || fail "several lines: another content"

rm -r "$work/sources"
fetch zpother && fail "a package that is not there, and nothing is said"
grep -q "zpother cannot be fetched" "$work/out" || fail "what cannot be fetched is not said"

tarball=$(echo "$archive"/pool/*.tar.*)
printf 'X' | dd of="$tarball" bs=1 seek=100 conv=notrunc status=none
fetch zpthing && fail "a damaged package is taken"
[ -z "$(ls -A "$work/sources")" ] || fail "something is left behind: $(ls -A "$work/sources")"
