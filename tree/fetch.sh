#!/bin/bash
# fetch.sh: put the base's source tarball under build/download, print its
# path. The pinned version is checked against series/base; another one
# (BASE_VERSION=) is vouched for by apt's signatures.
. "$(dirname "$0")/common.sh"

package=$(base_get package)
pinned=$(base_get version)
version=${BASE_VERSION:-$pinned}
case $version in
6.12.*) ;;
*) die "the series is for 6.12; '$version' is another kernel." ;;
esac

if [ "$version" = "$pinned" ]; then
	sum=$(base_get sha256)
	dir=$DOWNLOAD
else
	sum=
	dir=$DOWNLOAD/$version
fi
tarball=$dir/$(base_get tarball)

sha_ok() {
	[ -z "$sum" ] || echo "$sum  $tarball" | sha256sum --check --status -
}

# A good tarball is remembered by size and time: hashing takes a second.
stamp=$tarball.checked
if [ -s "$tarball" ]; then
	now="$sum $(stat -c '%s %Y' "$tarball")"
	if [ "$(cat "$stamp" 2>/dev/null)" != "$now" ]; then
		sha_ok || die "wrong checksum: build/${tarball#"$TOP"/build/} is not the tarball that series/base names; delete it to download it again."
		echo "$now" >"$stamp"
	fi
	echo "$tarball"
	exit 0
fi

"$TOP/tree/need.sh" tree
need_space 700 "downloading the kernel source"
new_tmp

# apt of our own: the machine's sources, nothing written outside the repo.
# A Debian release that does not carry the pinned version is asked for the
# suite that does, from wherever this machine gets its Debian.
own_apt() {
	local a=$DOWNLOAD/apt f
	mkdir -p "$a/lists/partial" "$a/cache/archives/partial" "$a/parts"
	: >"$a/sources.list"
	rm -f "$a"/parts/*
	for f in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
		[ -f "$f" ] || continue
		case $f in
		*.sources)
			# one stanza for the suite, from each that has a security suite
			awk -v RS= -v ORS='\n\n' '/Suites:[^\n]*-security/' "$f" |
				sed "s/^Suites:.*/Suites: $(base_get suite)/" \
				>"$a/parts/${f##*/}"
			;;
		*.list)
			sed -nE "s,^(deb +(\[[^]]*\] +)?[^ ]+) +[a-z]+-security .*,\1 $(base_get suite) main,p" "$f" \
				>>"$a/sources.list"
			;;
		esac
	done
	printf '%s\n' -o "Dir::State::lists=$a/lists" -o "Dir::Cache=$a/cache" \
		-o "Dir::Etc::sourcelist=$a/sources.list" -o "Dir::Etc::sourceparts=$a/parts" \
		-o "APT::Sandbox::User=" >"$a/options"
}

download() {
	(cd "$TMP" && apt-get "$@" -o APT::Sandbox::User= download "$package=$version") \
		>>"$TMP/log" 2>&1
}

say "downloading $package $version (150 MB)"
if ! download; then
	[ "$(id -u)" != 0 ] || apt-get update -q >>"$TMP/log" 2>&1 || true
	if ! download; then
		own_apt
		mapfile -t opts <"$DOWNLOAD/apt/options"
		apt-get "${opts[@]}" update -q >>"$TMP/log" 2>&1 || true
		download "${opts[@]}" || {
			grep '^E:' "$TMP/log" | tail -n 3 | sort -u >&2 || true
			newest=$(apt-cache "${opts[@]}" policy "$package" 2>/dev/null |
				awk '$1 == "Candidate:" { print $2 }')
			die "apt cannot download $package $version; 'apt-get update' may help${newest:+, or BASE_VERSION=$newest, which apt offers}."
		}
	fi
fi
mkdir -p "$dir"
dpkg-deb --fsys-tarfile "$TMP"/"$package"_*.deb |
	tar -x -O -f - "./usr/src/$(base_get tarball)" >"$tarball.part" ||
	die "the package $package $version holds no $(base_get tarball)."
mv "$tarball.part" "$tarball"
if ! sha_ok; then
	rm -f "$tarball"
	die "wrong checksum: the downloaded $package $version is not the tarball that series/base names."
fi
echo "$sum $(stat -c '%s %Y' "$tarball")" >"$stamp"
rm -rf "$DOWNLOAD/apt"
echo "$tarball"
