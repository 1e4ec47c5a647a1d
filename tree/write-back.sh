#!/bin/bash
# write-back.sh: the commits of build/linux become series/ and renderings
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/series.sh"
new_tmp

[ -z "${KERNEL_SRC:-}${BASE_VERSION:-}" ] ||
	die "patches are written back from the pinned base only."
[ -d "$LINUX/.git" ] || die "there is no build/linux yet: 'make tree' makes it."
[ "$(wgit -C "$LINUX" rev-parse 'base^{tree}')" = "$(base_get tree)" ] ||
	die "build/linux is not on the pinned base."
[ "$(wgit -C "$LINUX" symbolic-ref -q HEAD)" = refs/heads/series ] ||
	die "build/linux is not on its branch 'series' (a rebase under way?)."
[ -z "$(wgit -C "$LINUX" status --porcelain --untracked-files=normal | head -n 1)" ] ||
	die "build/linux has changes that are not committed: $(wgit -C "$LINUX" status --porcelain | head -n 3 | tr '\n' ' ')"
[ -z "$(wgit -C "$LINUX" rev-list --merges base..HEAD | head -n 1)" ] ||
	die "build/linux has a merge commit; the series is a line of patches."

write_patches "$LINUX" base..HEAD "$TMP/patches"
render "$LINUX" HEAD "$TMP/render"
cover "$LINUX" HEAD >"$TMP/cover"

while IFS= read -r p; do rm -f "$p"; done < <(patches)
find "$TMP/patches" -name '*.patch' -exec cp {} "$SERIES/" \;
cat "$TMP/cover" >"$SERIES/0000-cover-letter.patch"

# renderings: what was there and is no more goes, with empty directories
cd "$TOP"
if [ -f series/rendered ]; then
	comm -23 series/rendered "$TMP/render.list" | while IFS= read -r f; do
		rm -f "./$f"
		rmdir -p --ignore-fail-on-non-empty "$(dirname "./$f")" 2>/dev/null || true
	done
fi
while IFS= read -r f; do
	cmp -s "$TMP/render/$f" "./$f" || {
		mkdir -p "$(dirname "./$f")"
		rm -f "./$f"
		cp -dp "$TMP/render/$f" "./$f"
	}
done <"$TMP/render.list"
cp "$TMP/render.list" series/rendered

# what was written must say the same as the tree that it came from
[ "$(wgit -C "$LINUX" rev-parse "$(apply_series "$LINUX" base)^{tree}")" = \
	"$(wgit -C "$LINUX" rev-parse 'HEAD^{tree}')" ] ||
	die "the patches do not give build/linux back; is there a file git format-patch cannot express?"
wgit -C "$LINUX" update-ref refs/workshop/written HEAD
say "series/: $(patches | wc -l) patches, $(wc -l <series/rendered) renderings"
