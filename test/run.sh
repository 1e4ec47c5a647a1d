#!/bin/bash
# run.sh: make test. Tests of the workshop itself on this machine, then the
# swap tests in virtual machines of the main kernel.
. "$(dirname "$0")/../tree/common.sh"
. "$TOP/test/common.sh"
"$TOP/tree/need.sh" tree build vm kselftest
mkdir -p "$BUILD/test"
: >"$RESULTS_FILE"
start=$SECONDS
"$TOP/tree/tree.sh"

guests=1
case ${T:-} in host/*) guests=0 ;; esac
if [ $guests = 1 ]; then
	# built once, and not asked again whether it is up to date
	if KERNEL_main=$("$TOP/tree/build.sh" main); then
		export KERNEL_main
		# asked once, before several want to know
		"$TOP/vm/accel.sh" "$KERNEL_main" >/dev/null
		result pass "kernel/main builds"
	else
		result fail "kernel/main builds" "log: ${BUILD#"$TOP"/}/obj-main/build.log"
		guests=0
	fi
fi
host_tests() {
	local t name
	for t in "$TOP"/test/host/*.sh; do
		[ -e "$t" ] || continue
		name=host/$(basename "$t" .sh)
		! wanted "$name" || step "$name" bash "$t"
	done
	! wanted host/check-series || step host/check-series "$TOP/tree/check.sh"
}
# side by side: much of what they do is waiting
{
	host_tests
	if [ $guests = 1 ]; then
		! wanted kselftest || "$TOP/test/kselftest.sh" || result fail "kselftest" "could not be run"
		# the same kernel as one without the virtual device
		BOOT=vswap=0 "$TOP/test/guest.sh" main 1 swap_zswap swap_thp || result fail "guest-main-vswap=0" "the tests could not be run"
		"$TOP/test/hibernate.sh" main || result fail "guest-main/hibernate" "could not be run"
	fi
} &
if [ $guests = 1 ]; then
	# the debug kernel (make test-ci) runs ten times as many races of each kind
	TEST_RACES=${TEST_RACES:-1000} "$TOP/test/guest.sh" main || result fail "guest-main" "the tests could not be run"
fi
wait
say "$(((SECONDS - start) / 60)):$(printf %02d $(((SECONDS - start) % 60))) in all; results: ${BUILD#"$TOP"/}/test.tap"
summary "$BUILD/test.tap"
