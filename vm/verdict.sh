#!/bin/bash
# verdict.sh CONSOLE-LOG: what in a guest's console log means that the kernel
# is not well? Quotes the first reports and exits with 1; silent and 0 when
# all is well. Failed allocations, I/O errors and the OOM killer are allowed:
# tests provoke them.
set -euo pipefail
export LC_ALL=C
[ -r "${1:-}" ] || { echo "usage: verdict.sh CONSOLE-LOG" >&2; exit 2; }
tr -d '\r' <"$1" | awk '
	# kernel messages carry a time stamp; what programs print is not judged
	{ kernel = match($0, /\[ *[0-9]+\.[0-9][0-9][0-9][0-9][0-9][0-9]\]/)
	  msg = kernel ? substr($0, RSTART + RLENGTH) : "" }
	kernel && (msg ~ /WARNING: / ||
		msg ~ /(^|[^A-Z_])BUG[: ]/ || msg ~ /kernel BUG at/ ||
		msg ~ /Oops[: ]/ || msg ~ /Kernel panic/ ||
		msg ~ /general protection fault/ || msg ~ /[Uu]nable to handle (kernel|page fault)/ ||
		msg ~ /KASAN: / || msg ~ /KFENCE: / || msg ~ /UBSAN: / || msg ~ /KCSAN: / ||
		msg ~ /soft lockup|hard LOCKUP/ ||
		msg ~ /INFO: task .* blocked for more than/ ||
		msg ~ /INFO: (possible|inconsistent|trying to register)/ ||
		msg ~ /possible (circular|recursive|irq) lock/ ||
		msg ~ /inconsistent lock state/ || msg ~ /suspicious RCU usage/ ||
		msg ~ /bad unlock balance/ || msg ~ /Invalid wait context/ ||
		msg ~ /rcu: INFO: .*(stall|expedited)/ || msg ~ /DEBUG_LOCKS_WARN_ON/ ||
		msg ~ /(list_add|list_del) corruption/ || msg ~ /refcount_t: / ||
		msg ~ /Bad (page state|page map|page cache|rss-counter)/ ||
		msg ~ /[Bb]ad swap (file|offset)|Unused swap offset|swap_info_get:/ ||
		msg ~ /VM_BUG_ON|page dumped because/ || msg ~ /corrupted (stack|page table)/ ||
		msg ~ /stack-protector:|scheduling while atomic/ ||
		msg ~ /kmemleak: [1-9]/ || msg ~ /cut here/ ||
		msg ~ /end trace|---\[ end Kernel panic/) {
		if (msg !~ /end trace|end Kernel panic/) {
			n++
			if (quote <= 0 && blocks++ < 4) quote = 25
		}
	}
	quote > 0 { print "    " $0; if (--quote == 0) print "    [...]" }
	END { if (n) { printf "  %d kernel report line%s\n", n, (n > 1 ? "s" : ""); exit 1 } }
'
