#!/bin/bash
# make tree never overwrites work that is not in series/.
. "$(dirname "$0")/../../tree/common.sh"
. "$TOP/test/workspace.sh"
workspace
toy_series
head=$(wgit -C "$W" rev-parse HEAD)
refused "holds work that is not in series/" "$WS/tree/tree.sh"
"$WS/tree/write-back.sh"
"$WS/tree/tree.sh" || fail "nothing to do is no error"

# not committed: kept, as long as series/ asks for nothing else
echo "int wip;" >>"$W/mm/edited.c"
"$WS/tree/tree.sh"
grep -q wip "$W/mm/edited.c" || fail "an edit was lost"
refused "not committed" "$WS/tree/write-back.sh"
cp "$WS"/series/0003-*.patch "$TMP/"
rm "$WS"/series/0003-*.patch
refused "holds work" "$WS/tree/tree.sh"
grep -q wip "$W/mm/edited.c" || fail "an edit was lost"
wgit -C "$W" checkout -q -- mm/edited.c

# clean, and series/ changed: taken over, files that stay are not touched
touch -d 2001-01-01 "$W/mm/edited.c"
"$WS/tree/tree.sh"
[ "$(wgit -C "$W" rev-parse HEAD)" != "$head" ] || fail "a shorter series was not taken over"
[ -f "$W/mm/deleted.c" ] || fail "a shorter series was not taken over"
[ "$(stat -c %Y "$W/mm/edited.c")" = "$(date -d 2001-01-01 +%s)" ] || fail "an unchanged file was touched"
cp "$TMP"/0003-*.patch "$WS/series/"
"$WS/tree/tree.sh"
[ ! -e "$W/mm/deleted.c" ] || fail "the series was not taken over"

wgit -C "$W" checkout -q --detach
refused "not on its branch" "$WS/tree/write-back.sh"
wgit -C "$W" checkout -q series

# new files count, and are not overwritten by one of the series
echo "int mine;" >"$W/mm/mine.c"
refused "not committed" "$WS/tree/write-back.sh"
rm "$WS"/series/0003-*.patch
refused "holds work" "$WS/tree/tree.sh"
[ -f "$W/mm/mine.c" ] || fail "a new file was lost"
rm "$W/mm/mine.c"

# commits that are on branch series only
wgit -C "$W" checkout -q --detach
wgit -C "$W" branch -q -f series "$(wgit -C "$W" -c user.name=n -c user.email=e commit-tree -p HEAD -m wip 'HEAD^{tree}')"
refused "holds work" "$WS/tree/tree.sh"
wgit -C "$W" checkout -q -B series
"$WS/tree/tree.sh"

# another base: nothing of the old tree goes that git would not bring back
sed -i 's/^version=.*/version=6.12.118-1/' "$WS/series/base"
echo notes >"$W/notes.o"
refused "holds branches, a stash or ignored files" "$WS/tree/tree.sh"
rm "$W/notes.o"
wgit -C "$W" branch mine
refused "holds branches, a stash or ignored files" "$WS/tree/tree.sh"
wgit -C "$W" branch -q -D mine
"$WS/tree/tree.sh"

# what bench/ and test/ look at outlives a tree that was made anew
base_of() { bash -c '. "$0/tree/common.sh"; work_tree "$BUILD/linux-base"; wgit -C "$BUILD/linux-base" rev-parse HEAD' "$WS"; }
[ "$(base_of)" = "$(wgit -C "$W" rev-parse base)" ] || fail "no work tree of the base"
rm -rf "$W"
"$WS/tree/tree.sh"
[ "$(base_of)" = "$(wgit -C "$W" rev-parse base)" ] || fail "no work tree of the base that was made anew"

rm -rf "$W/.git"
refused "not a tree that 'make tree' has made" "$WS/tree/tree.sh"
[ -f "$W/mm/edited.c" ] || fail "a tree without .git was removed"
