#!/bin/bash
# check-series sees every way in which patches, renderings and tree disagree.
. "$(dirname "$0")/../../tree/common.sh"
. "$TOP/test/workspace.sh"
workspace
toy_series
"$WS/tree/write-back.sh"
cp -a "$WS" "$TMP/good"
again() { rm -rf "$WS"; cp -a "$TMP/good" "$WS"; }
bad() { # WORDS: twice, with the tree and without
	refused "$1" "$WS/tree/check.sh"
	rm -rf "$W"
	refused "$1" "$WS/tree/check.sh"
	again
}
cd "$TMP"
echo "int more;" >>"$WS/mm/new/created.c"; bad "mm/new/created.c differs"
sed -i 's/^+long/+char/' "$WS/mm/edited.c.diff"; bad "mm/edited.c.diff differs"
rm "$WS/include/h.h.diff"; bad "include/h.h.diff differs"
echo x >"$WS/mm/stale.c"; bad "mm/stale.c is not something"
echo x >"$WS/CREDITS.diff"; bad "CREDITS.diff is not something"
sed -i 's/^+long/+char/' "$WS"/series/0002-*.patch; bad "differs|does not apply|not what"
rm "$WS"/series/0003-*.patch; bad "not what|differs"
echo "-- " >>"$WS/series/0001-mm-create-a-file.patch"; bad "not what 'make series' would write"
sed -i 's/\[PATCH 0\/3\]/[PATCH 0\/2]/' "$WS/series/0000-cover-letter.patch"; bad "cover letter is out of date"
sed -i '/^mm.blob/d' "$WS/series/rendered"; bad "rendered does not list"

echo "int x;" >>"$W/mm/edited.c"
refused "not committed" "$WS/tree/check.sh"
toy_commit "mm: not written back"
refused "build/linux and series/ differ" "$WS/tree/check.sh"
