#!/bin/bash
# Commits become patches and renderings and come back the same, twice.
. "$(dirname "$0")/../../tree/common.sh"
. "$TOP/test/workspace.sh"
workspace
"$WS/tree/tree.sh"
"$WS/tree/check.sh" || fail "an empty series is fine"
"$WS/tree/write-back.sh" || fail "an empty series can be written"
"$WS/tree/check.sh"

toy_series
tree=$(wgit -C "$W" rev-parse 'HEAD^{tree}')
"$WS/tree/write-back.sh"
"$WS/tree/check.sh" || fail "what was just written agrees"
cd "$WS"
want='include/h.h.diff
mm/blob.bin
mm/deleted.c.diff
mm/edited.c.diff
mm/new/created.c
mm/new/tool.sh'
[ "$(cat series/rendered)" = "$want" ] || { cat series/rendered; fail "list of renderings"; }
for f in $want; do [ -f "$f" ] || fail "$f was not rendered"; done
[ -x mm/new/tool.sh ] || fail "the mode was lost"
cmp mm/blob.bin build/linux/mm/blob.bin
! grep -q '^-int gone' mm/deleted.c.diff || fail "a deleted file is not shown whole"
grep -q '^Subject: \[PATCH 0/3\] A toy series' series/0000-cover-letter.patch || fail "count in the cover letter"
grep -q '^Written by hand' series/0000-cover-letter.patch || fail "hand-written part of the cover letter"
grep -q 'A. Developer (3)' series/0000-cover-letter.patch || fail "shortlog"
[ "$(ls series/*.patch | wc -l)" = 4 ] || fail "number of patches"

# two runs, and two machines, give identical bytes
snap() { (find series mm include -type f -print0 | sort -z | xargs -0 sha256sum) }
snap >"$TMP/1"
"$WS/tree/write-back.sh"
snap >"$TMP/2"
cmp "$TMP/1" "$TMP/2" || fail "a second run differs"
rm -rf "$W"
"$WS/tree/check.sh" || fail "checking needs no build/linux"
[ ! -e "$W" ] || fail "checking left a tree"
"$WS/tree/tree.sh"
[ "$(wgit -C "$W" rev-parse 'HEAD^{tree}')" = "$tree" ] || fail "the patches give another tree"
[ "$(wgit -C "$W" rev-list --count base..HEAD)" = 3 ] || fail "one commit per patch"
first=$(wgit -C "$W" rev-parse HEAD)
"$WS/tree/write-back.sh"
snap >"$TMP/2"
cmp "$TMP/1" "$TMP/2" || fail "a rebuilt tree writes something else"
rm -rf "$W"
"$WS/tree/tree.sh"
[ "$(wgit -C "$W" rev-parse HEAD)" = "$first" ] || fail "commit ids are not reproducible"

# a file that is no longer touched loses its rendering and its directory
wgit -C "$W" reset -q --hard base
echo "int b;" >>"$W/mm/edited.c"
toy_commit "mm: only this"
"$WS/tree/write-back.sh"
[ "$(cat series/rendered)" = mm/edited.c.diff ] || fail "stale renderings listed"
[ ! -e mm/new ] && [ ! -e include ] && [ ! -e mm/blob.bin ] || fail "stale renderings left"
"$WS/tree/check.sh"
