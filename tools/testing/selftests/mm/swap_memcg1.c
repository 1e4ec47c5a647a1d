// SPDX-License-Identifier: GPL-2.0
/*
 * cgroup v1 charges memory and swap together: a page counts once, whether it is
 * in memory, swapped out, or both. A program of its own, for the memory
 * controller can only be where no cgroup of the other version has it.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "../kselftest_harness.h"
#include "swap_util.h"

#define CG1		"/tmp/swap_memcg1"
#define GROUP		CG1 "/swap_test"
#define THP		"/sys/kernel/mm/transparent_hugepage/hugepages-64kB/"
#define LEN		(4UL << 20)

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

TEST_HARNESS_MAIN
