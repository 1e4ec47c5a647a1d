#!/bin/bash
# deb.sh: Debian packages of the patched kernel for a real machine, in
# build/deb. CONFIG=file is its configuration; without it, that of the
# running kernel.
. "$(dirname "$0")/common.sh"
new_tmp
if [ -n "${CONFIG:-}" ]; then
	[ -r "$CONFIG" ] || die "CONFIG: there is no file $CONFIG."
	cp "$CONFIG" "$TMP/config"
elif [ -r "/boot/config-$(uname -r)" ]; then
	cp "/boot/config-$(uname -r)" "$TMP/config"
elif [ -r /proc/config.gz ]; then
	zcat /proc/config.gz >"$TMP/config"
else
	die "the running kernel's configuration is not in /boot or /proc; give one with CONFIG=file."
fi
grep -q '^CONFIG_[A-Z0-9_]*=' "$TMP/config" || die "${CONFIG:-what the running kernel gives} is not a kernel configuration."
"$TOP/tree/need.sh" build deb
"$TOP/tree/tree.sh"

obj=$BUILD/obj-deb
if grep -q '^CONFIG_MODULES=y' "$TMP/config"; then
	need_space 15000 "packages of a kernel with modules"
else
	need_space 3000 "packages of a kernel"
fi
mkdir -p "$obj" "$BUILD/deb"
cp "$TMP/config" "$obj/.config"
# a distribution's keys are not here; its debugging information takes 20 GB
set_config() { "$LINUX/scripts/config" --file "$obj/.config" "$@"; }
set_config --set-str SYSTEM_TRUSTED_KEYS '' --set-str SYSTEM_REVOCATION_KEYS '' \
	--set-str BUILD_SALT '' --set-str LOCALVERSION '' -d LOCALVERSION_AUTO \
	-d DEBUG_INFO_BTF -d DEBUG_INFO_DWARF5 -d DEBUG_INFO_DWARF4 \
	-d DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT -e DEBUG_INFO_NONE
# who wants these packages wants the virtual device, unless his configuration says no
grep -q '^CONFIG_VSWAP=\|^# CONFIG_VSWAP is' "$obj/.config" || set_config -e VSWAP
kmake "$LINUX" "$obj" -s olddefconfig >"$obj/olddefconfig.log" 2>&1 ||
	die "the configuration could not be brought up to date; see ${obj#"$TOP"/}/olddefconfig.log."

say "$(grep 'CONFIG_VSWAP[= ]' "$obj/.config" || echo "without CONFIG_VSWAP, which a 32-bit kernel cannot have")"
export LOCALVERSION=${LOCALVERSION:--vswap}
rm -f "$BUILD"/linux-*.deb "$BUILD"/linux-*.changes "$BUILD"/linux-*.buildinfo
"$TOP/tree/progress.sh" "$obj/build.log" "Debian packages" \
	bash -c '. "$0/tree/common.sh"; kmake "$@"' "$TOP" "$LINUX" "$obj" -j"$JOBS" \
	KDEB_PKGVERSION="$(base_get version | sed 's/-.*//')-$(wgit -C "$LINUX" rev-list --count base..HEAD)" \
	bindeb-pkg
rm -f "$BUILD"/linux-*.changes "$BUILD"/linux-*.buildinfo
made=()
for p in "$BUILD"/linux-*.deb; do
	mv "$p" "$BUILD/deb/"
	p=${BUILD#"$TOP"/}/deb/${p##*/}
	made+=("$p")
	case $p in
	*/linux-image-*-dbg_*) ;;
	*/linux-image-*) say "install with: sudo dpkg -i $p" ;;
	esac
done
printf '%s\n' "${made[@]}"
