#!/bin/bash
# cross.sh ARCH...: what the series touches compiles without a warning for
# machines that nothing here boots: mm/, hibernation, the architecture's mm/.
. "$(dirname "$0")/../tree/common.sh"
. "$TOP/test/common.sh"
[ $# -gt 0 ] || die "usage: cross.sh ARCH... (arm64 s390)"
for arch in "$@"; do
	case $arch in
	arm64) cross=aarch64-linux-gnu- ;;
	s390) cross=s390x-linux-gnu- ;;
	*) die "cross.sh knows arm64 and s390, not '$arch'." ;;
	esac
	export ARCH=$arch CROSS_COMPILE=$cross
	"$TOP/tree/need.sh" cross
	"$TOP/tree/need.sh" tree build
	# devices of the virtual machine that this architecture has not got
	step "cross/$arch" env CONFIG_LENIENT=1 KCFLAGS=-Werror "$TOP/tree/build.sh" "cross-$arch" \
		mm/ kernel/power/ "arch/$arch/mm/"
done
