// SPDX-License-Identifier: GPL-2.0
/*
 * What the benchmark does inside the guest: one job per boot.
 *
 *   swapbench pages <backend> <MB> <rounds> <boot>
 *		the cost per page of each operation
 *   swapbench back <backend> <MB> <rounds> <boot>
 *		the cost per page of zswap's writeback, and of swapoff after it
 *   swapbench push <backend> <processes> <MB> <rounds>
 *		several CPUs pushing out at once
 *   swapbench pull <backend> <processes> <MB> <rounds>
 *		several CPUs reading in the same pages, shared by fork(), at once
 *   swapbench swapon <device> <rotational, 0 or 1>
 *		RAM and time of swapon and swapoff
 *   swapbench meta <backend> <MB>
 *		what the kernel takes to keep track of that much in swap
 *   swapbench usemem <backend> <arguments...>
 *		runs usemem with these arguments
 *
 * Results are lines that begin with "@": "@ <name> <value>".
 *
 * Time is wall time less the time in which the CPU had nothing else to do than
 * to count in a process of lowest priority, so waiting for the disk does not
 * count and work done by interrupts and kernel threads does.  With -icount
 * shift=0,sleep=off a nanosecond is an instruction.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef BLKGETSIZE64
#define BLKGETSIZE64 _IOR(0x12, 114, size_t)
#endif

#define PG 4096UL
#define MB (1UL << 20)
#define CGROUP "/sys/fs/cgroup/bench"

static uint64_t nsec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static __attribute__((noreturn)) void die(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	printf("@! ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf(" (%s)\n", strerror(err));
	fflush(NULL);
	exit(1);
}

static void result(const char *name, double value)
{
	printf("@ %s %.3f\n", name, value);
	fflush(stdout);
}

/* ---- small files ---- */

static ssize_t slurp(const char *path, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	while (len < size - 1 && (n = read(fd, buf + len, size - 1 - len)) > 0)
		len += n;
	close(fd);
	buf[len] = 0;
	return len;
}

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	close(fd);
	return n < 0 ? -1 : 0;
}

static void must_put(const char *path, const char *text)
{
	if (put(path, text))
		die("writing '%s' to %s", text, path);
}

/* The number after a key in a file of "key value" or "key: value" lines. */
static long field(const char *path, const char *key)
{
	static char buf[65536];
	size_t len = strlen(key);
	char *p = buf;

	if (slurp(path, buf, sizeof(buf)) < 0)
		return -1;
	while (p) {
		if (!strncmp(p, key, len) && strchr(" :\t", p[len]))
			return strtol(p + len + 1, NULL, 10);
		p = strchr(p, '\n');
		if (p)
			p++;
	}
	return -1;
}

static double number(const char *dir, const char *name)
{
	char path[160], buf[64];

	snprintf(path, sizeof(path), "%s%s", dir, name);
	return slurp(path, buf, sizeof(buf)) < 0 ? -1 : atof(buf);
}

/* ---- time ---- */

/*
 * What the CPU did when there was nothing to do: count, in a process that runs
 * only then. Kernels differ in how finely they tell how long a CPU was idle.
 */
static volatile uint64_t *spins;
static uint64_t spin_nsec;

static void spin(uint64_t turns)
{
	while (turns--)
		++*spins;
}

/* How long a turn takes: what ticks and the clock add does not come down to it. */
static uint64_t measure_spin(void)
{
	uint64_t begin, took, best = UINT64_MAX;

	for (int i = 0; i < 20; i++) {
		begin = nsec();
		spin(100000);
		took = nsec() - begin;
		if (took < best)
			best = took;
	}
	return best / 100000;
}

/* On a single CPU. With several, only wall time is of interest. */
static void start_spinning(void)
{
	struct sched_param param = { 0 };

	if (sysconf(_SC_NPROCESSORS_ONLN) != 1)
		return;
	spins = mmap(NULL, PG, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (spins == MAP_FAILED)
		die("mmap");
	spin_nsec = measure_spin();
	switch (fork()) {
	case -1:
		die("fork");
	case 0:
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) ||
		    sched_setscheduler(0, SCHED_IDLE, &param))
			die("sched_setscheduler");
		spin(UINT64_MAX);
	}
}

struct stopwatch {
	uint64_t spins, wall;
};

static void start(struct stopwatch *w)
{
	w->spins = spins ? *spins : 0;
	w->wall = nsec();
}

/* Busy nanoseconds since start(). */
static double stop(struct stopwatch *w)
{
	uint64_t wall = nsec() - w->wall;

	return spins ? (double)wall - (double)((*spins - w->spins) * spin_nsec) : wall;
}

/* ---- swap devices ---- */

static uint64_t device_pages(const char *dev)
{
	uint64_t bytes;
	int fd = open(dev, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes))
		die("size of %s", dev);
	close(fd);
	return bytes / PG;
}

static void make_swap(const char *dev)
{
	static char page[PG];
	uint64_t pages = device_pages(dev);
	uint32_t header[] = { 1, pages > UINT32_MAX ? UINT32_MAX : pages - 1, 0 };
	int fd = open(dev, O_RDWR | O_CLOEXEC);

	memset(page, 0, PG);
	memcpy(page + 1024, header, sizeof(header));
	memcpy(page + PG - 10, "SWAPSPACE2", 10);
	if (fd < 0 || pwrite(fd, page, PG, 0) != (ssize_t)PG || fsync(fd))
		die("swap header on %s", dev);
	close(fd);
}

static void rotational(const char *dev, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/block/%s/queue/rotational",
		 strrchr(dev, '/') + 1);
	must_put(path, value);
	printf("@ rotational %c\n", (slurp(path, path, sizeof(path)), *path));
}

static int writes_count;

/*
 * A disk inside the guest: a loop device over a file in ramfs, which is as
 * asynchronous as any disk, and whose every instruction is counted.
 */
static const char *setup_loop(void)
{
	int file, loop;
	char *page = calloc(256, PG);

	mkdir("/ram", 0755);
	if (mount("ramfs", "/ram", "ramfs", 0, NULL))
		die("mount ramfs");
	file = open("/ram/disk", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	for (int i = 0; i < 160; i++)
		if (write(file, page, 256 * PG) != (ssize_t)(256 * PG))
			die("writing the loop device's file");
	free(page);
	loop = open("/dev/loop0", O_RDWR | O_CLOEXEC);
	if (file < 0 || loop < 0 || ioctl(loop, LOOP_SET_FD, file))
		die("/dev/loop0");
	close(file);
	writes_count = 1;
	return "/dev/loop0";
}

#define POOL_PERCENT "/sys/module/zswap/parameters/max_pool_percent"
#define VSWAP "/sys/kernel/debug/vswap/"

/* Can zswap do without a device? */
static bool has_vswap(void)
{
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	return !access(VSWAP "used", R_OK);
}

static void start_zswap(void)
{
	must_put("/sys/module/zswap/parameters/compressor", "lzo");
	/* newer kernels know only zsmalloc and have no such knob */
	put("/sys/module/zswap/parameters/zpool", "zsmalloc");
	must_put("/sys/module/zswap/parameters/enabled", "1");
}

/*
 * Backends: disk (a virtio disk that says it rotates), ssd (the same disk
 * said not to), zram (lzo-rle), zswap (lzo in zsmalloc, over disk),
 * zswap-ssd (the same over ssd), vswap (zswap without any device, where it can
 * do without one; otherwise over ssd), loop and loop-ssd (a loop device that
 * rotates, and one that does not).
 */
static const char *setup_backend(const char *backend)
{
	const char *dev = "/dev/vda";
	const char *disk = backend;

	if (!strcmp(backend, "vswap")) {
		if (has_vswap()) {
			start_zswap();
			return NULL;
		}
		backend = "zswap-ssd";
	}

	if (!strncmp(backend, "loop", 4)) {
		dev = setup_loop();
		disk = backend[4] ? backend + 5 : "disk";
	}
	if (!strncmp(backend, "zswap", 5)) {
		start_zswap();
		disk = backend[5] ? backend + 6 : "disk";
	}
	if (!strncmp(backend, "zram", 4)) {
		dev = "/dev/zram0";
		must_put("/sys/block/zram0/comp_algorithm", "lzo-rle");
		must_put("/sys/block/zram0/disksize",
			 backend[4] ? backend + 5 : "256M");
	} else {
		rotational(dev, !strcmp(disk, "ssd") ? "0" : "1");
	}
	make_swap(dev);
	if (swapon(dev, 0))
		die("swapon %s", dev);
	return dev;
}

/* ---- memory ---- */

/*
 * A page's content: different in every page; in every KB, 512 bytes of noise
 * and 512 of text that repeats, so that it compresses to a bit over half.
 */
static void fill_page(void *page, uint64_t id)
{
	static const char text[33] = "the quick brown fox jumps again ";
	uint64_t x = (id + 1) * 0x9e3779b97f4a7c15ULL;
	char *p = page;

	for (unsigned long i = 0; i < PG; i += 8) {
		if (i & 512) {
			memcpy(p + i, text + i % 32, 8);
			continue;
		}
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(p + i, &x, 8);
	}
}

/* As good for pushing out, and cheap to make: one page with a number. */
static void fill_quickly(char *p, size_t pages, uint64_t id)
{
	static char model[PG];

	if (!model[0])
		fill_page(model, 1);
	for (size_t i = 0; i < pages; i++) {
		memcpy(p + i * PG, model, PG);
		*(uint64_t *)(p + i * PG) = id + i;
	}
}

static char *region(size_t bytes)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap of %zu bytes", bytes);
	madvise(p, bytes, MADV_NOHUGEPAGE);
	return p;
}

static void fill(char *p, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		fill_page(p + i * PG, i);
}

/* A swapped-in page has its content; the first byte is what touch() wrote. */
static void check(const char *p, size_t pages, const char *when)
{
	char want[PG];

	for (size_t i = 0; i < pages; i++) {
		fill_page(want, i);
		if (memcmp(p + i * PG + 1, want + 1, PG - 1))
			die("page %zu has wrong content %s", i, when);
	}
}

static void touch(char *p, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		*(volatile char *)(p + i * PG) = 1;
}

static void look(const char *p, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		(void)*(const volatile char *)(p + i * PG);
}

/* How many page table entries of the region are swap entries, or present. */
static size_t count_ptes(const char *p, size_t pages, int bit)
{
	static uint64_t map[512];
	size_t n = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die("/proc/self/pagemap");
	for (size_t i = 0; i < pages; i += 512) {
		size_t k = pages - i < 512 ? pages - i : 512;

		if (pread(fd, map, k * 8, ((uintptr_t)p / PG + i) * 8) !=
		    (ssize_t)(k * 8))
			die("reading pagemap");
		while (k--)
			n += map[k] >> bit & 1;
	}
	close(fd);
	return n;
}
#define swapped_pages(p, n) count_ptes(p, n, 62)
#define present_pages(p, n) count_ptes(p, n, 63)

/* How many pages of the region are in memory, mapped or in the swap cache. */
static size_t resident_pages(char *p, size_t pages)
{
	static unsigned char vec[65536];
	size_t n = 0;

	for (size_t i = 0; i < pages; i += sizeof(vec)) {
		size_t k = pages - i < sizeof(vec) ? pages - i : sizeof(vec);

		if (mincore(p + i * PG, k * PG, vec))
			die("mincore");
		while (k--)
			n += vec[k] & 1;
	}
	return n;
}

static void pageout(char *p, size_t pages)
{
	if (madvise(p, pages * PG, MADV_PAGEOUT))
		die("MADV_PAGEOUT");
}

/* Wait until nothing is being written any more. */
static void settle(void)
{
	struct timespec pause = { 0, 20000000 };

	while (field("/proc/vmstat", "nr_writeback") > 0)
		nanosleep(&pause, NULL);
}

/*
 * A loop device writes later, in a kernel thread: all of it counts, and the
 * idle rest of this time does not.
 */
static void pageout_and_write(char *p, size_t pages)
{
	struct timespec plenty = { 0, 400000000 };

	pageout(p, pages);
	if (writes_count)
		nanosleep(&plenty, NULL);
}

/*
 * After MADV_PAGEOUT: what could not be pushed out (pages that sat in a
 * per-CPU batch, or whose slot allocation failed) is asked for again, not
 * measured; more than 1 in 100 of those is an error.  Then the pages that an
 * asynchronous device leaves in the swap cache are reclaimed, so that the
 * next touch reads every page.
 */
static void all_out(char *p, size_t pages, size_t *left)
{
	size_t out = swapped_pages(p, pages);
	char text[32];

	*left = pages - out;
	if (out < pages - pages / 100)
		die("only %zu of %zu pages went out", out, pages);
	for (int i = 0; i < 10 && swapped_pages(p, pages) < pages; i++) {
		settle();
		pageout(p, pages);
	}
	if (swapped_pages(p, pages) < pages)
		die("%zu of %zu pages are out after ten attempts",
		    swapped_pages(p, pages), pages);
	settle();
	for (int i = 0; i < 50; i++) {
		size_t in = resident_pages(p, pages);

		if (!in)
			return;
		/* reclaim goes by these figures; reading brings them up to date */
		field(CGROUP "/memory.stat", "anon");
		/* others may be easier to reclaim: ask for more and more */
		snprintf(text, sizeof(text), "%zu", in * PG << i / 5);
		put(CGROUP "/memory.reclaim", text);
		settle();
	}
	die("%zu pages stay in the swap cache", resident_pages(p, pages));
}

/* ---- jobs ---- */

static void join_cgroup(void)
{
	mkdir("/sys/fs/cgroup", 0755);
	if (mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) &&
	    errno != EBUSY)
		die("mount cgroup2");
	must_put("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	if (mkdir(CGROUP, 0755) && errno != EEXIST)
		die("mkdir " CGROUP);
	must_put(CGROUP "/cgroup.procs", "0");
}

struct forked {
	double fork, exit;
};

/* The cost of a fork() whose child does nothing, and of that child's end. */
static struct forked measure_fork(void)
{
	struct stopwatch w;
	struct forked f;
	int fd[2];
	pid_t pid;
	char c = 0;

	if (pipe(fd))
		die("pipe");
	start(&w);
	pid = fork();
	if (!pid) {
		close(fd[1]);
		if (read(fd[0], &c, 1) < 0)
			_exit(1);
		_exit(0);
	}
	f.fork = stop(&w);
	if (pid < 0)
		die("fork");
	sched_yield();
	start(&w);
	close(fd[1]);
	if (waitpid(pid, NULL, 0) != pid)
		die("waitpid");
	f.exit = stop(&w);
	close(fd[0]);
	return f;
}

/*
 * Without this, one boot would be like the other to the last instruction, and
 * the spread of nothing would hide how much depends on where ticks fall.
 */
static void stagger(int boot, int round)
{
	uint64_t until = nsec() + (boot * 613 + round * 257) % 4000 * 1000;

	while (nsec() < until)
		;
}

/*
 * Ahead of kernel threads and everything else.  When a write completes while
 * the pages still sit on reclaim's list, and when after, would otherwise
 * depend on who gets the CPU when, and cost a twentieth more or less.
 */
static void run_first(void)
{
	struct sched_param param = { .sched_priority = 1 };

	must_put("/proc/sys/kernel/sched_rt_runtime_us", "-1");
	if (sched_setscheduler(0, SCHED_FIFO, &param))
		die("sched_setscheduler");
}

static void job_pages(char **arg)
{
	const char *backend = arg[0];
	size_t bytes = strtoul(arg[1], NULL, 0) * MB, pages = bytes / PG;
	int rounds = atoi(arg[2]), boot = atoi(arg[3]);
	const char *dev = setup_backend(backend);
	struct stopwatch w;

	join_cgroup();
	run_first();
	for (int r = 1; r <= rounds; r++) {
		struct forked none, full;
		double in, in_cached = -1, out1, out2, zap;
		size_t left1, left2;
		char *p = region(bytes);

		none = measure_fork();
		fill(p, pages);
		stagger(boot, r);

		start(&w);
		pageout_and_write(p, pages);
		out1 = stop(&w);
		settle();
		all_out(p, pages, &left1);

		start(&w);
		touch(p, pages);
		in = stop(&w);
		if (present_pages(p, pages) != pages)
			die("not all pages came in");

		start(&w);
		pageout_and_write(p, pages);
		out2 = stop(&w);
		settle();

		/* an asynchronous device leaves all in the swap cache */
		if (resident_pages(p, pages) > pages / 2) {
			start(&w);
			look(p, pages);
			in_cached = stop(&w);
			pageout(p, pages);
			settle();
		}
		all_out(p, pages, &left2);

		full = measure_fork();

		start(&w);
		munmap(p, bytes);
		zap = stop(&w);

		printf("# round %d: left in by the pageouts: %zu %zu\n",
		       r, left1, left2);
		if (r == 1)
			continue;	/* the caches are cold in the first */
		result("pageout-new", out1 / (pages - left1));
		result("pageout", out2 / (pages - left2));
		result("swap-in", in / pages);
		if (in_cached >= 0)
			result("swap-in-cached", in_cached / pages);
		result("fork", (full.fork - none.fork) / pages);
		result("exit-shared", (full.exit - none.exit) / pages);
		result("zap", zap / pages);
	}

	/* without a device, or with one that has nothing: see job_back() */
	if (has_vswap() && strstr(backend, "swap"))
		return;
	for (int r = 1; r <= rounds; r++) {
		char *p = region(bytes);
		size_t left;
		double off;

		fill(p, pages);
		stagger(boot, r);
		pageout(p, pages);
		settle();
		all_out(p, pages, &left);
		start(&w);
		if (swapoff(dev))
			die("swapoff %s", dev);
		off = stop(&w);
		if (present_pages(p, pages) != pages)
			die("not all pages are back after swapoff");
		check(p, pages, "after swapoff");
		munmap(p, bytes);
		if (swapon(dev, 0))
			die("swapon %s again", dev);
		if (r > 1)
			result("swapoff", off / pages);
	}
}

/* ---- what zswap writes back ---- */

/*
 * Have zswap write back as much as it does when it is full. Returns what that took,
 * and in @written how many pages it was; none of it is done by this process.
 *
 * What has been stored gets a second chance before it is written, and zswap's worker
 * gives up after 16 such pages: it takes notice of being full again when there is one
 * page more. Only when all have had their chance does the clock start.
 */
static double write_back(const char *percent, long *written)
{
	struct timespec pause = { 0, 50000000 }, moment = { 0, 100000 };
	long before = field("/proc/vmstat", "zswpwb"), now = before, last;
	char *p = region(PG);
	struct stopwatch w;
	double took;

	must_put(POOL_PERCENT, percent);
	for (int i = 1; i < 100000 && now == before; i++) {
		fill_page(p, i);
		pageout(p, 1);
		nanosleep(&moment, NULL);
		now = field("/proc/vmstat", "zswpwb");
	}
	before = now;
	start(&w);
	do {
		last = now;
		nanosleep(&pause, NULL);
		now = field("/proc/vmstat", "zswpwb");
	} while (now != last || field("/proc/vmstat", "nr_writeback") > 0);
	took = stop(&w);
	*written = now - before;
	munmap(p, PG);
	must_put(POOL_PERCENT, "50");
	return took;
}

/* Processes that have what the caller has, and do nothing. */
static void share(pid_t *pid, int procs, int fd[2])
{
	char c;

	if (pipe(fd))
		die("pipe");
	while (procs--) {
		*pid = fork();
		if (*pid < 0)
			die("fork");
		if (!*pid++) {
			close(fd[1]);
			_exit(read(fd[0], &c, 1) < 0);
		}
	}
}

static void job_back(char **arg)
{
	static const int procs[] = { 1, 8 };
	size_t bytes = strtoul(arg[1], NULL, 0) * MB, pages = bytes / PG, left;
	int rounds = atoi(arg[2]), boot = atoi(arg[3]), fd[2];
	const char *dev = setup_backend(arg[0]);
	struct stopwatch w;
	char name[32], *p;
	pid_t pid[8];
	double took;
	long n;

	join_cgroup();
	run_first();
	must_put(POOL_PERCENT, "50");
	for (int r = 1; r <= rounds; r++) {
		for (int i = 0; i < 2; i++) {
			p = region(bytes);
			fill(p, pages);
			stagger(boot, r);
			pageout(p, pages);
			all_out(p, pages, &left);

			took = write_back("1", &n);
			if (n < (long)pages / 2)
				die("only %ld of %zu pages were written back", n, pages);
			if (r > 1)
				result("writeback", took / n);
			all_out(p, pages, &left);

			share(pid, procs[i] - 1, fd);
			start(&w);
			if (swapoff(dev))
				die("swapoff %s", dev);
			took = stop(&w);
			snprintf(name, sizeof(name), "swapoff-%d", procs[i]);
			if (r > 1)
				result(name, took / n);
			close(fd[1]);
			close(fd[0]);
			for (int k = 0; k < procs[i] - 1; k++)
				waitpid(pid[k], NULL, 0);
			check(p, pages, "after swapoff");
			munmap(p, bytes);
			if (swapon(dev, 0))
				die("swapon %s again", dev);
		}
	}
}

/* ---- several CPUs ---- */

struct shared {
	atomic_int arrived, turn;
	uint64_t begin[8], end[8];
};

static void barrier(struct shared *s, int procs)
{
	struct timespec pause = { 0, 200000 };
	int turn = atomic_load(&s->turn);

	if (atomic_fetch_add(&s->arrived, 1) == procs - 1) {
		atomic_store(&s->arrived, 0);
		atomic_fetch_add(&s->turn, 1);
		return;
	}
	/* who waits shall not burn the time of a host that is short of CPUs */
	while (atomic_load(&s->turn) == turn)
		nanosleep(&pause, NULL);
}

/*
 * run.sh takes note of the CPU time that QEMU had when it sees these lines;
 * the second one follows when the first has surely been seen.
 */
static void mark(const char *name)
{
	struct timespec pause = { 0, 100000000 };

	printf("@mark %s\n", name);
	fflush(stdout);
	nanosleep(&pause, NULL);
}

static void pusher(struct shared *s, int me, int procs, size_t bytes, int rounds)
{
	size_t pages = bytes / PG;
	char *p = region(bytes);
	cpu_set_t set;
	double sum_pages;

	CPU_ZERO(&set);
	CPU_SET(me, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("binding to CPU %d", me);
	for (int r = 0; r <= rounds; r++) {
		if (!me && r == 1)
			mark("begin");
		barrier(s, procs);
		fill_quickly(p, pages, (uint64_t)me << 32);
		barrier(s, procs);
		s->begin[me] = nsec();
		pageout(p, pages);
		s->end[me] = nsec();
		barrier(s, procs);
		if (swapped_pages(p, pages) < pages - pages / 50)
			die("CPU %d: only %zu of %zu pages went out", me,
			    swapped_pages(p, pages), pages);
		if (!me && r) {
			uint64_t first = UINT64_MAX, last = 0;

			for (int i = 0; i < procs; i++) {
				if (s->begin[i] < first)
					first = s->begin[i];
				if (s->end[i] > last)
					last = s->end[i];
			}
			sum_pages = (double)procs * pages;
			result("push", sum_pages * 1e9 / (last - first));
		}
		if (!me)
			settle();
		barrier(s, procs);
		madvise(p, bytes, MADV_DONTNEED);
	}
	barrier(s, procs);
	if (!me) {
		mark("end");
		result("marked-pages", (double)procs * pages * rounds);
	}
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* All pullers touch the pages in the same order, and so get into each other's way. */
static void puller(struct shared *s, int me, int procs, char *p, size_t pages,
		   uint64_t *took)
{
	uint64_t now, last;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(me, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("binding to CPU %d", me);
	memset(took, 1, pages * sizeof(*took));
	barrier(s, procs);
	s->begin[me] = last = nsec();
	for (size_t i = 0; i < pages; i++) {
		if (*(volatile uint64_t *)(p + i * PG) != i)
			die("page %zu is wrong", i);
		now = nsec();
		took[i] = now - last;
		last = now;
	}
	s->end[me] = last;
}

static void job_pull(char **arg)
{
	static const char * const names[] = { "p50-us", "p99-us", "p99.9-us" };
	static const double parts[] = { 0.5, 0.99, 0.999 };
	int procs = atoi(arg[1]), rounds = atoi(arg[3]), status, bad = 0;
	size_t bytes = strtoul(arg[2], NULL, 0) * MB, pages = bytes / PG, left, all;
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t *took, first, last;
	cpu_set_t set;
	char *p;

	if (procs < 1 || procs > 8)
		die("%d processes", procs);
	all = procs * pages;
	took = mmap(NULL, all * sizeof(*took), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	setup_backend(arg[0]);
	join_cgroup();
	if (took == MAP_FAILED || mlock(took, all * sizeof(*took)))
		die("no memory for %zu times", all);
	/* pages in the batches of a CPU that is left behind cannot go out */
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("binding to CPU 0");
	for (int r = 0; r <= rounds; r++) {
		if (r == 1)
			mark("begin");
		p = region(bytes);
		fill_quickly(p, pages, 0);
		pageout(p, pages);
		all_out(p, pages, &left);
		memset(s, 0, sizeof(*s));
		for (int i = 0; i < procs; i++)
			if (!fork()) {
				puller(s, i, procs, p, pages, took + i * pages);
				exit(0);
			}
		while (wait(&status) > 0)
			bad |= status;
		if (bad)
			die("a process failed");
		munmap(p, bytes);
		if (!r)
			continue;
		first = UINT64_MAX;
		last = 0;
		for (int i = 0; i < procs; i++) {
			if (s->begin[i] < first)
				first = s->begin[i];
			if (s->end[i] > last)
				last = s->end[i];
		}
		result("pull", all * 1e9 / (last - first));
		qsort(took, all, sizeof(*took), by_size);
		for (int i = 0; i < 3; i++)
			result(names[i], took[(size_t)(parts[i] * (all - 1))] / 1000.0);
		result("max-us", took[all - 1] / 1000.0);
	}
	mark("end");
	result("marked-pages", (double)all * rounds);
}

static void job_push(char **arg)
{
	int procs = atoi(arg[1]);
	size_t bytes = strtoul(arg[2], NULL, 0) * MB;
	int rounds = atoi(arg[3]), status, bad = 0;
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (procs < 1 || procs > 8)
		die("%d processes", procs);
	setup_backend(arg[0]);
	join_cgroup();
	for (int i = 0; i < procs; i++)
		if (!fork()) {
			pusher(s, i, procs, bytes, rounds);
			exit(0);
		}
	while (wait(&status) > 0)
		bad |= status;
	if (bad)
		die("a process failed");
}

/* ---- swapon of a large device ---- */

static long meminfo(const char *key)
{
	return field("/proc/meminfo", key);
}

static void quiesce(void)
{
	struct timespec ts = { 0, 300000000 };

	sync();
	put("/proc/sys/vm/drop_caches", "3");
	put("/proc/sys/vm/compact_memory", "1");
	nanosleep(&ts, NULL);
}

static void job_swapon(char **arg)
{
	static const char *const keys[] = {
		"MemFree", "MemAvailable", "Slab", "VmallocUsed", "Percpu",
	};
	const char *dev = arg[0];
	long before[5], after[5], gone[5];
	struct stopwatch w;
	char name[64];
	double on, off;

	/* what sits in the per-CPU lists is not counted: keep them short */
	must_put("/proc/sys/vm/percpu_pagelist_high_fraction", "100000");
	/* and let them get there */
	nanosleep(&(struct timespec){ 10, 0 }, NULL);
	rotational(dev, arg[1]);
	result("device-GiB", device_pages(dev) / 262144.0);
	make_swap(dev);
	quiesce();
	for (int i = 0; i < 5; i++)
		before[i] = meminfo(keys[i]);
	start(&w);
	if (swapon(dev, 0))
		die("swapon %s", dev);
	on = stop(&w);
	quiesce();
	for (int i = 0; i < 5; i++)
		after[i] = meminfo(keys[i]);
	result("swapon-ms", on / 1e6);
	result("swap-total-GiB", meminfo("SwapTotal") / 1048576.0);
	start(&w);
	if (swapoff(dev))
		die("swapoff %s", dev);
	off = stop(&w);
	quiesce();
	for (int i = 0; i < 5; i++)
		gone[i] = meminfo(keys[i]);
	result("swapoff-ms", off / 1e6);
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "%s-kB", keys[i]);
		result(name, i < 2 ? before[i] - after[i] : after[i] - before[i]);
	}
	result("not-given-back-kB", before[0] - gone[0]);
}

/* ---- what is kept for each slot in use ---- */

/*
 * kB of memory that the kernel has for itself: what is neither free nor holds
 * anybody's data or page tables.
 */
static long kernel_memory(void)
{
	static const char *const keys[] = {
		"MemFree", "AnonPages", "Cached", "SwapCached", "Buffers",
		"PageTables",
	};
	long kb = meminfo("MemTotal");

	/* what CPUs have counted by themselves so far */
	put("/proc/sys/vm/stat_refresh", "1");
	for (unsigned int i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		kb -= meminfo(keys[i]);
	return kb;
}

/* A cache of zswap's: its entries, and what its pool has for objects and pages. */
static bool zswap_cache(const char *name)
{
	static const char *const prefix[] = { "zswap_entry", "zs_handle-zswap", "zspage-zswap" };

	for (unsigned int i = 0; i < sizeof(prefix) / sizeof(prefix[0]); i++)
		if (!strncmp(name, prefix[i], strlen(prefix[i])))
			return true;
	return false;
}

/* Bytes of what zswap has itself. Caches whose objects are alike share slabs. */
static double zswap_memory(void)
{
	double sum = field("/proc/vmstat", "nr_zspages") * (double)PG;
	DIR *dir = opendir("/sys/kernel/slab");
	ino_t seen[16] = { 0 };
	size_t n = 0, i;
	struct dirent *d;
	struct stat st;
	char path[128];

	while (dir && n < 16 && (d = readdir(dir))) {
		snprintf(path, sizeof(path), "/sys/kernel/slab/%.64s/", d->d_name);
		if (!zswap_cache(d->d_name) || stat(path, &st))
			continue;
		for (i = 0; i < n && seen[i] != st.st_ino; i++)
			;
		if (i < n)
			continue;
		seen[n++] = st.st_ino;
		sum += number(path, "slabs") * (PG << (int)number(path, "order"));
	}
	if (dir)
		closedir(dir);
	return sum;
}

static void job_meta(char **arg)
{
	static const char *const keys[] = { "Slab", "VmallocUsed" };
	size_t bytes = strtoul(arg[1], NULL, 0) * MB, pages = bytes / PG, left;
	bool zero = strstr(arg[0], "zero"), written = strstr(arg[0], "-disk");
	long before[2], all, n;
	const char *dev, *backend = arg[0];
	char name[64], *p;

	/* what sits in the per-CPU lists is not counted: keep them short */
	must_put("/proc/sys/vm/percpu_pagelist_high_fraction", "100000");
	join_cgroup();
	p = region(bytes);
	if (zero)
		memset(p, 0, bytes);
	else
		fill_quickly(p, pages, 0);
	/* what is allocated once, and kept: requests, per-CPU slabs */
	if (!strncmp(backend, "vswap", 5))
		backend = written ? "zswap-ssd" : "vswap";
	dev = setup_backend(backend);
	if (backend != arg[0])
		must_put(POOL_PERCENT, "90");
	pageout(p, pages / 10);
	settle();
	if (dev ? swapoff(dev) : madvise(p, bytes, MADV_POPULATE_READ))
		die("cannot have it back");
	quiesce();
	all = kernel_memory() - zswap_memory() / 1024;
	for (int i = 0; i < 2; i++)
		before[i] = meminfo(keys[i]);
	if (dev && swapon(dev, 0))
		die("swapon %s", dev);
	pageout(p, pages);
	all_out(p, pages, &left);
	if (written)
		write_back("0", &n);
	all_out(p, pages, &left);
	/* not quiesce(): it would drop the shadows */
	put("/proc/sys/vm/compact_memory", "1");
	result("meta-bytes", ((kernel_memory() - all) * 1024.0 - zswap_memory()) / pages);
	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "meta-%s-bytes", keys[i]);
		result(name, (meminfo(keys[i]) - before[i]) * 1024.0 / pages);
	}
	/* counted by the kernel itself: what the virtual device alone has */
	if (number("/sys/kernel/debug/vswap/", "used") > 0)
		result("meta-vswap-bytes", number("/sys/kernel/debug/vswap/", "table_bytes") /
					   number("/sys/kernel/debug/vswap/", "used"));
	munmap(p, bytes);
	quiesce();
	result("meta-idle-bytes", ((kernel_memory() - all) * 1024.0 - zswap_memory()) / pages);
}

/* ---- usemem ---- */

static void job_usemem(char **arg)
{
	static const char *const keys[] = { "pswpout", "pswpin" };
	struct rusage ru;
	uint64_t t;
	int status;
	double sys, user;

	setup_backend(arg[0]);
	arg[0] = "usemem";
	mark("begin");
	t = nsec();
	if (!fork()) {
		execvp("usemem", arg);
		die("usemem");
	}
	if (wait(&status) < 0 || status)
		die("usemem failed: %#x", status);
	t = nsec() - t;
	mark("end");
	getrusage(RUSAGE_CHILDREN, &ru);
	sys = ru.ru_stime.tv_sec + ru.ru_stime.tv_usec / 1e6;
	user = ru.ru_utime.tv_sec + ru.ru_utime.tv_usec / 1e6;
	result("elapsed-s", t / 1e9);
	result("system-s", sys);
	result("user-s", user);
	for (int i = 0; i < 2; i++)
		result(keys[i], field("/proc/vmstat", keys[i]));
}

/* ---- */

static const struct job {
	const char *name;
	int args;
	void (*run)(char **arg);
} jobs[] = {
	{ "pages", 4, job_pages },
	{ "back", 4, job_back },
	{ "push", 4, job_push },
	{ "pull", 4, job_pull },
	{ "swapon", 2, job_swapon },
	{ "meta", 2, job_meta },
	{ "usemem", 2, job_usemem },
};

static int run_job(int argc, char **argv)
{
	struct utsname u;
	char src[64];

	uname(&u);
	printf("@ kernel %s\n", u.release);
	if (slurp("/sys/devices/system/clocksource/clocksource0/current_clocksource",
		  src, sizeof(src)) > 0)
		printf("@ clocksource %s", src);
	for (unsigned int i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
		if (argc < 1 || strcmp(argv[0], jobs[i].name))
			continue;
		if (argc - 1 < jobs[i].args)
			die("%s wants %d words", argv[0], jobs[i].args);
		jobs[i].run(argv + 1);
		printf("@ done 1\n");
		fflush(stdout);
		return 0;
	}
	die("no such job");
	return 1;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	start_spinning();
	return run_job(argc - 1, argv + 1);
}
