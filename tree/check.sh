#!/bin/bash
# check.sh: do series/, the renderings and build/linux (if there is one)
# say the same? Needs no build/linux.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/series.sh"
new_tmp
bad=0
wrong() { say "check-series: $*"; bad=1; }

if [ -d "$LINUX/.git" ] &&
	[ "$(wgit -C "$LINUX" rev-parse -q --verify 'base^{tree}')" = "$(base_get tree)" ]; then
	repo=$LINUX
else
	repo=$TMP/small
	tarball=$(BASE_VERSION='' KERNEL_SRC='' "$TOP/tree/fetch.sh")
	small_repo "$repo" "$tarball"
fi

head=$(apply_series "$repo" base "the pinned base")

# patches: in the form in which 'make series' writes them
write_patches "$repo" "base..$head" "$TMP/patches"
if ! same_patches "$TMP/patches"; then
	wrong "series/*.patch are not what 'make series' would write:"
	diff -rq "$TMP/patches" "$SERIES" | grep -E '\.patch' | grep -v 0000- | sed "s,$TMP/patches,written," | head -n 5 >&2 || true
fi
[ -f "$SERIES/0000-cover-letter.patch" ] || die "there is no cover letter in series/."
cover "$repo" "$head" | cmp -s - "$SERIES/0000-cover-letter.patch" ||
	wrong "the generated part of the cover letter is out of date."

# renderings
render "$repo" "$head" "$TMP/render"
cmp -s "$TMP/render.list" "$SERIES/rendered" ||
	wrong "series/rendered does not list what the series touches."
while IFS= read -r f; do
	if ! cmp -s "$TMP/render/$f" "$TOP/$f"; then
		wrong "$f differs from what the patches make of it."
	elif [ ! -L "$TOP/$f" ] && [ -x "$TMP/render/$f" ] && [ ! -x "$TOP/$f" ]; then
		wrong "$f should be executable."
	fi
done <"$TMP/render.list"
# anything at a kernel path that is no rendering
(cd "$TOP" && find . -mindepth 1 \( -path ./.git -o -path ./.ci -o -path ./build -o \
	-path ./tree -o -path ./config -o -path ./vm -o -path ./test -o -path ./bench -o \
	-path ./series \) -prune -o \( -type f -o -type l \) -print) |
	sed 's,^\./,,' | { grep -E '/|\.diff$' || true; } | sort | comm -23 - "$TMP/render.list" >"$TMP/stale"
while IFS= read -r f; do
	wrong "$f is not something that the series touches."
done <"$TMP/stale"

# the tree that somebody works in
if [ "$repo" = "$LINUX" ]; then
	[ -z "$(wgit -C "$LINUX" status --porcelain --untracked-files=normal | head -n 1)" ] ||
		wrong "build/linux has changes that are not committed."
	write_patches "$LINUX" base..HEAD "$TMP/linux"
	same_patches "$TMP/linux" ||
		wrong "build/linux and series/ differ: 'make series' writes it back, 'make tree' takes it over."
fi
[ "$bad" = 0 ] || exit 1
say "check-series: $(patches | wc -l) patches and $(wc -l <"$TMP/render.list") renderings agree"
