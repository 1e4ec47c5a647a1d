#!/bin/bash
# run.sh: what swapping costs, on the base and on the series side by side.
# README.md next to this file says what is measured and how to read it.
. "$(dirname "$0")/../tree/common.sh"
. "$TOP/vm/machine.sh"

usage() {
	cat <<'END'
usage: bench/run.sh [options]
  --quick               one boot of each kernel instead of several
  --only PATTERN        only the groups that the pattern matches (a regular
                        expression; --list shows the groups)
  --kernel NAME=BZIMAGE[,APPEND]
                        measure this kernel instead of building, booted with
                        APPEND; the first one given is what the others are
                        compared with
  --peer DIR            a third column: the kernel source in DIR, unmodified,
                        with the same configuration (also: PEER=DIR)
  --runs N              boots per kernel for the exact figures (3)
  --pairs N             interleaved boots for the timed figures (5)
  --jobs N              exact boots at a time (the number of CPUs)
  --results DIR         where the results go (bench/results)
  --list                show the groups and stop
END
	exit "${1:-0}"
}

# name, kind, memory, CPUs, disk, and the job in the guest.
# Exact groups count instructions; timed ones take wall time, which only
# means something as a ratio between boots of the same run.
groups() {
	cat <<'END'
pages-disk exact 512M 1 256M pages disk 64 7
pages-ssd exact 512M 1 256M pages ssd 64 7
pages-loop exact 512M 1 - pages loop 64 7
pages-loop-ssd exact 512M 1 - pages loop-ssd 64 7
pages-zram exact 512M 1 - pages zram 64 7
pages-zswap exact 512M 1 256M pages zswap 64 7
pages-zswap-ssd exact 512M 1 256M pages zswap-ssd 64 7
pages-vswap exact 512M 1 256M pages vswap 64 7
back-zswap-ssd exact 512M 1 256M back zswap-ssd 64 5
swapon-1T exact 2G 1 1T swapon /dev/vda 1
swapon-1T-ssd exact 2G 1 1T swapon /dev/vda 0
meta-disk exact 1536M 1 1G meta disk 1000
meta-zero exact 1536M 1 1G meta vswap-zero 1000
meta-zswap exact 1536M 1 1G meta vswap 1000
meta-zswap-disk exact 1536M 1 1G meta vswap-disk 1000
push2-disk timed 512M 2 512M push disk 2 32 12
push2-ssd timed 512M 2 512M push ssd 2 32 12
push2-zram timed 512M 2 - push zram 2 32 12
pull2-zram timed 512M 2 - pull zram 2 32 12
pull2-disk timed 512M 2 512M pull disk 2 32 12
usemem-zram timed 384M 2 - usemem zram-1G -n 2 --init-time -y -x -Z 224m
swapon-1T-wall timed 2G 1 1T swapon /dev/vda 1
END
}

HERE=$TOP/bench
RUNS=3 PAIRS=5 ONLY=. AT_ONCE=$(nproc) RESULTS=$HERE/results PEER=${PEER:-}
NAMES=() IMAGES=() COMMITS=() APPENDS=()
while [ $# -gt 0 ]; do
	case $1 in
	--quick) RUNS=1 PAIRS=1 ;;
	--only) ONLY=$2; shift ;;
	--kernel)
		case $2 in
		?*=?*) ;;
		*) die "--kernel wants NAME=BZIMAGE." ;;
		esac
		image=${2#*=}
		NAMES+=("${2%%=*}") IMAGES+=("${image%%,*}")
		case $image in *,*) APPENDS[${#NAMES[@]}]=${image#*,} ;; esac
		shift ;;
	--peer) PEER=$2; shift ;;
	--runs) RUNS=$2; shift ;;
	--pairs) PAIRS=$2; shift ;;
	--jobs) AT_ONCE=$2; shift ;;
	--results) RESULTS=$2; shift ;;
	--list) groups | awk '{ print $1 }'; exit ;;
	-h | --help) usage ;;
	*) usage 1 >&2 ;;
	esac
	shift
done
mapfile -t SELECTED < <(groups | awk -v p="$ONLY" '$1 ~ p')
[ ${#SELECTED[@]} -gt 0 ] || die "no group matches '$ONLY'; --list shows them."

WORK=$TOP/build/bench
LOGS=$WORK/logs
mkdir -p "$WORK" "$RESULTS"
rm -rf "$LOGS"
mkdir -p "$LOGS"

# ---- kernels ----

"$TOP/tree/need.sh" vm
if [ ${#NAMES[@]} = 0 ]; then
	image=$("$TOP/tree/build.sh" main)
	HAS_VSWAP=$(grep -x CONFIG_VSWAP=y "$BUILD/obj-main/.config" || true)
	for name in base series vswap=0 peer; do
		src=$LINUX obj=$BUILD/obj-$name lenient=0
		case $name in
		base)
			src=$BUILD/linux-base
			work_tree "$src"
			;;
		series) obj=$BUILD/obj-main ;;
		vswap=0)
			# the same kernel, without the virtual device
			[ -n "$HAS_VSWAP" ] || continue
			obj=$BUILD/obj-main
			;;
		peer)
			[ -n "$PEER" ] || continue
			[ -f "$PEER/Kconfig" ] && [ -d "$PEER/mm" ] ||
				die "PEER=$PEER is not a kernel source."
			src=$(cd "$PEER" && pwd) lenient=1
			;;
		esac
		if [ "$obj" != "$BUILD/obj-main" ]; then
			[ -d "$obj" ] || need_space 2500 "building the kernel '$name'"
			CONFIG_LENIENT=$lenient "$TOP/tree/configure.sh" "$src" "$obj" "$TOP/config/main.config"
			"$TOP/tree/progress.sh" "$obj/build.log" "kernel ($name)" \
				bash -c '. "$0/tree/common.sh"; kmake "$@"' "$TOP" \
				"$src" "$obj" -j"$JOBS" "${image##*/}" "${PLACED[@]}"
		fi
		NAMES+=("$name") IMAGES+=("$obj${image#"$BUILD/obj-main"}")
		[ "$name" != vswap=0 ] || APPENDS[${#NAMES[@]}]=$name
		COMMITS[${#NAMES[@]}]=$(wgit -C "$src" describe --tags --always --dirty 2>/dev/null || true)
	done
fi
for i in "${!IMAGES[@]}"; do
	obj=${IMAGES[i]%/arch/*/boot/*}
	[ -f "${IMAGES[i]}" ] || die "there is no kernel at ${IMAGES[i]}."
	# figures of nobody knows what are of no use
	[ -f "$obj/.config" ] || die "there is no .config for ${IMAGES[i]}: it has to be where it was built."
	: "${COMMITS[i + 1]:=$(cat "$obj/.commit" 2>/dev/null || true)}"
done

# ---- guest ----

GUEST_CC=${CROSS_COMPILE:-}gcc
mkdir -p "$WORK/bin"
"$GUEST_CC" -O2 -Wall -Wextra -static -o "$WORK/bin/swapbench" "$HERE/guest/swapbench.c"
"$GUEST_CC" -O2 -Wall -Wextra -static -pthread -o "$WORK/bin/usemem" "$HERE/guest/usemem.c"
"$TOP/vm/initramfs.sh" "$WORK/initramfs" "$WORK/bin/swapbench" "$WORK/bin/usemem"

# ---- boots ----

# the QEMU that a process has started, through others
qemu_of() { # PID
	cat /proc/[0-9]*/stat 2>/dev/null | awk -v top="$1" '
		{ name[$1] = $2; parent[$1] = $4 }
		END { for (p in name) {
			if (name[p] !~ /^\(qemu/) continue
			for (q = p; q > 1; q = parent[q])
				if (q == top) { print p; exit }
		} }'
}

# Whenever a line of the guest's results begins with @mark, note how long
# QEMU's threads have run so far and how long they waited for a CPU.
watch_marks() { # PID RESULTS
	local line
	until [ -e "$2" ]; do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.1
	done
	tail -n +1 -s 0.05 -f --pid="$1" "$2" 2>/dev/null | while IFS= read -r line; do
		case $line in
		'@mark '*)
			line=${line#@mark }
			cat "/proc/$(qemu_of "$1")/task/"*/schedstat 2>/dev/null |
				awk -v what="${line%$'\r'}" -v now="${EPOCHREALTIME/./}" '
					{ run += $1; wait += $2 }
					END { printf "@host %s %s %.0f %.0f\n", what, now, run, wait }'
			;;
		esac
	done
}

boot() { # LOG IMAGE APPEND KIND MEMORY CPUS DISK JOB...
	local log=$1 image=$2 append=$3 kind=$4 mem=$5 cpus=$6 disk=$7 args=() rc=0 pid
	shift 7
	# guest time leaps while an exact guest waits for the host's disk
	[ "$kind" = timed ] || args+=(--icount --append "sysctl.kernel.hung_task_timeout_secs=0")
	[ "$disk" = - ] || args+=(--disk "$disk")
	: >"$log.marks"
	"$TOP/vm/boot.sh" --kernel "$image" --initrd "$WORK/initramfs" --mem "$mem" --smp "$cpus" \
		--quiet --timeout 1200 --log "$log" --append "nokaslr norandmaps $append" "${args[@]}" \
		-- "exec >/dev/\$RESULTS 2>&1; swapbench $*" >"$log.boot" 2>&1 &
	pid=$!
	[ "$kind" = exact ] || watch_marks "$pid" "$log.results" >"$log.marks"
	wait "$pid" || rc=$?
	if [ "$rc" = 0 ] && grep -q '^@ done 1' "$log.results"; then
		return 0
	fi
	echo "@! status $rc" >>"$log.results"
	say "$(basename "$log") failed:"
	(tr -d '\r' <"$log.results" | grep -v '^@ '; cat "$log.boot") | tail -n 20 | sed 's/^/    /' >&2
	return 1
}

FAILED=0
DONE=0
BOOTS=0

# a kernel booted without the virtual device is of interest where there could be one
concerns() { # NAME GROUP
	case $1:$2 in
	vswap=0:*zswap* | vswap=0:*vswap*) ;;
	vswap=0:*) return 1 ;;
	esac
}

for g in "${SELECTED[@]}"; do
	read -r -a f <<<"$g"
	for name in "${NAMES[@]}"; do
		concerns "$name" "${f[0]}" || continue
		case ${f[1]} in exact) BOOTS=$((BOOTS + RUNS)) ;; *) BOOTS=$((BOOTS + PAIRS)) ;; esac
	done
done

one() { # KERNEL RUN GROUP KIND...
	local i=$1 run=$2 group=$3
	shift 3
	case $group in pages-* | back-*) set -- "$@" "$run" ;; esac
	boot "$LOGS/$group@${NAMES[i]}@$run" "${IMAGES[i]}" "${APPENDS[i + 1]:-}" "$@"
}

progress() {
	DONE=$((DONE + 1))
	[ ! -t 2 ] || printf '\r%d of %d boots ' "$DONE" "$BOOTS" >&2
}

started=$(date +%s)
say "measuring: $(printf '%s ' "${NAMES[@]}")- $BOOTS boots"
running=0
for run in $(seq "$RUNS"); do
	for g in "${SELECTED[@]}"; do
		read -r -a f <<<"$g"
		[ "${f[1]}" = exact ] || continue
		for i in "${!NAMES[@]}"; do
			concerns "${NAMES[i]}" "${f[0]}" || continue
			if [ "$running" -ge "$AT_ONCE" ]; then
				wait -n || FAILED=1
				running=$((running - 1))
				progress
			fi
			one "$i" "$run" "${f[@]}" &
			running=$((running + 1))
		done
	done
done
while [ "$running" -gt 0 ]; do
	wait -n || FAILED=1
	running=$((running - 1))
	progress
done
for g in "${SELECTED[@]}"; do
	read -r -a f <<<"$g"
	[ "${f[1]}" = timed ] || continue
	for run in $(seq "$PAIRS"); do
		for i in "${!NAMES[@]}"; do
			concerns "${NAMES[i]}" "${f[0]}" || continue
			one "$i" "$run" "${f[@]}" || FAILED=1
			progress
		done
	done
done
[ ! -t 2 ] || printf '\r' >&2

# ---- results ----

hash_of() { if [ -f "$1" ]; then sha256sum "$1" | cut -c1-64; fi; }

{
	printf 'meta date %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
	printf 'meta seconds %s\n' $(($(date +%s) - started))
	printf 'meta qemu %s\n' "$("$QEMU" --version | sed -n '1s/QEMU emulator version //p')"
	printf 'meta host_cpus %s\n' "$(nproc)"
	printf 'meta compiler %s\n' "$(${CC:-gcc} --version | head -n 1)"
	for i in "${!NAMES[@]}"; do
		n=${NAMES[i]} obj=${IMAGES[i]%/arch/*/boot/*}
		log=$(printf '%s\n' "$LOGS"/*@"$n"@1 | head -n 1)
		[ -f "$log" ] || continue
		printf 'kernel %s version %s\n' "$n" "$(tr -d '\r' <"$log.results" | sed -n 's/^@ kernel //p')"
		printf 'kernel %s build %s\n' "$n" \
			"$(tr -d '\r' <"$log" | sed -n 's/^.*Linux version [^ ]* ([^)]*) //p' | head -n 1)"
		[ -z "${COMMITS[i + 1]:-}" ] || printf 'kernel %s commit %s\n' "$n" "${COMMITS[i + 1]}"
		printf 'kernel %s config_sha256 %s\n' "$n" "$(hash_of "$obj/.config")"
		printf 'kernel %s image_sha256 %s\n' "$n" "$(hash_of "${IMAGES[i]}")"
		printf 'kernel %s accelerator %s\n' "$n" "$(sed -n 's/^vm: \(.*\); at most.*/\1/p' "$log.boot")"
	done
	for g in "${SELECTED[@]}"; do
		read -r -a f <<<"$g"
		for log in "$LOGS/${f[0]}@"*.results; do
			b=${log##*/} b=${b%.results} b=${b#*@}
			! grep -q '^@!' "$log" || printf 'fail %s %s %s\n' "${f[0]}" "${b%@*}" "${b#*@}"
			cat "$log" "${log%.results}.marks" | tr -d '\r' | awk -v g="${f[0]}" -v k="${f[1]}" -v n="${b%@*}" -v r="${b#*@}" '
				$1 == "@" && NF == 3 && $3 ~ /^-?[0-9.]+$/ && $2 !~ /^(kernel|done)$/ {
					op[++ops] = $2; value[ops] = $3 }
				$1 == "@host" { wall[$2] = $3; run[$2] = $4; wait[$2] = $5 }
				$1 == "@" && $2 == "marked-pages" { pages = $3 }
				/bytes \/ .* = [0-9]+ KB\/s/ { kbs += $(NF - 1); tasks++ }
				/usecs to free memory/ { freed += $1 }
				END {
					for (i = 1; i <= ops; i++)
						print "value", k, g, n, r, op[i], value[i]
					if (tasks) {
						print "value", k, g, n, r, "throughput", kbs
						print "value", k, g, n, r, "free-ms", freed / tasks / 1000
					}
					if (run["end"] == "") exit
					cpu = (run["end"] - run["begin"]) / 1e9
					print "value", k, g, n, r, "qemu-cpu-s", cpu
					if (pages)
						print "value", k, g, n, r, "qemu-cpu-us", cpu * 1e6 / pages
					w = (wall["end"] - wall["begin"]) / 1e6
					if (w > 0)
						print "value", k, g, n, r, "disturbed", (wait["end"] - wait["begin"]) / 1e9 / w
				}'
		done
	done
} >"$WORK/raw"

stamp=$(sed -n 's/^meta date //p' "$WORK/raw" | tr -d ':-')
version=$(awk '$1 == "kernel" && $3 == "version" { v = $4 } END { print v }' "$WORK/raw")
out=$RESULTS/$stamp-$version
awk -f "$HERE/table.awk" -v format=json "$WORK/raw" >"$out.json"
awk -f "$HERE/table.awk" -v format=text "$WORK/raw" | tee "$out.txt"
say
say "written: ${out#"$TOP"/}.json and .txt"
[ "$FAILED" = 0 ] || die "some boots failed; what they said is in build/bench/logs."
