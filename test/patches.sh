#!/bin/bash
# patches.sh: every patch in order, in one object directory. What it touches,
# and who includes a header that it touches, is built with W=1; a warning about
# what it touches that the base does not have fails. The first patch is built whole; so
# is the last, as build/obj-main. checkpatch --strict on each. Sparse looks at
# what all of them touched, in the end; SPARSE=1: after each patch, too.
# FROM=N: only those from the N-th on.
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
work_tree "$src"
go_to() { wgit -C "$src" checkout -q --force --detach "$1"; }

# what this machine's compiler can build of the files that a commit touches
objects() { # COMMIT [COMMIT]: or between two
	wgit -C "$src" diff --name-only --no-renames --diff-filter=AM "$1" "$2" |
		grep -E '^(mm|kernel|fs|block|lib|drivers|init|arch/x86)/.*\.c$' | while IFS= read -r c; do
		if [ -f "$src/$c" ] && built "$c"; then echo "${c%.c}.o"; fi
	done
}
# is it in this configuration? Ask the makefiles of its directory and of
# those above.
built() { # FILE.c
	local dir item
	case $1 in */*nommu.c) return 1 ;; esac
	dir=$(dirname "$1") item=$(basename "$1" .c).o
	while :; do
		if [ -e "$src/$dir/Makefile" ]; then
			enabled "$src/$dir/Makefile" "$item" || return 1
			item=$(basename "$dir")/
		else
			item=$(basename "$dir")/$item
		fi
		dir=$(dirname "$dir")
		[ "$dir" != . ] || return 0
	done
}
enabled() { # MAKEFILE ITEM: no option guards it, or one that is on
	grep -hE "(^|[[:space:]])${2//./\\.}([[:space:]\\]|\$)" "$1" >"$TMP/lines" || return 1
	! grep -v CONFIG_ "$TMP/lines" | grep -q . || return 0
	grep -oE 'CONFIG_[A-Z0-9_]+' "$TMP/lines" | sort -u | sed 's/$/=y/; p; s/y$/m/' | grep -qxFf - "$obj/.config"
}

# a header as the compiler sees it, but for its macros; nothing if there is none
code_of() { # COMMIT HEADER
	wgit -C "$src" show "$1:$2" 2>/dev/null | gcc -fpreprocessed -dD -E -P -x c - 2>/dev/null || true
}

# names that a header loses, and functions and macros of it that change
changed_names() { # HEADER COMMIT COMMIT
	local c
	for c in "$2" "$3"; do
		code_of "$c" "$1" >"$TMP/code-$c"
		grep -oE '[A-Za-z_][A-Za-z0-9_]+' "$TMP/code-$c" | sort -u >"$TMP/words-$c" || true
	done
	comm -23 "$TMP/words-$2" "$TMP/words-$3"
	diff "$TMP/code-$2" "$TMP/code-$3" | grep '^[<>]' >"$TMP/lines" || true
	grep -oE '[A-Za-z_][A-Za-z0-9_]+\(' "$TMP/lines" | tr -d '('
	# it may be what others got their declarations by
	if grep -q '^< #include' "$TMP/lines"; then echo include; fi
}

# all objects that a changed header can break: of those who include it, and
# mention what changes
header_users() { # COMMIT COMMIT
	local h c inc
	wgit -C "$src" diff --name-only --no-renames "$1" "$2" | grep -E '^(include|mm|kernel|fs|block|lib|arch/x86)/.*\.h$' >"$TMP/headers" || return 0
	while IFS= read -r h; do
		changed_names "$h" "$1" "$2" >"$TMP/names" || true
		(
			cd "$src" || exit
			case $h in
			include/*) grep -rlF "#include <${h#include/}>" mm kernel fs block lib drivers/block --include='*.c' || true ;;
			*)
				# there are many files of that name
				grep -rHoE "#include \"[^\"]*${h##*/}\"" mm kernel fs block lib --include='*.c' |
					while IFS=: read -r c inc; do
						inc=${inc#*\"}
						[ ! "$(dirname "$c")/${inc%\"}" -ef "$h" ] || echo "$c"
					done || true
				;;
			esac
		) | (cd "$src" && xargs -r grep -lwFf "$TMP/names" || true)
	done <"$TMP/headers" | sort -u | while IFS= read -r c; do
		if built "$c"; then echo "${c%.c}.o"; fi
	done
}

# messages without their place: code may move
warnings() { grep -hE 'warning:|error:' "$@" | sed -E 's/^[^ ]+:[0-9]+(:[0-9]+)?: *//; s/line [0-9]+/line N/g' | sort -u; }

make_to() { # LOG TARGETS...
	local log=$1
	shift
	kmake "$src" "$obj" -k -j"$JOBS" "$@" >>"$log" 2>&1
}

say "patches: the base, for comparison"
go_to base
"$TOP/tree/configure.sh" "$src" "$obj" "$TOP/config/main.config" "$TOP/config/patches.config"
: >"$TMP/base.log"
make_to "$TMP/base.log" prepare || { tail "$TMP/base.log" >&2; die "the base does not build."; }
mapfile -t objs < <(objects base "$head")
[ ${#objs[@]} = 0 ] || make_to "$TMP/base.log" W=1 C=2 "${objs[@]}" || true
warnings "$TMP/base.log" >"$TMP/known" || true

one() { # N
	local n=$1 patch=${files[$1]} before=base log rc=0 start=$SECONDS
	local name
	name=$(basename "$patch" .patch)
	log=$BUILD/test/patches/$name.log
	mkdir -p "${log%/*}"
	: >"$log"
	[ "$n" = 0 ] || before=${commits[n - 1]}
	go_to "${commits[n]}"
	# a new option needs an answer
	if [ $((n + 1)) = "${FROM:-1}" ] || wgit -C "$src" diff --name-only "$before" "${commits[n]}" | grep -q Kconfig; then
		cat "$TOP/config/vswap.config" >>"$obj/.config"
		kmake "$src" "$obj" olddefconfig >>"$log" 2>&1 || rc=1
	fi
	mapfile -t objs < <(objects "$before" "${commits[n]}")
	mapfile -t users < <(header_users "$before" "${commits[n]}" |
		grep -vxFf <(printf '%s\n' "${objs[@]:-none}"))
	# the first one whole, and with that what later ones leave alone
	if [ $rc = 0 ] && [ "$n" = 0 ]; then
		make_to "$log" vmlinux || rc=1
	fi
	if [ $rc = 0 ] && [ $((${#users[@]} + ${#objs[@]})) -gt 0 ]; then
		make_to "$log" W=1 ${SPARSE:+C=2} "${objs[@]}" "${users[@]}" || rc=1
	fi
	# what the base has in files that include a header is not looked at
	wgit -C "$src" diff --name-only "$before" "${commits[n]}" >"$TMP/touched"
	grep -hFf "$TMP/touched" "$log" >"$TMP/log" || true
	warnings "$TMP/log" | comm -13 "$TMP/known" - >"$TMP/new" || true
	if [ $rc != 0 ]; then
		grep -E -B1 -A4 'error:|\*\*\*' "$log" | head -n 25 >&2
		result fail "patch/$name: builds" "log: ${log#"$TOP"/}"
	elif [ "$n" = 0 ]; then
		result pass "patch/$name: builds whole"
	else
		result pass "patch/$name: builds"
	fi
	if [ -s "$TMP/new" ]; then
		head -n 10 "$TMP/new" | sed 's/^/    /' >&2
		result fail "patch/$name: no new warnings" "$(wc -l <"$TMP/new") new; log: ${log#"$TOP"/}"
	else
		result pass "patch/$name: no new warnings"
	fi
	say "patch $((n + 1)) of ${#files[@]}: $name ($((SECONDS - start)) s)"
}

style() { # N
	local n=$1 name
	name=$(basename "${files[n]}" .patch)
	# persons sign off on patches that go to a list; nothing here stands for one
	if (cd "$LINUX" && perl scripts/checkpatch.pl --strict --no-signoff --no-summary \
		--ignore FILE_PATH_CHANGES --show-types --terse "${files[n]}") >"$TMP/style" 2>&1; then
		result pass "patch/$name: checkpatch"
	else
		head -n 10 "$TMP/style" | sed 's/^/    /' >&2
		result fail "patch/$name: checkpatch" "$(wc -l <"$TMP/style") remarks: scripts/checkpatch.pl --strict ${files[n]#"$TOP"/}"
	fi
}

for n in "${!files[@]}"; do
	[ $((n + 1)) -lt "${FROM:-1}" ] || style "$n"
done &
styled=$!
for n in "${!files[@]}"; do
	[ $((n + 1)) -lt "${FROM:-1}" ] || one "$n"
done
wait "$styled" || result fail "patches: checkpatch" "did not get to the last patch"

go_to "${commits[-1]}"
log=$BUILD/test/patches/sparse.log
: >"$log"
mapfile -t objs < <(objects base "$head")
if [ ${#objs[@]} -gt 0 ] && make_to "$log" W=1 C=2 "${objs[@]}" &&
	! warnings "$log" | comm -13 "$TMP/known" - | grep . >"$TMP/new"; then
	result pass "patches: sparse"
else
	head -n 10 "$TMP/new" 2>/dev/null | sed 's/^/    /' >&2
	result fail "patches: sparse" "log: ${log#"$TOP"/}"
fi
