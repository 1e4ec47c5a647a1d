#!/bin/bash
# boot.sh [OPTION]... [-- COMMAND...]: boot a kernel in QEMU and run a shell
# command in it. Exits with the command's status; 124 when it took too long,
# 125 when the guest died, 126 when the kernel complained (vm/verdict.sh)
# although the command was content.
#
#   --kernel FILE      (default: build/obj-main's)
#   --initrd FILE      from vm/initramfs.sh (default: a plain one)
#   --mem SIZE         512M      --smp N      2
#   --disk SIZE[,OPT]  a sparse raw disk, empty: /dev/vda, vdb, ... in order;
#                      OPT: discard (TRIM reaches the file), ext4 (formatted)
#   --image FILE[,OPT] an existing raw image; OPT: snapshot (not written to)
#   --root FILE        an ext4 root file system (vm/rootfs.sh), not written
#                      to; the command runs in it. It is the last disk.
#   --icount           one CPU, guest nanoseconds = instructions
#   --append STRING    more kernel command line
#   --timeout SECONDS  600
#   --log FILE         the console; FILE.results: what was sent to the
#                      results port (/dev/$RESULTS in the guest)
#   --quiet            do not stream the console
#   --interactive      console and keyboard are the terminal's, no time limit;
#                      Ctrl-a x, which leaves at once, is success
. "$(dirname "$0")/../tree/common.sh"
. "$TOP/vm/machine.sh"

kernel='' initrd='' mem=512M smp=2 icount=0 append='' limit=600 log='' quiet=0 interactive=0
root='' disks=() images=() all=("$@")
while [ $# -gt 0 ]; do
	case $1 in
	--kernel) kernel=$2; shift 2 ;;
	--initrd) initrd=$2; shift 2 ;;
	--mem) mem=$2; shift 2 ;;
	--smp) smp=$2; shift 2 ;;
	--disk) disks+=("$2"); shift 2 ;;
	--image) images+=("$2"); shift 2 ;;
	--root) root=$2; shift 2 ;;
	--icount) icount=1; shift ;;
	--append) append="$append $2"; shift 2 ;;
	--timeout) limit=$2; shift 2 ;;
	--log) log=$2; shift 2 ;;
	--quiet) quiet=1; shift ;;
	--interactive) interactive=1; shift ;;
	--) shift; break ;;
	*) die "boot.sh: unknown option $1" ;;
	esac
done

"$TOP/tree/need.sh" vm
new_tmp
[ -n "$kernel" ] || kernel=$BUILD/obj-main/arch/x86/boot/bzImage
[ -f "$kernel" ] || die "there is no kernel image $kernel; 'make kernel' builds one."
if [ -z "$initrd" ]; then
	initrd=$TMP/initrd
	"$TOP/vm/initramfs.sh" "$initrd"
fi
[ -n "$log" ] || log=$TMP/console
mkdir -p "$(dirname "$log")"
: >"$log"
: >"$log.results"

args=("${MACHINE[@]}" -m "$mem" -nodefaults -no-user-config -display none -no-reboot)
if [ "$icount" = 1 ]; then
	accel="tcg, one CPU, instructions counted"
	args+=(-accel tcg,thread=single -icount "shift=0,sleep=off" -smp 1)
	KARGS="$KARGS $ICOUNT_KARGS"
else
	accel=$("$TOP/vm/accel.sh" "$kernel")
	case $accel in
	tcg) args+=(-accel "tcg,thread=multi" -cpu "$TCG_CPU") accel="tcg, $smp CPUs in parallel threads" ;;
	*) args+=(-accel "$accel") ;;
	esac
	# a kernel without ACPI finds the first CPU of each socket
	args+=(-smp "$smp,sockets=$smp")
fi

# An emulated CPU that the host does not let run for a while is no lockup.
[ "${accel#tcg}" = "$accel" ] ||
	KARGS="$KARGS watchdog_thresh=30 rcupdate.rcu_cpu_stall_timeout=60"

# disks live in the run's own directory: any number of guests at once
n=0 root_disk=
letters=abcdefghijklmnop
add_disk() { # FILE DRIVE-OPTIONS DEVICE-OPTIONS
	args+=(-drive "file=$1,if=none,id=disk$n,format=raw,cache=unsafe$2"
		-device "$DISK,drive=disk$n$3")
	n=$((n + 1))
}
for d in ${disks[@]+"${disks[@]}"}; do
	f=$TMP/disk$n
	truncate -s "${d%%,*}" "$f"
	drive='' device=
	case ,${d#*,}, in *,discard,*) drive=,discard=unmap,detect-zeroes=off device=,discard=on ;; *) device=,discard=off ;; esac
	case ,${d#*,}, in *,ext4,*) PATH=$PATH:/usr/sbin:/sbin mke2fs -q -t ext4 -F -E lazy_itable_init=1 "$f" ;; esac
	add_disk "$f" "$drive" "$device"
done
for d in ${images[@]+"${images[@]}"}; do
	case ,${d#*,}, in *,snapshot,*) add_disk "${d%%,*}" ",snapshot=on" "" ;; *) add_disk "${d%%,*}" "" "" ;; esac
done
if [ -n "$root" ]; then
	root_disk=vd${letters:n:1}
	add_disk "$root" ",snapshot=on" ""
fi

# what differs from run to run rides behind the initramfs
mkdir "$TMP/extra"
cat >"$TMP/extra/vm.env" <<EOF
RESULTS=$RESULTS
ROOT_DISK=$root_disk
INTERACTIVE=$interactive
EOF
printf '%s\n' "$*" >"$TMP/extra/cmd"
(cat "$initrd"; cd "$TMP/extra" && printf 'vm.env\ncmd\n' | cpio --quiet -o -H newc -R 0:0) >"$TMP/initrd.run"

args+=(-kernel "$kernel" -initrd "$TMP/initrd.run"
	-append "console=$CONSOLE panic=-1 oops=panic printk.time=1 loglevel=6 $KARGS$append")

start=$SECONDS rc=0
: >"$TMP/qemu.err"
if [ "$interactive" = 1 ]; then
	say "vm: $accel; leave with 'exit', or Ctrl-a x when nothing else helps"
	"$QEMU" "${args[@]}" -chardev "stdio,id=console,mux=on,signal=off,logfile=$log" \
		-mon chardev=console -serial chardev:console -serial "file:$log.results" || rc=$?
else
	say "vm: $accel; at most $limit s"
	args+=(-monitor none -serial "file:$log" -serial "file:$log.results")
	timeout -k 5 "$limit" "$QEMU" "${args[@]}" </dev/null 2>"$TMP/qemu.err" &
	qemu=$!
	trap 'kill $qemu 2>/dev/null || true; rm -rf "$TMP"' EXIT
	trap 'exit 130' INT TERM
	if [ "$quiet" = 0 ]; then
		tail -n +1 -f --pid=$qemu -s 0.1 "$log" 2>/dev/null | tr -d '\r' &
		stream=$!
	fi
	wait $qemu || rc=$?
	[ "$quiet" = 1 ] || wait $stream || true
fi

# Emulated CPUs may run into the breakpoint with which the kernel patches its
# code after it is gone again: any kernel, once in some hundred boots. In the
# first seconds it still patches itself, and nothing is lost by another try.
int3=$(tr -d '\r' <"$log" | sed -nE 's/^\[ *([0-9]+)\.[0-9]+\] Oops: int3.*/\1/p' | head -n 1)
# A breakpoint that is there ("cc" in front of where it stopped) is a report.
if [ -z "${VM_AGAIN:-}" ] && [ "$interactive" = 0 ] && [ "${accel#tcg}" != "$accel" ] &&
	[ "${int3:-99}" -lt 5 ] && ! grep -m 1 'Code: ' "$log" | grep -q ' cc <'; then
	say "vm: the emulator has lost its way while the kernel booted (Oops: int3); once more"
	mv "$log" "$log.int3"
	rm -rf "$TMP"
	VM_AGAIN=1 exec "$0" "${all[@]}"
fi

bad() { # STATUS WORDS
	say "vm: $2"
	if [ "$quiet" = 1 ] && [ "$1" != 126 ]; then
		say "the last lines of its console:"
		tr -d '\r' <"$log" | tail -n 20 | sed 's/^/    /' >&2
	fi
	exit "$1"
}
ill=0
"$TOP/vm/verdict.sh" "$log" >"$TMP/verdict" || ill=1
if [ "$ill" = 1 ]; then
	say "vm: the kernel complained:"
	cat "$TMP/verdict" >&2
fi
status=$(tr -d '\r' <"$log.results" | sed -n 's/^guest-exit: //p' | tail -n 1)
[ -n "$status" ] || status=$(tr -d '\r' <"$log" | sed -n 's/^guest-exit: //p' | tail -n 1)
case $rc in
124 | 137) [ -n "$status" ] || bad 124 "the guest did not finish within $limit s." ;;
0) ;;
*) cat "$TMP/qemu.err" >&2; bad 125 "QEMU failed with status $rc." ;;
esac
# Ctrl-a x is a way to leave
[ "$interactive" = 0 ] || [ "$ill" = 1 ] || status=${status:-0}
[ -n "$status" ] || bad 125 "the guest died after $((SECONDS - start)) s."
[ "$ill" = 0 ] || [ "$status" != 0 ] || bad 126 "failed: the kernel complained (above), whatever the command says."
exit "$status"
