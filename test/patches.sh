#!/bin/bash
# patches.sh: every patch in order, in one object directory. What it touches
# is built with W=1 and looked at with sparse; a warning that the base does
# not have fails. The first patch is built whole. checkpatch --strict on each.
. "$(dirname "$0")/../tree/common.sh"
. "$TOP/tree/series.sh"
. "$TOP/test/common.sh"
"$TOP/tree/need.sh" build check
"$TOP/tree/tree.sh"
new_tmp
mapfile -t files < <(patches)
if [ ${#files[@]} = 0 ]; then
	result skip "patches" "the series is empty"
	exit 0
fi

# a work tree of its own: build/linux is somebody's desk
src=$BUILD/patches-linux
obj=$BUILD/obj-patches
need_space 4500 "building every patch"
head=$(apply_series "$LINUX" base)
mapfile -t commits < <(wgit -C "$LINUX" rev-list --reverse "base..$head")
wgit -C "$LINUX" worktree prune
if [ ! -e "$src/.git" ]; then
	rm -rf "$src"
	wgit -C "$LINUX" worktree add -q --detach "$src" base
fi
go_to() { wgit -C "$src" checkout -q --force --detach "$1"; }

# what this machine's compiler can build of the files that a commit touches
objects() { # COMMIT [COMMIT]: or between two
	wgit -C "$src" diff --name-only --no-renames --diff-filter=AM "$1" "$2" |
		grep -E '^(mm|kernel|fs|block|lib|drivers|init|arch/x86)/.*\.c$' | while IFS= read -r c; do
		[ ! -f "$src/$c" ] || built "$c" && echo "${c%.c}.o"
	done
}
# is it in this configuration? Ask its directory's makefile.
built() {
	local dir name
	dir=$(dirname "$1") name=$(basename "$1" .c)
	# an object that no configuration option guards, or one that is on
	grep -hE "(^|[ 	])$name\.o( |	|\\\\|$)" "$src/$dir/Makefile" >"$TMP/lines" || return 1
	if grep -oE 'CONFIG_[A-Z0-9_]+' "$TMP/lines" | sort -u >"$TMP/opts" && [ -s "$TMP/opts" ]; then
		! grep -vE 'CONFIG_' "$TMP/lines" | grep -q . || return 0
		grep -qxFf <(sed 's/$/=y/' "$TMP/opts") "$obj/.config"
	fi
}

# all objects that a changed header can break: mm/, and who includes it
header_users() { # COMMIT COMMIT
	local h
	wgit -C "$src" diff --name-only --no-renames "$1" "$2" | grep '\.h$' >"$TMP/headers" || return 0
	echo mm/
	while IFS= read -r h; do
		case $h in
		include/*)
			(cd "$src" && grep -rlE "#include <${h#include/}>" kernel fs block drivers/block init arch/x86/mm --include='*.c' || true)
			;;
		esac
	done <"$TMP/headers" | sort -u | while IFS= read -r c; do
		[ ! -f "$obj/${c%.c}.o" ] || echo "${c%.c}.o"
	done
}

# messages without their place: code may move
warnings() { grep -hE 'warning:|error:' "$@" | sed -E 's/^[^ ]+:[0-9]+(:[0-9]+)?: *//; s/line [0-9]+/line N/g' | sort -u; }

make_w() { # LOG TARGETS...
	local log=$1
	shift
	kmake "$src" "$obj" -k -j"$JOBS" W=1 "$@" >>"$log" 2>&1
}

say "patches: the base, for comparison"
go_to base
"$TOP/tree/configure.sh" "$src" "$obj" "$TOP/config/main.config" "$TOP/config/patches.config"
: >"$TMP/base.log"
make_w "$TMP/base.log" prepare || { tail "$TMP/base.log" >&2; die "the base does not build."; }
objects base "$head" >"$TMP/all" 2>/dev/null || true
mapfile -t objs < <(objects base "$head")
[ ${#objs[@]} = 0 ] || make_w "$TMP/base.log" C=2 "${objs[@]}" || true
warnings "$TMP/base.log" >"$TMP/known" || true

one() { # N
	local n=$1 patch=${files[$1]} before=base log rc=0
	local name
	name=$(basename "$patch" .patch)
	log=$BUILD/test/patches/$name.log
	mkdir -p "${log%/*}"
	: >"$log"
	[ "$n" = 0 ] || before=${commits[n - 1]}
	go_to "${commits[n]}"
	# a new option needs an answer
	kmake "$src" "$obj" olddefconfig >>"$log" 2>&1 || rc=1
	mapfile -t objs < <(objects "$before" "${commits[n]}")
	mapfile -t users < <(header_users "$before" "${commits[n]}")
	if [ $rc = 0 ] && [ ${#objs[@]} -gt 0 ]; then
		make_w "$log" C=2 "${objs[@]}" || rc=1
	fi
	if [ $rc = 0 ] && [ "$n" = 0 ]; then
		make_w "$log" || rc=1
	elif [ $rc = 0 ] && [ ${#users[@]} -gt 0 ]; then
		make_w "$log" "${users[@]}" || rc=1
	fi
	warnings "$log" | comm -13 "$TMP/known" - >"$TMP/new" || true
	if [ $rc != 0 ]; then
		grep -E -B1 -A4 'error:|\*\*\*' "$log" | head -n 25 >&2
		result fail "patch/$name: builds" "log: ${log#"$TOP"/}"
	elif [ "$n" = 0 ]; then
		[ -s "$obj/arch/x86/boot/bzImage" ] && result pass "patch/$name: builds whole" ||
			result fail "patch/$name: builds whole" "no kernel image"
	else
		result pass "patch/$name: builds"
	fi
	if [ -s "$TMP/new" ]; then
		head -n 10 "$TMP/new" | sed 's/^/    /' >&2
		result fail "patch/$name: no new warnings" "$(wc -l <"$TMP/new") new; log: ${log#"$TOP"/}"
	else
		result pass "patch/$name: no new warnings"
	fi
	# persons sign off on patches that go to a list; nothing here stands for one
	if (cd "$src" && perl scripts/checkpatch.pl --strict --no-signoff --no-summary \
		--ignore FILE_PATH_CHANGES --show-types --terse "$patch") >"$TMP/style" 2>&1; then
		result pass "patch/$name: checkpatch"
	else
		head -n 10 "$TMP/style" | sed 's/^/    /' >&2
		cat "$TMP/style" >>"$log"
		result fail "patch/$name: checkpatch" "$(wc -l <"$TMP/style") remarks; log: ${log#"$TOP"/}"
	fi
	say "patch $((n + 1)) of ${#files[@]}: $name"
}
for n in "${!files[@]}"; do one "$n"; done
