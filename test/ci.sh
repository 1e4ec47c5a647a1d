#!/bin/bash
# ci.sh: make test-ci. The same swap tests in a kernel with every check on,
# the other configurations, and every patch by itself.
. "$(dirname "$0")/../tree/common.sh"
. "$TOP/test/common.sh"
export RESULTS_FILE=$BUILD/test/results-ci
"$TOP/tree/need.sh" tree build vm check
mkdir -p "$BUILD/test"
: >"$RESULTS_FILE"
start=$SECONDS
"$TOP/tree/tree.sh"

# what is linked below is compared with it; there already after make test
"$TOP/tree/build.sh" main >/dev/null || result fail "kernel/main builds" "log: ${BUILD#"$TOP"/}/obj-main/build.log"

# what the machines below leave of the CPUs builds the patches one by one
{ chrt --idle 0 "$TOP/test/patches.sh" || result fail "patches" "could not be built one by one"; } &

# debug: about a fifth of the work per second, so smaller tests, longer limits
if KERNEL_debug=$("$TOP/tree/build.sh" debug); then
	export KERNEL_debug
	result pass "kernel/debug builds"
	MEM=${MEM:-768M} TEST_SCALE=${TEST_SCALE:-0.2} TEST_TIMEOUT=${TEST_TIMEOUT:-900} \
		"$TOP/test/guest.sh" debug 2 || result fail "guest-debug" "the tests could not be run"
	# reads that fail, without the virtual device
	BOOT=vswap=0 MEM=${MEM:-768M} TEST_SCALE=${TEST_SCALE:-0.2} \
		"$TOP/test/guest.sh" debug 2 swap_zswap || result fail "guest-debug-vswap=0" "the tests could not be run"
	MEM=${MEM:-768M} TEST_MB=${TEST_MB:-16} \
		"$TOP/test/hibernate.sh" debug 2 || result fail "guest-debug/hibernate" "could not be run"
else
	result fail "kernel/debug builds" "log: ${BUILD#"$TOP"/}/obj-debug/build.log"
fi

# what the option touches, and whether that links; all of it takes six minutes:
# tree/build.sh without
step kernel/without-mm env KCFLAGS=-Werror "$TOP/tree/build.sh" without mm/ fs/proc/
step kernel/without-links "$TOP/test/linked.sh" without mm/ fs/proc/
step kernel/noswap-mm env KCFLAGS=-Werror "$TOP/tree/build.sh" noswap mm/
step kernel/noswap-links "$TOP/test/linked.sh" noswap mm/

wait
say "$(((SECONDS - start) / 60)):$(printf %02d $(((SECONDS - start) % 60))) in all; results: ${BUILD#"$TOP"/}/test-ci.tap"
summary "$BUILD/test-ci.tap"
