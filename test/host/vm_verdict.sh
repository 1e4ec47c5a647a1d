#!/bin/bash
# Real guests: one that ends well, one whose command fails, one that panics,
# one that hangs, one whose kernel complains while its command is content.
. "$(dirname "$0")/../../tree/common.sh"
. "$TOP/test/workspace.sh"
new_tmp
kernel=$("$TOP/tree/build.sh" main)
"$TOP/vm/initramfs.sh" "$TMP/initrd"
guest() { # STATUS WORDS SECONDS COMMAND
	local rc=0
	"$TOP/vm/boot.sh" --kernel "$kernel" --initrd "$TMP/initrd" --mem 256M --quiet \
		--timeout "$3" --log "$TMP/log" -- "$4" >"$TMP/out" 2>&1 || rc=$?
	cat "$TMP/out"
	[ "$rc" = "$1" ] || { tail -n 5 "$TMP/log"; fail "status $rc instead of $1: $4"; }
	grep -qE "$2" "$TMP/out" || fail "did not say '$2': $4"
}
guest 0 'vm: ' 120 'echo here >/dev/$RESULTS'
grep -q '^here' "$TMP/log.results" || fail "nothing came through the results port"
guest 3 'vm: ' 120 'exit 3'
guest 125 'Kernel panic - not syncing: sysrq triggered crash' 120 'echo c >/proc/sysrq-trigger; sleep 60'
guest 124 'did not finish within 15 s' 15 'echo waiting; sleep 600'
# the time stamp is what makes it a message of the kernel's
guest 126 'WARNING: CPU: 0 .* made up' 120 'echo "<4>WARNING: CPU: 0 PID: 1 made up" >/dev/kmsg; exit 0'
