// SPDX-License-Identifier: GPL-2.0
/*
 * The virtual swap device: zswap without a swapfile, what goes from there to a disk,
 * and swapoff of that.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "swap_util.h"

#define DEBUGFS		"/sys/kernel/debug"
#define VSWAP		DEBUGFS "/vswap/"
#define ZSWAP		"/sys/module/zswap/parameters/"
#define KSM		"/sys/kernel/mm/ksm/"
#define DELAY		DEBUGFS "/delay_swap/"
#define THP		"/sys/kernel/mm/transparent_hugepage/hugepages-64kB/"

static long vswap_stat(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), VSWAP "%s", name);
	return swt_read_long(path);
}

/* What has been freed may still be on its way, or in the swap cache. */
static int vswap_wait(struct swt_ctx *ctx, const char *name, long value)
{
	double start = swt_now();
	long n;

	while ((n = vswap_stat(name)) != value) {
		if (swt_now() - start > 20)
			return swt_fail("vswap/%s is %ld after 20 seconds, not %ld",
					name, n, value);
		swt_wait_writeback();
		swt_reclaim(ctx, 1 << 20);
		usleep(50000);
	}
	return 0;
}

static int cgroup_set(struct swt_ctx *ctx, const char *name, const char *fmt, ...)
{
	char path[SWT_PATH + 64], value[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "%s/%s", ctx->cgroup, name);
	if (!ctx->cgroup[0] || access(path, W_OK))
		return swt_skip("no %s", name);
	return swt_write(path, "%s", value);
}

static long cgroup_get(struct swt_ctx *ctx, const char *name)
{
	char path[SWT_PATH + 64];

	snprintf(path, sizeof(path), "%s/%s", ctx->cgroup, name);
	return swt_read_long(path);
}

static int zswap_set(struct swt_ctx *ctx, const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), ZSWAP "%s", name);
	if (access(path, W_OK))
		return swt_skip("no zswap");
	return swt_set(ctx, path, value);
}

static int vswap_begin(struct swt_ctx *ctx)
{
	int ret = swt_begin(ctx);

	if (ret)
		return ret;
	if (access(DEBUGFS "/zswap", F_OK))
		mount("none", DEBUGFS, "debugfs", 0, NULL);
	if (access(VSWAP "used", R_OK))
		return swt_skip("no virtual swap device");
	return zswap_set(ctx, "compressor", "lzo") ?:
	       zswap_set(ctx, "max_pool_percent", "30");
}

/*
 * Tasks that say slow(true) wait for up to so long wherever others may be first.
 * Not every kernel can do that; then they are as fast as ever.
 */
static bool arm_delay(struct swt_ctx *ctx, const char *us)
{
	if (access(DELAY "us", W_OK))
		return false;
	swt_set(ctx, DELAY "verbose", "0");
	swt_set(ctx, DELAY "task-filter", "Y");
	swt_set(ctx, DELAY "times", "-1");
	swt_set(ctx, DELAY "us", us);
	swt_set(ctx, DELAY "probability", "100");
	return true;
}

static void slow(bool on)
{
	swt_write("/proc/self/make-it-fail", "%d", on);
}

/* @noise bytes of a page do not compress, the others do. */
static void fill_page(char *p, unsigned long seed, size_t noise)
{
	size_t page = swt_page();

	swt_fill_hard(p, page, seed);
	memset(p + noise, 'a' + seed / page % 26, page - noise);
}

/* A quarter of each page is noise: it compresses, but not to nothing. */
static void fill(char *p, size_t len, unsigned long seed)
{
	size_t i, page = swt_page();

	for (i = 0; i < len; i += page)
		fill_page(p + i, seed + i, page / 4);
}

static bool verify_noise(char *p, size_t len, unsigned long seed, size_t noise)
{
	size_t i, page = swt_page();
	char want[65536];

	for (i = 0; i < len; i += page) {
		fill_page(want, seed + i, noise);
		if (memcmp(want, p + i, page))
			return false;
	}
	return true;
}

static bool verify(char *p, size_t len, unsigned long seed)
{
	return verify_noise(p, len, seed, swt_page() / 4);
}

/* Nothing but zswap */
static int alone_begin(struct swt_ctx *ctx)
{
	int ret = vswap_begin(ctx) ?: zswap_set(ctx, "enabled", "Y");

	if (!ret && ctx->other_swap)
		ret = swt_skip("there is swap space");
	return swt_setup_done(ctx, ret);
}

FIXTURE(vswap_alone)
{
	struct swt_ctx ctx;
	size_t page;
	long used;
};

FIXTURE_SETUP(vswap_alone)
{
	int ret;

	self->page = swt_page();
	ret = alone_begin(&self->ctx);
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
	self->used = vswap_stat("used");
}

FIXTURE_TEARDOWN_PARENT(vswap_alone)
{
	EXPECT_EQ(0, swt_end(&self->ctx)) TH_LOG("%s", swt_msg());
}

/*
 * Virtual space takes memory where it is in use: tables for a cluster with a slot in
 * use, and for the one that each CPU allocates from.
 */
static bool small(void)
{
	long clusters = vswap_stat("used") + sysconf(_SC_NPROCESSORS_CONF) + 1;

	return vswap_stat("table_bytes") <= (16 << 10) + clusters * 3 * SWT_CLUSTER * 8;
}

/* Four times as much memory in use as there is, of what compresses well. */
TEST_F_TIMEOUT(vswap_alone, working_set, 900)
{
	size_t max = swt_scaled(16, 6) << 20, len = 4 * max, i;
	long back = swt_vmstat("zswpwb"), pages = len / self->page;
	unsigned long rounds = 0, noise = self->page / 16;
	char *p = swt_map(len);
	double end;

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(small());
	/* it has nothing to do here, and may not try */
	ASSERT_EQ(0, zswap_set(&self->ctx, "shrinker_enabled", "Y"));
	if (cgroup_set(&self->ctx, "memory.max", "%zu", max))
		SKIP(return, "%s", swt_msg());
	for (i = 0; i < len; i += self->page)
		fill_page(p + i, i, noise);
	/* all the time at least three quarters are out */
	EXPECT_LT(self->used + pages * 3 / 4, vswap_stat("used"));
	end = swt_now() + swt_seconds(120);
	while (swt_now() < end || !rounds) {
		for (i = 0; i < len; i += 1 << 20)
			if (!verify_noise(p + i, 1 << 20, i, noise))
				break;
		ASSERT_EQ(len, i) TH_LOG("round %lu", rounds);
		rounds++;
		EXPECT_LT(self->used + pages * 3 / 4, vswap_stat("used"));
	}
	TH_LOG("%lu rounds, %ld of %ld pages out, %ld kB of tables", rounds,
	       vswap_stat("used"), pages, vswap_stat("table_bytes") / 1024);
	EXPECT_EQ(0, vswap_stat("physical"));
	EXPECT_EQ(back, swt_vmstat("zswpwb"));
	munmap(p, len);
	SWT_OK(vswap_wait(&self->ctx, "used", self->used));
	EXPECT_TRUE(small());
}

/* MADV_PAGEOUT, zeroes, fork and parts that go. */
TEST_F_TIMEOUT(vswap_alone, contents, 300)
{
	size_t pages = 1000, len = pages * self->page, i;
	char *p = swt_map(len);
	pid_t pid;
	int round;

	for (round = 0; round < 5; round++) {
		fill(p, len, 0);
		for (i = 0; i < pages; i += 5)
			memset(p + i * self->page, 0, self->page);
		ASSERT_EQ(pages, swt_pageout(p, len));
		EXPECT_EQ(self->used + (long)pages, vswap_stat("used"));
		pid = swt_fork();
		for (i = 0; i < pages; i++) {
			if (i % 5 == 0)
				EXPECT_TRUE(swt_is_zero(p + i * self->page, self->page));
			if (i % 7 == 1)
				madvise(p + i * self->page, self->page, MADV_DONTNEED);
		}
		if (!pid)
			_exit(0);
		EXPECT_EQ(0, swt_wait(pid));
		swt_pageout(p, len);
	}
	munmap(p, len);
	SWT_OK(vswap_wait(&self->ctx, "used", self->used));
}

/* How long the one that takes all memory went on, and how the others did. */
struct hog {
	size_t pages;		/* that it got */
	int status;		/* how it ended */
	long refused;		/* that zswap has not taken meanwhile */
	long tableless;		/* for which there was no memory for a table of slots */
	long stored;		/* that zswap had at most */
	double stuck;		/* seconds from when all had been refused to its end, or -1 */
	double full;		/* seconds from the pool's being full to its end, or -1 */
	double gap;		/* the longest somebody else waited for a page */
	double sys;		/* seconds that it spent in the kernel */
};

static long refusals(void)
{
	return swt_read_long(DEBUGFS "/zswap/reject_compress_poor") +
	       swt_read_long(DEBUGFS "/zswap/reject_compress_fail");
}

/*
 * A process takes memory until it is killed. This one needs a few pages now and
 * then, and looks how far the other is.
 */
static void run_hog(struct hog *hog, size_t len, bool hard)
{
	size_t *pages = mmap(NULL, swt_page(), PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long tableless = vswap_stat("alloc_reject");
	long limit_hit = swt_read_long(DEBUGFS "/zswap/pool_limit_hit"), before = refusals();
	long stored = swt_read_long(DEBUGFS "/zswap/stored_pages"), n;
	size_t i, page = swt_page();
	double now, last = swt_now();
	pid_t pid = swt_fork();
	struct rusage usage;
	char *p;

	if (!pid) {
		swt_write("/proc/self/oom_score_adj", "1000");
		p = swt_map(len);
		for (i = 0; p != MAP_FAILED && i < len; i += page) {
			if (hard)
				swt_fill_hard(p + i, page, i);
			else
				fill(p + i, page, i);
			__atomic_add_fetch(pages, 1, __ATOMIC_RELAXED);
		}
		_exit(0);
	}
	*hog = (struct hog){ .full = -1, .stuck = -1 };
	while (!wait4(pid, &hog->status, WNOHANG, &usage)) {
		p = swt_map(16 * page);
		memset(p, 1, 16 * page);
		munmap(p, 16 * page);
		now = swt_now();
		if (now - last > hog->gap)
			hog->gap = now - last;
		if (hog->full < 0 && swt_read_long(DEBUGFS "/zswap/pool_limit_hit") > limit_hit)
			hog->full = now;
		n = swt_read_long(DEBUGFS "/zswap/stored_pages") - stored;
		if (n > hog->stored)
			hog->stored = n;
		hog->refused = refusals() - before;
		i = __atomic_load_n(pages, __ATOMIC_RELAXED);
		if (hog->stuck < 0 && i && hog->refused >= (long)i)
			hog->stuck = now;
		usleep(20000);
		last = swt_now();
	}
	hog->sys = usage.ru_stime.tv_sec + usage.ru_stime.tv_usec / 1e6;
	hog->pages = __atomic_load_n(pages, __ATOMIC_RELAXED);
	hog->refused = refusals() - before;
	hog->tableless = vswap_stat("alloc_reject") - tableless;
	if (hog->full >= 0)
		hog->full = last - hog->full;
	if (hog->stuck >= 0)
		hog->stuck = last - hog->stuck;
	munmap(pages, page);
}

/* Nothing that says how fast machines are may be asked of one that is emulated. */
static double patience(void)
{
	return swt_scale() < 1 ? 60 : 10;
}

/*
 * What does not compress stays, and whoever has too much of it is killed: when all of
 * it has been tried once or a few times, not again and again.
 */
static int hog_killed(struct hog *hog, size_t len)
{
	size_t pages = hog->pages;

	if (!WIFSIGNALED(hog->status) || WTERMSIG(hog->status) != SIGKILL)
		return swt_fail("it got %zu of %zu pages, and ended with status %#x",
				pages, len / swt_page(), hog->status);
	/* what else of it and others compresses, like stacks, is little */
	if (hog->stored > 500 + (long)pages / 20)
		return swt_fail("zswap had %ld pages of %zu that do not compress",
				hog->stored, pages);
	/* at the very end of memory nothing gets as far as to be refused */
	if (hog->refused + hog->tableless < (long)pages / 2)
		return swt_fail("only %ld refusals of %zu pages, and %ld times no table",
				hog->refused, pages, hog->tableless);
	if (hog->refused > 5 * (long)pages + 10000)
		return swt_fail("%ld refusals of %zu pages", hog->refused, pages);
	if (hog->stuck > patience())
		return swt_fail("it went on for %.1f seconds when all had been refused",
				hog->stuck);
	if (hog->sys > 2 * patience())
		return swt_fail("it was in the kernel for %.1f seconds", hog->sys);
	return 0;
}

static void hog_log(struct __test_metadata *_metadata, struct hog *hog)
{
	TH_LOG("killed with %zu pages, %ld refusals, %.1f seconds after all had been",
	       hog->pages, hog->refused, hog->stuck);
	TH_LOG("zswap had %ld, %.1f seconds in the kernel, others waited %.1f", hog->stored,
	       hog->sys, hog->gap);
}

TEST_F_TIMEOUT(vswap_alone, incompressible, 300)
{
	size_t max = 24 << 20;
	struct hog hog;
	long fail;

	if (cgroup_set(&self->ctx, "memory.max", "%zu", max))
		SKIP(return, "%s", swt_msg());
	fail = swt_swap_event(self->ctx.cgroup, "fail");
	run_hog(&hog, 3 * max, true);
	hog_log(_metadata, &hog);
	SWT_OK(hog_killed(&hog, 3 * max));
	/* there is no swap space for what is refused */
	EXPECT_LE(hog.refused, swt_swap_event(self->ctx.cgroup, "fail") - fail);
	SWT_OK(vswap_wait(&self->ctx, "used", self->used));
}

/* What was in zswap a moment ago counts no more against the limit. */
TEST_F_TIMEOUT(vswap_alone, limit, 300)
{
	size_t max = 8 << 20, len = 10 << 20;
	int i, rounds = swt_scaled(10, 4);
	pid_t pid;

	if (cgroup_set(&self->ctx, "memory.max", "%zu", max))
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, cgroup_set(&self->ctx, "memory.zswap.max", "%zu", max / 4));
	for (i = 0; i < rounds; i++) {
		pid = swt_fork();
		if (!pid) {
			char *p = swt_map(len);

			fill(p, len, i);
			_exit(!verify(p, len, i));
		}
		/* each has all of it in turn, at once */
		EXPECT_EQ(0, swt_wait(pid)) TH_LOG("round %d", i);
	}
	SWT_OK(vswap_wait(&self->ctx, "used", self->used));
}

/*
 * Of what is swapped out together most comes back, again and again: the few slots
 * that stay in use must not have a cluster's tables each.
 */
TEST_F_TIMEOUT(vswap_alone, few_stay, 300)
{
	size_t pages = 2048, keep = 512, rounds = swt_scaled(30, 12);
	size_t len = pages * self->page, r, i;
	char *stay = swt_map(rounds * pages / keep * self->page), *p, *to = stay;
	long bytes, first = 0, used;

	ASSERT_NE(MAP_FAILED, stay);
	for (r = 0; r < rounds; r++) {
		p = swt_map(len);
		ASSERT_NE(MAP_FAILED, p);
		/* no zeroes for the ones that stay */
		memset(p, 0, len);
		for (i = 0; i < pages; i += keep)
			memset(p + i * self->page, 1 + r + i / keep, self->page);
		ASSERT_EQ(pages, swt_pageout(p, len));
		if (!r)
			first = vswap_stat("table_bytes");
		for (i = 0; i < pages; i += keep, to += self->page)
			ASSERT_NE(MAP_FAILED, mremap(p + i * self->page, self->page, self->page,
						     MREMAP_MAYMOVE | MREMAP_FIXED, to));
		munmap(p, len);
	}
	bytes = vswap_stat("table_bytes");
	used = vswap_stat("used") - self->used;
	TH_LOG("%ld slots in use, %ld kB of tables, %ld kB after the first round",
	       used, bytes >> 10, first >> 10);
	EXPECT_EQ(rounds * pages / keep, used);
	EXPECT_GT(2 * first, bytes);
	for (r = 0, to = stay; r < rounds; r++)
		for (i = 0; i < pages; i += keep, to += self->page)
			EXPECT_EQ((char)(1 + r + i / keep), to[7]);
	munmap(stay, rounds * pages / keep * self->page);
	SWT_OK(vswap_wait(&self->ctx, "used", self->used));
}

/* Wait until both have come for the n-th time; without sleeping, but not forever. */
static void meet(unsigned long *turn, unsigned long n)
{
	double start = swt_now();

	__atomic_add_fetch(turn, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(turn, __ATOMIC_SEQ_CST) < 2 * n)
		if (swt_now() - start > 30)
			break;
}

/*
 * What is stored last in a virtual table takes the table along, which somebody else
 * may just be looking at.
 */
TEST_F_TIMEOUT(vswap_alone, table_goes, 300)
{
	unsigned long late = swt_scaled(1200, 300);
	unsigned long rounds = swt_scaled(20000, 300) + late, i;
	unsigned long *turn = mmap(NULL, self->page, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *p = mmap(NULL, self->page, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned long out = 0;
	pid_t pid;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU");
	ASSERT_NE(MAP_FAILED, turn);
	ASSERT_NE(MAP_FAILED, p);
	arm_delay(&self->ctx, "3000");
	pid = swt_fork();
	for (i = 1; i <= rounds; i++) {
		/* in the end, one looks for a long time */
		if (!pid && i == rounds - late)
			slow(true);
		if (pid) {
			*p = i;
			madvise(p, self->page, MADV_PAGEOUT);
			out += vswap_stat("used") > self->used;
		}
		/* at the same time */
		meet(turn, 2 * i - 1);
		if (__atomic_load_n(p, __ATOMIC_RELAXED) != (char)i)
			break;
		/* what two have in their page tables MADV_PAGEOUT leaves alone */
		if (!pid)
			madvise(p, self->page, MADV_DONTNEED);
		meet(turn, 2 * i);
	}
	if (!pid)
		_exit(i <= rounds);
	EXPECT_EQ(rounds + 1, i);
	EXPECT_EQ(0, swt_wait(pid));
	TH_LOG("%lu of %lu times out", out, rounds);
	EXPECT_LT(rounds / 2, out);
	munmap(p, self->page);
	munmap(turn, self->page);
	SWT_OK(vswap_wait(&self->ctx, "used", self->used));
}

/* A disk behind it */
FIXTURE(vswap_disk)
{
	struct swt_ctx ctx;
	struct swt_dev *dev;
	size_t page;
	long used, physical;
};

FIXTURE_VARIANT(vswap_disk)
{
	enum swt_backend backend;
};

FIXTURE_VARIANT_ADD(vswap_disk, disk)
{
	.backend = SWT_DISK,
};

FIXTURE_VARIANT_ADD(vswap_disk, disk_rotational)
{
	.backend = SWT_DISK_ROT,
};

FIXTURE_VARIANT_ADD(vswap_disk, swapfile)
{
	.backend = SWT_FILE,
};

FIXTURE_VARIANT_ADD(vswap_disk, zram)
{
	.backend = SWT_ZRAM,
};

FIXTURE_SETUP(vswap_disk)
{
	int ret;

	self->page = swt_page();
	ret = vswap_begin(&self->ctx) ?:
	      swt_dev_new(&self->ctx, &self->dev, variant->backend, 8192) ?:
	      swt_on(self->dev, 1000, 0) ?:
	      zswap_set(&self->ctx, "enabled", "Y");
	ret = swt_setup_done(&self->ctx, ret);
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
	self->used = vswap_stat("used");
	self->physical = vswap_stat("physical");
}

FIXTURE_TEARDOWN_PARENT(vswap_disk)
{
	EXPECT_EQ(0, swt_end(&self->ctx)) TH_LOG("%s", swt_msg());
}

/* Have the pages out, most of them written back. Returns how many are. */
static long written_back(struct swt_ctx *ctx, char *p, size_t len, int kb)
{
	int i;

	if (cgroup_set(ctx, "memory.zswap.max", "%d", kb << 10))
		return -1;
	swt_pageout(p, len);
	for (i = 0; i < 3; i++) {
		swt_wait_writeback();
		swt_drop_cache(ctx, p, len);
	}
	cgroup_set(ctx, "memory.zswap.max", "max");
	return vswap_stat("physical");
}

TEST_F_TIMEOUT(vswap_disk, writeback, 300)
{
	size_t pages = 2000, len = pages * self->page;
	char *p = swt_map(len);
	int round;
	long n;

	for (round = 0; round < 3; round++) {
		fill(p, len, 0);
		n = written_back(&self->ctx, p, len, 128) - self->physical;
		EXPECT_LT((long)pages / 2, n);
		EXPECT_EQ(self->used + (long)pages, vswap_stat("used"));
		EXPECT_EQ(n, swt_used(self->dev));
		EXPECT_EQ(n * (long)self->page, cgroup_get(&self->ctx, "memory.swap.current"));
		EXPECT_TRUE(verify(p, len, 0)) TH_LOG("round %d", round);
	}
	TH_LOG("%ld of %zu pages", n, pages);
	munmap(p, len);
	SWT_OK(vswap_wait(&self->ctx, "used", self->used));
	EXPECT_EQ(self->physical, vswap_stat("physical"));
	EXPECT_EQ(0, cgroup_get(&self->ctx, "memory.swap.current"));
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

/* swapoff takes all that is behind, whoever has it in front */
TEST_F_TIMEOUT(vswap_disk, swapoff, 300)
{
	size_t pages = 1500, len = pages * self->page;
	char *p = swt_map(len);
	pid_t pid[3], dying[8];
	int i, go[2];
	char c;

	fill(p, len, 7);
	EXPECT_LT((long)pages / 2, written_back(&self->ctx, p, len, 128));
	ASSERT_EQ(0, pipe(go));
	for (i = 0; i < 3; i++) {
		pid[i] = swt_fork();
		if (!pid[i]) {
			close(go[1]);
			if (i == 1 && !verify(p, len, 7))
				_exit(1);
			if (read(go[0], &c, 1) < 0)
				_exit(2);
			_exit(i == 2 ? 0 : !verify(p, len, 7));
		}
	}
	/* one after the other, while it is under way */
	for (i = 0; i < 8; i++) {
		dying[i] = swt_fork();
		if (!dying[i]) {
			usleep(i * 2000);
			_exit(0);
		}
	}
	SWT_OK(swt_off(self->dev, 60));
	EXPECT_EQ(self->physical, vswap_stat("physical"));
	EXPECT_TRUE(verify(p, len, 7));
	for (i = 0; i < 8; i++)
		EXPECT_EQ(0, swt_wait(dying[i]));
	close(go[1]);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, swt_wait(pid[i])) TH_LOG("child %d", i);
	close(go[0]);
	munmap(p, len);
	SWT_OK(vswap_wait(&self->ctx, "used", self->used));
}

/* A process that may have memory where the test may not */
static pid_t fork_outside(struct swt_ctx *ctx)
{
	char path[SWT_PATH + 32];
	pid_t pid = swt_fork();

	snprintf(path, sizeof(path), "%s/../cgroup.procs", ctx->cgroup);
	if (!pid && swt_write(path, "0"))
		_exit(255);
	return pid;
}

/* Without memory for it nothing is lost, and the next try is good. */
TEST_F_TIMEOUT(vswap_disk, swapoff_enomem, 300)
{
	size_t pages = 4000, len = pages * self->page;
	int shared;
	pid_t pid;
	char *p;

	/* who has the pages is not killed for them */
	ASSERT_EQ(0, swt_write("/proc/self/oom_score_adj", "-1000"));
	for (shared = 0; shared < 2; shared++) {
		p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_ANONYMOUS |
			 (shared ? MAP_SHARED : MAP_PRIVATE), -1, 0);
		ASSERT_NE(MAP_FAILED, p);
		fill(p, len, 3);
		EXPECT_LT((long)pages / 2, written_back(&self->ctx, p, len, 128));
		ASSERT_EQ(0, cgroup_set(&self->ctx, "memory.zswap.max", "0"));
		ASSERT_EQ(0, cgroup_set(&self->ctx, "memory.max", "%zu", 6UL << 20));
		pid = fork_outside(&self->ctx);
		if (!pid)
			_exit(swapoff(self->dev->path) ? errno : 0);
		EXPECT_EQ(ENOMEM, swt_wait(pid));
		EXPECT_LT(self->physical, vswap_stat("physical"));
		ASSERT_EQ(0, cgroup_set(&self->ctx, "memory.max", "max"));
		ASSERT_EQ(0, cgroup_set(&self->ctx, "memory.zswap.max", "max"));
		EXPECT_TRUE(verify(p, len / 2, 3));
		SWT_OK(swt_off(self->dev, 60));
		EXPECT_EQ(self->physical, vswap_stat("physical"));
		EXPECT_TRUE(verify(p, len, 3));
		munmap(p, len);
		SWT_OK(vswap_wait(&self->ctx, "used", self->used));
		SWT_OK(swt_on(self->dev, 1000, 0));
	}
}

/* The same for shared memory, mapped and not mapped anywhere. */
TEST_F_TIMEOUT(vswap_disk, shmem, 300)
{
	size_t pages = 1000, len = pages * self->page;
	int fd = memfd_create("swt", 0);
	char *p, *q;

	ASSERT_EQ(0, ftruncate(fd, len));
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	q = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_NE(MAP_FAILED, q);
	fill(p, len, 1);
	fill(q, len, 2);
	EXPECT_LT((long)pages / 2, written_back(&self->ctx, p, len, 128));
	EXPECT_LT((long)pages, written_back(&self->ctx, q, len, 128));
	munmap(p, len);
	SWT_OK(swt_off(self->dev, 60));
	EXPECT_EQ(self->physical, vswap_stat("physical"));
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(verify(p, len, 1));
	EXPECT_TRUE(verify(q, len, 2));
	munmap(p, len);
	munmap(q, len);
	close(fd);
	SWT_OK(vswap_wait(&self->ctx, "used", self->used));
}

/* memory.swap.max reached while pages are written back: the others stay. */
TEST_F_TIMEOUT(vswap_disk, swap_max, 300)
{
	size_t pages = 2000, len = pages * self->page, max = 300;
	char *p = swt_map(len);
	long n;

	if (cgroup_set(&self->ctx, "memory.swap.max", "%zu", max * self->page))
		SKIP(return, "%s", swt_msg());
	fill(p, len, 0);
	cgroup_set(&self->ctx, "memory.zswap.max", "%d", 128 << 10);
	swt_madvise_pageout(p, len, false);
	swt_reclaim(&self->ctx, len / 2);
	swt_wait_writeback();
	n = vswap_stat("physical") - self->physical;
	EXPECT_EQ(n * (long)self->page, cgroup_get(&self->ctx, "memory.swap.current"));
	EXPECT_LT(0, n);
	EXPECT_GE((long)max, n);
	EXPECT_LT(0, swt_swap_event(self->ctx.cgroup, "max"));
	EXPECT_LT(0, swt_swap_event(self->ctx.cgroup, "fail"));
	cgroup_set(&self->ctx, "memory.zswap.max", "max");
	EXPECT_TRUE(verify(p, len, 0));
	/* whoever can go on in zswap does */
	EXPECT_EQ(pages, swt_pageout(p, len));
	EXPECT_TRUE(verify(p, len, 0));
	munmap(p, len);
	SWT_OK(vswap_wait(&self->ctx, "used", self->used));
	EXPECT_EQ(0, cgroup_get(&self->ctx, "memory.swap.current"));
}

/* Nothing for the disk, nothing for zswap: each for a cgroup. */
TEST_F_TIMEOUT(vswap_disk, forbidden, 300)
{
	size_t pages = 1000, len = pages * self->page;
	char *p = swt_map(len);

	fill(p, len, 0);
	if (cgroup_set(&self->ctx, "memory.zswap.writeback", "0"))
		SKIP(return, "%s", swt_msg());
	cgroup_set(&self->ctx, "memory.zswap.max", "%d", 256 << 10);
	swt_madvise_pageout(p, len, false);
	swt_wait_writeback();
	EXPECT_EQ(self->physical, vswap_stat("physical"));
	EXPECT_EQ(0, cgroup_get(&self->ctx, "memory.swap.current"));
	EXPECT_TRUE(verify(p, len, 0));

	ASSERT_EQ(0, cgroup_set(&self->ctx, "memory.zswap.writeback", "1"));
	ASSERT_EQ(0, cgroup_set(&self->ctx, "memory.zswap.max", "0"));
	madvise(p, len, MADV_DONTNEED);
	SWT_OK(vswap_wait(&self->ctx, "used", self->used));
	fill(p, len, 1);
	EXPECT_EQ(pages, swt_pageout(p, len));
	EXPECT_EQ(self->used, vswap_stat("used"));
	EXPECT_EQ((long)pages, swt_used(self->dev));
	EXPECT_EQ(len, cgroup_get(&self->ctx, "memory.swap.current"));
	EXPECT_TRUE(verify(p, len, 1));

	/* what may not go where it has been before goes to zswap */
	ASSERT_EQ(0, cgroup_set(&self->ctx, "memory.zswap.writeback", "0"));
	ASSERT_EQ(0, cgroup_set(&self->ctx, "memory.zswap.max", "max"));
	fill(p, len, 2);
	EXPECT_EQ(pages, swt_pageout(p, len));
	EXPECT_EQ(0, swt_used(self->dev));
	EXPECT_EQ(self->used + (long)pages, vswap_stat("used"));
	EXPECT_TRUE(verify(p, len, 2));
}

/* Where zswap has room, and yet cannot take it: a cgroup without any other swap. */
TEST_F_TIMEOUT(vswap_disk, incompressible, 300)
{
	size_t max = 24 << 20;
	struct hog hog;

	if (cgroup_set(&self->ctx, "memory.max", "%zu", max))
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, cgroup_set(&self->ctx, "memory.swap.max", "0"));
	run_hog(&hog, 3 * max, true);
	hog_log(_metadata, &hog);
	SWT_OK(hog_killed(&hog, 3 * max));
	SWT_OK(vswap_wait(&self->ctx, "used", self->used));
	EXPECT_EQ(self->physical, vswap_stat("physical"));
}

/*
 * One page of a huge one does not compress, so that zswap has none of it. It goes to
 * whatever device takes it whole, or in parts, and is not left behind.
 */
TEST_F_TIMEOUT(vswap_disk, large_refused, 300)
{
	size_t huge = 512 * self->page, len = 8 * huge, i;
	struct swt_dev *other;
	char *p = swt_map(len + huge);

	ASSERT_NE(MAP_FAILED, p);
	SWT_OK(swt_dev_new(&self->ctx, &other, SWT_DISK, 16384));
	SWT_OK(swt_on(other, 10, 0));
	p = (char *)(((uintptr_t)p + huge - 1) & ~(huge - 1));
	madvise(p, len, MADV_HUGEPAGE);
	for (i = 0; i < len; i += huge) {
		fill(p + i, huge - self->page, i);
		swt_fill_hard(p + i + huge - self->page, self->page, i);
	}
	EXPECT_EQ(len / self->page, swt_pageout(p, len));
	for (i = 0; i < len; i += huge) {
		EXPECT_TRUE(verify(p + i, huge - self->page, i));
		EXPECT_EQ(-1, swt_verify_hard(p + i + huge - self->page, self->page, i));
	}
	munmap(p, len);
	SWT_OK(vswap_wait(&self->ctx, "used", self->used));
}

/* What zswap has, as its pool counts it, in bytes */
static long pool_bytes(void)
{
	return swt_read_long(DEBUGFS "/zswap/pool_total_size");
}

/* A full pool is written back until a part of it is free: as much as is asked for. */
TEST_F_TIMEOUT(vswap_disk, pool_full, 300)
{
	size_t limit = (swt_meminfo("MemTotal") << 10) / 100;
	/* more than a quarter of a page each */
	size_t pages = 5 * limit / self->page, len = pages * self->page;
	char *p = swt_map(len), *q = swt_map(self->page);
	double start;
	long n;

	ASSERT_NE(MAP_FAILED, p);
	SWT_OK(swt_off(self->dev, 30));
	SWT_OK(swt_dev_new(&self->ctx, &self->dev, variant->backend, pages + 4096));
	SWT_OK(swt_on(self->dev, 1000, 0));
	ASSERT_EQ(0, zswap_set(&self->ctx, "enabled", "Y"));
	ASSERT_EQ(0, zswap_set(&self->ctx, "accept_threshold_percent", "50"));
	fill(p, len, 1);
	EXPECT_EQ(pages, swt_pageout(p, len));
	EXPECT_EQ(self->physical, vswap_stat("physical"));
	EXPECT_LT(limit, pool_bytes());

	ASSERT_EQ(0, zswap_set(&self->ctx, "max_pool_percent", "1"));
	start = swt_now();
	while (pool_bytes() > (long)limit / 2 + (1 << 18) && swt_now() - start < 60) {
		/* somebody has to find it full: a page that has no slot yet */
		fill(q, self->page, 2);
		swt_madvise_pageout(q, self->page, true);
		madvise(q, self->page, MADV_DONTNEED);
		usleep(20000);
	}
	EXPECT_GE((long)limit / 2 + (1 << 18), pool_bytes());
	/* it goes on until there is just enough room */
	do {
		n = vswap_stat("physical") - self->physical;
		usleep(500000);
		swt_wait_writeback();
	} while (n != vswap_stat("physical") - self->physical && swt_now() - start < 90);
	TH_LOG("%ld of %zu pages written back, %ld kB of %zu left", n, pages,
	       pool_bytes() >> 10, limit >> 10);
	EXPECT_LT((long)pages / 2, n);
	/* the other page may still be there */
	EXPECT_LE(n, swt_used(self->dev));
	EXPECT_EQ(swt_used(self->dev) * (long)self->page,
		  cgroup_get(&self->ctx, "memory.swap.current"));
	EXPECT_TRUE(verify(p, len, 1));
	munmap(p, len);
	munmap(q, self->page);
	SWT_OK(vswap_wait(&self->ctx, "used", self->used));
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
	EXPECT_EQ(0, cgroup_get(&self->ctx, "memory.swap.current"));
}

/* When memory is short the shrinker writes back what nobody has used for long. */
TEST_F_TIMEOUT(vswap_disk, shrinker, 300)
{
	size_t pages = 4000, len = pages * self->page;
	char *p = swt_map(len);
	long n = 0;
	int i;

	ASSERT_EQ(0, zswap_set(&self->ctx, "shrinker_enabled", "Y"));
	fill(p, len, 1);
	EXPECT_EQ(pages, swt_pageout(p, len));
	for (i = 0; i < 200 && n < 100; i++) {
		swt_reclaim(&self->ctx, 1 << 20);
		n = vswap_stat("physical") - self->physical;
	}
	swt_wait_writeback();
	n = vswap_stat("physical") - self->physical;
	TH_LOG("%ld of %zu pages written back", n, pages);
	EXPECT_LE(100, n);
	EXPECT_EQ(n * (long)self->page, cgroup_get(&self->ctx, "memory.swap.current"));
	EXPECT_TRUE(verify(p, len, 1));
	munmap(p, len);
	SWT_OK(vswap_wait(&self->ctx, "used", self->used));
}

/* Large folios are split and moved while they are on their way, in zswap or on the disk. */
TEST_F_TIMEOUT(vswap_disk, split, 300)
{
	size_t large = 65536, len = 12 * large, i, noise = self->page / 4;
	double end = swt_now() + swt_seconds(4);
	pid_t pid[2], test = getpid();
	char *raw = swt_map(len + large), *p;
	long splits = swt_read_long(THP "stats/split");
	unsigned long n;
	bool same = true;

	if (access(THP "enabled", W_OK) || access(DEBUGFS "/split_huge_pages", W_OK))
		SKIP(return, "no folios of 64 kB in this kernel, or nobody splits them");
	ASSERT_EQ(0, swt_set(&self->ctx, THP "enabled", "always"));
	ASSERT_NE(MAP_FAILED, raw);
	p = (char *)(((uintptr_t)raw + large - 1) & ~(large - 1));
	madvise(p, len, MADV_HUGEPAGE);
	for (i = 0; i < 2; i++) {
		pid[i] = swt_fork();
		if (pid[i])
			continue;
		while (swt_now() < end) {
			if (i)
				swt_write("/proc/sys/vm/compact_memory", "1");
			else
				swt_write(DEBUGFS "/split_huge_pages", "%d,0x%lx,0x%lx",
					  test, (long)p, (long)p + len);
		}
		_exit(0);
	}
	for (n = 1; same && swt_now() < end; n++) {
		/* every fourth has a page that does not compress, and goes to the disk */
		for (i = 0; i < len; i += self->page)
			fill_page(p + i, n + i, i % (4 * large) ? noise : self->page);
		madvise(p, len, MADV_PAGEOUT);
		for (i = 0; i < len; i += self->page)
			same &= verify_noise(p + i, self->page, n + i,
					     i % (4 * large) ? noise : self->page);
		madvise(p, len, MADV_PAGEOUT);
		madvise(p, len, MADV_DONTNEED);
	}
	EXPECT_TRUE(same);
	splits = swt_read_long(THP "stats/split") - splits;
	TH_LOG("%lu times, %ld folios split", n, splits);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, swt_wait(pid[i]));
	munmap(raw, len + large);
	SWT_OK(vswap_wait(&self->ctx, "used", self->used));
	SWT_OK(vswap_wait(&self->ctx, "physical", self->physical));
}

/* Two devices, filled one after the other, and swapped off in either order. */
TEST_F_TIMEOUT(vswap_disk, two, 300)
{
	size_t pages = 3000, len = pages * self->page;
	struct swt_dev *d[2] = { self->dev };
	int i, rounds = swt_scaled(4, 2);
	char *p = swt_map(len);

	SWT_OK(swt_dev_new(&self->ctx, &d[1], SWT_DISK, 600));
	for (i = 0; i < rounds; i++) {
		if (!d[1]->on)
			SWT_OK(swt_on(d[1], 2000, 0));
		fill(p, len, i);
		EXPECT_LT((long)pages / 2, written_back(&self->ctx, p, len, 128));
		EXPECT_LT(500, swt_used(d[1]));
		EXPECT_LT(0, swt_used(d[0]));
		SWT_OK(swt_off(d[i & 1], 60));
		EXPECT_TRUE(verify(p, len / 2, i));
		swt_pageout(p, len);
		SWT_OK(swt_off(d[~i & 1], 60));
		EXPECT_EQ(self->physical, vswap_stat("physical"));
		EXPECT_TRUE(verify(p, len, i));
		SWT_OK(swt_on(d[0], 1000, 0));
	}
	munmap(p, len);
	SWT_OK(vswap_wait(&self->ctx, "used", self->used));
}

/* A cgroup goes while its pages are out: what they owe is not forgotten. */
TEST_F_TIMEOUT(vswap_disk, removed, 300)
{
	size_t pages = 1000, len = pages * self->page;
	char child[SWT_PATH + 8], path[SWT_PATH + 32];
	int fd = memfd_create("swt", 0), i;
	char *p;
	pid_t pid;

	if (!self->ctx.cgroup[0])
		SKIP(return, "no cgroup2");
	ASSERT_EQ(0, ftruncate(fd, len));
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	/* next to the one with processes, which can have none below */
	snprintf(child, sizeof(child), "%.*s-c", SWT_PATH, self->ctx.cgroup);
	ASSERT_EQ(0, mkdir(child, 0755));
	pid = swt_fork();
	if (!pid) {
		snprintf(path, sizeof(path), "%s/cgroup.procs", child);
		if (swt_write(path, "0"))
			_exit(1);
		fill(p, len, 5);
		_exit(0);
	}
	EXPECT_EQ(0, swt_wait(pid));
	snprintf(path, sizeof(path), "%s/memory.zswap.max", child);
	swt_write(path, "%d", 64 << 10);
	snprintf(path, sizeof(path), "%s/memory.reclaim", child);
	for (i = 0; i < 20; i++)
		swt_write(path, "%zu", len / 4);
	swt_wait_writeback();
	EXPECT_LT(self->physical, vswap_stat("physical"));
	EXPECT_EQ(0, rmdir(child));
	EXPECT_TRUE(verify(p, len / 2, 5));
	SWT_OK(swt_off(self->dev, 60));
	EXPECT_TRUE(verify(p, len, 5));
	munmap(p, len);
	close(fd);
	SWT_OK(vswap_wait(&self->ctx, "used", self->used));
}

/* The same once more. Nobody ever finds anything else, whenever this is killed. */
static void fill_again(char *p, size_t len, unsigned long seed)
{
	size_t i, page = swt_page();
	char same[65536];

	for (i = 0; i < len; i += page) {
		fill_page(same, seed + i, page / 4);
		memcpy(p + i, same, page);
	}
}

/* What goes out and comes back while all else changes. */
static void storm(char *shared, size_t len, int kind)
{
	size_t page = swt_page(), off, n;
	unsigned int seed = kind * 7919 + 1;
	char *p = kind ? swt_map(len) : shared;
	/* the last two have the same in memory, for KSM */
	unsigned long round = kind > 2 ? 2 : kind;
	pid_t pid;

	if (kind)
		fill(p, len, round);
	if (kind >= 2)
		madvise(p, len, MADV_MERGEABLE);
	for (;;) {
		off = rand_r(&seed) % (len / page) * page;
		n = (1 + rand_r(&seed) % 64) * page;
		if (off + n > len)
			n = len - off;
		switch (rand_r(&seed) % 8) {
		case 0:
			if (!verify(p + off, n, round + off))
				_exit(2);
			break;
		case 1:
			if (!verify(p, len, round))
				_exit(3);
			break;
		case 2:
			/* gone, while it may be written back */
			if (kind)
				madvise(p + off, n, MADV_DONTNEED);
			fill_again(p + off, n, round + off);
			break;
		case 3:
			pid = swt_fork();
			if (!pid)
				_exit(!verify(p + off, n, round + off));
			if (pid > 0 && swt_wait(pid))
				_exit(4);
			break;
		default:
			madvise(p + off, n, MADV_PAGEOUT);
			break;
		}
	}
}

/*
 * SLUB has no other cache of the name of one that is just going: zswap keeps what it
 * has, then, and takes the new one a little later.
 */
static int zswap_change(const char *path, const char *value)
{
	int i, ret = -1;

	for (i = 0; i < 50 && ret; i++) {
		if (i)
			usleep(10000);
		ret = swt_write(path, "%s", value);
	}
	return ret;
}

TEST_F_TIMEOUT(vswap_disk, storm, 600)
{
	static const char * const compressor[] = { "lzo", "lz4" };
	static const char * const zpool[] = { "zsmalloc", "zbud" };
	size_t len = 600 * self->page;
	double end = swt_now() + swt_seconds(10);
	char *shared = mmap(NULL, len, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int n, off = 0, rounds = swt_scaled(20, 6);
	long merged = 0;
	pid_t pid[4];
	bool zbud;
	int i;

	ASSERT_NE(MAP_FAILED, shared);
	fill(shared, len, 0);
	ASSERT_EQ(0, zswap_set(&self->ctx, "zpool", "zsmalloc"));
	zbud = !swt_write(ZSWAP "zpool", "zbud");
	if (!zbud)
		TH_LOG("no zbud in this kernel");
	swt_set(&self->ctx, KSM "sleep_millisecs", "20");
	swt_set(&self->ctx, KSM "run", "1");
	for (i = 0; i < 4; i++) {
		pid[i] = swt_fork();
		if (!pid[i])
			storm(shared, len, i);
	}
	for (n = 0; n < rounds || swt_now() < end; n++) {
		/* little room in zswap: it writes back all the time */
		cgroup_set(&self->ctx, "memory.zswap.max", "%u", n % 3 ? 256 << 10 : 1 << 20);
		/* and in memory: what it allocates for that waits for reclaim */
		if (n % 2)
			cgroup_set(&self->ctx, "memory.max", "%zu", 2 * len + (4UL << 20));
		swt_reclaim(&self->ctx, 1 << 20);
		EXPECT_EQ(0, zswap_change(ZSWAP "compressor", compressor[n % 2]));
		if (zbud)
			EXPECT_EQ(0, zswap_change(ZSWAP "zpool", zpool[n / 2 % 2]));
		if (swt_read_long(KSM "pages_sharing") > merged)
			merged = swt_read_long(KSM "pages_sharing");
		if (n % 5 == 4) {
			swt_write(ZSWAP "enabled", "N");
			swt_reclaim(&self->ctx, 1 << 20);
			swt_write(ZSWAP "enabled", "Y");
		}
		if (n % 2)
			usleep(200000);
		cgroup_set(&self->ctx, "memory.max", "max");
		if (n % 4)
			continue;
		SWT_OK(swt_off(self->dev, 120));
		off++;
		EXPECT_EQ(self->physical, vswap_stat("physical"));
		SWT_OK(swt_on(self->dev, 1000, 0));
	}
	TH_LOG("%u rounds, swapped off %u times, at most %ld pages merged", n, off, merged);
	EXPECT_LT(0, merged);
	if (zbud)
		EXPECT_EQ(0, zswap_change(ZSWAP "zpool", "zsmalloc"));
	for (i = 0; i < 4; i++) {
		kill(pid[i], SIGKILL);
		EXPECT_EQ(128 + SIGKILL, swt_wait(pid[i]));
	}
	EXPECT_TRUE(verify(shared, len, 0));
	munmap(shared, len);
	SWT_OK(vswap_wait(&self->ctx, "used", self->used));
	SWT_OK(vswap_wait(&self->ctx, "physical", self->physical));
}

/* Who comes too late, of two that want the same */
FIXTURE(vswap_race)
{
	struct swt_ctx ctx;
	struct swt_dev *dev;
	size_t page;
	unsigned long *turn;
	long used, physical;
	bool slow;
};

FIXTURE_SETUP(vswap_race)
{
	int ret;

	self->page = swt_page();
	self->turn = mmap(NULL, self->page, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->turn);
	ret = vswap_begin(&self->ctx) ?:
	      swt_dev_new(&self->ctx, &self->dev, SWT_DISK, 128) ?:
	      swt_on(self->dev, 1000, 0) ?:
	      zswap_set(&self->ctx, "enabled", "Y");
	self->slow = arm_delay(&self->ctx, "4000");
	ret = swt_setup_done(&self->ctx, ret);
	if (!ret && sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU");
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
	self->used = vswap_stat("used");
	self->physical = vswap_stat("physical");
}

FIXTURE_TEARDOWN_PARENT(vswap_race)
{
	EXPECT_EQ(0, swt_end(&self->ctx)) TH_LOG("%s", swt_msg());
}

/*
 * Each page that somebody stores in a full zswap has it look at an object: it writes
 * that back at the second look. Meanwhile the page is zapped, or swapped in and out
 * again.
 */
TEST_F_TIMEOUT(vswap_race, writeback, 300)
{
	unsigned long i, j, n = 6, rounds = swt_scaled(600, 40), meets = 0;
	size_t len = n * self->page;
	/* others, each of which is stored once in a round */
	char *p = swt_map(len), *q = swt_map(2 * len), *one;
	long back = swt_vmstat("zswpwb");
	pid_t pid, holder = 0;
	bool same = true, zap;

	pid = swt_fork();
	for (i = 1; i <= rounds && same; i++) {
		zap = i % 4 == 0;
		if (pid) {
			fill(p, len, i);
			swt_pageout(p, len);
			/* so that the slots stay when the pages come back */
			holder = zap ? 0 : swt_fork();
			if (!zap && !holder) {
				pause();
				_exit(0);
			}
			cgroup_set(&self->ctx, "memory.zswap.max", "%zu", self->page);
		}
		meet(self->turn, ++meets);
		if (!pid) {
			fill(q, 2 * len, i);
			madvise(q, len, MADV_PAGEOUT);
		}
		meet(self->turn, ++meets);
		slow(!pid);
		if (!pid)
			madvise(q + len, len, MADV_PAGEOUT);
		slow(false);
		if (pid) {
			usleep(rand() % (self->slow ? 8000 : 2000));
			/* room again: only the other one writes back */
			cgroup_set(&self->ctx, "memory.zswap.max", "max");
		}
		for (j = 0; j < n && pid; j++) {
			one = p + j * self->page;
			if (zap) {
				madvise(one, self->page, MADV_DONTNEED);
				continue;
			}
			same &= verify(one, self->page, i + j * self->page);
			madvise(one, self->page, MADV_PAGEOUT);
		}
		meet(self->turn, ++meets);
		if (!pid || zap)
			continue;
		kill(holder, SIGKILL);
		swt_wait(holder);
		same &= verify(p, len, i);
	}
	if (!pid)
		_exit(0);
	if (!same)
		kill(pid, SIGKILL);
	EXPECT_TRUE(same);
	EXPECT_EQ(0, swt_wait(pid));
	back = swt_vmstat("zswpwb") - back;
	TH_LOG("%ld pages written back", back);
	EXPECT_LT((long)rounds / 5, back);
	cgroup_set(&self->ctx, "memory.zswap.max", "max");
	munmap(p, len);
	munmap(q, 2 * len);
	SWT_OK(vswap_wait(&self->ctx, "used", self->used));
	SWT_OK(vswap_wait(&self->ctx, "physical", self->physical));
}

/*
 * Pages are in memory, and in slots of a disk, too. When somebody else who referred to
 * those slots is gone they can be freed, but not where a page is just being swapped
 * out again.
 */
TEST_F_TIMEOUT(vswap_race, reclaim, 300)
{
	unsigned long i, j, n = 60, rounds = swt_scaled(100, 20), kept = 0;
	size_t len = n * self->page;
	char *p = swt_map(len);
	bool same = true;
	pid_t pid;

	/* full: slots are not kept for pages in memory */
	SWT_OK(cgroup_set(&self->ctx, "memory.swap.max", "%zu", len * 3 / 2));
	for (i = 1; i <= rounds && same; i++) {
		/* nothing that zswap would take */
		swt_fill_hard(p, len, i);
		swt_pageout(p, len);
		swt_wait_writeback();
		pid = swt_fork();
		if (!pid) {
			meet(self->turn, i);
			slow(true);
			munmap(p, len);
			_exit(0);
		}
		same &= swt_verify_hard(p, len, i) < 0;
		meet(self->turn, i);
		/* he goes through them slowly, and is overtaken */
		usleep(rand() % (self->slow ? 60000 : 200));
		for (j = 0; j < n; j++)
			madvise(p + j * self->page, self->page, MADV_PAGEOUT);
		EXPECT_EQ(0, swt_wait(pid));
		kept += vswap_stat("physical") - self->physical;
		/* what is in memory only has to be swapped out */
		swt_reclaim(&self->ctx, len);
		same &= swt_verify_hard(p, len, i) < 0;
	}
	TH_LOG("%lu of %lu kept their slots", kept, n * rounds);
	EXPECT_TRUE(same);
	munmap(p, len);
	cgroup_set(&self->ctx, "memory.swap.max", "max");
	SWT_OK(vswap_wait(&self->ctx, "used", self->used));
	SWT_OK(vswap_wait(&self->ctx, "physical", self->physical));
}

/*
 * What swapoff reads is reclaimed, written to, swapped out anew or zapped before
 * swapoff gets any further.
 */
TEST_F_TIMEOUT(vswap_race, swapoff, 300)
{
	unsigned long pages = 60, rounds = swt_scaled(16, 4), i, j;
	unsigned long *seed = calloc(pages, sizeof(*seed));
	size_t len = pages * self->page;
	char *p = swt_map(len), *one;
	bool same = true;
	int status = 0;
	pid_t pid;

	ASSERT_NE(NULL, seed);
	for (i = 1; i <= rounds && same; i++) {
		for (j = 0; j < pages; j++)
			fill(p + j * self->page, self->page, ++seed[j]);
		EXPECT_LT(self->physical, written_back(&self->ctx, p, len, 4));
		pid = swt_fork();
		if (!pid) {
			slow(true);
			_exit(swapoff(self->dev->path) ? errno : 0);
		}
		while (same && !waitpid(pid, &status, WNOHANG)) {
			j = rand() % pages;
			one = p + j * self->page;
			switch (rand() % 6) {
			case 0:
				same = verify(one, self->page, seed[j]);
				break;
			case 1:
				madvise(one, self->page, MADV_DONTNEED);
				fill(one, self->page, ++seed[j]);
				break;
			case 2:
			case 3:
				swt_reclaim(&self->ctx, len);
				break;
			default:
				madvise(one, self->page, MADV_PAGEOUT);
				break;
			}
		}
		EXPECT_TRUE(same);
		EXPECT_EQ(0, status);
		EXPECT_EQ(self->physical, vswap_stat("physical"));
		for (j = 0; j < pages; j++)
			same &= verify(p + j * self->page, self->page, seed[j]);
		EXPECT_TRUE(same);
		if (swapon(self->dev->path, SWAP_FLAG_PREFER | 1000))
			break;
	}
	EXPECT_EQ(rounds + 1, i);
	munmap(p, len);
	free(seed);
	SWT_OK(vswap_wait(&self->ctx, "used", self->used));
	SWT_OK(vswap_wait(&self->ctx, "physical", self->physical));
}

/* As many devices as need a fourth bit */
FIXTURE(vswap_nine)
{
	struct swt_ctx ctx;
	struct swt_dev *dev[9];
	size_t page;
	long used;
};

FIXTURE_SETUP(vswap_nine)
{
	int i, ret;

	self->page = swt_page();
	ret = vswap_begin(&self->ctx);
	for (i = 0; i < 9 && !ret; i++)
		ret = swt_dev_new(&self->ctx, &self->dev[i], SWT_LOOP, 2000) ?:
		      swt_on(self->dev[i], i, 0);
	ret = ret ?: zswap_set(&self->ctx, "enabled", "Y");
	ret = swt_setup_done(&self->ctx, ret);
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
	self->used = vswap_stat("used");
}

FIXTURE_TEARDOWN_PARENT(vswap_nine)
{
	EXPECT_EQ(0, swt_end(&self->ctx)) TH_LOG("%s", swt_msg());
}

TEST_F_TIMEOUT(vswap_nine, last, 300)
{
	size_t pages = 1000, len = pages * self->page;
	char *p = swt_map(len);
	long n;

	fill(p, len, 9);
	n = written_back(&self->ctx, p, len, 128);
	EXPECT_LT((long)pages / 2, n);
	EXPECT_EQ(n, swt_used(self->dev[8]));
	EXPECT_TRUE(verify(p, len / 2, 9));
	SWT_OK(swt_off(self->dev[8], 60));
	EXPECT_TRUE(verify(p, len, 9));
	EXPECT_EQ(0, vswap_stat("physical"));
	munmap(p, len);
	SWT_OK(vswap_wait(&self->ctx, "used", self->used));
}

/* All of the machine runs out of memory: last, for others' pages go out, too. */
FIXTURE(vswap_oom)
{
	struct swt_ctx ctx;
	size_t page;
	long shmem;
	char *locked;
};

FIXTURE_SETUP(vswap_oom)
{
	int ret;

	self->page = swt_page();
	ret = alone_begin(&self->ctx);
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
	/* a small test has a small machine */
	if (swt_scale() < 1 && swt_meminfo("MemAvailable") > 128 << 10) {
		size_t len = (swt_meminfo("MemAvailable") << 10) - (96UL << 20);

		self->locked = swt_map(len);
		ASSERT_NE(MAP_FAILED, self->locked);
		ASSERT_EQ(0, mlock(self->locked, len));
	}
	/* the root file system may be one of these */
	self->shmem = swt_meminfo("Shmem") * 1024 / (long)self->page + vswap_stat("used");
}

FIXTURE_TEARDOWN_PARENT(vswap_oom)
{
	EXPECT_EQ(0, swt_end(&self->ctx)) TH_LOG("%s", swt_msg());
}

/* Pages that all processes together have in swap, and how many processes there are */
static long swapped_by_all(int *procs)
{
	struct dirent *d;
	DIR *dir = opendir("/proc");
	char path[64], buf[2048], *p;
	long kb = 0;

	*procs = 0;
	while (dir && (d = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%.16s/smaps_rollup", d->d_name);
		if (d->d_name[0] < '0' || d->d_name[0] > '9' ||
		    swt_read(path, buf, sizeof(buf)) < 0)
			continue;
		p = strstr(buf, "\nSwapPss:");
		kb += p ? atol(p + 9) : 0;
		++*procs;
	}
	if (dir)
		closedir(dir);
	return kb * 1024 / (long)swt_page();
}

/*
 * Slots in use are those that somebody has: processes, which say so in kB, rounded
 * down, and shared memory, which has no more than there was of it.
 */
static int nothing_left(struct swt_ctx *ctx, long shmem)
{
	double start = swt_now();
	long used, sum;
	int procs;

	do {
		usleep(100000);
		sum = swapped_by_all(&procs);
		used = vswap_stat("used");
		if (used <= sum + shmem + 1 + procs * 1024 / (long)swt_page())
			return 0;
		swt_reclaim(ctx, 1 << 20);
	} while (swt_now() - start < 20);
	return swt_fail("%ld slots in use, %d processes have %ld", used, procs, sum);
}

TEST_F_TIMEOUT(vswap_oom, incompressible, 600)
{
	size_t len = swt_meminfo("MemTotal") << 10;
	struct hog hog;

	run_hog(&hog, len, true);
	hog_log(_metadata, &hog);
	SWT_OK(hog_killed(&hog, len));
	/* as long as reclaim looks for the first time, but not longer */
	EXPECT_GT(3 * patience(), hog.gap);
	SWT_OK(nothing_left(&self->ctx, self->shmem));
}

/* The same when the pool is full. */
TEST_F_TIMEOUT(vswap_oom, pool_full, 600)
{
	size_t ram = swt_meminfo("MemTotal") << 10;
	struct hog hog;

	SWT_OK(zswap_set(&self->ctx, "max_pool_percent", "4"));
	run_hog(&hog, 2 * ram, false);
	TH_LOG("killed with %zu pages, %.1f seconds after the pool was full", hog.pages,
	       hog.full);
	TH_LOG("others waited %.1f seconds", hog.gap);
	EXPECT_TRUE(WIFSIGNALED(hog.status) && WTERMSIG(hog.status) == SIGKILL);
	EXPECT_LE(0, hog.full);
	EXPECT_GT(patience(), hog.full);
	EXPECT_GT(patience(), hog.gap);
	SWT_OK(nothing_left(&self->ctx, self->shmem));
}

TEST_HARNESS_MAIN
