#!/bin/bash
# kselftest.sh [--record]: the kernel's own mm and cgroup tests as a second
# witness. They run in the main kernel's VM; what passes on the unpatched
# base (test/kselftest.base, a record) must pass there too. --record makes
# that record: the base is built and runs them RUNS=3 times, and what passes
# each time is written down.
. "$(dirname "$0")/../tree/common.sh"
. "$TOP/tree/series.sh"
. "$TOP/test/common.sh"
record=0
[ "${1:-}" != --record ] || record=1
list=$TOP/test/kselftest.list
base=$TOP/test/kselftest.base
"$TOP/tree/need.sh" build vm kselftest
new_tmp

bin=$BUILD/test/kselftest
build_tests() {
	local src=$LINUX/tools/testing/selftests hdr=$BUILD/obj-main d p shared libs flags cmd
	mkdir -p "$bin"
	: >"$bin/local_config.h"
	kernel_headers "$bin/headers.log"
	grep -v '^#' "$list" | cut -f 2 | while read -r cmd _; do
		d=mm p=$cmd
		case $cmd in */*) d=${cmd%/*} p=${cmd##*/} ;; esac
		[ -z "$(find "$bin/$p" -newer "$src/$d/$p.c" 2>/dev/null)" ] || continue
		case $d in
		mm) shared="$src/mm/vm_util.c $src/mm/thp_settings.c" ;;
		cgroup) shared=$src/cgroup/cgroup_util.c ;;
		esac
		libs='' flags="-isystem $hdr/usr/include -I $LINUX/tools/include/uapi"
		# as the kernel builds them: what a cgroup is charged may not be optimized away
		[ "$d" != cgroup ] || flags=-O0
		case $p in
		# 6.12.y took a fix that uses KSFT_SKIP without its header
		khugepaged) flags="$flags -DKSFT_SKIP=4" ;;
		uffd-*) shared="$shared $src/mm/uffd-common.c" ;;
		mlock-random-test | memfd_secret) libs=-lcap ;;
		ksm_tests | migration) libs=-lnuma ;;
		protection_keys | pkey_*) flags="$flags -mxsave" ;;
		esac
		# shellcheck disable=SC2086
		${CC:-${CROSS_COMPILE:-}gcc} -static -O2 -w -D_GNU_SOURCE= -I "$bin" -I "$src/$d" -I "$src" \
			-I "$LINUX" $flags -o "$bin/$p" "$src/$d/$p.c" $shared \
			$libs -lrt -lpthread -lm >"$bin/$p.log" 2>&1 ||
			say "kselftest: $p does not compile here (${bin#"$TOP"/}/$p.log)"
	done
}

guest_script() {
	cat <<'EOF'
mkswap /dev/vda >/dev/null; swapon /dev/vda
echo lzo >/sys/module/zswap/parameters/compressor
# some want files that can be reclaimed
mkdir -p /work; mount -t ext4 /dev/vdb /work; cd /work
say() { printf '\n@@ %s\n' "$*" >/dev/$RESULTS; echo "@@ $*"; }
while IFS="$(printf '\t')" read -r name cmd limit; do
	case $name in '#'* | '') continue ;; esac
	prog=${cmd%% *}; args=${cmd#"$prog"}; prog=${prog##*/}
	[ -x "/bin/$prog" ] || continue
	say "start $name"
	z=N; [ "$name" = cgroup/test_zswap ] && z=Y
	echo $z >/sys/module/zswap/parameters/enabled
	timeout -s KILL "${limit:-600}" "$prog" $args </dev/null >/tmp/out 2>&1
	rc=$?
	# whether one that is cut short gets to its end depends on the machine
	[ -z "$limit" ] || rc="1: not asked for"
	grep -E '^(not )?ok |^1\.\.' /tmp/out >/dev/$RESULTS
	tail -n 40 /tmp/out
	say "end $name $rc, at $(cut -d' ' -f1 /proc/uptime) s"
done </kselftest.list
exit 0
EOF
}

# run KERNEL NAME: build/test/NAME.passed, a sorted list of what passed
run() {
	local rc=0 items=()
	for f in "$bin"/*; do
		[ ! -x "$f" ] || [ -d "$f" ] || items+=("$f")
	done
	"$TOP/vm/initramfs.sh" "$TMP/initrd" "${items[@]}" "$list=/kselftest.list"
	"$TOP/vm/boot.sh" --kernel "$1" --initrd "$TMP/initrd" --mem 2G --smp 2 --quiet \
		--disk 1G,discard --disk 1G,ext4 --timeout 1800 --log "$BUILD/test/$2.log" -- "$(guest_script)" 2>"$TMP/err" || rc=$?
	tr -d '\r' <"$BUILD/test/$2.log.results" | awk '
		$1 == "@@" && $2 == "start" { name = $3; next }
		$1 == "@@" && $2 == "end" { if ($4 + 0 == 0) print $3; name = ""; next }
		name != "" && $1 == "ok" && !/# *SKIP/ {
			line = $0
			sub(/^ok [0-9]+ *-? */, "", line)
			# addresses and process ids change from run to run
			gsub(/0x[0-9a-f]+/, "0xN", line)
			if (line != "") print name ": " line
		}' | sort -u >"$BUILD/test/$2.passed"
	return $rc
}

build_tests
if [ $record = 1 ]; then
	# the base as bench/ builds it, if it has; or one that is given
	image=${BASE_KERNEL:-}
	if [ -z "$image" ]; then
		src=$BUILD/linux-base
		work_tree "$src"
		"$TOP/tree/configure.sh" "$src" "$BUILD/obj-base" "$TOP/config/main.config"
		"$TOP/tree/progress.sh" "$BUILD/obj-base/build.log" "kernel (base)" \
			bash -c '. "$0/tree/common.sh"; kmake "$@"' "$TOP" "$src" "$BUILD/obj-base" -j"$JOBS" bzImage
		image=$BUILD/obj-base/arch/x86/boot/bzImage
	fi
	runs=${RUNS:-3}
	# FIRST: go on with a record that was interrupted
	for n in $(seq "${FIRST:-1}" "$runs"); do
		say "kselftest: base, run $n of $runs"
		run "$image" "kselftest-base-$n" || cat "$TMP/err" >&2
	done
	cp "$BUILD/test/kselftest-base-1.passed" "$TMP/all"
	for n in $(seq 2 "$runs"); do
		comm -12 "$TMP/all" "$BUILD/test/kselftest-base-$n.passed" >"$TMP/both"
		mv "$TMP/both" "$TMP/all"
	done
	{
		echo "# What passes $runs times out of $runs on the unpatched base,"
		echo "# $(base_get package) $(base_get version), config/main.config, 2 CPUs, 2 GB."
		echo "# Made by test/kselftest.sh --record."
		cat "$TMP/all"
	} >"$base"
	say "test/kselftest.base: $(grep -vc '^#' "$base") lines"
	exit 0
fi

if [ ! -s "$base" ]; then
	result skip "kselftest" "there is no record of the base yet: test/kselftest.sh --record"
	exit 0
fi
kernel=$("$TOP/tree/build.sh" main)
start=$SECONDS
rc=0
run "$kernel" kselftest || rc=$?
grep -v '^#' "$base" | sort >"$TMP/want"
comm -23 "$TMP/want" "$BUILD/test/kselftest.passed" >"$TMP/lost"
# one more chance before something is called broken: these tests were not
# written for a machine that runs under emulation
if [ -s "$TMP/lost" ] && [ $rc = 0 ]; then
	say "kselftest: $(wc -l <"$TMP/lost") not passed; once more"
	cp "$BUILD/test/kselftest.passed" "$TMP/first"
	run "$kernel" kselftest || rc=$?
	sort -u "$TMP/first" "$BUILD/test/kselftest.passed" >"$TMP/both"
	comm -23 "$TMP/want" "$TMP/both" >"$TMP/lost"
fi
cut -d: -f1 "$TMP/want" | sort -u | while IFS= read -r name; do
	if grep -qE "^$name(:|\$)" "$TMP/lost"; then
		result fail "kselftest/$name" "passes on the base, not here: $(grep -E "^$name(:|\$)" "$TMP/lost" | head -n 3 | tr '\n' ';')"
	else
		result pass "kselftest/$name"
	fi
done
if [ $rc != 0 ]; then
	cat "$TMP/err" >&2
	result fail "kselftest: the guest" "$(grep '^vm: ' "$TMP/err" | tail -n 1)"
fi
say "kselftest: $(wc -l <"$TMP/want") passes on the base, $(wc -l <"$TMP/lost") of them lost ($((SECONDS - start)) s)"
