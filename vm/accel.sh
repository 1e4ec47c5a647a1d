#!/bin/bash
# accel.sh KERNEL: prints kvm or tcg. A /dev/kvm that opens proves nothing,
# so a guest is booted once with it; the answer is remembered until the
# machine reboots, in build/accel.
. "$(dirname "$0")/../tree/common.sh"
. "$TOP/vm/machine.sh"
[ -z "${ACCEL:-}" ] || { echo "$ACCEL"; exit 0; }
boot_id=$(cat /proc/sys/kernel/random/boot_id)
cache=$TOP/build/accel
if [ "$(sed -n 1p "$cache" 2>/dev/null)" = "$boot_id $ARCH" ]; then
	sed -n 2p "$cache"
	exit 0
fi
accel=tcg why="this machine has no /dev/kvm that this user can open"
if [ "$(uname -m)" != "$HOST_CPU" ]; then
	why="$ARCH guests cannot use this machine's processor"
elif [ -r /dev/kvm ] && [ -w /dev/kvm ]; then
	new_tmp
	"$TOP/vm/initramfs.sh" "$TMP/initrd"
	if ACCEL=kvm "$TOP/vm/boot.sh" --kernel "$1" --initrd "$TMP/initrd" --mem 256M \
		--smp 2 --timeout 20 --quiet --log "$TMP/log" -- true >/dev/null 2>&1; then
		accel=kvm why="a guest booted with it"
	else
		why="/dev/kvm is there, but a guest did not boot with it"
	fi
fi
say "vm: using $accel ($why; remembered in build/accel)"
printf '%s\n' "$boot_id $ARCH" "$accel" >"$cache.$$"
mv "$cache.$$" "$cache"
echo "$accel"
