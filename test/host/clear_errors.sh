#!/bin/bash
# A wrong checksum, too little disk, a missing tool, a failed download: one
# clear sentence each.
. "$(dirname "$0")/../../tree/common.sh"
. "$TOP/test/workspace.sh"
workspace
t=$WS/build/download/linux-source-6.12.tar.xz
cp "$t" "$TMP/good.tar.xz"
echo damage >>"$t"
refused "wrong checksum: build/download/linux-source-6.12.tar.xz" "$WS/tree/tree.sh"
[ ! -e "$W" ] || fail "something was unpacked all the same"
cp "$TMP/good.tar.xz" "$t"

# commands of our own in front of the real ones
fake() { # NAME SCRIPT
	mkdir -p "$TMP/fake"
	printf '#!/bin/sh\n%s\n' "$2" >"$TMP/fake/$1"
	chmod +x "$TMP/fake/$1"
}
fake df 'echo "Filesystem 1024-blocks Used Available Capacity Mounted"; echo "x 1 1 100000 1% /"'
PATH=$TMP/fake:$PATH refused "needs 5000 MB of disk under build/, there are 97 MB" "$WS/tree/tree.sh"
rm -r "$TMP/fake"

fake apt-get 'echo "E: Unable to locate package linux-source-6.12" >&2; exit 100'
fake apt-cache 'exit 0'
rm -f "$t" "$t".checked
PATH=$TMP/fake:$PATH refused "apt cannot download linux-source-6.12 6.12.117-1~deb12u1" "$WS/tree/fetch.sh"
rm -r "$TMP/fake"
cp "$TMP/good.tar.xz" "$t"

# nothing but what the scripts themselves need, and no flex
mkdir "$TMP/few"
for c in bash sh env dirname sed awk grep sort uname nproc id mktemp mkdir rm cat ls tr tail head apt-get ldd; do
	ln -s "$(command -v $c)" "$TMP/few/$c"
done
rm "$TMP/few/id"
printf '#!/bin/sh\necho 1000\n' >"$TMP/few/id"
chmod +x "$TMP/few/id"
PATH=$TMP/few refused "install them with: sudo apt-get install .*flex" "$WS/tree/need.sh" build

# root gets them installed, by apt-get
rm "$TMP/few/id" "$TMP/few/apt-get"
printf '#!/bin/sh\necho 0\n' >"$TMP/few/id"
printf '#!/bin/sh\necho "$@" >>"%s/apt.log"\nexit 100\n' "$TMP" >"$TMP/few/apt-get"
chmod +x "$TMP/few/id" "$TMP/few/apt-get"
PATH=$TMP/few refused "apt-get could not install: .*flex" "$WS/tree/need.sh" build
grep -q '^install .*flex' "$TMP/apt.log" || fail "root: apt-get was not asked"
grep -q '^update' "$TMP/apt.log" || fail "root: apt-get update was not tried"
