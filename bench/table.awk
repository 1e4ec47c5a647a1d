# Turns the raw values that run.sh collects into the table (-v format=text)
# or the machine-readable results (-v format=json). Any awk will do.
#
# raw lines: meta KEY VALUE..., kernel NAME KEY VALUE...,
#            value KIND GROUP KERNEL BOOT OPERATION NUMBER, fail GROUP KERNEL BOOT

function describe(group, op) {
	unit = ""; lower = 1; limit = 0; text = op; hidden = 0
	if (group ~ /^(pages|back)-/) {
		unit = "instructions/page"; limit = 1.005
		if (op == "pageout") text = "pageout"
		else if (op == "pageout-new") text = "pageout, never swapped before"
		else if (op == "swap-in") text = "swap-in"
		else if (op == "swap-in-cached") text = "swap-in from the swap cache"
		else if (op == "fork") text = "fork"
		else if (op == "exit-shared") text = "exit of the forked child"
		else if (op == "zap") text = "zap (munmap)"
		else if (op == "swapoff") text = "swapoff"
		else if (op == "writeback") { text = "zswap's writeback"; limit = 1.05 }
		else if (op == "swapoff-1") text = "swapoff after it"
		else if (op == "swapoff-8") text = "  shared by 8 processes"
		else hidden = 1
	} else if (group ~ /^swapon/) {
		if (op ~ /-ms$/) {
			unit = group ~ /wall/ ? "ms" : "million instructions"
			if (group !~ /wall/) limit = 1.005
			text = op == "swapon-ms" ? "swapon" : "swapoff"
		} else if (op ~ /-kB$/ && group !~ /wall/) {
			unit = "kB"
			sub(/-kB$/, "", text)
			if (op == "MemFree-kB") { text = "RAM taken"; limit = 1.005 }
			else if (op == "MemAvailable-kB") text = "  of MemAvailable"
			else if (op == "not-given-back-kB") text = "  not back after swapoff"
			else text = "  " text
		} else
			hidden = 1
	} else if (op ~ /^meta-/) {
		unit = "bytes/slot"
		if (op == "meta-bytes") { text = "kept for a slot in use"; limit = 1.005 }
		else if (op == "meta-idle-bytes") text = "  when none is in use any more"
		else if (op == "meta-vswap-bytes") text = "  by table_bytes of vswap"
		else { sub(/^meta-/, "  ", text); sub(/-bytes$/, "", text) }
	} else if (op == "push") {
		unit = "pages/s"; lower = 0; limit = 1; text = "pageout on two CPUs"
	} else if (op == "pull") {
		unit = "pages/s"; lower = 0; limit = 1
		text = "swap-in of shared pages on two CPUs"
	} else if (op ~ /^(p[0-9.]+|max)-us$/) {
		unit = "us"; text = "  " op " of a fault"; sub(/-us/, "", text)
	} else if (op == "throughput") {
		unit = "KB/s"; lower = 0; limit = 1
	} else if (op == "qemu-cpu-us") {
		unit = "us/page"; text = "host CPU time"
	} else if (op == "qemu-cpu-s") {
		unit = "s"; text = "host CPU time"
		hidden = group ~ /^pu[ls][hl]/
	} else if (op == "disturbed") {
		unit = "CPUs"; text = "  QEMU waited for a host CPU"
	} else if (op == "elapsed-s" || op == "system-s" || op == "user-s") {
		unit = "s"; sub(/-s$/, "", text)
		if (op != "elapsed-s") text = text " time"
	} else if (op == "free-ms") {
		unit = "ms"; text = "to free memory"
	} else if (op == "pswpout" || op == "pswpin") {
		unit = "pages"
	} else
		hidden = 1
}

# the median of the n numbers in list[1..n], which gets sorted
function median(list, n,    i, j, v) {
	for (i = 2; i <= n; i++) {
		v = list[i]
		for (j = i - 1; j > 0 && list[j] > v; j--)
			list[j + 1] = list[j]
		list[j + 1] = v
	}
	if (!n) return ""
	return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}

function mean(list, n,    i, sum) {
	for (i = 1; i <= n; i++) sum += list[i]
	return n ? sum / n : ""
}

function number(v) {
	if (v == "") return "-"
	if (v >= 100000 || v <= -100000) return sprintf("%.0f", v)
	if (v >= 1000 || v <= -1000) return sprintf("%.0f", v)
	if (v >= 100 || v <= -100) return sprintf("%.1f", v)
	return sprintf("%.2f", v)
}

function quote(s) {
	gsub(/\\/, "\\\\", s); gsub(/"/, "\\\"", s); gsub(/[\001-\037]/, " ", s)
	return "\"" s "\""
}

function rest(from,    s, i) {
	s = ""
	for (i = from; i <= NF; i++) s = s (i > from ? " " : "") $i
	return s
}

$1 == "meta" { metas[++nmeta] = $2; meta[$2] = rest(3) }
$1 == "kernel" {
	if (!($2 in known)) { known[$2] = 1; kernels[++nk] = $2 }
	facts[$2, ++nfact[$2]] = $3; fact[$2, $3] = rest(4)
}
$1 == "fail" { failed[$2, $3]++; fails[++nfail] = $2 " on " $3 ", boot " $4 }
$1 == "value" {
	kind[$3] = $2
	c = $3 SUBSEP $6
	if (!(c in seen)) { seen[c] = 1; cells[++ncell] = c; group[c] = $3; op[c] = $6 }
	v = c SUBSEP $4 SUBSEP $5
	raw[v, ++nraw[v]] = $7
	if ($5 > boots) boots = $5
}

END {
	for (x = 1; x <= ncell; x++) {
		c = cells[x]
		for (k = 1; k <= nk; k++) {
			n = 0; lo = hi = ""
			for (r = 1; r <= boots; r++) {
				v = c SUBSEP kernels[k] SUBSEP r
				if (!(v in nraw)) continue
				for (i = 1; i <= nraw[v]; i++) list[i] = raw[v, i]
				# rounds of an exact boot are all worth the same; of a
				# timed one some met a busy host
				m = kind[group[c]] == "timed" ? median(list, nraw[v]) : mean(list, nraw[v])
				boot[c, k, r] = m
				if (lo == "" || m < lo) lo = m
				if (hi == "" || m > hi) hi = m
				all[++n] = m
			}
			med[c, k] = m = median(all, n)
			spread[c, k] = n && m ? (hi - lo) / (m < 0 ? -m : m) : ""
			low[c, k] = lo; high[c, k] = hi
			rlo[c, k] = rhi[c, k] = ratio[c, k] = ""
			if (k == 1 || m == "" || med[c, 1] == "" || med[c, 1] <= 0) continue
			n = 0
			for (r = 1; r <= boots; r++)
				if ((c, k, r) in boot && (c, 1, r) in boot && boot[c, 1, r] > 0) {
					q[++n] = boot[c, k, r] / boot[c, 1, r]
					if (n == 1 || q[n] < rlo[c, k]) rlo[c, k] = q[n]
					if (n == 1 || q[n] > rhi[c, k]) rhi[c, k] = q[n]
				}
			# boots next to each other saw the same weather: timed
			# figures are compared pair by pair
			ratio[c, k] = kind[group[c]] == "timed" ? median(q, n) : m / med[c, 1]
		}
	}
	if (format == "json") json(); else table()
}

function worse(c, k) {
	if (ratio[c, k] == "" || !limit) return 0
	return lower ? ratio[c, k] > limit : ratio[c, k] < limit
}

# the best boot of the worse kernel is as good as the worst of the other
function overlap(c, k) {
	return lower ? low[c, k] <= high[c, 1] : high[c, k] >= low[c, 1]
}

function table(    x, k, c, g, line, w, mark) {
	printf "%s, QEMU %s, %d host CPUs, %d s\n", meta["date"], meta["qemu"], meta["host_cpus"], meta["seconds"]
	for (k = 1; k <= nk; k++)
		printf "%-8s Linux %s%s, config %.12s, image %.12s\n", kernels[k], fact[kernels[k], "version"],
			(fact[kernels[k], "commit"] == "" ? "" : " " fact[kernels[k], "commit"]), fact[kernels[k], "config_sha256"], fact[kernels[k], "image_sha256"]
	for (x = 1; x <= ncell; x++) {
		c = cells[x]
		describe(group[c], op[c])
		if (hidden) continue
		if (group[c] != g) {
			g = group[c]
			printf "\n%-32s %-20s", g (kind[g] == "timed" ? " (timed)" : ""), ""
			for (k = 1; k <= nk; k++) {
				printf " %10s %6s", kernels[k], "spread"
				if (k > 1) printf " %7s", "ratio"
			}
			printf "\n"
		}
		line = ""; mark = ""
		for (k = 1; k <= nk; k++) {
			line = line sprintf(" %10s %6s", number(med[c, k]),
				spread[c, k] == "" ? "-" : sprintf("%.1f%%", spread[c, k] * 100))
			if (k == 1) continue
			line = line sprintf(" %7s", ratio[c, k] == "" ? "-" : sprintf("%.4f", ratio[c, k]))
			if (worse(c, k)) mark = mark " <- " kernels[k] " is worse" (overlap(c, k) ? " (ranges overlap)" : "")
			if (kind[g] == "timed" && ratio[c, k] != "" && limit)
				mark = mark sprintf(" (%.3f to %.3f)", rlo[c, k], rhi[c, k])
			# the same kernel, booted with and without the virtual device
			if (kernels[k] == "vswap=0") without = k
			if (kernels[k - 1] == "series" && (k == without) && med[c, k] > 0 && med[c, k - 1] != "")
				mark = mark sprintf(" (series by vswap=0: %.4f)", med[c, k - 1] / med[c, k])
		}
		printf "  %-30s %-20s%s%s\n", text, unit, line, mark
		if (mark ~ /worse/) nworse++
	}
	printf "\n"
	for (x = 1; x <= nfail; x++) printf "failed: %s\n", fails[x]
	for (x = 1; x <= ncell; x++)
		for (k = 1; k <= nk; k++)
			if (op[cells[x]] == "disturbed" && med[cells[x], k] > disturbed)
				disturbed = med[cells[x], k]
	if (disturbed > 0.1)
		printf "The host was busy: QEMU waited for %.1f CPUs while timed figures were taken. Do not trust those.\n", disturbed
	if (nk > 1) printf "%d figures are worse than the limit (see bench/README.md)\n", nworse
}

function json(    x, k, r, c, first, i) {
	printf "{\n"
	for (i = 1; i <= nmeta; i++) {
		v = meta[metas[i]]
		if (v !~ /^[0-9]+$/) v = quote(v)
		printf "  %s: %s,\n", quote(metas[i]), v
	}
	printf "  \"kernels\": [\n"
	for (k = 1; k <= nk; k++) {
		printf "    {\"name\": %s", quote(kernels[k])
		for (i = 1; i <= nfact[kernels[k]]; i++)
			printf ", %s: %s", quote(facts[kernels[k], i]), quote(fact[kernels[k], facts[kernels[k], i]])
		printf "}%s\n", (k < nk ? "," : "")
	}
	printf "  ],\n  \"failed\": ["
	for (i = 1; i <= nfail; i++) printf "%s%s", (i > 1 ? ", " : ""), quote(fails[i])
	printf "],\n  \"figures\": ["
	for (x = 1; x <= ncell; x++) {
		c = cells[x]
		describe(group[c], op[c])
		printf "%s\n    {\"group\": %s, \"operation\": %s, \"kind\": %s, \"unit\": %s, \"better\": %s", (x > 1 ? "," : ""),
			quote(group[c]), quote(op[c]), quote(kind[group[c]]), quote(unit), (lower ? "\"lower\"" : "\"higher\"")
		for (k = 1; k <= nk; k++) {
			printf ",\n     %s: {\"boots\": [", quote(kernels[k])
			first = 1
			for (r = 1; r <= boots; r++) if ((c, k, r) in boot) {
				printf "%s%.3f", (first ? "" : ", "), boot[c, k, r]
				first = 0
			}
			printf "]"
			if (med[c, k] != "") printf ", \"median\": %.3f", med[c, k]
			if (spread[c, k] != "") printf ", \"spread\": %.5f", spread[c, k]
			if (ratio[c, k] != "") {
				printf ", \"ratio\": %.5f, \"ratio_low\": %.5f, \"ratio_high\": %.5f", ratio[c, k], rlo[c, k], rhi[c, k]
				if (limit) printf ", \"worse\": %s, \"ranges_overlap\": %s",
					(worse(c, k) ? "true" : "false"), (overlap(c, k) ? "true" : "false")
			}
			printf "}"
		}
		printf "}"
	}
	printf "\n  ]\n}\n"
}
