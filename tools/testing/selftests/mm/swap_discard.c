// SPDX-License-Identifier: GPL-2.0
/*
 * Discard: the device is a loop device over a sparse file, so the blocks of
 * that file show what was discarded.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "../kselftest_harness.h"
#include "swap_util.h"

#ifndef SWAP_FLAG_DISCARD_ONCE
#define SWAP_FLAG_DISCARD_ONCE	0x20000
#define SWAP_FLAG_DISCARD_PAGES	0x40000
#endif

#define MAX_PAGES	8192

FIXTURE(swap_discard)
{
	struct swt_ctx ctx;
	struct swt_dev *dev;
	size_t page;
};

FIXTURE_VARIANT(swap_discard)
{
	bool rotational;
};

FIXTURE_VARIANT_ADD(swap_discard, ssd)
{
	.rotational = false,
};

FIXTURE_VARIANT_ADD(swap_discard, rotational)
{
	.rotational = true,
};

static int needs_discard(struct swt_dev *d)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/block/loop%d/queue/discard_max_bytes",
		 d->loop);
	if (swt_read_long(path) <= 0)
		return swt_skip("no discard on %s", d->path);
	return 0;
}

FIXTURE_SETUP(swap_discard)
{
	int ret;

	self->page = swt_page();
	ret = swt_begin(&self->ctx) ?:
	      swt_dev_new(&self->ctx, &self->dev, SWT_LOOP, MAX_PAGES) ?:
	      swt_rotational(self->dev, variant->rotational) ?:
	      needs_discard(self->dev);
	ret = swt_setup_done(&self->ctx, ret);
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
}

FIXTURE_TEARDOWN_PARENT(swap_discard)
{
	EXPECT_EQ(0, swt_end(&self->ctx)) TH_LOG("%s", swt_msg());
}

/* Pages of the file that have blocks. */
static long allocated(struct swt_dev *d)
{
	struct stat st;
	int fd = open(d->file, O_RDONLY);

	if (fd < 0)
		return -1;
	/* blocks that are only reserved do not count yet */
	fsync(fd);
	if (fstat(fd, &st))
		st.st_blocks = -1;
	close(fd);
	return st.st_blocks * 512 / swt_page();
}

static long wait_below(struct swt_dev *d, long pages)
{
	long n = -1;
	int i;

	for (i = 0; i < 500; i++) {
		n = allocated(d);
		if (n <= pages)
			break;
		usleep(10000);
	}
	return n;
}

/* All of the file gets blocks; the header is written last. */
static int write_all(struct swt_dev *d)
{
	char *buf = malloc(1 << 20);
	size_t i, len = d->max * swt_page();
	int ret = 0, fd = open(d->path, O_WRONLY);

	memset(buf, 0x5a, 1 << 20);
	for (i = 0; i < len; i += 1 << 20)
		if (pwrite(fd, buf, 1 << 20, i) != 1 << 20)
			ret = swt_fail("cannot write to %s", d->path);
	fsync(fd);
	close(fd);
	free(buf);
	return ret ?: swt_dev_mkswap(d, d->max);
}

/*
 * swapon(2) discards all, later nothing is discarded. The kernel must not
 * discard the header, which is still needed at the next boot.
 */
TEST_F_TIMEOUT(swap_discard, once, 180)
{
	size_t pages = 2000, len = pages * self->page;
	char *p = swt_map(len);
	long before;

	SWT_OK(write_all(self->dev));
	EXPECT_LE(MAX_PAGES, allocated(self->dev));
	SWT_OK(swt_on(self->dev, 100, SWAP_FLAG_DISCARD | SWAP_FLAG_DISCARD_ONCE));
	EXPECT_GE(64, wait_below(self->dev, 64));
	EXPECT_LE(1, allocated(self->dev));
	swt_fill_hard(p, len, 1);
	ASSERT_EQ(pages, swt_pageout(p, len));
	swt_drop_cache(&self->ctx, p, len);
	before = allocated(self->dev);
	EXPECT_LE((long)pages, before);
	EXPECT_EQ(-1, swt_verify_hard(p, len, 1));
	munmap(p, len);
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
	usleep(200000);
	EXPECT_EQ(before, allocated(self->dev));
	SWT_OK(swt_off(self->dev, 30));
	SWT_OK(swt_on(self->dev, 100, 0));
}

/* Without the flag, and with the one for clusters, not at swapon. */
TEST_F_TIMEOUT(swap_discard, not_at_swapon, 180)
{
	SWT_OK(write_all(self->dev));
	SWT_OK(swt_on(self->dev, 100, 0));
	EXPECT_LE(MAX_PAGES, allocated(self->dev));
	SWT_OK(swt_off(self->dev, 30));
	SWT_OK(swt_on(self->dev, 100, SWAP_FLAG_DISCARD | SWAP_FLAG_DISCARD_PAGES));
	EXPECT_LE(MAX_PAGES, allocated(self->dev));
	SWT_OK(swt_off(self->dev, 30));
	/* both when no policy is given */
	SWT_OK(swt_on(self->dev, 100, SWAP_FLAG_DISCARD));
	EXPECT_GE(64, wait_below(self->dev, 64));
}

/* Clusters are discarded when they get free, others are left alone. */
TEST_F_TIMEOUT(swap_discard, clusters, 180)
{
	size_t i, part = 1024 * self->page, nr = 3, pages = 2 * nr * 1024;
	char *a = swt_map(nr * part), *b = swt_map(nr * part);
	long before, after;

	if (variant->rotational && swt_has_slots_cache())
		SKIP(return, "this kernel has no clusters on rotating devices");
	SWT_OK(swt_on(self->dev, 100, SWAP_FLAG_DISCARD | SWAP_FLAG_DISCARD_PAGES));
	for (i = 0; i < nr; i++) {
		swt_fill_hard(a + i * part, part, i);
		ASSERT_EQ(1024, swt_pageout(a + i * part, part));
		swt_fill_hard(b + i * part, part, i + 100);
		ASSERT_EQ(1024, swt_pageout(b + i * part, part));
	}
	EXPECT_EQ(0, swt_drop_cache(&self->ctx, a, nr * part));
	EXPECT_EQ(0, swt_drop_cache(&self->ctx, b, nr * part));
	before = allocated(self->dev);
	EXPECT_LE((long)pages, before);

	/* what is free in part stays: at worst one cluster at each end */
	munmap(a, nr * part);
	after = wait_below(self->dev, before - pages / 2 + 2 * nr * SWT_CLUSTER);
	EXPECT_GE(before - (long)(pages / 2 - 2 * nr * SWT_CLUSTER), after);
	for (i = 0; i < nr; i++)
		EXPECT_EQ(-1, swt_verify_hard(b + i * part, part, i + 100));

	/* in memory and written to: its slots go, too */
	for (i = 0; i < nr; i++)
		swt_fill_hard(b + i * part, part, i + 200);
	munmap(b, nr * part);
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
	after = wait_below(self->dev, 3 * SWT_CLUSTER);
	EXPECT_GE(3 * (long)SWT_CLUSTER, after);
}

/*
 * The only free clusters are those that wait for their discard: allocation
 * must get them nevertheless.
 */
TEST_F_TIMEOUT(swap_discard, pressure, 300)
{
	size_t pages = 2047, len = pages * self->page, tries, n;
	int round;
	char *p;

	SWT_OK(swt_dev_mkswap(self->dev, pages + 1));
	SWT_OK(swt_on(self->dev, 100, SWAP_FLAG_DISCARD));
	for (round = 0; round < (int)swt_scaled(8, 3); round++) {
		p = swt_map(len);
		swt_fill_hard(p, len, round);
		for (tries = 0, n = 0; tries < 10 && n != pages; tries++)
			n = swt_pageout(p, len);
		EXPECT_EQ(pages, n);
		swt_wait_writeback();
		if (round % 2)
			EXPECT_EQ(-1, swt_verify_hard(p, len, round));
		munmap(p, len);
	}
}

/* Two processes filling and freeing while clusters are discarded. */
TEST_F_TIMEOUT(swap_discard, concurrent, 300)
{
	size_t len = 1500 * self->page;
	pid_t pid[3];
	int i, round;

	SWT_OK(swt_dev_mkswap(self->dev, 4000));
	SWT_OK(swt_on(self->dev, 100, SWAP_FLAG_DISCARD));
	for (i = 0; i < 3; i++) {
		pid[i] = swt_fork();
		if (pid[i])
			continue;
		for (round = 0; round < (int)swt_scaled(5, 2); round++) {
			char *p = swt_map(len);

			swt_fill_hard(p, len, i * 100 + round);
			swt_pageout(p, len);
			if (swt_verify_hard(p, len, i * 100 + round) != -1)
				_exit(1);
			munmap(p, len);
		}
		_exit(0);
	}
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, swt_wait(pid[i]));
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

TEST_HARNESS_MAIN
