#!/bin/bash
# run.sh [shell]: boot the main kernel and swap real data (vm/guest/swapdemo.c);
# or give a prompt, with a disk, a swapfile's file system, zram and zswap at hand.
. "$(dirname "$0")/../tree/common.sh"
"$TOP/tree/need.sh" tree build vm
kernel=$("$TOP/tree/build.sh" main)
new_tmp
${CROSS_COMPILE:-}${HOSTCC:-gcc} -O2 -Wall -static -o "$TMP/swapdemo" "$TOP/vm/guest/swapdemo.c"
"$TOP/vm/initramfs.sh" "$TMP/initrd" "$TMP/swapdemo" "$TOP/vm/guest/shell=/bin/vm-shell"
common=(--kernel "$kernel" --initrd "$TMP/initrd" --mem "${MEM:-512M}" --smp "${SMP:-2}"
	--disk 1G,discard --disk 512M,ext4)
if [ "${1:-}" = shell ]; then
	"$TOP/vm/boot.sh" "${common[@]}" --interactive -- sh /bin/vm-shell
else
	"$TOP/vm/boot.sh" "${common[@]}" --timeout 600 --log "$BUILD/run.log" -- \
		"vm-setup disk file zram zswap && swapdemo ${DEMO:-}"
fi
