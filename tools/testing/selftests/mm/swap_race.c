// SPDX-License-Identifier: GPL-2.0
/*
 * Faults that race: for the same page, with swapoff, with what splits, moves
 * and drops folios, and with processes that are killed meanwhile. All of them
 * end with one folio and the right data.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>

#include "../kselftest_harness.h"
#include "swap_util.h"

#define RACERS		3	/* at most */
#define BATCH		500UL	/* pages paged out at a time */
#define THP		"/sys/kernel/mm/transparent_hugepage/hugepages-64kB/"
#define HUGE		"/sys/kernel/mm/transparent_hugepage/hugepages-2048kB/"
#define DELAY		"/sys/kernel/debug/delay_swap/"

enum memory {
	PRIVATE,	/* threads, anonymous memory */
	FORKED,		/* processes, anonymous memory shared by fork() */
	SHMEM,		/* processes, shared memory */
	KSM,		/* processes, memory merged and shared by fork() */
};

/* Shared by the racers, and never swapped out. */
struct track {
	unsigned long arrived;		/* racers that got to a page, summed up */
	unsigned long bad[RACERS];	/* pages with wrong data */
	unsigned long pfn[RACERS][BATCH];
	bool check_pfn;
	int racers;
};

struct racer {
	struct track *track;
	char *mem;
	uint64_t seed;
	enum memory kind;
	int id;
};

/* Nobody writes to a page whose number is even. */
static bool written(size_t i)
{
	return i % 2;
}

/* Word @j of page @i; the first RACERS words of pages that are written are theirs. */
static uint64_t word(uint64_t seed, enum memory kind, size_t i, size_t j)
{
	/* KSM merges pages that are the same */
	return (seed << 32 ^ (kind == KSM ? 0 : i << 12) ^ j) * 0x9e3779b97f4a7c15ULL | 1;
}

static void fill(char *mem, size_t pages, uint64_t seed, enum memory kind)
{
	uint64_t *w = (uint64_t *)mem;
	size_t i, j, words = swt_page() / 8;

	for (i = 0; i < pages; i++)
		for (j = 0; j < words; j++)
			*w++ = word(seed, kind, i, j);
}

/* From the word that nobody writes on. */
static bool right(const char *mem, size_t i, uint64_t seed, enum memory kind)
{
	const uint64_t *w = (const uint64_t *)(mem + i * swt_page());
	size_t j, words = swt_page() / 8;

	for (j = written(i) ? RACERS : 0; j < words; j++)
		if (w[j] != word(seed, kind, i, j))
			return false;
	return true;
}

/* Where @n pages are; 0 for those that are not in memory. */
static void pfns_of(int pagemap, const char *addr, unsigned long *pfn, size_t n)
{
	uint64_t val[BATCH] = { 0 };
	size_t i;

	if (pread(pagemap, val, n * 8, (uintptr_t)addr / swt_page() * 8) < 0)
		perror("pagemap");
	for (i = 0; i < n; i++)
		pfn[i] = val[i] >> 63 ? val[i] & ((1ULL << 55) - 1) : 0;
}

/* Wait for the others, so that all touch the page at the same time. */
static void meet(struct track *t, unsigned long n)
{
	unsigned int spins = 0;

	__atomic_add_fetch(&t->arrived, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&t->arrived, __ATOMIC_SEQ_CST) < n * t->racers)
		if (!(++spins % 1024))
			sched_yield();
}

static void *run(void *arg)
{
	struct racer *r = arg;
	int pagemap = open("/proc/self/pagemap", O_RDONLY);
	size_t i, page = swt_page();
	uint64_t *mine;

	for (i = 0; i < BATCH; i++) {
		mine = (uint64_t *)(r->mem + i * page) + r->id;
		meet(r->track, i + 1);
		if (written(i))
			__atomic_store_n(mine, i + 1, __ATOMIC_RELAXED);
		if (!right(r->mem, i, r->seed, r->kind) ||
		    (written(i) && __atomic_load_n(mine, __ATOMIC_RELAXED) != i + 1))
			r->track->bad[r->id]++;
	}
	if (r->track->check_pfn)
		pfns_of(pagemap, r->mem, r->track->pfn[r->id], BATCH);
	close(pagemap);
	return NULL;
}

/* Where all racers see the same memory, each one's word is there in the end. */
static size_t lost_words(const char *mem, int racers)
{
	size_t i, lost = 0;
	int id;

	for (i = 1; i < BATCH; i += 2)
		for (id = 0; id < racers; id++)
			lost += ((uint64_t *)(mem + i * swt_page()))[id] != i + 1;
	return lost;
}

/* Pages that all have, but not all the same one. */
static size_t different(struct track *t, bool shared)
{
	size_t i, n = 0;
	int id;

	for (i = 0; i < BATCH; i++) {
		if (!shared && written(i))
			continue;
		for (id = 1; id < t->racers; id++)
			n += t->pfn[id][i] && t->pfn[0][i] &&
			     t->pfn[id][i] != t->pfn[0][i];
	}
	return n;
}

static char *map(enum memory kind, size_t len)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_ANONYMOUS |
		    (kind == SHMEM ? MAP_SHARED : MAP_PRIVATE), -1, 0);
}

static struct track *track_new(void)
{
	struct track *t = (struct track *)map(SHMEM, sizeof(*t));

	if (t == MAP_FAILED || mlock(t, sizeof(*t)))
		return NULL;
	return t;
}

#define STACK	(64UL << 10)

static int race_threads(struct racer *r)
{
	/* The library keeps its own stacks, whose pages may be swapped out */
	char *stack = map(PRIVATE, STACK * RACERS);
	pthread_t thread[RACERS];
	pthread_attr_t attr;
	int i, n, ret = 0;

	if (stack == MAP_FAILED || pthread_attr_init(&attr))
		return -1;
	for (n = 1; n < r->track->racers && !ret; n++)
		ret = pthread_attr_setstack(&attr, stack + n * STACK, STACK) ?:
		      pthread_create(&thread[n], &attr, run, &r[n]);
	if (ret)
		return -1;
	run(&r[0]);
	for (i = 1; i < n; i++)
		pthread_join(thread[i], NULL);
	pthread_attr_destroy(&attr);
	munmap(stack, STACK * RACERS);
	return 0;
}

static int race_processes(struct racer *r)
{
	int i, ret = 0, racers = r->track->racers;
	pid_t pid[RACERS];

	for (i = 1; i < racers; i++) {
		pid[i] = swt_fork();
		if (!pid[i]) {
			run(&r[i]);
			_exit(0);
		}
	}
	run(&r[0]);
	for (i = 1; i < racers; i++)
		ret |= swt_wait(pid[i]);
	return ret;
}

static void merge(char *mem, size_t len)
{
	double end = swt_now() + 20;

	madvise(mem, len, MADV_MERGEABLE);
	swt_write("/sys/kernel/mm/ksm/run", "1");
	while (swt_read_long("/sys/kernel/mm/ksm/pages_sharing") <
	       (long)(len / swt_page() / 2) && swt_now() < end)
		usleep(10000);
	swt_write("/sys/kernel/mm/ksm/run", "0");
}

/* Swap out a batch of pages, and have the racers swap it in. Returns 0 or -1. */
static int race_batch(struct swt_ctx *ctx, struct track *t, enum memory kind,
		      uint64_t seed, bool all_out)
{
	size_t page = swt_page(), len = BATCH * page, lost = 0;
	struct racer r[RACERS];
	unsigned long bad = 0;
	char *mem = map(kind, len);
	int i, ret;

	if (mem == MAP_FAILED)
		return swt_fail("mmap");
	fill(mem, BATCH, seed, kind);
	if (kind == KSM) {
		merge(mem, len);
		swt_reclaim(ctx, len);
	} else {
		madvise(mem, len, MADV_PAGEOUT);
	}
	if (all_out)
		swt_drop_cache(ctx, mem, len);
	memset(t->bad, 0, sizeof(t->bad));
	t->arrived = 0;
	/* with more than there are CPUs, they rather wait for each other */
	t->racers = seed / BATCH % 5 ? 2 : RACERS;
	for (i = 0; i < RACERS; i++)
		r[i] = (struct racer){ t, mem, seed, kind, i };
	ret = kind == PRIVATE ? race_threads(r) : race_processes(r);
	for (i = 0; i < RACERS; i++)
		bad += t->bad[i];
	if (kind == PRIVATE || kind == SHMEM)
		lost = lost_words(mem, t->racers);
	munmap(mem, len);
	if (ret || bad || lost)
		return swt_fail("status %d, %lu wrong pages, %zu lost words",
				ret, bad, lost);
	if (t->check_pfn && kind != KSM && different(t, kind != FORKED))
		return swt_fail("%zu pages in more than one place",
				different(t, kind != FORKED));
	return 0;
}

FIXTURE(swap_race)
{
	struct swt_ctx ctx;
	struct swt_dev *dev;
	struct track *track;
	size_t page;
};

FIXTURE_VARIANT(swap_race)
{
	enum swt_backend backend;
};

FIXTURE_VARIANT_ADD(swap_race, zram)
{
	.backend = SWT_ZRAM,
};

FIXTURE_VARIANT_ADD(swap_race, disk)
{
	.backend = SWT_DISK,
};

FIXTURE_VARIANT_ADD(swap_race, zswap)
{
	.backend = SWT_ZSWAP,
};

FIXTURE_SETUP(swap_race)
{
	int ret;

	self->page = swt_page();
	ret = swt_begin(&self->ctx) ?:
	      /* what is read ahead is not raced for */
	      swt_set(&self->ctx, "/proc/sys/vm/page-cluster", "0") ?:
	      swt_dev_new(&self->ctx, &self->dev, variant->backend, 8192) ?:
	      swt_on(self->dev, 100, 0);
	ret = swt_setup_done(&self->ctx, ret);
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
	self->track = track_new();
	ASSERT_NE(NULL, self->track);
}

FIXTURE_TEARDOWN_PARENT(swap_race)
{
	EXPECT_EQ(0, swt_end(&self->ctx)) TH_LOG("%s", swt_msg());
}

/*
 * Races for a page of each kind: SWAP_TEST_RACES, or 10,000, however small the tests
 * are to be.
 */
static unsigned long races(void)
{
	const char *n = getenv("SWAP_TEST_RACES");

	return n ? strtoul(n, NULL, 0) : 10000;
}

static unsigned long pages_read(void)
{
	return swt_vmstat("pswpin") + swt_vmstat("zswpin");
}

static int race_all(struct swt_ctx *ctx, struct swt_dev *dev, struct track *t,
		    enum memory kind)
{
	unsigned long n, before = pages_read();

	t->check_pfn = true;
	for (n = 0; n < races(); n += BATCH)
		if (race_batch(ctx, t, kind, n, true))
			return -1;
	n = pages_read() - before;
	/* those of KSM are few, and others need not be written when it begins */
	if (n < (kind == KSM ? races() / BATCH : races() / 2))
		return swt_fail("only %lu pages were read", n);
	return swt_wait_used(ctx, dev, 0);
}

TEST_F_TIMEOUT(swap_race, private, 600)
{
	SWT_OK(race_all(&self->ctx, self->dev, self->track, PRIVATE));
}

TEST_F_TIMEOUT(swap_race, forked, 600)
{
	SWT_OK(race_all(&self->ctx, self->dev, self->track, FORKED));
}

TEST_F_TIMEOUT(swap_race, shmem, 600)
{
	SWT_OK(race_all(&self->ctx, self->dev, self->track, SHMEM));
}

TEST_F_TIMEOUT(swap_race, ksm, 600)
{
	if (access("/sys/kernel/mm/ksm/run", W_OK))
		SKIP(return, "no KSM in this kernel");
	SWT_OK(swt_set(&self->ctx, "/sys/kernel/mm/ksm/pages_to_scan", "5000"));
	SWT_OK(swt_set(&self->ctx, "/sys/kernel/mm/ksm/sleep_millisecs", "0"));
	SWT_OK(race_all(&self->ctx, self->dev, self->track, KSM));
}

/* The same, while the device is swapped off and on again. */
TEST_F_TIMEOUT(swap_race, swapoff, 300)
{
	double end = swt_now() + swt_seconds(8);
	unsigned long offs = 0, n;
	pid_t pid = swt_fork();

	if (!pid) {
		for (n = 0; swt_now() < end; n++)
			if (race_batch(&self->ctx, self->track,
				       n % 3 == 0 ? PRIVATE :
				       n % 3 == 1 ? FORKED : SHMEM, n * BATCH, false))
				_exit(1 + swt_say(-1));
		_exit(0);
	}
	for (; swt_now() < end; offs++) {
		usleep(2000 + offs % 7 * 3000);
		SWT_OK(swt_off(self->dev, 60));
		SWT_OK(swt_on(self->dev, 100, 0));
	}
	TH_LOG("%lu times", offs);
	EXPECT_LT(0, offs);
	EXPECT_EQ(0, swt_wait(pid)) TH_LOG("%s", swt_msg());
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

/*
 * The slots of whole clusters are freed, and their tables with them, while
 * somebody looks up what is in the swap cache, without any lock.
 */
TEST_F_TIMEOUT(swap_race, lookup, 300)
{
	size_t pages = 3 * SWT_CLUSTER, len = pages * self->page;
	double end = swt_now() + swt_seconds(6);
	unsigned char *vec = malloc(pages);
	char *mem = map(SHMEM, len);
	unsigned long n;
	pid_t pid[2];
	int i;

	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_NE(NULL, vec);
	for (i = 0; i < 2; i++) {
		pid[i] = swt_fork();
		if (pid[i])
			continue;
		while (swt_now() < end) {
			if (mincore(mem, len, vec))
				_exit(1);
			/* reads, too */
			if (i)
				madvise(mem + len / 3, len / 3, MADV_WILLNEED);
		}
		_exit(0);
	}
	for (n = 0; swt_now() < end; n++) {
		fill(mem, pages, n, SHMEM);
		madvise(mem, len, MADV_PAGEOUT);
		ASSERT_TRUE(right(mem, n % pages, n, SHMEM));
		ASSERT_EQ(0, madvise(mem, len, MADV_REMOVE));
	}
	TH_LOG("%lu times", n);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, swt_wait(pid[i]));
	munmap(mem, len);
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

FIXTURE(swap_race_large)
{
	struct swt_ctx ctx;
	struct swt_dev *dev;
	size_t page, nr;	/* pages in a folio of 64 kB */
};

FIXTURE_VARIANT(swap_race_large)
{
	enum swt_backend backend;
};

FIXTURE_VARIANT_ADD(swap_race_large, zram)
{
	.backend = SWT_ZRAM,
};

FIXTURE_VARIANT_ADD(swap_race_large, disk)
{
	.backend = SWT_DISK,
};

FIXTURE_SETUP(swap_race_large)
{
	int ret;

	self->page = swt_page();
	self->nr = 65536 / self->page;
	ret = swt_begin(&self->ctx);
	if (!ret && access(THP "enabled", W_OK))
		ret = swt_skip("no folios of 64 kB in this kernel");
	ret = ret ?:
	      swt_set(&self->ctx, THP "enabled", "always") ?:
	      swt_set(&self->ctx, "/proc/sys/vm/page-cluster", "0") ?:
	      swt_dev_new(&self->ctx, &self->dev, variant->backend, 8192) ?:
	      swt_on(self->dev, 100, 0);
	if (!ret && !access(THP "shmem_enabled", W_OK))
		ret = swt_set(&self->ctx, THP "shmem_enabled", "always");
	ret = swt_setup_done(&self->ctx, ret);
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
}

FIXTURE_TEARDOWN_PARENT(swap_race_large)
{
	EXPECT_EQ(0, swt_end(&self->ctx)) TH_LOG("%s", swt_msg());
}

#define CHUNKS	12

/* Room for CHUNKS folios of 64 kB */
static char *large_map(enum memory kind)
{
	char *raw = map(kind, (CHUNKS + 1) << 16), *mem;

	if (raw == MAP_FAILED)
		return NULL;
	mem = (char *)(((uintptr_t)raw + 65535) & ~65535UL);
	if (mem > raw)
		munmap(raw, mem - raw);
	munmap(mem + (CHUNKS << 16), raw + 65536 - mem);
	return mem;
}

/* The same, filled and swapped out */
static char *large_out(struct swt_ctx *ctx, enum memory kind, uint64_t seed)
{
	char *mem = large_map(kind);

	if (!mem)
		return NULL;
	fill(mem, (CHUNKS << 16) / swt_page(), seed, kind);
	madvise(mem, CHUNKS << 16, MADV_PAGEOUT);
	swt_drop_cache(ctx, mem, CHUNKS << 16);
	return mem;
}

static long large_in(void)
{
	return access(THP "stats/swpin", R_OK) ? -1 :
	       swt_read_long(THP "stats/swpin");
}

/* Touch and check pages from @mem on, in an order that depends on @id. */
static void visit(char *mem, int id, uint64_t seed, bool holes, size_t pages)
{
	unsigned int rnd = seed * 2 + id;
	size_t i, n, page = swt_page();
	uint64_t gone[(CHUNKS << 16 >> 12) / 64] = { 0 };

	for (i = 0; holes && i < pages; i++) {
		if (rand_r(&rnd) % 4)
			continue;
		gone[i / 64] |= 1ULL << i % 64;
		madvise(mem + i * page, page, MADV_DONTNEED);
	}
	for (n = 0; n < pages; n++) {
		/* they have no factor in common with the number of pages */
		i = (n * (id ? 5 : 7) + seed) % pages;
		if (gone[i / 64] & 1ULL << i % 64)
			continue;
		if (!right(mem, i, seed, FORKED))
			_exit(1);
	}
}

/* How many page tables have the page? */
static long mapcount(unsigned long pfn)
{
	int fd = open("/proc/kpagecount", O_RDONLY);
	uint64_t n = 0;
	ssize_t ret = pread(fd, &n, 8, pfn * 8);

	close(fd);
	return ret == 8 ? (long)n : -1;
}

static size_t wrong_mapcounts(pid_t *pid, const char *mem, size_t pages)
{
	size_t i, n = 0, page = swt_page();
	unsigned long pfn[2];
	int k, fd[2];
	char path[64];

	for (k = 0; k < 2; k++) {
		snprintf(path, sizeof(path), "/proc/%d/pagemap", pid[k]);
		fd[k] = open(path, O_RDONLY);
	}
	for (i = 0; i < pages; i++) {
		for (k = 0; k < 2; k++)
			pfns_of(fd[k], mem + i * page, &pfn[k], 1);
		if (!pfn[1])
			n++;
		else if (pfn[0] && pfn[0] != pfn[1])
			n++;
		else if (mapcount(pfn[1]) != (pfn[0] ? 2 : 1))
			n++;
	}
	close(fd[0]);
	close(fd[1]);
	return n;
}

/*
 * Two processes share what was swapped out in large folios. One has given some
 * of it up, so it cannot map a folio that the other one reads. Either may be
 * killed at any point.
 */
TEST_F_TIMEOUT(swap_race_large, shared, 600)
{
	size_t pages = CHUNKS * self->nr;
	unsigned long round, rounds = swt_scaled(400, 100), alive = 0;
	long before = large_in();
	unsigned int rnd = 1;
	int i, k, fd[2], ret;
	pid_t pid[2];
	char *mem, c;

	for (round = 1; round <= rounds; round++) {
		mem = large_out(&self->ctx, FORKED, round);
		ASSERT_NE(NULL, mem);
		ASSERT_EQ(0, pipe(fd));
		for (i = 0; i < 2; i++) {
			pid[i] = swt_fork();
			if (pid[i])
				continue;
			visit(mem, i, round, !i, pages);
			if (write(fd[1], "x", 1) != 1)
				_exit(2);
			pause();
			_exit(3);
		}
		/* a third one that refers to the slots, or not */
		if (round % 3)
			madvise(mem, pages * self->page, MADV_DONTNEED);
		k = round % 2 ? (int)(rand_r(&rnd) % 2) : -1;
		if (k >= 0) {
			usleep(rand_r(&rnd) % 3000);
			kill(pid[k], SIGKILL);
		}
		close(fd[1]);
		for (i = 0; i < 2 && k < 0; i++)
			EXPECT_EQ(1, read(fd[0], &c, 1));
		if (k < 0 && round % 3) {
			alive++;
			EXPECT_EQ(0, wrong_mapcounts(pid, mem, pages));
		}
		for (i = 0; i < 2; i++) {
			if (k >= 0 && i != k)
				EXPECT_LE(0, read(fd[0], &c, 1));
			kill(pid[i], SIGKILL);
			ret = swt_wait(pid[i]);
			EXPECT_EQ(128 + SIGKILL, ret) TH_LOG("round %lu", round);
		}
		close(fd[0]);
		for (i = 0; !(round % 3) && i < (int)pages; i += 2)
			ASSERT_TRUE(right(mem, i, round, FORKED));
		munmap(mem, pages * self->page);
	}
	TH_LOG("%ld folios of 64 kB read in one piece, %lu rounds compared",
	       large_in() - before, alive);
	EXPECT_LT(0, alive);
	if (variant->backend == SWT_ZRAM && before >= 0)
		EXPECT_LT(before, large_in());
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

/* Large folios of shared memory come back whole, for whoever is first. */
TEST_F_TIMEOUT(swap_race_large, shmem, 600)
{
	size_t pages = CHUNKS * self->nr, i;
	unsigned long round, rounds = swt_scaled(200, 50);
	long before = large_in();
	pid_t pid;
	char *mem;

	if (access(THP "shmem_enabled", W_OK))
		SKIP(return, "no large folios of shared memory in this kernel");
	for (round = 1; round <= rounds; round++) {
		mem = large_out(&self->ctx, SHMEM, round);
		ASSERT_NE(NULL, mem);
		pid = swt_fork();
		for (i = 0; i < pages; i++)
			if (!right(mem, i * (pid ? 5 : 7) % pages, round, SHMEM))
				break;
		if (!pid)
			_exit(i != pages);
		EXPECT_EQ(pages, i);
		EXPECT_EQ(0, swt_wait(pid));
		/* a hole, and the rest once more */
		madvise(mem, pages * self->page, MADV_PAGEOUT);
		ASSERT_EQ(0, madvise(mem + 3 * self->page, self->page, MADV_REMOVE));
		for (i = 0; i < pages; i++)
			ASSERT_TRUE(i == 3 ? !mem[i * self->page] :
				    right(mem, i, round, SHMEM));
		munmap(mem, pages * self->page);
	}
	TH_LOG("%ld folios of 64 kB read in one piece", large_in() - before);
	if (variant->backend == SWT_ZRAM && before >= 0)
		EXPECT_LT(before, large_in());
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

/* Chunks of 64 kB whose slots could be read as one folio */
static int alike(const char *mem, size_t nr)
{
	unsigned long off[(CHUNKS << 16) >> 12];
	int i, n = 0;
	size_t j;

	if (swt_offsets(mem, CHUNKS << 16, off) != (int)(CHUNKS * nr))
		return 0;
	for (i = 0; i < CHUNKS; i++) {
		for (j = 1; j < nr && off[i * nr + j] == off[i * nr] + j; j++)
			;
		n += j == nr && off[i * nr] % nr == 0;
	}
	return n;
}

/*
 * Pages that KSM has merged are swapped in as one large folio by one of their
 * owners. The others cannot map that: they have other places for it.
 */
TEST_F_TIMEOUT(swap_race_large, ksm, 600)
{
	size_t pages = CHUNKS * self->nr, len = CHUNKS << 16, i;
	char *mem[2], *shift;
	long before = large_in();
	unsigned long offset;
	unsigned int type;
	int k, n = 0, try;
	cpu_set_t cpu;
	pid_t pid;

	if (access("/sys/kernel/mm/ksm/run", W_OK))
		SKIP(return, "no KSM in this kernel");
	SWT_OK(swt_set(&self->ctx, "/sys/kernel/mm/ksm/pages_to_scan", "5000"));
	SWT_OK(swt_set(&self->ctx, "/sys/kernel/mm/ksm/sleep_millisecs", "0"));
	/* each CPU has slots of its own */
	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(cpu), &cpu));
	for (try = 0; try < 40 && n < 6; try++) {
		/* up to the slot before one that is aligned */
		shift = map(PRIVATE, 64 * self->page);
		ASSERT_NE(MAP_FAILED, shift);
		for (i = 0; i < 64; i++) {
			fill(shift + i * self->page, 1, try, PRIVATE);
			swt_pageout(shift + i * self->page, self->page);
			if (!swt_swap_offset(shift + i * self->page, &offset, &type) &&
			    offset % self->nr == self->nr - 1)
				break;
		}
		for (k = 0; k < 2; k++) {
			mem[k] = large_map(PRIVATE);
			ASSERT_NE(NULL, mem[k]);
			madvise(mem[k], len, MADV_NOHUGEPAGE);
			fill(mem[k], pages, try, FORKED);
			madvise(mem[k], len, MADV_MERGEABLE);
		}
		merge(mem[0], len);
		swt_reclaim(&self->ctx, 2 * len);
		for (k = 0; k < 2; k++)
			madvise(mem[k], len, MADV_HUGEPAGE);
		n += !!alike(mem[0], self->nr);
		pid = swt_fork();
		if (!pid) {
			for (i = 0; i < pages; i++)
				if (!right(mem[0], i, try, FORKED))
					_exit(1);
			_exit(0);
		}
		for (i = 0; i < pages; i++)
			ASSERT_TRUE(right(mem[1], i, try, FORKED));
		EXPECT_EQ(0, swt_wait(pid));
		for (i = 0; i < pages; i++)
			ASSERT_TRUE(right(mem[0], i, try, FORKED));
		for (k = 0; k < 2; k++) {
			madvise(mem[k], len, MADV_UNMERGEABLE);
			/* each page can be found by those who want to unmap it */
			ASSERT_EQ(pages, swt_pageout(mem[k], len));
			for (i = 0; i < pages; i++)
				ASSERT_TRUE(right(mem[k], i, try, FORKED));
			munmap(mem[k], len);
		}
		munmap(shift, 64 * self->page);
	}
	TH_LOG("%d of %d times slots were alike, %ld folios of 64 kB read", n, try,
	       large_in() - before);
	EXPECT_LT(0, n);
	if (variant->backend == SWT_ZRAM && before >= 0)
		EXPECT_LT(before, large_in());
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

/*
 * Slots to which nobody refers any more while their folio is in the swap cache,
 * for other slots, are free when the folio leaves it.
 */
TEST_F_TIMEOUT(swap_race_large, holes, 180)
{
	size_t pages = CHUNKS * self->nr, i, gone = 0;
	long before = large_in();
	pid_t pid;
	char *mem;

	mem = large_out(&self->ctx, FORKED, 1);
	ASSERT_NE(NULL, mem);
	pid = swt_fork();
	if (!pid) {
		visit(mem, 0, 1, false, pages);
		_exit(0);
	}
	EXPECT_EQ(0, swt_wait(pid));
	if (variant->backend == SWT_ZRAM && before >= 0)
		EXPECT_LT(before, large_in());
	for (i = 0; i < pages; i += 3, gone++)
		madvise(mem + i * self->page, self->page, MADV_DONTNEED);
	swt_drop_cache(&self->ctx, mem, pages * self->page);
	SWT_OK(swt_wait_used(&self->ctx, self->dev, pages - gone));
	for (i = 0; i < pages; i++)
		ASSERT_TRUE(i % 3 ? right(mem, i, 1, FORKED) : !mem[i * self->page]);
	munmap(mem, pages * self->page);
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

/*
 * swapoff finds folios in the swap cache that another process has read whole. It
 * maps each page where it belongs, and drops the reference to that page's slot.
 */
TEST_F_TIMEOUT(swap_race_large, swapoff, 180)
{
	size_t pages = CHUNKS * self->nr, i;
	long before = large_in();
	int round, fd[2];
	char *mem, c;
	pid_t pid;

	for (round = 1; round <= 4; round++) {
		mem = large_out(&self->ctx, FORKED, round);
		ASSERT_NE(NULL, mem);
		ASSERT_EQ(0, pipe(fd));
		pid = swt_fork();
		if (!pid) {
			visit(mem, 0, round, false, pages);
			if (write(fd[1], "x", 1) != 1)
				_exit(2);
			pause();
		}
		close(fd[1]);
		ASSERT_EQ(1, read(fd[0], &c, 1));
		close(fd[0]);
		/* a slot in the middle that has no reference to drop */
		madvise(mem + 3 * self->page, self->page, MADV_DONTNEED);
		SWT_OK(swt_off(self->dev, 60));
		EXPECT_EQ(0, swt_swapped(mem, pages * self->page));
		for (i = 0; i < pages; i++)
			ASSERT_TRUE(i == 3 ? !mem[i * self->page] :
				    right(mem, i, round, FORKED));
		kill(pid, SIGKILL);
		EXPECT_EQ(128 + SIGKILL, swt_wait(pid));
		munmap(mem, pages * self->page);
		SWT_OK(swt_on(self->dev, 100, 0));
	}
	TH_LOG("%ld folios of 64 kB read in one piece", large_in() - before);
	if (variant->backend == SWT_ZRAM && before >= 0)
		EXPECT_LT(before, large_in());
}

/* Folios are split and moved while they are swapped in and out. */
TEST_F_TIMEOUT(swap_race_large, split_and_move, 300)
{
	size_t pages = CHUNKS * self->nr, i;
	double end = swt_now() + swt_seconds(8);
	unsigned long n;
	char *mem;
	pid_t pid[2], test = getpid();

	mem = large_out(&self->ctx, PRIVATE, 1);
	ASSERT_NE(NULL, mem);
	if (access("/sys/kernel/debug/split_huge_pages", W_OK))
		mount("none", "/sys/kernel/debug", "debugfs", 0, NULL);
	for (i = 0; i < 2; i++) {
		pid[i] = swt_fork();
		if (pid[i])
			continue;
		while (swt_now() < end) {
			if (i)
				swt_write("/proc/sys/vm/compact_memory", "1");
			else
				swt_write("/sys/kernel/debug/split_huge_pages",
					  "%d,0x%lx,0x%lx", test, (long)mem,
					  (long)mem + pages * self->page);
		}
		_exit(0);
	}
	for (n = 1; swt_now() < end; n++) {
		madvise(mem, pages * self->page, MADV_PAGEOUT);
		for (i = 0; i < pages; i++)
			ASSERT_TRUE(right(mem, i, n, PRIVATE));
		madvise(mem, pages * self->page, MADV_DONTNEED);
		fill(mem, pages, n + 1, PRIVATE);
	}
	TH_LOG("%lu times", n);
	for (i = 0; i < 2; i++)
		EXPECT_EQ(0, swt_wait(pid[i]));
	munmap(mem, pages * self->page);
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* A huge page of a kind, filled */
static char *huge_new(enum memory kind, size_t huge, uint64_t seed)
{
	char *raw = map(kind, 2 * huge), *mem;

	if (raw == MAP_FAILED)
		return NULL;
	mem = (char *)(((uintptr_t)raw + huge - 1) & ~(huge - 1));
	if (mem > raw)
		munmap(raw, mem - raw);
	munmap(mem + huge, raw + huge - mem);
	madvise(mem, huge, MADV_HUGEPAGE);
	fill(mem, huge / swt_page(), seed, kind);
	return mem;
}

/*
 * A huge page of shared memory is about to be swapped in when it is freed, and its
 * slots are allocated anew, for a process that now finds there what it cannot map.
 */
TEST_F_TIMEOUT(swap_race_large, huge_shmem, 300)
{
	size_t huge = 512 * self->page, pages = 512, i;
	unsigned long round, rounds = swt_scaled(100, 30), met = 0;
	char *shared, *mem, *last;
	double end;
	pid_t pid;

	if (variant->backend != SWT_ZRAM)
		SKIP(return, "nothing is read in folios as large as that");
	if (self->page != 4096 || access(HUGE "shmem_enabled", W_OK))
		SKIP(return, "no huge pages of shared memory of 2 MB in this kernel");
	if (access("/sys/kernel/debug/delay_swap", F_OK))
		mount("none", "/sys/kernel/debug", "debugfs", 0, NULL);
	if (access(DELAY "us", W_OK))
		SKIP(return, "nothing in this kernel waits for others to be first");
	SWT_OK(swt_set(&self->ctx, HUGE "enabled", "always"));
	SWT_OK(swt_set(&self->ctx, HUGE "shmem_enabled", "always"));
	SWT_OK(swt_set(&self->ctx, DELAY "verbose", "0"));
	SWT_OK(swt_set(&self->ctx, DELAY "task-filter", "Y"));
	SWT_OK(swt_set(&self->ctx, DELAY "times", "-1"));
	SWT_OK(swt_set(&self->ctx, DELAY "us", "240000"));
	SWT_OK(swt_set(&self->ctx, DELAY "probability", "100"));
	/* no second place for as much */
	SWT_OK(swt_off(self->dev, 30));
	SWT_OK(swt_dev_mkswap(self->dev, 1024));
	SWT_OK(swt_on(self->dev, 100, 0));

	/* one waits without giving its CPU to others */
	run_on(0);
	for (round = 1; round <= rounds; round++) {
		shared = huge_new(SHMEM, huge, round);
		mem = huge_new(PRIVATE, huge, round);
		ASSERT_NE(NULL, shared);
		ASSERT_NE(NULL, mem);
		last = mem + huge - self->page;
		madvise(shared, huge, MADV_PAGEOUT);
		pid = swt_fork();
		if (!pid) {
			run_on(1);
			munmap(mem, huge);
			swt_write("/proc/self/make-it-fail", "1");
			i = __atomic_load_n(shared, __ATOMIC_RELAXED);
			_exit(0);
		}
		usleep(10000);
		madvise(shared, huge, MADV_REMOVE);
		madvise(mem, huge, MADV_PAGEOUT);
		/* until all of it has been read, into what is not ours */
		end = swt_now() + 0.3;
		while (!swt_resident(last, self->page) && swt_now() < end)
			;
		met += swt_swapped(mem, huge) == pages && swt_resident(last, self->page);
		/* not its first page first */
		for (i = pages; i--; )
			ASSERT_TRUE(right(mem, i, round, PRIVATE)) TH_LOG("round %lu", round);
		EXPECT_EQ(0, swt_wait(pid));
		munmap(mem, huge);
		munmap(shared, huge);
	}
	TH_LOG("%lu of %lu times another one was there", met, rounds);
	EXPECT_LT(0, met);
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

TEST_HARNESS_MAIN
