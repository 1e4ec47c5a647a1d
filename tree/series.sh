# Sourced after common.sh: patches to commits and back, without a work
# tree, so that checking the series takes seconds.
# shellcheck shell=bash

# write_patches REPO RANGE OUTDIR: the same commits give the same bytes
write_patches() {
	mkdir -p "$3"
	wgit -C "$1" format-patch -q -o "$3" --numbered --zero-commit \
		--no-signature --no-renames --no-thread --no-cover-letter --no-attach \
		--no-base --no-to --no-cc --no-add-header --no-color --no-ext-diff \
		--no-textconv --diff-algorithm=myers --unified=3 --stat=72 --binary \
		--src-prefix=a/ --dst-prefix=b/ --filename-max-length=64 "$2"
}

# same_patches DIR: does series/ hold exactly the patches in DIR?
same_patches() {
	local p n=0
	while IFS= read -r p; do
		cmp -s "$p" "$1/${p##*/}" || return 1
		n=$((n + 1))
	done < <(patches)
	[ "$n" = "$(find "$1" -name '*.patch' | wc -l)" ]
}

# touched: the paths that the series touches
touched() {
	local p
	while IFS= read -r p; do
		sed -nE 's,^diff --git a/(.*) b/\1$,\1,p' "$p"
	done < <(patches) | sort -u
}

# apply_series REPO BASE: prints the commit of the last patch on top of BASE.
# Author and date come from the patch, the committer is the author: the
# same patches on the same base have the same commit ids everywhere.
apply_series() {
	local repo=$1 head p msg=$TMP/am.msg diff=$TMP/am.diff info=$TMP/am.info tree
	head=$(wgit -C "$repo" rev-parse --verify -q "$2^{commit}")
	export GIT_INDEX_FILE=$TMP/am.index
	rm -f "$GIT_INDEX_FILE"
	wgit -C "$repo" read-tree "$head"
	while IFS= read -r p; do
		wgit -C "$repo" mailinfo -u --no-scissors "$msg" "$diff" <"$p" >"$info" ||
			die "${p##*/} is not a patch that git can read."
		if ! wgit -C "$repo" apply --cached --whitespace=nowarn "$diff" 2>"$TMP/am.err"; then
			sed 's/^/  /' "$TMP/am.err" >&2
			die "${p##*/} does not apply to ${3:-this base}."
		fi
		tree=$(wgit -C "$repo" write-tree)
		head=$(
			GIT_AUTHOR_NAME=$(sed -n 's/^Author: //p' "$info")
			GIT_AUTHOR_EMAIL=$(sed -n 's/^Email: //p' "$info")
			GIT_AUTHOR_DATE=$(sed -n 's/^Date: //p' "$info")
			GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME
			GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
			GIT_COMMITTER_DATE=$GIT_AUTHOR_DATE
			export GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_AUTHOR_DATE
			export GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL GIT_COMMITTER_DATE
			{ sed -n 's/^Subject: //p' "$info"; echo; cat "$msg"; } |
				wgit stripspace |
				wgit -C "$repo" commit-tree "$tree" -p "$head"
		)
	done < <(patches)
	unset GIT_INDEX_FILE
	echo "$head"
}

# small_repo DIR SRC: a repo with only those files of the base that the
# series touches; SRC is a tarball or an unpacked tree. Commit: tag base.
small_repo() {
	local dir=$1 src=$2
	mkdir -p "$dir"
	{ echo Makefile; echo .gitattributes; touched; } | sort -u >"$TMP/touched"
	if [ -d "$src" ]; then
		while IFS= read -r f; do
			[ ! -e "$src/$f" ] || (cd "$src" && cp -a --parents "./$f" "$dir/")
		done <"$TMP/touched"
	else
		# files that the series creates are not in there, and tar says so
		sed "s,^,$(base_get package)/," "$TMP/touched" |
			tar -xf "$src" -C "$dir" --strip-components=1 -T - 2>/dev/null || true
	fi
	commit_base "$dir" "part of the base"
}

# commit_base DIR NAME: DIR becomes a repo, one commit, tag base
commit_base() {
	rm -rf "$1/.git"
	wgit -C "$1" init -q -b series
	wgit -C "$1" config core.abbrev 12
	wgit -C "$1" config gc.auto 0
	# straight into one pack: a third of the time and the space
	wgit -C "$1" -c core.bigFileThreshold=1 -c core.compression=1 add -A -f .
	(
		export GIT_AUTHOR_NAME=base GIT_AUTHOR_EMAIL=base@localhost
		export GIT_COMMITTER_NAME=base GIT_COMMITTER_EMAIL=base@localhost
		export GIT_AUTHOR_DATE='1731881708 +0000' GIT_COMMITTER_DATE='1731881708 +0000'
		wgit -C "$1" commit -q -m "$2"
	)
	wgit -C "$1" tag base
}

# render REPO COMMIT OUTDIR: at its kernel path, each created file whole and
# each edited or deleted one as the cumulative change. OUTDIR.list: the paths.
render() {
	local repo=$1 commit=$2 out=$3 status path
	rm -rf "$out"
	mkdir -p "$out"
	: >"$out.new"
	: >"$out.list"
	while IFS= read -r -d '' status && IFS= read -r -d '' path; do
		case $status in
		A)
			printf '%s\0' "$path" >>"$out.new"
			echo "$path" >>"$out.list"
			;;
		*)
			mkdir -p "$out/$(dirname "$path")"
			wgit -C "$repo" diff --no-renames --no-color --no-ext-diff --no-textconv \
				--diff-algorithm=myers --unified=3 --irreversible-delete --binary \
				--src-prefix=a/ --dst-prefix=b/ \
				base "$commit" -- ":(literal)$path" >"$out/$path.diff"
			echo "$path.diff" >>"$out.list"
			;;
		esac
	done < <(wgit -C "$repo" diff-tree -r -z --no-renames --name-status base "$commit")
	export GIT_INDEX_FILE=$TMP/render.index
	rm -f "$GIT_INDEX_FILE"
	wgit -C "$repo" read-tree "$commit"
	wgit -C "$repo" checkout-index -z --stdin --prefix="$out/" <"$out.new"
	unset GIT_INDEX_FILE
	sort -o "$out.list" "$out.list"
	[ -z "$(uniq -d "$out.list")" ] || die "two renderings for $(uniq -d "$out.list")"
}

# The cover letter is written by hand down to this line. What follows, and
# the number of patches in the subject, is kept right by 'make series'.
COVER_MARK='Patches and what they touch, written by make series:'

# cover REPO COMMIT: the cover letter as it has to be
cover() {
	local n
	n=$(wgit -C "$1" rev-list --count "base..$2")
	awk -v mark="$COVER_MARK" -v n="$n" '
		!subject && /^Subject: \[PATCH[^]]*\]/ {
			sub(/\[PATCH[^]]*\]/, sprintf("[PATCH %0*d/%d]", length(n ""), 0, n))
			subject = 1
		}
		$0 == mark { exit }
		{ print }
	' "$SERIES/0000-cover-letter.patch"
	printf '%s\n\n' "$COVER_MARK"
	[ "$n" != 0 ] || { echo "(none yet)"; return; }
	wgit -C "$1" shortlog --no-merges -w72,2,4 "base..$2" </dev/null
	wgit -C "$1" diff --no-renames --no-color --no-ext-diff --stat=72 --summary base "$2"
}
