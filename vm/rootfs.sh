#!/bin/bash
# rootfs.sh: build/rootfs.ext4, a Debian root file system for guests that
# need real programs (vm/boot.sh --root). ROOTFS_PACKAGES= adds packages.
. "$(dirname "$0")/../tree/common.sh"
suite=trixie
packages="bash coreutils procps util-linux kmod numactl stress-ng valkey-server valkey-tools ${ROOTFS_PACKAGES:-}"
out=$TOP/build/rootfs.ext4
id="$suite $packages"
if [ -s "$out" ] && [ "$(cat "$out.id" 2>/dev/null)" = "$id" ]; then
	echo "$out"
	exit 0
fi
"$TOP/tree/need.sh" rootfs
need_space 3000 "the Debian root file system"
new_tmp
say "making a Debian $suite root file system (about a minute)"
# no mirror is named: mmdebstrap asks where this machine gets its Debian
# shellcheck disable=SC2086
TMPDIR=$TMP mmdebstrap --variant=minbase --include="$(echo $packages | tr ' ' ,)" \
	--aptopt='APT::Install-Recommends "false"' \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' \
	"$suite" "$TMP/root.tar" 2>"$TMP/log" || {
	grep -E '^(E|W):' "$TMP/log" | tail -n 5 >&2
	die "mmdebstrap could not make a root file system."
}
mb=$(($(stat -c %s "$TMP/root.tar") / 1048576 * 3 / 2 + 256))
fake=()
if [ "$(id -u)" != 0 ]; then
	command -v fakeroot >/dev/null ||
		die "making a root file system as a user needs fakeroot: sudo apt-get install fakeroot"
	fake=(fakeroot)
fi
truncate -s "${mb}M" "$TMP/image"
PATH=$PATH:/usr/sbin:/sbin ${fake[@]+"${fake[@]}"} sh -ec '
	mkdir "$1/root"
	tar -x -p -C "$1/root" --exclude="./dev/*" -f "$1/root.tar"
	mke2fs -q -t ext4 -F -d "$1/root" "$1/image"' sh "$TMP"
rm -f "$out.id"
mv "$TMP/image" "$out"
echo "$id" >"$out.id"
echo "$out"
