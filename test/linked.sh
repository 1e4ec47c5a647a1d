#!/bin/bash
# linked.sh NAME DIR...: do the objects of these directories in build/obj-NAME find
# in the main kernel what they refer to, when that has them in place of its own? So a
# kernel of that configuration links, as far as these directories have a say, and
# need not be built whole.
. "$(dirname "$0")/../tree/common.sh"
name=${1:?usage: linked.sh NAME DIR...}
shift
new_tmp
main=$BUILD/obj-main
[ -f "$main/vmlinux" ] || die "there is no $main/vmlinux; 'make kernel' builds it."

symbols() { # OBJECTS DIR... | undefined or defined
	local which=$1 obj=$2 d
	shift 2
	for d in "$@"; do nm "--$which-only" "$obj/${d%/}/built-in.a" 2>/dev/null; done |
		awk 'NF && $(NF - 1) ~ /^[A-Zu]$/ && $(NF - 1) != "w" { print $NF }' | sort -u
}
symbols undefined "$BUILD/obj-$name" "$@" >"$TMP/wanted"
[ -s "$TMP/wanted" ] || die "there are no objects of $* in build/obj-$name."
symbols defined "$BUILD/obj-$name" "$@" >"$TMP/own"
symbols defined "$main" "$@" >"$TMP/replaced"
nm --defined-only "$main/vmlinux" | awk '$2 ~ /^[A-Zu]$/ { print $3 }' | sort -u |
	comm -23 - "$TMP/replaced" | sort -u - "$TMP/own" >"$TMP/there"
comm -23 "$TMP/wanted" "$TMP/there" >"$TMP/missing"
[ ! -s "$TMP/missing" ] || die "undefined in the kernel '$name': $(paste -sd ' ' "$TMP/missing")"
