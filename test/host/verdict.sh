#!/bin/bash
# The verdict on a console log: what fails a run and what does not.
. "$(dirname "$0")/../../tree/common.sh"
. "$TOP/test/workspace.sh"
new_tmp
ill() {
	printf '[    1.000000] fine\n%s\n[    3.000000] fine\n' "$1" >"$TMP/log"
	if "$TOP/vm/verdict.sh" "$TMP/log" >"$TMP/out"; then fail "not seen: $1"; fi
	grep -qF -- "$1" "$TMP/out" || fail "not quoted: $1"
}
well() {
	printf '[    1.000000] fine\n%s\n[    3.000000] fine\n' "$1" >"$TMP/log"
	"$TOP/vm/verdict.sh" "$TMP/log" || fail "seen in: $1"
}
ill '[    2.345678] WARNING: CPU: 1 PID: 77 at mm/swapfile.c:123 swap_free+0x1/0x2'
ill '[    2.345678][   T77] WARNING: CPU: 1 PID: 77 at mm/swapfile.c:123 swap_free+0x1/0x2'
ill 'half a line of a program[    2.345678] WARNING: CPU: 1 PID: 77 at mm/swapfile.c:123'
ill '[    2.345678] WARNING: possible circular locking dependency detected'
ill '[    2.345678] WARNING: suspicious RCU usage'
ill '[    2.345678] BUG: kernel NULL pointer dereference, address: 0000000000000000'
ill '[    2.345678] kernel BUG at mm/swap_state.c:99!'
ill '[    2.345678] Oops: invalid opcode: 0000 [#1] PREEMPT SMP'
ill '[    2.345678] BUG: KASAN: slab-use-after-free in folio_free_swap+0x1/0x2'
ill '[    2.345678] BUG: sleeping function called from invalid context at mm/page_alloc.c:1'
ill '[    2.345678] BUG: Bad page state in process a  pfn:12345'
ill '[    2.345678] BUG: Bad rss-counter state mm:00000000 type:MM_SWAPENTS val:1'
ill '[    2.345678] BUG kmalloc-64 (Not tainted): Poison overwritten'
ill '[    2.345678] INFO: task kswapd0:44 blocked for more than 60 seconds.'
ill '[    2.345678] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [a:1]'
ill '[    2.345678] rcu: INFO: rcu_sched detected stalls on CPUs/tasks:'
ill '[    2.345678] Kernel panic - not syncing: Attempted to kill init!'
ill '[    2.345678] list_add corruption. next->prev should be prev'
ill '[    2.345678] refcount_t: underflow; use-after-free.'
ill '[    2.345678] get_swap_device: Bad swap file entry 3ffffffffffff'
well 'WARNING: a program may print what it likes'
well '# BUG: so may a test'
well '[    2.345678] a.out: page allocation failure: order:0, mode:0x0'
well '[    2.345678] Out of memory: Killed process 12 (hog) total-vm:1kB'
well '[    2.345678] Buffer I/O error on dev dm-0, logical block 1, async page read'
well '[    2.345678] Read-error on swap-device (253:0:8)'
well '[    2.345678] DEBUG: something'
well '[    2.345678] FAULT_INJECTION: forcing a failure.'
