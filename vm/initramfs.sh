#!/bin/bash
# initramfs.sh OUT [DIR|FILE|FILE=PATH]...: an initramfs of busybox and our
# init. A directory is laid over the root, a file goes to /bin or to PATH.
. "$(dirname "$0")/../tree/common.sh"
out=${1:?usage: initramfs.sh OUT [DIR|FILE|FILE=PATH]...}
shift
"$TOP/tree/need.sh" vm
new_tmp
root=$TMP/root
mkdir -p "$root"/{bin,sbin,dev,proc,sys,tmp,mnt,etc,root,run,lib,lib64,usr/bin,var}
busybox=$(command -v busybox)
cp "$busybox" "$root/bin/busybox"
"$busybox" --list | while IFS= read -r a; do
	[ "$a" = busybox ] || ln -s busybox "$root/bin/$a"
done
cp "$TOP/vm/guest/init" "$root/init"
cp "$TOP/vm/guest/setup" "$root/bin/vm-setup"
chmod 755 "$root/init" "$root/bin/vm-setup"
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"

# a host program with the libraries it is linked to
with_libs() {
	local bin lib
	bin=$(command -v "$1" || command -v "/usr/sbin/$1" || command -v "/sbin/$1") || return 0
	cp -L "$bin" "$root/bin/$1.tmp"
	mv "$root/bin/$1.tmp" "$root/bin/$1"
	ldd "$bin" 2>/dev/null | grep -oE '/[^ ]+' | while IFS= read -r lib; do
		mkdir -p "$root/$(dirname "$lib")"
		[ -e "$root/$lib" ] || cp -L "$lib" "$root/$lib"
	done
}
rm -f "$root/bin/mkfs.ext4"
with_libs mke2fs
ln -s mke2fs "$root/bin/mkfs.ext4"
: >"$root/etc/mke2fs.conf"

for item in "$@"; do
	case $item in
	*=/*)
		mkdir -p "$root/$(dirname "${item#*=}")"
		cp -L "${item%%=/*}" "$root/${item#*=}"
		;;
	*)
		if [ -d "$item" ]; then
			cp -dR "$item/." "$root/"
		elif [ -f "$item" ]; then
			rm -f "$root/bin/${item##*/}"
			cp -L "$item" "$root/bin/"
		else
			die "initramfs: there is no $item."
		fi
		;;
	esac
done
find "$root" -exec touch -h -d @0 {} +
# not compressed: nothing is gained by making the guest decompress it
(cd "$root" && find . -print0 | sort -z |
	cpio --null --quiet --reproducible -o -H newc -R 0:0) >"$TMP/out"
mkdir -p "$(dirname "$out")"
mv "$TMP/out" "$out"
