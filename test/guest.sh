#!/bin/bash
# guest.sh KERNEL [FACTOR [PROGRAM...]]: run the swap tests in virtual machines
# of that kernel configuration, one machine per program, as many at once as there
# are CPUs to two. Adds to build/test/results. FACTOR stretches time limits.
# BOOT is one more word for the kernels' command line.
. "$(dirname "$0")/../tree/common.sh"
. "$TOP/test/common.sh"
config=${1:?usage: guest.sh KERNEL [FACTOR [PROGRAM...]]}
factor=${2:-1}
shift $(($# < 2 ? $# : 2))
kernel=$("$TOP/tree/build.sh" "$config")
guest=guest-$config${BOOT:+-$BOOT}
dir=$BUILD/test/$guest
mkdir -p "$dir"
new_tmp

"$TOP/test/build.sh" "$BUILD/test/bin" >"$TMP/programs" || die "not all swap tests could be built."
mapfile -t all <"$TMP/programs"
[ ${#all[@]} -gt 0 ] || die "there is no swap_* program in tools/testing/selftests/mm."
[ $# = 0 ] || mapfile -t all < <(printf '%s\n' "$@")
progs=()
for p in ${all[@]+"${all[@]}"}; do
	! wanted "$guest/$p" || progs+=("$p")
done
# the kernel's own unit tests have run by the time it has booted
if [ $# = 0 ] && grep -qx CONFIG_SWAP_KUNIT_TEST=y "${kernel%/arch/*}/.config" && wanted "$guest/kunit"; then
	progs+=(kunit)
fi
[ ${#progs[@]} -gt 0 ] || exit 0
# the longest first: the last one to end has a CPU for itself
for p in swap_alloc swap_vswap; do
	case " ${progs[*]} " in
	*" $p "*) mapfile -t progs < <(echo $p; printf '%s\n' "${progs[@]}" | grep -vx $p) ;;
	esac
done
# 6.12 clears the CPU's feature bits for a moment when it identifies the boot
# CPU. KASAN asks them how many levels page tables have: an interrupt then is
# reported as a wild access. With four levels there is nothing to get wrong.
append=(${BOOT:+--append "$BOOT"})
# KASAN knows who allocated an object: SLUB need not remember that once more.
[ "$config" != debug ] || append+=(--append "no5lvl slab_debug=FZP")
# asked once, before several guests do
"$TOP/vm/accel.sh" "$kernel" >/dev/null

one() { # PROGRAM
	local p=$1 rc=0 start=$SECONDS quiet=(--quiet) file=$BUILD/test/bin/$1
	local units="kunit.enable=0" args=${ARGS:-}
	[ "$p" != kunit ] || units="" file=$TOP/test/kunit
	# What these ask of zswap over a disk is skipped with a virtual device: the main
	# kernel runs them with it, the debug kernel without.
	case $config:$p in
	debug:swap_alloc | debug:swap_onoff | debug:swap_memcg) units="$units vswap=0" ;;
	# three kinds of devices behind the virtual one are enough here
	debug:swap_vswap) args="$args -V disk_rotational" ;;
	esac
	[ ${#progs[@]} -gt 1 ] || quiet=()
	"$TOP/vm/initramfs.sh" "$TMP/$p.initrd" "$file" || {
		result fail "$guest/$p" "its initramfs could not be made"
		return
	}
	"$TOP/vm/boot.sh" --kernel "$kernel" --initrd "$TMP/$p.initrd" \
		--mem "${MEM:-512M}" --smp "${SMP:-2}" ${quiet[@]+"${quiet[@]}"} ${append[@]+"${append[@]}"} ${units:+--append "$units"} \
		--disk 512M,discard --disk 1G,ext4 --disk 512M,discard --disk 512M \
		--timeout $((${TEST_TIMEOUT:-900} * factor)) --log "$dir/$p.log" -- "
		mkdir -p /swap
		mount -t ext4 /dev/vdb /swap || exit 1
		export SWAP_TEST_DISKS='/dev/vda /dev/vdc /dev/vdd' SWAP_TEST_DIR=/swap
		export SWAP_TEST_SCALE=${TEST_SCALE:-1} SWAP_TEST_RACES=${TEST_RACES:-10000}
		cd /tmp
		{ $p $args 2>&1; echo \$? >/tmp/status; } | tee /dev/\$RESULTS
		exit \$(cat /tmp/status)" 2>"$TMP/$p.err" || rc=$?
	sum_up "$p" "$rc" $((SECONDS - start)) >"$TMP/$p.out" 2>&1
	cat "$TMP/$p.out" >&2
}

# the program's KTAP and how its guest ended, as results
sum_up() { # PROGRAM STATUS SECONDS
	local p=$1 rc=$2 name="$guest/$1" before after
	tr -d '\r' <"$dir/$p.log.results" | awk -v prefix="$name: " '
		# sub-tests are indented, only what a test as a whole says counts
		/^1\.\.[0-9]+/ { plan = substr($1, 4) + 0 }
		/^(not )?ok [0-9]+/ {
			n++
			status = $1 == "ok" ? "pass" : "fail"
			line = $0
			sub(/^(not )?ok [0-9]+( - )?/, "", line)
			why = ""
			if (match(line, /# *(SKIP|XFAIL)/)) {
				if (line ~ /# *SKIP/) status = "skip"
				why = substr(line, RSTART + RLENGTH)
				line = substr(line, 1, RSTART - 1)
			}
			gsub(/^ +| +$/, "", line); gsub(/^ +| +$/, "", why)
			if (line == "") { line = "test " n }
			if (status == "fail") why = said
			print status "\t" prefix line "\t" why
		}
		/^# +RUN / { said = ""; quoted = 0 }
		# all that the test said, in one line
		/^# / && !/^# +(RUN|OK|FAIL) / && quoted++ < 12 {
			sub(/^# +(\/[^ ]*\/)?/, "")
			said = said (said == "" ? "" : "; ") $0
		}
		END { if (n < plan || !n)
			print "fail\t" prefix "all of it\t" (plan ? n + 0 " of " plan " tests reported" : "it reported nothing") }
	' >"$TMP/$p.res"
	case $rc in
	0 | 4) ;; # 4: kselftest for skipped
	124 | 125 | 126)
		printf 'fail\t%s: the guest\t%s\n' "$name" \
			"$(grep '^vm: ' "$TMP/$p.err" | tail -n 1); log: ${dir#"$TOP"/}/$p.log" >>"$TMP/$p.res"
		;;
	*)
		# the status of a program whose failed tests are counted above says
		# nothing new; one without a failed test does
		grep -q '^fail' "$TMP/$p.res" ||
			printf 'fail\t%s: exit status\t%s\n' "$name" "$rc" >>"$TMP/$p.res"
		;;
	esac
	# a kernel report fails the run even where tests failed anyway
	if [ "$rc" != 126 ] && grep -q '^vm: the kernel complained' "$TMP/$p.err"; then
		printf 'fail\t%s: the kernel\t%s\n' "$name" "complained; log: ${dir#"$TOP"/}/$p.log" >>"$TMP/$p.res"
	fi
	cat "$TMP/$p.res" >>"$RESULTS_FILE"
	before=$(grep -c '^pass' "$TMP/$p.res" || true)
	after=$(grep -c '^skip' "$TMP/$p.res" || true)
	say "$name: $before passed, $(grep -c '^fail' "$TMP/$p.res" || true) failed, $after skipped ($3 s)"
	awk -F '\t' '$1 == "fail" { print "    FAILED " $2 ": " $3 }' "$TMP/$p.res"
	if grep -q '^fail' "$TMP/$p.res"; then
		grep -v '^vm: tcg\|^vm: kvm' "$TMP/$p.err" | head -n 60 | sed 's/^/    /'
	fi
}

# what races waits for the others without sleeping: they need a CPU each
case " ${progs[*]} " in
*" swap_race "*) one swap_race ;;
esac
slots=$(($(nproc) > 1 ? 2 : 1))
[ "$(nproc)" -lt 8 ] || slots=$(($(nproc) / 3))
for p in "${progs[@]}"; do
	[ "$p" != swap_race ] || continue
	while [ "$(jobs -rp | wc -l)" -ge $slots ]; do wait -n || true; done
	one "$p" &
done
wait
for p in "${progs[@]}"; do
	grep -q -F -e "	$guest/$p" "$RESULTS_FILE" || result fail "$guest/$p" "has no result"
done
