#!/bin/bash
# build.sh OUT [CFLAG...]: compile the swap tests of the kernel's own test
# suite statically; prints their names. They need the main kernel's headers.
. "$(dirname "$0")/../tree/common.sh"
out=${1:?usage: build.sh OUT [CFLAG...]}
shift
src=$LINUX/tools/testing/selftests
hdr=$BUILD/obj-main
mkdir -p "$out"
# two who want them at once wait for each other
exec 8>"$out/lock"
flock 8
progs=()
for f in "$src"/mm/swap_*.c; do
	# shared code has no main
	[ -f "$f" ] && grep -qE '^(TEST_HARNESS_MAIN|int main)' "$f" && progs+=("$f")
done
[ ${#progs[@]} -gt 0 ] || exit 0
kernel_headers "$out/headers.log"
shared=()
for f in swap_util.c vm_util.c thp_settings.c; do
	[ ! -f "$src/mm/$f" ] || shared+=("$src/mm/$f")
done
for f in "${progs[@]}"; do
	name=$(basename "$f" .c)
	echo "$name"
	[ -z "$(find "$out/$name" -newer "$f" 2>/dev/null)" ] ||
		[ -n "$(find "$src"/mm/*.[ch] "$src"/*.h -newer "$out/$name" | head -n 1)" ] || continue
	# shellcheck disable=SC2086
	${CC:-${CROSS_COMPILE:-}gcc} -static -O2 -Wall -D_GNU_SOURCE= "$@" \
		-I "$src/mm" -I "$src" -isystem "$hdr/usr/include" -I "$LINUX/tools/include/uapi" \
		-o "$out/$name" "$f" "${shared[@]}" -lpthread -lrt >"$out/$name.log" 2>&1 || {
		cat "$out/$name.log" >&2
		die "the test $name does not compile."
	}
done
