#!/bin/bash
# run.sh: make test. Tests of the workshop itself on this machine, then the
# swap tests in virtual machines of the main kernel.
. "$(dirname "$0")/../tree/common.sh"
. "$TOP/test/common.sh"
"$TOP/tree/need.sh" tree build vm
mkdir -p "$BUILD/test"
: >"$RESULTS_FILE"
start=$SECONDS
"$TOP/tree/tree.sh"
for t in "$TOP"/test/host/*.sh; do
	[ -e "$t" ] || continue
	name=host/$(basename "$t" .sh)
	! wanted "$name" || step "$name" bash "$t"
done
if [ -z "${T:-}" ] || [ "${T#host/}" = "$T" ]; then
	! wanted kselftest || "$TOP/test/kselftest.sh" || result fail "kselftest" "could not be run"
	"$TOP/test/guest.sh" main || result fail "guest-main" "the tests could not be run"
fi
say "$(((SECONDS - start) / 60)):$(printf %02d $(((SECONDS - start) % 60))) in all; results: ${BUILD#"$TOP"/}/test.tap"
summary "$BUILD/test.tap"
