// SPDX-License-Identifier: GPL-2.0
/*
 * swapoff(2) with data on the device, with others at work, interrupted, and
 * without the memory it needs.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/time.h>

#include "../kselftest_harness.h"
#include "swap_util.h"

FIXTURE(swap_onoff)
{
	struct swt_ctx ctx;
	struct swt_dev *dev, *dev2;
	size_t page, len;
};

FIXTURE_VARIANT(swap_onoff)
{
	enum swt_backend backend;
};

FIXTURE_VARIANT_ADD(swap_onoff, disk)
{
	.backend = SWT_DISK,
};

FIXTURE_VARIANT_ADD(swap_onoff, disk_rotational)
{
	.backend = SWT_DISK_ROT,
};

FIXTURE_VARIANT_ADD(swap_onoff, swapfile)
{
	.backend = SWT_FILE,
};

FIXTURE_VARIANT_ADD(swap_onoff, zram)
{
	.backend = SWT_ZRAM,
};

FIXTURE_VARIANT_ADD(swap_onoff, zswap)
{
	.backend = SWT_ZSWAP,
};

FIXTURE_SETUP(swap_onoff)
{
	int ret;

	self->page = swt_page();
	self->len = (swt_scaled(1000, 500) / 5 * 5) * self->page;
	ret = swt_begin(&self->ctx) ?:
	      swt_dev_new(&self->ctx, &self->dev, variant->backend, 8192) ?:
	      swt_dev_new(&self->ctx, &self->dev2, variant->backend, 8192) ?:
	      swt_on(self->dev, 1000, 0);
	/* what swapoff leaves in zswap: see swap_vswap */
	if (!ret && swt_is_virtual(self->dev))
		ret = swt_skip("what zswap has is not on the device");
	ret = swt_setup_done(&self->ctx, ret);
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
}

FIXTURE_TEARDOWN_PARENT(swap_onoff)
{
	EXPECT_EQ(0, swt_end(&self->ctx)) TH_LOG("%s", swt_msg());
}

#define VERIFY(p, n, seed) EXPECT_EQ(-1, swt_verify(p, n, seed))

TEST_F_TIMEOUT(swap_onoff, anon, 180)
{
	char *p = swt_map(self->len);
	int round;

	ASSERT_NE(MAP_FAILED, p);
	for (round = 0; round < 3; round++) {
		swt_fill(p, self->len, round);
		ASSERT_EQ(self->len / self->page, swt_pageout(p, self->len));
		if (round)
			swt_drop_cache(&self->ctx, p, self->len);
		SWT_OK(swt_off(self->dev, 30));
		EXPECT_EQ(-1, swt_used(self->dev));
		EXPECT_EQ(0, swt_swapped(p, self->len));
		VERIFY(p, self->len, round);
		SWT_OK(swt_on(self->dev, 1000, 0));
		EXPECT_EQ(0, swt_used(self->dev));
	}
}

/* Entries in many page tables, some of which go away meanwhile. */
TEST_F_TIMEOUT(swap_onoff, forked, 180)
{
	size_t len = 500 * self->page;
	char *p = swt_map(len);
	pid_t pid[20];
	int i, fd[2];
	char c;

	ASSERT_NE(MAP_FAILED, p);
	swt_fill(p, len, 1);
	ASSERT_EQ(len / self->page, swt_pageout(p, len));
	swt_drop_cache(&self->ctx, p, len);
	ASSERT_EQ(0, pipe(fd));
	for (i = 0; i < 20; i++) {
		pid[i] = swt_fork();
		if (pid[i])
			continue;
		close(fd[1]);
		if (i % 3 == 2)
			usleep(1000 * i);
		else
			while (read(fd[0], &c, 1) > 0)
				;
		if (i % 3 == 1)
			swt_fill(p, len / 10, 2);
		else if (swt_verify(p, len, 1) != -1)
			_exit(1);
		_exit(0);
	}
	SWT_OK(swt_off(self->dev, 30));
	EXPECT_EQ(0, swt_swapped(p, len));
	close(fd[1]);
	for (i = 0; i < 20; i++)
		EXPECT_EQ(0, swt_wait(pid[i]));
	VERIFY(p, len, 1);
}

/* Shared memory, mapped and not mapped anywhere. */
TEST_F_TIMEOUT(swap_onoff, shmem, 180)
{
	int i, fd = memfd_create("swt", 0);
	char *p, *q;

	ASSERT_EQ(0, ftruncate(fd, self->len));
	p = mmap(NULL, self->len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	q = mmap(NULL, self->len, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_NE(MAP_FAILED, q);
	swt_fill(p, self->len, 1);
	swt_fill(q, self->len, 2);
	for (i = 0; i < 5; i++) {
		swt_madvise_pageout(p, self->len, i);
		swt_madvise_pageout(q, self->len, i);
	}
	swt_drop_cache(&self->ctx, p, self->len);
	swt_drop_cache(&self->ctx, q, self->len);
	EXPECT_EQ(self->len / 1024, swt_smaps(q, "Swap"));
	munmap(p, self->len);
	EXPECT_EQ(2 * self->len / self->page, swt_used_exact(self->dev));
	SWT_OK(swt_off(self->dev, 30));
	EXPECT_EQ(0, swt_smaps(q, "Swap"));
	p = mmap(NULL, self->len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	VERIFY(p, self->len, 1);
	VERIFY(q, self->len, 2);
}

#define KSM "/sys/kernel/mm/ksm/"

/* 400 different pages, each of them four times, merged and swapped out. */
TEST_F_TIMEOUT(swap_onoff, ksm, 180)
{
	size_t i, different = 400, n = 4 * different, len = n * self->page, bad = 0;
	char *p = swt_map(len);

	ASSERT_NE(MAP_FAILED, p);
	if (swt_set(&self->ctx, KSM "sleep_millisecs", "0") ||
	    swt_set(&self->ctx, KSM "pages_to_scan", "2000") ||
	    swt_set(&self->ctx, KSM "run", "1"))
		SKIP(return, "%s", swt_msg());
	for (i = 0; i < 4; i++)
		swt_fill_hard(p + i * len / 4, len / 4, 1);
	ASSERT_EQ(0, madvise(p, len, MADV_MERGEABLE));
	for (i = 0; i < 1000 && swt_smaps(p, "KSM") < (long)len / 1024; i++)
		usleep(10000);
	EXPECT_EQ(len / 1024, swt_smaps(p, "KSM"));
	EXPECT_EQ(0, swt_write(KSM "run", "0"));
	/* they are mapped several times: only reclaim takes them */
	for (i = 0; i < 50 && swt_swapped(p, len) < n; i++)
		swt_reclaim(&self->ctx, 4 << 20);
	/* maybe not all of them */
	EXPECT_LE(n / 2, swt_swapped(p, len));
	EXPECT_GE(different, swt_used_exact(self->dev));
	p[self->page] ^= 1;
	SWT_OK(swt_off(self->dev, 30));
	EXPECT_EQ(0, swt_swapped(p, len));
	p[self->page] ^= 1;
	for (i = 0; i < 4; i++)
		bad += swt_verify_hard(p + i * len / 4, len / 4, 1) != -1;
	EXPECT_EQ(0, bad);
	madvise(p, len, MADV_UNMERGEABLE);
	EXPECT_EQ(-1, swt_verify_hard(p, len / 4, 1));
}

#define THP_ENABLED "/sys/kernel/mm/transparent_hugepage/hugepages-2048kB/enabled"

TEST_F_TIMEOUT(swap_onoff, thp, 180)
{
	size_t huge = 2 << 20, len = 3 * huge;
	char *raw, *p;

	if (swt_set(&self->ctx, THP_ENABLED, "always"))
		SKIP(return, "%s", swt_msg());
	raw = mmap(NULL, len + huge, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, raw);
	p = (char *)(((uintptr_t)raw + huge - 1) & ~(huge - 1));
	swt_fill_hard(p, len, 1);
	ASSERT_EQ(len / self->page, swt_pageout(p, len));
	swt_drop_cache(&self->ctx, p, len);
	/* one whole, one with a hole, one with a page back */
	madvise(p + huge + 5 * self->page, self->page, MADV_DONTNEED);
	p[2 * huge + 7 * self->page] ^= 1;
	SWT_OK(swt_off(self->dev, 30));
	EXPECT_EQ(0, swt_swapped(p, len));
	p[2 * huge + 7 * self->page] ^= 1;
	EXPECT_TRUE(swt_is_zero(p + huge + 5 * self->page, self->page));
	EXPECT_EQ(huge + 5 * self->page, swt_verify_hard(p, len, 1));
}

static void on_alarm(int sig)
{
}

/*
 * A signal makes swapoff(2) give up, at the latest between two processes: the
 * device is what it was. Try with less and less time, swapoff might be faster.
 */
TEST_F_TIMEOUT(swap_onoff, signal, 300)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	size_t pages = 600, len = pages * self->page;
	int i, us, prio, ret = 0, to[2], from[2];
	struct itimerval timer = { 0 };
	pid_t pid[8];
	char c = 0;

	sigaction(SIGALRM, &sa, NULL);
	ASSERT_EQ(0, pipe(to));
	ASSERT_EQ(0, pipe(from));
	for (i = 0; i < 8; i++) {
		pid[i] = swt_fork();
		if (!pid[i]) {
			char *p = swt_map(len);

			swt_fill(p, len, i);
			/* a byte for each time that it has to be in swap */
			while (read(to[0], &c, 1) == 1 && c) {
				if (swt_pageout(p, len) != pages)
					_exit(1);
				swt_drop_cache(&self->ctx, p, len);
				if (write(from[1], "", 1) != 1)
					_exit(2);
				usleep(1000);
			}
			_exit(swt_verify(p, len, i) != -1 ? 3 : 0);
		}
	}
	for (us = 20000; us > 100 && !ret; us = us / 3 + 50) {
		/* whoever is late gets the byte of another one: ask often */
		for (i = 0; i < 40; i++)
			ASSERT_EQ(1, write(to[1], "x", 1));
		for (i = 0; i < 40; i++)
			ASSERT_EQ(1, read(from[0], &c, 1));
		timer.it_value.tv_usec = us;
		timer.it_interval.tv_usec = 1000;
		setitimer(ITIMER_REAL, &timer, NULL);
		ret = swapoff(self->dev->path) ? errno : 0;
		memset(&timer, 0, sizeof(timer));
		setitimer(ITIMER_REAL, &timer, NULL);
		if (!ret)
			SWT_OK(swt_on(self->dev, 1000, 0));
	}
	EXPECT_EQ(EINTR, ret);
	EXPECT_LE(0, swt_used_path(self->dev->path, NULL, &prio));
	EXPECT_EQ(1000, prio);
	EXPECT_EQ(self->dev->slots * self->page / 1024, swt_meminfo("SwapTotal"));
	/* it can be used, and swapped off */
	for (i = 0; i < 40; i++)
		ASSERT_EQ(1, write(to[1], "x", 1));
	for (i = 0; i < 40; i++)
		ASSERT_EQ(1, read(from[0], &c, 1));
	EXPECT_LE(pages, swt_used(self->dev));
	SWT_OK(swt_off(self->dev, 30));
	for (i = 0; i < 8; i++)
		ASSERT_EQ(1, write(to[1], "", 1));
	for (i = 0; i < 8; i++)
		EXPECT_EQ(0, swt_wait(pid[i]));
}

/* Strict overcommit and no room for what is in swap. */
TEST_F_TIMEOUT(swap_onoff, overcommit, 180)
{
	char *p = swt_map(self->len);

	ASSERT_NE(MAP_FAILED, p);
	swt_fill(p, self->len, 1);
	ASSERT_EQ(self->len / self->page, swt_pageout(p, self->len));
	SWT_OK(swt_set(&self->ctx, "/proc/sys/vm/overcommit_ratio", "0"));
	SWT_OK(swt_set(&self->ctx, "/proc/sys/vm/overcommit_memory", "2"));
	EXPECT_EQ(-1, swapoff(self->dev->path));
	EXPECT_EQ(ENOMEM, errno);
	swt_write("/proc/sys/vm/overcommit_memory", "0");
	EXPECT_EQ(self->len / self->page, swt_used_exact(self->dev));
	VERIFY(p, self->len, 1);
	SWT_OK(swt_off(self->dev, 30));
}

/* The cgroup cannot have its memory back: whoever tried swapoff dies of it. */
TEST_F_TIMEOUT(swap_onoff, out_of_memory, 180)
{
	size_t len = 4000 * self->page;
	char *p = swt_map(len), path[SWT_PATH + 32];
	pid_t pid;
	int ret;

	if (!self->ctx.cgroup[0])
		SKIP(return, "no cgroup2");
	ASSERT_NE(MAP_FAILED, p);
	swt_fill(p, len, 1);
	ASSERT_EQ(len / self->page, swt_pageout(p, len));
	swt_drop_cache(&self->ctx, p, len);
	snprintf(path, sizeof(path), "%s/memory.max", self->ctx.cgroup);
	ASSERT_EQ(0, swt_write(path, "%zu", 1000 * self->page));
	pid = swt_fork();
	if (!pid)
		_exit(swapoff(self->dev->path) ? 1 : 0);
	ret = swt_wait(pid);
	TH_LOG("swapoff ended with %d", ret);
	EXPECT_NE(0, ret);
	EXPECT_LE(0, swt_used(self->dev));
	ASSERT_EQ(0, swt_write(path, "max"));
	VERIFY(p, len, 1);
	ASSERT_EQ(len / self->page, swt_pageout(p, len));
	VERIFY(p, len, 1);
	SWT_OK(swt_off(self->dev, 30));
	VERIFY(p, len, 1);
}

enum memory { ANON, ANON_FORKS, SHMEM, THP, KSM_ONE, KSM_TWO, WORKERS };

static char *worker_map(size_t len, enum memory kind)
{
	char *p = kind == SHMEM ? mmap(NULL, len, PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0) :
				  swt_map(len);

	if (p == MAP_FAILED)
		_exit(1);
	if (kind == THP)
		madvise(p, len, MADV_HUGEPAGE);
	if (kind == KSM_ONE || kind == KSM_TWO)
		madvise(p, len, MADV_MERGEABLE);
	return p;
}

/* Some work for a process: never the same, always verified. */
static void worker(size_t len, enum memory kind)
{
	unsigned int seed = kind * 7919 + 1;
	size_t page = swt_page(), off, n;
	char *p = worker_map(len, kind);
	bool ksm = kind >= KSM_ONE;
	/* two have the same pages for a while, again and again */
	uint64_t round = ksm ? 0 : kind;
	pid_t pid;

	swt_fill(p, len, round);
	for (;;) {
		switch (rand_r(&seed) % (kind == ANON ? 6 : 7)) {
		case 0:
			if (swt_verify(p, len, round) != -1)
				_exit(2);
			break;
		case 1:
			round = ksm ? (round + 1) % 3 : round + 100;
			swt_fill(p, len, round);
			break;
		case 2:
			munmap(p, len);
			p = worker_map(len, kind);
			swt_fill(p, len, round);
			break;
		case 3:
		case 4:
		case 5:
			off = rand_r(&seed) % (len / page) * page;
			n = rand_r(&seed) % (len / page) * page;
			if (off + n > len)
				n = len - off;
			madvise(p + off, n, MADV_PAGEOUT);
			break;
		case 6:
			pid = swt_fork();
			if (!pid)
				_exit(swt_verify(p, len, round) != -1);
			if (pid > 0 && swt_wait(pid))
				_exit(3);
			break;
		}
	}
}

static void start_workers(struct swt_ctx *ctx, pid_t *pid, size_t len)
{
	int i;

	/* where a kernel has not got one of them there is the rest */
	swt_set(ctx, THP_ENABLED, "madvise");
	swt_set(ctx, KSM "sleep_millisecs", "20");
	swt_set(ctx, KSM "run", "1");
	for (i = 0; i < WORKERS; i++) {
		pid[i] = swt_fork();
		if (!pid[i])
			worker(i == THP ? 4 * len : len, i);
	}
}

/* A worker only ends when something is wrong. */
static int stop_workers(pid_t *pid)
{
	int i, bad = 0;

	for (i = 0; i < WORKERS; i++) {
		kill(pid[i], SIGKILL);
		bad += swt_wait(pid[i]) != 128 + SIGKILL;
	}
	return bad;
}

/* Two devices swapped off and on in turn under full load. */
TEST_F_TIMEOUT(swap_onoff, off_under_load, 300)
{
	double end = swt_now() + swt_seconds(2);
	struct swt_dev *d[2] = { self->dev, self->dev2 };
	pid_t pid[WORKERS];
	int i, n = 0;

	SWT_OK(swt_on(self->dev2, 1000, 0));
	start_workers(&self->ctx, pid, 300 * self->page);
	for (i = 0; n < 3 || swt_now() < end; i = !i, n++) {
		usleep(10000);
		/* what is mapped more than once only reclaim takes */
		swt_reclaim(&self->ctx, 1 << 20);
		SWT_OK(swt_off(d[i], 60));
		SWT_OK(swt_on(d[i], 1000, 0));
	}
	TH_LOG("%d times", n);
	EXPECT_EQ(0, stop_workers(pid));
}

/*
 * The device that everybody allocates from comes and goes, and so little of
 * it that it is also full all the time.
 */
TEST_F_TIMEOUT(swap_onoff, on_off_while_allocating, 300)
{
	double end = swt_now() + swt_seconds(2);
	static const int max[] = { 10, 600, 1500, 100, 513 };
	pid_t pid[WORKERS];
	int n = 0;

	SWT_OK(swt_dev_mkswap(self->dev2, 100));
	start_workers(&self->ctx, pid, 300 * self->page);
	while (n < 3 || swt_now() < end) {
		SWT_OK(swt_dev_mkswap(self->dev2, max[n % 5]));
		SWT_OK(swt_on(self->dev2, n % 3 ? 2000 : 1000, 0));
		usleep(n % 7 * 3000);
		SWT_OK(swt_off(self->dev2, 60));
		n++;
	}
	TH_LOG("%d times", n);
	EXPECT_EQ(0, stop_workers(pid));
}

/* Processes sharing swapped memory fork, exit and get killed by the dozen. */
TEST_F_TIMEOUT(swap_onoff, exit_storm, 300)
{
	double end = swt_now() + swt_seconds(1);
	size_t len = 400 * self->page;
	pid_t pid[16] = { 0 };
	char *p = swt_map(len);
	unsigned int seed = 1;
	int i, ret, bad = 0;

	ASSERT_NE(MAP_FAILED, p);
	swt_fill(p, len, 1);
	while (swt_now() < end) {
		i = rand_r(&seed) % 16;
		if (pid[i]) {
			if (rand_r(&seed) % 2)
				kill(pid[i], SIGKILL);
			ret = swt_wait(pid[i]);
			bad += ret && ret != 128 + SIGKILL;
		}
		madvise(p, len, MADV_PAGEOUT);
		pid[i] = swt_fork();
		if (pid[i])
			continue;
		if (swt_verify(p, len / 2, 1) != -1)
			_exit(1);
		swt_fill(p, len / 3, i);
		madvise(p, len, MADV_PAGEOUT);
		_exit(swt_verify(p, len / 3, i) != -1 ? 2 : 0);
	}
	for (i = 0; i < 16; i++) {
		if (!pid[i])
			continue;
		kill(pid[i], SIGKILL);
		ret = swt_wait(pid[i]);
		bad += ret && ret != 128 + SIGKILL;
	}
	EXPECT_EQ(0, bad);
	VERIFY(p, len, 1);
}

/*
 * Shared memory that one process writes, another one pages out, and a third
 * one verifies: each word only ever grows.
 */
TEST_F_TIMEOUT(swap_onoff, same_pages, 180)
{
	double end = swt_now() + swt_seconds(1);
	size_t i, n, words = 200 * self->page / 8;
	uint64_t *p;
	uint64_t *last, now;
	pid_t pid[3];
	int k;

	p = mmap(NULL, words * 8, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	for (i = 0; i < words; i++)
		p[i] = 1;
	for (k = 0; k < 3; k++) {
		pid[k] = swt_fork();
		if (pid[k])
			continue;
		last = calloc(words, 8);
		for (n = 0; swt_now() < end; n++) {
			if (k == 1) {
				madvise(p, words * 8, MADV_PAGEOUT);
				continue;
			}
			for (i = 0; i < words; i += 61) {
				if (k == 0) {
					__atomic_store_n(&p[i], p[i] + 1,
							 __ATOMIC_RELAXED);
					continue;
				}
				now = __atomic_load_n(&p[i], __ATOMIC_RELAXED);
				if (now < last[i] || !now)
					_exit(1);
				last[i] = now;
			}
		}
		_exit(0);
	}
	for (k = 0; k < 3; k++)
		EXPECT_EQ(0, swt_wait(pid[k]));
	n = p[0];
	for (i = 0; i < words; i++)
		if (p[i] != (i % 61 ? 1 : n))
			break;
	EXPECT_EQ(words, i);
}

TEST_HARNESS_MAIN
