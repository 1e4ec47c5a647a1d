# Sourced by every script: where things are, and how to say that something
# is wrong. No script writes outside the repo; temporary files live in
# build/tmp and go when the script ends.
# shellcheck shell=bash

set -euo pipefail
export LC_ALL=C
umask 022

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
DOWNLOAD=$TOP/build/download

# Everything made from the pinned base lives in build/. Another base
# (KERNEL_SRC=, BASE_VERSION=) gets a directory of its own, so that trying
# one never disturbs the tree that somebody works in.
if [ -n "${KERNEL_SRC:-}" ]; then
	BUILD=$TOP/build/other-src
elif [ -n "${BASE_VERSION:-}" ]; then
	BUILD=$TOP/build/other-$BASE_VERSION
else
	BUILD=$TOP/build
fi
LINUX=$BUILD/linux
SERIES=$TOP/series

# one more than CPUs: some wait for the disk
JOBS=${JOBS:-$(($(nproc) + 1))}
# What kernel makefiles call ARCH: x86_64, i386, arm64, s390, ...
if [ -z "${ARCH:-}" ]; then
	case $(uname -m) in
	x86_64) ARCH=x86_64 ;;
	i?86) ARCH=i386 ;;
	aarch64) ARCH=arm64 ;;
	s390x) ARCH=s390 ;;
	*) ARCH=$(uname -m) ;;
	esac
fi

say() { printf '%s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# it becomes the name of a directory
case ${BASE_VERSION:-} in
*/*) die "BASE_VERSION: '$BASE_VERSION' is not the version of a package." ;;
esac

# base_get KEY: a value from series/base
base_get() { sed -n "s/^$1=//p" "$SERIES/base"; }

# patches: the series in order, without the cover letter
patches() {
	local p
	for p in "$SERIES"/[0-9][0-9][0-9][0-9]-*.patch; do
		case $p in
		*/0000-*) ;;
		*) [ ! -e "$p" ] || printf '%s\n' "$p" ;;
		esac
	done
}

export TMPDIR=$TOP/build/tmp
mkdir -p "$TMPDIR"
TMP=
new_tmp() {
	TMP=$(mktemp -d "$TOP/build/tmp/${0##*/}.XXXXXX")
	trap 'rm -rf "$TMP"' EXIT
}

# need_space MB WHAT: too little disk is found before, not halfway
need_space() {
	local free
	mkdir -p "$TOP/build"
	free=$(df -Pk "$TOP/build" | awk 'NR == 2 { print int($4 / 1024) }')
	[ "$free" -ge "$1" ] ||
		die "$2 needs $1 MB of disk under build/, there are $free MB."
}

# git that neither the user's configuration nor the repo around it can bend
wgit() {
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null \
		git -c core.autocrlf=false -c core.quotePath=false \
		-c gc.auto=0 -c maintenance.auto=false -c advice.detachedHead=false \
		-c core.abbrev=12 "$@"
}

# work_tree DIR: another work tree of build/linux, at the base. One whose
# build/linux was deleted or made anew is of no use any more.
work_tree() {
	if [ ! -e "$1/.git" ] || ! wgit -C "$1" rev-parse -q --verify HEAD >/dev/null 2>&1; then
		rm -rf "$1"
		wgit -C "$LINUX" worktree prune
		wgit -C "$LINUX" worktree add -q --detach "$1" base
	fi
	wgit -C "$1" checkout -q --force --detach base
}

# kmake SRC OBJ ARGS...: the kernel's make, untouched by the variables of
# the make that called us
kmake() {
	local src=$1 obj=$2
	shift 2
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES -u T -u CONFIG -u PEER \
		make -C "$src" O="$obj" ARCH="$ARCH" \
		${CROSS_COMPILE:+CROSS_COMPILE="$CROSS_COMPILE"} \
		${LLVM:+LLVM="$LLVM"} ${CC:+CC="$CC"} ${HOSTCC:+HOSTCC="$HOSTCC"} \
		LOCALVERSION="${LOCALVERSION:-}" \
		KBUILD_BUILD_USER=workshop KBUILD_BUILD_HOST=workshop \
		KBUILD_BUILD_TIMESTAMP='2024-11-17 22:15:08 UTC' "$@"
}

# Arguments for kmake, for kernels that are compared in time. QEMU translates code
# a page at a time, and is much slower where a loop crosses a page. Whether that
# happens to the compressor, where swapping spends most of its time, must not
# depend on what else is linked. (objtool does not like how it is padded.)
PLACED=()
for o in lzo1x_compress lzo1x_decompress_safe; do
	PLACED+=("CFLAGS_$o.o=-falign-functions=4096" "OBJECT_FILES_NON_STANDARD_$o.o=y")
done

# kernel_headers LOG: the headers for user space, in build/obj-main/usr. Two
# who want them at once wait for each other.
kernel_headers() {
	(
		flock 9
		kmake "$LINUX" "$BUILD/obj-main" -s headers >"$1" 2>&1
	) 9>"$BUILD/headers.lock" || { tail "$1" >&2; die "the kernel's headers could not be made."; }
}
