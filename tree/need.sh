#!/bin/bash
# need.sh GROUP...: make sure that the tools of these groups are there.
# Root gets what is missing installed; everybody else gets the one command
# that does it. Groups: tree build vm rootfs check deb kselftest cross
. "$(dirname "$0")/common.sh"

# what must be there (a command, or a header's path) and Debian's package
group() {
	case $1 in
	tree) echo "git:git xz:xz-utils tar:tar dpkg-deb:dpkg apt-get:apt sha256sum:coreutils" ;;
	build) echo "make:make ${CROSS_COMPILE:-}gcc:gcc ${CROSS_COMPILE:-}ld:binutils
		flex:flex bison:bison bc:bc perl:perl cpio:cpio xz:xz-utils
		/usr/include/stdio.h:libc6-dev /usr/include/libelf.h:libelf-dev
		/usr/include/openssl/ssl.h:libssl-dev" ;;
	vm) case $ARCH in
		x86_64 | i386) echo "qemu-system-x86_64:qemu-system-x86" ;;
		arm64) echo "qemu-system-aarch64:qemu-system-arm" ;;
		s390) echo "qemu-system-s390x:qemu-system-misc" ;;
		esac
		echo "busybox:busybox-static mke2fs:e2fsprogs cpio:cpio timeout:coreutils
		gcc:gcc /usr/include/stdio.h:libc6-dev" ;;
	kselftest) echo "/usr/include/numa.h:libnuma-dev /usr/include/sys/capability.h:libcap-dev" ;;
	rootfs) echo "mmdebstrap:mmdebstrap mke2fs:e2fsprogs" ;;
	cross) echo "${CROSS_COMPILE}gcc:gcc-${CROSS_COMPILE%-} ${CROSS_COMPILE}ld:binutils-${CROSS_COMPILE%-}" ;;
	check) echo "sparse:sparse perl:perl" ;;
	deb) echo "dpkg-buildpackage:dpkg-dev rsync:rsync dh:debhelper openssl:openssl
		fakeroot:fakeroot kmod:kmod cpio:cpio" ;;
	*) die "need.sh: no group called '$1'" ;;
	esac
}

have() {
	case $1 in
	# multiarch moved some headers: ask the compiler's list of places too
	/usr/include/*) [ -e "$1" ] || ls /usr/include/*/"${1#/usr/include/}" >/dev/null 2>&1 ;;
	busybox) busybox_static ;;
	*) command -v "$1" >/dev/null || [ -x "/sbin/$1" ] || [ -x "/usr/sbin/$1" ] ;;
	esac
}

# a dynamically linked busybox is no use in an initramfs
busybox_static() {
	local b
	b=$(command -v busybox) || return 1
	! ldd "$b" >/dev/null 2>&1
}

missing() {
	local g item
	for g in "$@"; do
		for item in $(group "$g"); do
			have "${item%:*}" || printf '%s\n' "${item##*:}"
		done
	done | sort -u
}

mapfile -t pkgs < <(missing "$@")
[ ${#pkgs[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
	die "missing packages; install them with: sudo apt-get install ${pkgs[*]}"
fi
command -v apt-get >/dev/null ||
	die "missing packages and no apt-get to install them: ${pkgs[*]}"

say "installing ${pkgs[*]}"
export DEBIAN_FRONTEND=noninteractive
install() { env -u TMPDIR apt-get install -y -q --no-install-recommends "${pkgs[@]}"; }
new_tmp
if ! install >"$TMP/log" 2>&1; then
	env -u TMPDIR apt-get update -q >>"$TMP/log" 2>&1 || true
	install >>"$TMP/log" 2>&1 || {
		tail -n 15 "$TMP/log" >&2
		die "apt-get could not install: ${pkgs[*]}"
	}
fi
left=$(missing "$@" | tr '\n' ' ')
[ -z "$left" ] || die "still missing after the installation: $left"
