#!/bin/bash
# build.sh NAME [TARGET...]: configure and build build/obj-NAME from
# build/linux; prints the kernel image's path. What the names mean:
. "$(dirname "$0")/common.sh"
name=${1:?usage: build.sh NAME [TARGET...]}
shift
c=$TOP/config
main=("$c/main.config")
[ "$ARCH" = i386 ] || main+=("$c/vswap.config")
case $name in
main) fragments=("${main[@]}") ;;
without) fragments=("$c/main.config") ;;
noswap) fragments=("$c/main.config" "$c/noswap.config") ;;
kunit-"$ARCH") fragments=("$c/kunit.config") ;;
cross-"$ARCH") fragments=("${main[@]}") ;;
debug) fragments=("${main[@]}" "$c/debug.config" "$c/fault.config") ;;
*) die "no kernel configuration is called '$name' (main, without, noswap, debug, kunit-$ARCH, cross-$ARCH)." ;;
esac

# a caller that has just built it says so
built=KERNEL_${name//-/_}
if [ $# = 0 ] && [ -f "${!built:-}" ]; then
	echo "${!built}"
	exit 0
fi

"$TOP/tree/need.sh" build
"$TOP/tree/tree.sh"
obj=$BUILD/obj-$name
case $ARCH in
x86_64 | i386) image=arch/x86/boot/bzImage target=bzImage ;;
arm64) image=arch/arm64/boot/Image target=Image ;;
s390) image=arch/s390/boot/bzImage target=bzImage ;;
*) image=vmlinux target=vmlinux ;;
esac
[ -d "$obj" ] || need_space 2500 "building the $name kernel"
"$TOP/tree/configure.sh" "$LINUX" "$obj" "${fragments[@]}"
[ $# -gt 0 ] || set -- "$target"
case $name in
main | without) set -- "$@" "${PLACED[@]}" ;;
esac
# nothing to do is found out quickly and silently
"$TOP/tree/progress.sh" "$obj/build.log" "kernel ($name)" \
	bash -c '. "$0/tree/common.sh"; kmake "$@"' "$TOP" "$LINUX" "$obj" -j"$JOBS" "$@"
# bench/ tells what it measures
[ "$1" != "$target" ] || wgit -C "$LINUX" describe --tags --always --dirty >"$obj/.commit"
echo "$obj/$image"
