#!/bin/bash
# kunit.sh ARCH: the kernel's unit tests of swap on another architecture, in a
# kernel that has little else and stops when they have run. Adds to the results.
. "$(dirname "$0")/../tree/common.sh"
. "$TOP/test/common.sh"
ARCH=${1:?usage: kunit.sh ARCH}
export ARCH
. "$TOP/vm/machine.sh"
"$TOP/tree/need.sh" tree build vm
new_tmp
name=kunit-$ARCH
log=$BUILD/test/$name.log
kernel=$("$TOP/tree/build.sh" "kunit-$ARCH") || {
	result fail "$name" "the kernel does not build; log: ${BUILD#"$TOP"/}/obj-$name/build.log"
	exit 0
}
rc=0
timeout -k 5 300 "$QEMU" "${MACHINE[@]}" -accel tcg -m 256 -smp 1 -display none -nodefaults -no-reboot \
	-serial "file:$log" -kernel "$kernel" \
	-append "console=$CONSOLE panic=-1 $KARGS kunit_shutdown=reboot" </dev/null 2>"$TMP/qemu.err" || rc=$?
tr -d '\r' <"$log" | sed -E 's/^\[ *[0-9.]+\] //' >"$TMP/log"
if [ $rc != 0 ] || ! grep -q '^# Totals:\|^ok .*swap_cluster\|^not ok .*swap_cluster' "$TMP/log"; then
	tail -n 15 "$TMP/log" >&2
	cat "$TMP/qemu.err" >&2
	result fail "$name" "the tests did not come to their end; log: ${log#"$TOP"/}"
	exit 0
fi
# before the tests the kernel may complain of the machine
if sed -n '/^ *KTAP version/,$p' "$TMP/log" | grep -E '(WARNING|BUG|Oops|UBSAN):' >&2; then
	result fail "$name: the kernel" "complained; log: ${log#"$TOP"/}"
fi
# cases are indented by four columns, what they are called with by eight
awk -v prefix="$name: " '
	/^    # Subtest: / { suite = $3 }
	/^    (not )?ok [0-9]+ / {
		status = $1 == "ok" ? "pass" : "fail"
		sub(/^ *(not )?ok [0-9]+ /, "")
		why = ""
		if (match($0, / *# *SKIP/)) { status = "skip"; why = substr($0, RSTART + RLENGTH); $0 = substr($0, 1, RSTART - 1) }
		print status "\t" prefix $0 "\t" why
	}' "$TMP/log" | tee "$TMP/res" >>"$RESULTS_FILE"
awk -F '\t' '$1 == "fail" { print "    FAILED " $2 }' "$TMP/res" >&2
say "$name: $(grep -c ^pass "$TMP/res") passed, $(grep -c ^fail "$TMP/res") failed, $(grep -c ^skip "$TMP/res") skipped"
