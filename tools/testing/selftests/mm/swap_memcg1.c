// SPDX-License-Identifier: GPL-2.0
/*
 * cgroup v1 charges memory and swap together: a page counts once, whether it is
 * in memory, swapped out, or both. A program of its own, for the memory
 * controller can only be where no cgroup of the other version has it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "../kselftest_harness.h"
#include "swap_util.h"

#define CG1		"/tmp/swap_memcg1"
#define GROUP		CG1 "/swap_test"
#define THP		"/sys/kernel/mm/transparent_hugepage/hugepages-64kB/"
#define THP_BIG	"/sys/kernel/mm/transparent_hugepage/hugepages-1024kB/"
#define LEN		(4UL << 20)
#define BIG		(LEN / 4)

FIXTURE(swap_memcg1)
{
	struct swt_ctx ctx;
	struct swt_dev *dev;
};

FIXTURE_VARIANT(swap_memcg1)
{
	enum swt_backend backend;
};

FIXTURE_VARIANT_ADD(swap_memcg1, zram)
{
	.backend = SWT_ZRAM,
};

FIXTURE_VARIANT_ADD(swap_memcg1, disk)
{
	.backend = SWT_DISK,
};

static int group_new(void)
{
	int i;

	mkdir(CG1, 0755);
	/* what other tests had takes a while to go */
	for (i = 0; i < 100; i++) {
		if (!mount("none", CG1, "cgroup", 0, "memory"))
			break;
		usleep(100000);
	}
	if (i == 100)
		return swt_skip("no memory controller for cgroup v1: %s",
				strerror(errno));
	if (access(CG1 "/memory.memsw.usage_in_bytes", R_OK))
		return swt_skip("swap is not accounted for");
	return mkdir(GROUP, 0755) ? swt_fail("mkdir: %s", strerror(errno)) : 0;
}

FIXTURE_SETUP(swap_memcg1)
{
	int ret;

	ret = group_new() ?: swt_begin(&self->ctx);
	if (!ret && !access(THP "enabled", W_OK))
		ret = swt_set(&self->ctx, THP "enabled", "always");
	ret = ret ?:
	      swt_set(&self->ctx, "/proc/sys/vm/page-cluster", "0") ?:
	      swt_dev_new(&self->ctx, &self->dev, variant->backend, 4096) ?:
	      swt_on(self->dev, 100, 0);
	ret = swt_setup_done(&self->ctx, ret);
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
}

FIXTURE_TEARDOWN_PARENT(swap_memcg1)
{
	EXPECT_EQ(0, swt_end(&self->ctx)) TH_LOG("%s", swt_msg());
	rmdir(GROUP);
	umount(CG1);
}

/* In pages, with what is charged ahead taken off by a look at the statistics */
static long charged(const char *what)
{
	char path[128];

	snprintf(path, sizeof(path), GROUP "/memory.%susage_in_bytes", what);
	return swt_read_long(path) / (long)swt_page();
}

/* Each CPU has some pages charged in advance. */
static long slack(void)
{
	return 64 * sysconf(_SC_NPROCESSORS_ONLN) + 64;
}

static void into_group(void)
{
	if (swt_write(GROUP "/cgroup.procs", "%d", getpid()))
		_exit(20);
}

/* What is left when nobody is in the group: some kernel memory, and no swap */
static bool uncharged(void)
{
	int i;

	for (i = 0; i < 100; i++) {
		swt_write(GROUP "/memory.force_empty", "0");
		if (charged("memsw.") == charged("") && charged("") <= slack())
			return true;
		usleep(100000);
	}
	printf("# %ld pages of memory, %ld with swap\n", charged(""),
	       charged("memsw."));
	return false;
}

/* One page, one charge: out, in, shared, and out again without writing. */
TEST_F_TIMEOUT(swap_memcg1, once, 180)
{
	long pages = LEN / swt_page(), gap = slack();
	pid_t pid = swt_fork();
	char *p;

	if (!pid) {
		into_group();
		p = swt_map(LEN);
		swt_fill_hard(p, LEN, 1);
		if (labs(charged("") - pages) > gap || labs(charged("memsw.") - pages) > gap)
			_exit(1);
		if ((long)swt_pageout(p, LEN) != pages)
			_exit(2);
		swt_wait_writeback();
		swt_write(GROUP "/memory.force_empty", "0");
		if (charged("") > gap || labs(charged("memsw.") - pages) > gap)
			_exit(3);
		if (swt_verify_hard(p, LEN, 1) != -1)
			_exit(4);
		if (labs(charged("") - pages) > gap || labs(charged("memsw.") - pages) > gap)
			_exit(5);
		if ((long)swt_pageout(p, LEN) != pages || labs(charged("memsw.") - pages) > gap)
			_exit(6);
		pid = swt_fork();
		if (!pid)
			_exit(swt_verify_hard(p, LEN, 1) != -1);
		if (swt_wait(pid) || labs(charged("memsw.") - pages) > gap)
			_exit(7);
		_exit(swt_verify_hard(p, LEN, 1) != -1 ? 8 : 0);
	}
	EXPECT_EQ(0, swt_wait(pid));
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
	EXPECT_TRUE(uncharged());
	EXPECT_EQ(0, rmdir(GROUP));
}

/*
 * Large folios that one process reads and another one cannot map leave the swap
 * cache while their slots are in use: the slots have to be charged again, or
 * less is charged in the end than is uncharged, which the kernel warns of.
 */
TEST_F_TIMEOUT(swap_memcg1, dropped, 300)
{
	unsigned long round, rounds = swt_scaled(100, 30);
	size_t i, n, page = swt_page();
	unsigned int rnd = 1;
	pid_t pid, who[2];
	int k;

	pid = swt_fork();
	if (!pid) {
		into_group();
		for (round = 1; round <= rounds; round++) {
			char *p = swt_map(LEN);

			madvise(p, LEN, MADV_HUGEPAGE);
			swt_fill_hard(p, LEN, round);
			madvise(p, LEN, MADV_PAGEOUT);
			swt_wait_writeback();
			swt_write(GROUP "/memory.force_empty", "0");
			for (k = 0; k < 2; k++) {
				who[k] = swt_fork();
				if (who[k])
					continue;
				for (i = 0; k && i < LEN; i += 16 * page)
					madvise(p + i + i / page % 15 * page, page,
						MADV_DONTNEED);
				for (n = 0, i = 0; i < LEN; i += page)
					n += p[i];
				_exit(n == 1);
			}
			usleep(rand_r(&rnd) % 2000);
			k = rand_r(&rnd) % 3;
			if (k < 2)
				kill(who[k], SIGKILL);
			for (k = 0; k < 2; k++)
				swt_wait(who[k]);
			if (round % 2 && swt_verify_hard(p, LEN, round) != -1)
				_exit(1);
			munmap(p, LEN);
		}
		_exit(charged("memsw.") > slack() + 64 ? 2 : 0);
	}
	EXPECT_EQ(0, swt_wait(pid));
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
	EXPECT_TRUE(uncharged());
	EXPECT_EQ(0, rmdir(GROUP));
}

struct taker {
	char *page;
	bool ready, done;
};

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static long usage(int fd)
{
	char buf[32] = "";

	return pread(fd, buf, sizeof(buf) - 1, 0) < 0 ? -1 : atol(buf);
}

/* Give up a page when the large folio that is to have it has been charged. */
static void *take(void *arg)
{
	int fd = open(GROUP "/memory.usage_in_bytes", O_RDONLY);
	struct taker *t = arg;
	long before = usage(fd);

	run_on(1);
	__atomic_store_n(&t->ready, true, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&t->done, __ATOMIC_SEQ_CST) &&
	       usage(fd) < before + (long)BIG / 2)
		;
	madvise(t->page, swt_page(), MADV_DONTNEED);
	close(fd);
	return NULL;
}

/* Returns whether a folio was read whole, but not mapped. */
static bool read_one(char *p)
{
	struct taker t = { .page = p + BIG - swt_page() };
	long before = swt_read_long(THP_BIG "stats/swpin");
	pthread_t thread;

	if (pthread_create(&thread, NULL, take, &t))
		_exit(21);
	while (!__atomic_load_n(&t.ready, __ATOMIC_SEQ_CST))
		sched_yield();
	if (*(size_t *)p == SIZE_MAX)
		_exit(22);
	__atomic_store_n(&t.done, true, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	/* has this CPU let go of the folio, which is uncharged then */
	madvise(t.page, swt_page(), MADV_DONTNEED);
	return swt_resident(p, BIG) == 1 &&
	       swt_read_long(THP_BIG "stats/swpin") > before;
}

/*
 * A large folio that cannot be mapped whole in the end leaves the swap cache: its
 * slots were charged before it was read, and have to be again.
 */
TEST_F_TIMEOUT(swap_memcg1, charged_again, 180)
{
	long pages = BIG / swt_page(), charges = 0;
	int n, nr = 12, dropped = 0, round;
	size_t i;
	pid_t pid;
	char *p;

	if (variant->backend != SWT_ZRAM || access(THP_BIG "stats/swpin", R_OK) ||
	    sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "no large folios are swapped in, or no races");
	SWT_OK(swt_set(&self->ctx, THP_BIG "enabled", "always"));
	pid = swt_fork();
	if (!pid) {
		into_group();
		run_on(0);
		p = mmap(NULL, (nr + 1) * BIG, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			_exit(1);
		p = (char *)(((uintptr_t)p + BIG - 1) & ~(BIG - 1));
		/*
		 * CPUs have charged a bit in advance: one folio is not enough.
		 * It may take some attempts to be there at the right time.
		 */
		for (round = 0; round < 10 && dropped < 2; round++) {
			/* it takes a while to uncompress that */
			for (i = 0; i < nr * BIG / sizeof(i); i++)
				((size_t *)p)[i] = i / 3;
			if ((long)swt_pageout(p, nr * BIG) != nr * pages)
				_exit(2);
			swt_wait_writeback();
			charges = charged("memsw.");
			for (n = 0, dropped = 0; n < nr; n++)
				dropped += read_one(p + n * BIG);
		}
		if (dropped < 2)
			_exit(3);
		if (labs(charged("memsw.") - charges) > dropped * pages / 2)
			_exit(4);
		_exit(0);
	}
	EXPECT_EQ(0, swt_wait(pid));
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
	EXPECT_TRUE(uncharged());
	EXPECT_EQ(0, rmdir(GROUP));
}

TEST_HARNESS_MAIN
