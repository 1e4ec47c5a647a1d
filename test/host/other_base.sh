#!/bin/bash
# Another 6.12.y is taken when the series applies, and refused with the name
# of the first patch that does not; other kernels are refused.
. "$(dirname "$0")/../../tree/common.sh"
. "$TOP/test/workspace.sh"
workspace
toy_series
"$WS/tree/write-back.sh"
src=$TMP/src
cp -a "$TMP/toy/linux-source-6.12" "$src"
sed -i 's/117/130/' "$src/Makefile"
sed -i '1i int newer;' "$src/mm/edited.c"
KERNEL_SRC=$src "$WS/tree/tree.sh" || fail "a newer base to which the series applies"
o=$WS/build/other-src/linux
[ "$(sed -n 1p "$o/mm/edited.c")" = "int newer;" ] || fail "not the source that was given"
grep -q '^long a30' "$o/mm/edited.c" || fail "not patched"
! grep -q '^long a30' "$src/mm/edited.c" || fail "the given source was changed"
[ "$(wgit -C "$W" rev-list --count base..HEAD)" = 3 ] || fail "build/linux was changed"
KERNEL_SRC=$src refused "pinned base only" "$WS/tree/write-back.sh"
"$WS/tree/check.sh"

sed -i 's/^int a30;/unsigned a30;/' "$src/mm/edited.c"
touch -d 2002-02-02 "$src/Makefile"
KERNEL_SRC=$src refused "0002-mm-edit-a-file-add-a-binary-one.patch does not apply to Linux 6.12.130" "$WS/tree/tree.sh"
sed -i 's/PATCHLEVEL = 12/PATCHLEVEL = 1/' "$src/Makefile"
KERNEL_SRC=$src refused "for 6.12; KERNEL_SRC holds 6.1.130" "$WS/tree/tree.sh"
rm "$src/Makefile"
KERNEL_SRC=$src refused "not an unpacked kernel source" "$WS/tree/tree.sh"
KERNEL_SRC=$TMP/nowhere refused "no such directory" "$WS/tree/tree.sh"
BASE_VERSION=6.1.150-1 refused "for 6.12; '6.1.150-1' is another kernel" "$WS/tree/tree.sh"
