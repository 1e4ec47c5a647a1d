# Sourced by test/host/*.sh after tree/common.sh: a copy of the workshop with
# a toy kernel of a few files as its base, so that everything about trees
# and patches is tried for real within a second.
# shellcheck shell=bash

fail() { printf 'FAILED: %s\n' "$*"; exit 1; }

# workspace: $WS, with $WS/build/download filled
workspace() {
	new_tmp
	WS=$TMP/ws
	mkdir -p "$WS/series" "$WS/build/download" "$TMP/toy/linux-source-6.12/mm" "$TMP/toy/linux-source-6.12/include"
	cp -r "$TOP/tree" "$TOP/test" "$TOP/vm" "$TOP/config" "$TOP/Makefile" "$WS/"
	cp "$TOP/.gitignore" "$WS/" 2>/dev/null || true
	local s=$TMP/toy/linux-source-6.12
	printf 'VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 117\nEXTRAVERSION =\nNAME = Toy\n' >"$s/Makefile"
	printf '*.c diff=cpp\n' >"$s/.gitattributes"
	# the rule that Debian adds hides new files
	printf '*.o\n/*\n!/debian/\n' >"$s/.gitignore"
	echo "kept although .gitignore says otherwise" >"$s/mm/kept.o"
	seq 1 60 | sed 's/^/int a/; s/$/;/' >"$s/mm/edited.c"
	echo "int gone;" >"$s/mm/deleted.c"
	echo "#define H 1" >"$s/include/h.h"
	tar -C "$TMP/toy" --sort=name --mtime=@0 --owner=0 --group=0 -cJf "$WS/build/download/linux-source-6.12.tar.xz" linux-source-6.12
	cat >"$WS/series/base" <<EOF
package=linux-source-6.12
version=6.12.117-1~deb12u1
suite=bookworm-security
tarball=linux-source-6.12.tar.xz
sha256=$(sha256sum <"$WS/build/download/linux-source-6.12.tar.xz" | cut -d' ' -f1)
tree=$(toy_tree "$s")
EOF
	: >"$WS/series/rendered"
	cat >"$WS/series/0000-cover-letter.patch" <<'EOF'
From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
From: Somebody <somebody@example.org>
Subject: [PATCH 0/0] A toy series

Written by hand.

Patches and what they touch, written by make series:

(none yet)
EOF
	unset KERNEL_SRC BASE_VERSION T
	W=$WS/build/linux
}

toy_tree() {
	local g=$TMP/toy.git
	GIT_DIR=$g wgit init -q --bare
	GIT_DIR=$g GIT_WORK_TREE=$1 wgit add -A -f
	GIT_DIR=$g wgit write-tree
}

# toy_commit SUBJECT: what is in the tree becomes a commit
toy_commit() {
	wgit -C "$W" add -A
	wgit -C "$W" -c user.name='A. Developer' -c user.email=dev@example.org commit -q -m "$1" -m "Why, with an ümlaut."
}

# three patches: create, edit and create, delete
toy_series() {
	"$WS/tree/tree.sh" || fail "make tree"
	mkdir -p "$W/mm/new"
	printf 'int created;\n' >"$W/mm/new/created.c"
	printf '#!/bin/sh\n' >"$W/mm/new/tool.sh"
	chmod +x "$W/mm/new/tool.sh"
	toy_commit "mm: create a file"
	sed -i 's/^int a30;/long a30;/' "$W/mm/edited.c"
	head -c 3000 /dev/urandom >"$W/mm/blob.bin"
	printf 'int created, again;\n' >"$W/mm/new/created.c"
	toy_commit "mm: edit a file, add a binary one"
	git -C "$W" rm -q mm/deleted.c
	printf '#define H 2\n' >"$W/include/h.h"
	toy_commit "mm: delete a file"
}

# refused WORDS COMMAND...: it must fail and say so
refused() {
	local words=$1 out
	shift
	if out=$("$@" 2>&1); then
		printf '%s\n' "$out"
		fail "was accepted: $*"
	fi
	printf '%s\n' "$out"
	grep -qE "$words" <<<"$out" || fail "did not say '$words': $*"
	! grep -qE '^(awk|sed|tar|grep|/.*line [0-9]+):' <<<"$out" || fail "more than a clear sentence: $*"
}
