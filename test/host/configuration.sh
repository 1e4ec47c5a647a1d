#!/bin/bash
# An option that a configuration asks for and does not get is an error.
. "$(dirname "$0")/../../tree/common.sh"
. "$TOP/test/workspace.sh"
new_tmp
[ -d "$LINUX" ] || { echo "there is no build/linux"; exit 77; }
conf() { "$TOP/tree/configure.sh" "$LINUX" "$TMP/obj" "$TOP/config/main.config" "$@"; }
cat >"$TMP/a.config" <<'EOF'
CONFIG_SWAP=y
# CONFIG_NO_SUCH_OPTION is not set
CONFIG_KSM=y
EOF
echo '# CONFIG_KSM is not set' >"$TMP/b.config"
conf "$TMP/a.config" "$TMP/b.config" || fail "a later fragment overrides an earlier one"
grep -q '^# CONFIG_KSM is not set' "$TMP/obj/.config" || fail "KSM is off"
# ZSWAP needs SWAP; the other one is a spelling mistake
printf 'CONFIG_ZSWAP=y\n# CONFIG_SWAP is not set\n# CONFIG_HIBERNATION is not set\n# CONFIG_HIBERNATION_SNAPSHOT_DEV is not set\nCONFIG_ZWSAP=y\n' >"$TMP/c.config"
refused "CONFIG_ZSWAP=y \(c.config\) became nothing" conf "$TMP/a.config" "$TMP/c.config"
refused "CONFIG_ZWSAP=y .*no such option" conf "$TMP/a.config" "$TMP/c.config"
[ ! -e "$TMP/obj/.config" ] || fail "a configuration that was not asked for is there to be built"
CONFIG_LENIENT=1 conf "$TMP/a.config" "$TMP/c.config" >"$TMP/out" 2>&1 || fail "lenient"
grep -q 'CONFIG_ZSWAP=y' "$TMP/out" || fail "lenient names the option, too"
