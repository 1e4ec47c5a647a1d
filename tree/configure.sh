#!/bin/bash
# configure.sh SRC OBJ FRAGMENT...: tinyconfig, the machine's own fragment
# (config/$ARCH.config), then the fragments in order, a later one overriding
# an earlier one. kconfig drops what its dependencies do not allow without a
# word, so what came out is compared with what was asked for.
# CONFIG_LENIENT=1 names such options instead of failing: another kernel
# version may call them something else.
. "$(dirname "$0")/common.sh"
[ $# -ge 3 ] || die "usage: configure.sh SRC OBJ FRAGMENT..."
src=$1 obj=$2
shift 2
[ -f "$src/Kconfig" ] || die "$src is not a kernel source."
[ ! -f "$TOP/config/$ARCH.config" ] || set -- "$TOP/config/$ARCH.config" "$@"
for f in "$@"; do
	[ -f "$f" ] || die "there is no config fragment $f."
done
new_tmp
mkdir -p "$obj"
obj=$(cd "$obj" && pwd)

# nothing that decides the outcome changed: nothing to do
stamp=$({
	echo "$ARCH ${CROSS_COMPILE:-} ${LLVM:-} ${CC:-} $src"
	${CC:-${CROSS_COMPILE:-}gcc} --version 2>/dev/null || true
	cat "$@" "$0"
	find "$src" -name 'Kconfig*' -type f -print0 | sort -z | xargs -0 cat
} | sha256sum)
if [ -f "$obj/.config" ] && [ "$(cat "$obj/.configured" 2>/dev/null)" = \
	"$stamp $(sha256sum <"$obj/.config")" ]; then
	exit 0
fi

[ ! -f "$obj/.config" ] || cp -p "$obj/.config" "$TMP/before"
if ! {
	kmake "$src" "$obj" tinyconfig &&
		cat "$@" >>"$obj/.config" &&
		kmake "$src" "$obj" olddefconfig
} >"$TMP/log" 2>&1; then
	rm -f "$obj/.config"
	tail -n 20 "$TMP/log" >&2
	die "configuring $src failed."
fi
# the same configuration as before keeps its time stamp
if [ -f "$TMP/before" ] && cmp -s "$TMP/before" "$obj/.config"; then
	touch -r "$TMP/before" "$obj/.config"
fi

awk '
	function name(line) {
		if (line ~ /^CONFIG_[A-Za-z0-9_]+=/) { sub(/=.*/, "", line); return line }
		if (line ~ /^# CONFIG_[A-Za-z0-9_]+ is not set/) return $2
		return ""
	}
	function value(line) {
		if (line ~ /^#/) return "n"
		sub(/^[^=]*=/, "", line)
		return line
	}
	(n = name($0)) == "" { next }
	FILENAME == ARGV[ARGC - 1] { got[n] = value($0); next }
	{ if (!(n in want)) order[++count] = n
	  want[n] = value($0); from[n] = FILENAME }
	END {
		for (i = 1; i <= count; i++) {
			n = order[i]
			g = (n in got) ? got[n] : "n"
			if (g == want[n]) continue
			f = from[n]; sub(/.*\//, "", f)
			printf "%s=%s (%s) became %s\n", n, want[n], f, (n in got) ? g : "nothing: a dependency is missing, or there is no such option"
			bad = 1
		}
		exit bad
	}
' "$@" "$obj/.config" >"$TMP/vanished" && {
	echo "$stamp $(sha256sum <"$obj/.config")" >"$obj/.configured"
	exit 0
}
sed 's/^/  /' "$TMP/vanished" >&2
if [ "${CONFIG_LENIENT:-0}" = 1 ]; then
	say "$(wc -l <"$TMP/vanished") options are not as asked for"
	exit 0
fi
# a configuration that is not what was asked for is not built by mistake
rm -f "$obj/.config"
die "$(wc -l <"$TMP/vanished") options did not survive the configuration."
