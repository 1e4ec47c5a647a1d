#!/bin/bash
# mutants.sh [PATTERN]: are the tests of races any good? Each patch in mutants/
# takes a protection out of the series; the test that it names has to fail then, on
# the debug kernel, and to pass without it. Building takes some minutes the first
# time, and seconds for each of them; a test two minutes.
. "$(dirname "$0")/../tree/common.sh"
. "$TOP/tree/series.sh"
. "$TOP/test/common.sh"
export RESULTS_FILE=$BUILD/test/results-mutants
"$TOP/tree/need.sh" tree build vm
"$TOP/tree/tree.sh"
mkdir -p "$BUILD/test"
: >"$RESULTS_FILE"
new_tmp

# a work tree and objects of its own
src=$BUILD/mutants-linux
obj=$BUILD/obj-mutants
[ -d "$obj" ] || need_space 3500 "building kernels with protections removed"
head=$(apply_series "$LINUX" base)
[ -e "$src/.git" ] || work_tree "$src"
# what is the same is not built again
wgit -C "$src" checkout -q --force --detach "$head"
"$TOP/tree/configure.sh" "$src" "$obj" "$TOP"/config/{main,vswap,debug,fault}.config

# how many failures there are when a test runs in the kernel as it is now
failures() { # NAME PROGRAM ARGUMENT...
	local name=$1 program=$2
	shift 2
	"$TOP/tree/progress.sh" "$obj/build.log" "kernel ($name)" \
		bash -c '. "$0/tree/common.sh"; kmake "$@"' "$TOP" "$src" "$obj" -j"$JOBS" bzImage
	KERNEL_debug=$obj/arch/x86/boot/bzImage RESULTS_FILE=$TMP/results ARGS=$* MEM=768M \
		TEST_SCALE=0.5 "$TOP/test/guest.sh" debug 1 "$program" >"$TMP/out" 2>&1 || true
	[ -s "$TMP/results" ] || die "$program was not run: $(tail -n 1 "$TMP/out")"
	grep -c '^fail' "$TMP/results" || true
	rm "$TMP/results"
}

mapfile -t mutants < <(find "$TOP/test/mutants" -name "*${1:-}*.patch" | sort)
[ ${#mutants[@]} -gt 0 ] || die "no file in test/mutants has '${1:-}' in its name."

sed -n 's/^Test: //p' "${mutants[@]}" | sort -u >"$TMP/tests"
while read -r -a test; do
	n=$(failures "as it is" "${test[@]}" </dev/null)
	if [ "$n" = 0 ]; then
		result pass "mutants: none: ${test[*]}"
	else
		result fail "mutants: none: ${test[*]}" "$n failures, though nothing is missing"
	fi
done <"$TMP/tests"

for m in "${mutants[@]}"; do
	name=$(basename "$m" .patch)
	read -r -a test < <(sed -n 's/^Test: //p' "$m")
	wgit -C "$src" apply "$m" || die "$m does not apply to the series."
	n=$(failures "$name" "${test[@]}")
	wgit -C "$src" checkout -q --force .
	if [ "$n" != 0 ]; then
		result pass "mutants: $name"
		say "$name: noticed by ${test[*]}"
	else
		result fail "mutants: $name" "not noticed by ${test[*]}"
	fi
done
summary "$BUILD/test-mutants.tap"
