# Sourced after tree/common.sh: collecting results and summing them up.
# shellcheck shell=bash

# One line per result: pass|fail|skip, a tab, the name, a tab, why.
RESULTS_FILE=${RESULTS_FILE:-$BUILD/test/results}
RED='' OFF=''
[ ! -t 2 ] || RED=$'\033[31m' OFF=$'\033[0m'

result() { # pass|fail|skip NAME [WHY]
	printf '%s\t%s\t%s\n' "$1" "$2" "${3:-}" >>"$RESULTS_FILE"
	[ "$1" != fail ] || say "${RED}FAILED$OFF $2${3:+: $3}"
}

# wanted NAME: does T (a pattern, anywhere in the name) ask for it?
wanted() {
	# shellcheck disable=SC2254 # a pattern is what it is
	case $1 in
	*${T:-}*) ;;
	*) return 1 ;;
	esac
}

# step NAME COMMAND...: a result of its own for a command; output goes to
# build/test/NAME.log, its end is shown when it fails
step() {
	local name=$1 log rc=0 start=$SECONDS
	shift
	log=$BUILD/test/$name.log
	mkdir -p "$(dirname "$log")"
	"$@" >"$log" 2>&1 </dev/null || rc=$?
	case $rc in
	0)
		result pass "$name"
		say "passed $name ($((SECONDS - start)) s)"
		;;
	77)
		result skip "$name" "$(tail -n 1 "$log")"
		say "skipped $name: $(tail -n 1 "$log")"
		;;
	*)
		result fail "$name" "exit status $rc; log: ${log#"$TOP"/}"
		tail -n 25 "$log" | sed 's/^/    /' >&2
		;;
	esac
	return 0
}

# summary TAP-FILE: writes it, prints the last line, returns 1 on failure
summary() {
	# that a kernel could be built is not what T asks for
	[ -z "${T:-}" ] || grep -qv '^pass	kernel/' "$RESULTS_FILE" ||
		result fail "T=$T" "no test, or program with tests, has that in its name"
	awk -F '\t' -v tap="$1" '
		{ n++; line[n] = ($1 == "fail" ? "not ok " : "ok ") n " " $2 \
			($1 == "skip" ? " # SKIP " $3 : "")
		  if ($1 == "fail") { line[n] = line[n] "\n# " $3; why[++f] = $2 ": " $3 }
		  c[$1]++ }
		END {
			print "TAP version 13\n1.." n + 0 >tap
			for (i = 1; i <= n; i++) print line[i] >tap
			for (i = 1; i <= f; i++) print "FAILED " why[i]
			printf "%d passed, %d failed, %d skipped\n", c["pass"], c["fail"], c["skip"]
			exit c["fail"] > 0 || n == 0
		}' "$RESULTS_FILE"
}
