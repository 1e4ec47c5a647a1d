#!/bin/bash
# tree.sh: build/linux is the base with the series on it, a commit each.
# Work in it that series/ does not have is never overwritten.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/series.sh"

"$TOP/tree/need.sh" tree
new_tmp

kernel_version() { # DIR
	[ -f "$1/Makefile" ] || return 1
	awk '$2 == "=" && /^(VERSION|PATCHLEVEL|SUBLEVEL) / { v[$1] = $3 }
	     /^NAME/ { exit }
	     END { if (v["VERSION"] == "") exit 1
		   print v["VERSION"] "." v["PATCHLEVEL"] "." v["SUBLEVEL"] }' "$1/Makefile"
}

if [ -n "${KERNEL_SRC:-}" ]; then
	KERNEL_SRC=$(cd "$KERNEL_SRC" 2>/dev/null && pwd) ||
		die "KERNEL_SRC: there is no such directory."
	version=$(kernel_version "$KERNEL_SRC") ||
		die "KERNEL_SRC=$KERNEL_SRC is not an unpacked kernel source."
	name="Linux $version"
	# the head of a git tree, or what a tarball leaves in Makefile
	if [ -e "$KERNEL_SRC/.git" ]; then
		id="$name $KERNEL_SRC $(git -C "$KERNEL_SRC" rev-parse HEAD)"
	else
		id="$name $KERNEL_SRC $(stat -c %Y "$KERNEL_SRC/Makefile")"
	fi
	case $version in
	6.12.*) ;;
	*) die "the series is for 6.12; KERNEL_SRC holds $version." ;;
	esac
else
	tarball=$("$TOP/tree/fetch.sh")
	version=${BASE_VERSION:-$(base_get version)}
	name="Debian $(base_get package) $version"
	id="$name"
fi

import() {
	local tmp=$BUILD/linux.new
	need_space 5000 "unpacking the kernel source"
	if [ -n "${KERNEL_SRC:-}" ]; then
		small_repo "$TMP/small" "$KERNEL_SRC"
		(apply_series "$TMP/small" base "$name") >/dev/null
	fi
	rm -rf "$tmp"
	mkdir -p "$tmp"
	if [ -n "${KERNEL_SRC:-}" ]; then
		say "copying $KERNEL_SRC"
		if [ -e "$KERNEL_SRC/.git" ]; then
			# what is committed, not what was built in there
			git -C "$KERNEL_SRC" archive HEAD | tar -x -C "$tmp"
		else
			tar -c -C "$KERNEL_SRC" . | tar -x -C "$tmp"
			# the same here
			[ ! -e "$tmp/.config" ] || kmake "$tmp" "$tmp" -s mrproper
		fi
	else
		say "unpacking $name (1.5 GB, ten dots)"
		tar -xf "$tarball" -C "$tmp" --strip-components=1 \
			--checkpoint=14000 --checkpoint-action=dot >&2 ||
			die "the tarball of $name could not be unpacked."
		say
	fi
	commit_base "$tmp" "$name"
	if [ -z "${KERNEL_SRC:-}${BASE_VERSION:-}" ]; then
		[ "$(wgit -C "$tmp" rev-parse 'base^{tree}')" = "$(base_get tree)" ] ||
			die "the unpacked base is not the tree that series/base names."
	fi
	echo "$id" >"$tmp/.git/workshop-base"
	wgit -C "$tmp" update-ref refs/workshop/written base
	rm -rf "$LINUX"
	mv "$tmp" "$LINUX"
}

# Is there anything in build/linux that would be lost?
unwritten() {
	local written b
	written=$(wgit -C "$LINUX" rev-parse -q --verify refs/workshop/written) || return 0
	for b in HEAD refs/heads/series; do
		[ "$(wgit -C "$LINUX" rev-parse -q --verify "$b")" = "$written" ] || return 0
	done
	[ -n "$(wgit -C "$LINUX" status --porcelain --untracked-files=normal | head -n 1)" ]
}
# a tree that is replaced loses more: ignored files, other branches, a stash
kept_aside() {
	[ -n "$(wgit -C "$LINUX" status --porcelain --ignored | head -n 1)" ] ||
		wgit -C "$LINUX" for-each-ref --format='%(refname)' |
		grep -qvxE 'refs/(heads/series|tags/base|workshop/written)'
}
here=${LINUX#"$TOP"/}
refuse="$here holds work that is not in series/: 'make series' writes it there; to drop it, delete $here."
[ "$BUILD" = "$TOP/build" ] || refuse="$here holds work of yours; to drop it, delete $here."

# Debian ends .gitignore with a rule that hides every file that is new. The
# rule goes from the file in the tree only, not from any commit.
show_new_files() {
	grep -qx '/\*' "$LINUX/.gitignore" 2>/dev/null || return 0
	sed -i '\,^/\*$,d' "$LINUX/.gitignore"
	wgit -C "$LINUX" update-index --skip-worktree .gitignore
}

if [ -e "$LINUX/.git" ]; then
	show_new_files
	if [ "$(cat "$LINUX/.git/workshop-base" 2>/dev/null || echo "$id")" != "$id" ]; then
		! unwritten || die "$refuse"
		! kept_aside || die "$here has to be made anew and holds branches, a stash or ignored files of yours; delete it when they are safe."
		import
		show_new_files
	fi
elif [ -e "$LINUX" ]; then
	die "$here is not a tree that 'make tree' has made; move it away or delete it."
else
	import
	show_new_files
fi

# Nothing to do when the tree has the patches already, however it got them.
write_patches "$LINUX" base..HEAD "$TMP/now"
if same_patches "$TMP/now"; then
	wgit -C "$LINUX" update-ref refs/workshop/written HEAD
	exit 0
fi
! unwritten || die "$refuse"
head=$(apply_series "$LINUX" base "$name")
[ "$head" != "$(wgit -C "$LINUX" rev-parse HEAD)" ] || exit 0
# only files that differ are touched: the next build is as small as it can be
wgit -C "$LINUX" checkout -q -B series "$head"
wgit -C "$LINUX" update-ref refs/workshop/written HEAD
say "$here: $name and $(wgit -C "$LINUX" rev-list --count base..HEAD) patches"
