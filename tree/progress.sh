#!/bin/bash
# progress.sh LOG WHAT COMMAND...: run a long command with its output in LOG,
# show that it moves, show warnings, and on failure what went wrong.
. "$(dirname "$0")/common.sh"
log=$1 what=$2
shift 2
mkdir -p "$(dirname "$log")"
start=$SECONDS
: >"$log"
"$@" >"$log" 2>&1 &
pid=$!
trap 'kill $pid 2>/dev/null || true' INT TERM
last=0
while kill -0 $pid 2>/dev/null; do
	sleep 1
	t=$((SECONDS - start))
	if [ -t 2 ]; then
		printf '\r%s: %s steps, %d:%02d ' "$what" "$(wc -l <"$log")" $((t / 60)) $((t % 60)) >&2
	elif [ $((t - last)) -ge 30 ]; then
		last=$t
		say "$what: $(wc -l <"$log") steps, $((t / 60)):$(printf %02d $((t % 60)))"
	fi
done
rc=0
wait $pid || rc=$?
t=$((SECONDS - start))
[ ! -t 2 ] || printf '\r\033[K' >&2
grep -E '(^|[^-])warning:' "$log" | sort -u | head -n 20 >&2 || true
if [ "$rc" != 0 ]; then
	grep -nE -A3 '(error:|Error [0-9]|undefined reference|\*\*\*)' "$log" | head -n 40 >&2 || tail -n 20 "$log" >&2
	die "$what failed; all of it is in ${log#"$TOP"/}."
fi
say "$what: done in $((t / 60)):$(printf %02d $((t % 60)))"
