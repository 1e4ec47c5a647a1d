#!/bin/bash
# hibernate.sh KERNEL [FACTOR]: suspend a virtual machine of that kernel
# configuration to its swap disk and resume it from there, twice: once the
# kernel finds the image by itself (resume=), once user space shows it where,
# as an initramfs does. Adds to build/test/results. FACTOR stretches time limits.
. "$(dirname "$0")/../tree/common.sh"
. "$TOP/test/common.sh"
config=${1:?usage: hibernate.sh KERNEL [FACTOR]}
factor=${2:-1}
name=guest-$config/hibernate
wanted "$name" || exit 0
kernel=$("$TOP/tree/build.sh" "$config")
if grep -qx '# CONFIG_HIBERNATION is not set' "${kernel%/arch/*}/.config" 2>/dev/null; then
	result skip "$name" "the kernel cannot hibernate"
	exit 0
fi
dir=$BUILD/test/guest-$config
mkdir -p "$dir"
new_tmp
start=$SECONDS

${CC:-${CROSS_COMPILE:-}gcc} -O2 -Wall -static -o "$TMP/hibernate" "$TOP/test/guest/hibernate.c"
"$TOP/vm/initramfs.sh" "$TMP/initrd" "$TMP/hibernate"
# it outlives the machine
truncate -s 1G "$TMP/disk"
append=(--append "no_console_suspend loglevel=7")
# see guest.sh, which also runs the kernel's unit tests
[ "$config" != debug ] || append+=(--append "kunit.enable=0 no5lvl slab_debug=FZP")

boot() { # N COMMAND [OPTION]...: its status; what it said is in $TMP/N.err
	local n=$1 command=$2 rc=0
	shift 2
	"$TOP/vm/boot.sh" --kernel "$kernel" --initrd "$TMP/initrd" --mem "${MEM:-512M}" --smp "${SMP:-2}" \
		--quiet "${append[@]}" --image "$TMP/disk" "$@" \
		--timeout $((${TEST_TIMEOUT:-300} * factor)) --log "$dir/hibernate-$n.log" -- "$command" 2>"$TMP/$n.err" || rc=$?
	tr -d '\r' <"$dir/hibernate-$n.log.results" >>"$TMP/said"
	return $rc
}
bad() { # N WHY
	result fail "$name: the guest" "boot $1 $2; log: ${dir#"$TOP"/}/hibernate-$1.log"
	sed 's/^/    /' "$TMP/$1.err" >&2
	good=0
}
# ended N STATUS suspended|itself: was that the way it should? A guest that
# suspends goes without a word about how it ended: what boot.sh calls dead.
ended() {
	local why
	why=$(grep '^vm: ' "$TMP/$1.err" | sed 1d | tail -n 1) || true
	if grep -q '^vm: the kernel complained' "$TMP/$1.err"; then
		bad "$1" "ended with complaints of the kernel"
	elif grep -qx 'started anew' "$TMP/said"; then
		bad "$1" "has not resumed but started anew"
	elif [ "$3" = suspended ]; then
		if [ "$2" != 125 ] || ! grep -q '^vm: the guest died' "$TMP/$1.err" ||
			[ "$(tail -n 1 "$TMP/said")" != suspending ]; then
			bad "$1" "was not suspended but ended with status $2${why:+ ($why)}"
		fi
	# a failed test is a result of its own
	elif [ "$2" != 0 ] && { [ "$2" != 1 ] || ! grep -q '^not ok' "$TMP/said"; }; then
		bad "$1" "ended with status $2${why:+ ($why)}"
	fi
}
# what a machine runs that starts anew where it should have resumed
anew='echo "started anew" >/dev/$RESULTS; exit 99'

: >"$TMP/said"
good=1 rc=0
boot 1 "ZRAM_MB=8 vm-setup disk zram
	exec hibernate /dev/vda /dev/zram0 ${TEST_MB:-} >/dev/\$RESULTS 2>&1" || rc=$?
ended 1 $rc suspended
if [ $good = 1 ]; then
	rc=0
	# one CPU reads an image, the others have to be off by then
	boot 2 "$anew" --append "resume=/dev/vda maxcpus=1" || rc=$?
	ended 2 $rc suspended
fi
# A device with an image on it is not for swapping.
if [ $good = 1 ]; then
	rc=0
	boot 3 "swapon /dev/vda 2>/dev/null && echo 'swapped on' >/dev/\$RESULTS
		cat /sys/block/vda/dev >/sys/power/resume
		$anew" || rc=$?
	ended 3 $rc itself
	if grep -qx 'swapped on' "$TMP/said"; then
		result fail "$name: swapon of a suspended machine's disk" "was not refused"
	else
		result pass "$name: swapon of a suspended machine's disk is refused"
	fi
fi
awk -v prefix="$name: " '
	/^1\.\./ { plan = substr($1, 4) + 0 }
	/^(not )?ok [0-9]+ - / {
		n++
		status = $1 == "ok" ? "pass" : "fail"
		sub(/^(not )?ok [0-9]+ - /, "")
		print status "\t" prefix $0 "\t" (status == "fail" ? last : "")
	}
	{ last = /^# / ? substr($0, 3) : "" }
	END { if (n < plan || !n) print "fail\t" prefix "all of it\t" n + 0 " of " plan + 0 " tests reported" }
' "$TMP/said" >"$TMP/results"
awk -F '\t' '$1 == "fail" { print "    FAILED " $2 ": " $3 }' "$TMP/results" >&2
cat "$TMP/results" >>"$RESULTS_FILE"
if [ $good = 0 ] || grep -q '^fail' "$TMP/results"; then
	sed 's/^/    /' "$TMP/said" >&2
fi
say "$name: $(grep -c '^pass' "$TMP/results") passed, $(grep -c '^fail' "$TMP/results") failed ($((SECONDS - start)) s)"
