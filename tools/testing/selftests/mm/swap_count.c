// SPDX-License-Identifier: GPL-2.0
/*
 * How many refer to a slot: counts go up and down across every boundary of
 * where the kernel keeps them, and the slot is free when the last one is gone.
 */
#define _GNU_SOURCE
#include <signal.h>

#include "../kselftest_harness.h"
#include "swap_util.h"

#define KSM	"/sys/kernel/mm/ksm/"
#define PAGES	1024UL		/* so that counts can be told from a sum in kB */
#define MOST	40		/* references; an entry has room for 14 */

FIXTURE(swap_count)
{
	struct swt_ctx ctx;
	struct swt_dev *dev;
	size_t page;
};

FIXTURE_VARIANT(swap_count)
{
	enum swt_backend backend;
};

FIXTURE_VARIANT_ADD(swap_count, zram)
{
	.backend = SWT_ZRAM,
};

FIXTURE_VARIANT_ADD(swap_count, disk)
{
	.backend = SWT_DISK,
};

FIXTURE_SETUP(swap_count)
{
	int ret;

	self->page = swt_page();
	ret = swt_begin(&self->ctx) ?:
	      swt_set(&self->ctx, "/proc/sys/vm/page-cluster", "0") ?:
	      swt_dev_new(&self->ctx, &self->dev, variant->backend, 8192) ?:
	      swt_on(self->dev, 100, 0);
	ret = swt_setup_done(&self->ctx, ret);
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
}

FIXTURE_TEARDOWN_PARENT(swap_count)
{
	EXPECT_EQ(0, swt_end(&self->ctx)) TH_LOG("%s", swt_msg());
}

/* The kernel divides what is swapped by the count, page by page. */
static long counted(const char *mem)
{
	long pss = swt_smaps(mem, "SwapPss"), kb = PAGES * swt_page() / 1024;

	return pss > 0 ? (kb + pss / 2) / pss : 0;
}

/* Has the memory, and does nothing with it until it is killed. */
static pid_t holder(void)
{
	pid_t pid = swt_fork();

	while (!pid)
		pause();
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Processes come and go, the last or the first one first. */
TEST_F_TIMEOUT(swap_count, fork, 300)
{
	size_t len = PAGES * self->page;
	char *mem = swt_map(len);
	pid_t pid[MOST + 1];
	int n, first;

	ASSERT_NE(MAP_FAILED, mem);
	for (first = 0; first < 2; first++) {
		swt_fill_hard(mem, len, first);
		swt_pageout(mem, len);
		swt_drop_cache(&self->ctx, mem, len);
		ASSERT_EQ(PAGES, swt_swapped(mem, len));
		for (n = 1; n < MOST; n++) {
			ASSERT_EQ(n, counted(mem));
			pid[n] = holder();
			ASSERT_LT(0, pid[n]);
		}
		/* up to where counts change their place, and back, and on */
		for (n = MOST; n > 1; n--) {
			EXPECT_EQ(n, counted(mem));
			end(first ? pid[MOST + 1 - n] : pid[n - 1]);
		}
		EXPECT_EQ(1, counted(mem));
		EXPECT_EQ(PAGES, swt_used(self->dev));
		EXPECT_EQ(-1, swt_verify_hard(mem, len, first));
	}
	munmap(mem, len);
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

/* To and fro across the boundary, by zapping and by swapping in, in children. */
TEST_F_TIMEOUT(swap_count, boundary, 300)
{
	size_t len = PAGES * self->page;
	char *mem = swt_map(len);
	pid_t pid[16], more;
	int n, i;

	ASSERT_NE(MAP_FAILED, mem);
	swt_fill_hard(mem, len, 3);
	swt_pageout(mem, len);
	swt_drop_cache(&self->ctx, mem, len);
	for (n = 0; n < 16; n++)
		pid[n] = holder();
	/* 17 references; take them to 13 one by one, with two to and fro at each */
	for (n = 16; n > 12; n--) {
		ASSERT_EQ(n + 1, counted(mem));
		for (i = 0; i < 4; i++) {
			more = swt_fork();
			if (!more) {
				if (i % 2 && swt_verify_hard(mem, len, 3) != -1)
					_exit(1);
				if (!i)
					madvise(mem, len, MADV_DONTNEED);
				_exit(0);
			}
			ASSERT_EQ(0, swt_wait(more));
			swt_drop_cache(&self->ctx, mem, len);
			ASSERT_EQ(n + 1, counted(mem));
		}
		end(pid[n - 1]);
	}
	for (; n; n--)
		end(pid[n - 1]);
	EXPECT_EQ(1, counted(mem));
	EXPECT_EQ(-1, swt_verify_hard(mem, len, 3));
	munmap(mem, len);
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

/* As many processes as there is memory for, up to what makes sense. */
TEST_F_TIMEOUT(swap_count, processes, 600)
{
	int n, most = swt_scaled(2000, 200), *pid = calloc(most, sizeof(*pid));
	size_t len = 64 * self->page;
	char *mem = swt_map(len);
	long used;

	ASSERT_NE(NULL, pid);
	ASSERT_NE(MAP_FAILED, mem);
	swt_fill_hard(mem, len, 5);
	ASSERT_LT(0, swt_pageout(mem, len));
	swt_drop_cache(&self->ctx, mem, len);
	used = swt_used(self->dev);
	for (n = 0; n < most; n++) {
		/* leave some room for the rest of the test */
		if (n % 16 == 0 && swt_meminfo("MemAvailable") < 64 << 10)
			break;
		pid[n] = holder();
		if (pid[n] < 0)
			break;
	}
	TH_LOG("%d processes", n);
	EXPECT_LT(100, n);
	EXPECT_LE(used, swt_used(self->dev));
	while (n--)
		end(pid[n]);
	EXPECT_EQ(-1, swt_verify_hard(mem, len, 5));
	munmap(mem, len);
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

/* Merge pages of the same contents. Reclaim leaves one alone that has many more. */
#define MERGED	800UL

static int merge(char *mem, size_t len)
{
	double end = swt_now() + 60;

	memset(mem, 0x5a, len);
	if (madvise(mem, len, MADV_MERGEABLE))
		return swt_skip("MADV_MERGEABLE: %s", strerror(errno));
	swt_write(KSM "run", "1");
	while (swt_read_long(KSM "pages_sharing") < (long)MERGED - 1)
		if (swt_now() > end)
			return swt_fail("%ld pages are shared",
					swt_read_long(KSM "pages_sharing"));
	return swt_write(KSM "run", "0");
}

/*
 * One page with many mappings: merged, swapped out, and inherited so often that
 * its slot has 100,000 references, or fewer if tests are to be smaller.
 */
TEST_F_TIMEOUT(swap_count, ksm, 600)
{
	int n, most = swt_scaled(100000, 20000) / MERGED, *pid = calloc(most, sizeof(*pid));
	size_t len = MERGED * self->page, other_len = PAGES * self->page, i;
	char *mem = swt_map(len), *other = swt_map(other_len);
	double end_time = swt_now() + 100;
	long used;

	if (access(KSM "max_page_sharing", W_OK))
		SKIP(return, "no KSM in this kernel");
	ASSERT_NE(MAP_FAILED, mem);
	ASSERT_NE(MAP_FAILED, other);
	ASSERT_NE(NULL, pid);
	swt_write(KSM "run", "2");
	SWT_OK(swt_set(&self->ctx, KSM "run", "0"));
	SWT_OK(swt_set(&self->ctx, KSM "max_page_sharing", "10000"));
	SWT_OK(swt_set(&self->ctx, KSM "pages_to_scan", "5000"));
	SWT_OK(swt_set(&self->ctx, KSM "sleep_millisecs", "0"));
	SWT_OK(merge(mem, len));

	/* of a single page reclaim would scan a part: none */
	while (swt_swapped(mem, len) < MERGED && swt_now() < end_time) {
		swt_fill_hard(other, other_len, 1);
		swt_reclaim(&self->ctx, 16 << 20);
	}
	munmap(other, other_len);
	ASSERT_EQ(MERGED, swt_swapped(mem, len));
	swt_drop_cache(&self->ctx, mem, len);
	used = swt_used(self->dev);
	EXPECT_LE(1, used);

	for (n = 0; n < most; n++) {
		/* they share what is there once */
		EXPECT_GE(4 / (n + 1) + 1, swt_smaps(mem, "SwapPss"));
		pid[n] = holder();
		ASSERT_LT(0, pid[n]);
	}
	TH_LOG("%lu references", (n + 1) * MERGED);
	while (n--)
		end(pid[n]);

	/* what is swapped in is a page of its own */
	EXPECT_EQ(0x5a, mem[len / 2]);
	EXPECT_EQ(MERGED - 1, swt_swapped(mem, len));
	for (n = MERGED; n > 1; n--) {
		EXPECT_GE(4, swt_smaps(mem, "SwapPss"));
		munmap(mem + (n - 1) * self->page, self->page);
	}
	EXPECT_LE(1, swt_used(self->dev));
	for (i = 0; i < self->page; i++)
		if (mem[i] != 0x5a)
			break;
	EXPECT_EQ(self->page, i);
	munmap(mem, self->page);
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

TEST_HARNESS_MAIN
