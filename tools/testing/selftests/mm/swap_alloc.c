// SPDX-License-Identifier: GPL-2.0
/*
 * Which slots are handed out: each usable one exactly once, none else, and
 * by the priorities of the devices.
 */
#define _GNU_SOURCE
#include <fcntl.h>

#include "../kselftest_harness.h"
#include "swap_util.h"

FIXTURE(swap_alloc)
{
	struct swt_ctx ctx;
	struct swt_dev *dev;
	size_t page;
};

FIXTURE_VARIANT(swap_alloc)
{
	enum swt_backend backend;
};

FIXTURE_VARIANT_ADD(swap_alloc, disk)
{
	.backend = SWT_DISK,
};

FIXTURE_VARIANT_ADD(swap_alloc, disk_rotational)
{
	.backend = SWT_DISK_ROT,
};

FIXTURE_VARIANT_ADD(swap_alloc, swapfile)
{
	.backend = SWT_FILE,
};

FIXTURE_VARIANT_ADD(swap_alloc, zram)
{
	.backend = SWT_ZRAM,
};

FIXTURE_VARIANT_ADD(swap_alloc, zswap)
{
	.backend = SWT_ZSWAP,
};

#define MAX_PAGES	8192

FIXTURE_SETUP(swap_alloc)
{
	int ret;

	self->page = swt_page();
	ret = swt_begin(&self->ctx) ?:
	      swt_dev_new(&self->ctx, &self->dev, variant->backend, MAX_PAGES);
	if (!ret && swt_is_virtual(self->dev))
		ret = swt_skip("what zswap has takes no slots of the device");
	ret = swt_setup_done(&self->ctx, ret);
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
}

FIXTURE_TEARDOWN_PARENT(swap_alloc)
{
	EXPECT_EQ(0, swt_end(&self->ctx)) TH_LOG("%s", swt_msg());
}

/*
 * The pages of @p must be in slots below @max that are all different;
 * @map, if there is one, becomes 1 where a slot is in use.
 */
static int check_slots(const void *p, size_t pages, unsigned long max, char *map)
{
	unsigned long *off = calloc(pages, sizeof(*off));
	char *seen = map ?: calloc(1, max);
	size_t i, n;

	n = swt_offsets(p, pages * swt_page(), off);
	for (i = 0; i < pages; i++) {
		if (!off[i])
			continue;
		if (off[i] >= max) {
			fprintf(stderr, "# slot %lu of %lu\n", off[i], max);
			return -1;
		}
		if (seen[off[i]]++) {
			fprintf(stderr, "# slot %lu is used twice\n", off[i]);
			return -1;
		}
	}
	free(off);
	if (!map)
		free(seen);
	return n;
}

/*
 * Devices of odd sizes, filled to the brim: each slot but the header's is
 * used, the last one too, and no page is lost for which there is none.
 */
TEST_F_TIMEOUT(swap_alloc, sizes, 300)
{
	static const size_t sizes[] = { 2, 3, 10, 257, 511, 512, 513, 1000, 1024, 2049 };
	size_t i, max, len;
	char *p, *map;
	long size;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		max = sizes[i];
		len = (max + 100) * self->page;
		SWT_OK(swt_dev_mkswap(self->dev, max));
		SWT_OK(swt_on(self->dev, 100, 0));
		EXPECT_EQ(0, swt_used_path(self->dev->path, &size, NULL));
		EXPECT_EQ(max - 1, size);

		p = swt_map(len);
		ASSERT_NE(MAP_FAILED, p);
		swt_fill(p, len, i);
		EXPECT_EQ(max - 1, swt_pageout(p, len));
		EXPECT_EQ(max - 1, swt_used(self->dev));
		map = calloc(1, max);
		EXPECT_EQ(max - 1, check_slots(p, max + 100, max, map));
		EXPECT_EQ(0, map[0]);
		EXPECT_EQ(1, map[max - 1]);
		free(map);
		swt_wait_writeback();
		EXPECT_EQ(-1, swt_verify(p, len, i));
		munmap(p, len);
		SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
		SWT_OK(swt_off(self->dev, 30));
	}
}

/* Pages that the header calls bad are never used, all others are. */
TEST_F_TIMEOUT(swap_alloc, bad_pages, 180)
{
	const size_t max = 3001;
	size_t i, n = 0, len = max * self->page;
	struct swt_header h;
	uint32_t bad[640];
	char *p, *map;
	long size;

	if (variant->backend == SWT_FILE)
		SKIP(return, "a swapfile must have no bad pages");
	bad[n++] = 1;
	bad[n++] = 2;
	bad[n++] = 511;
	bad[n++] = 512;
	bad[n++] = 513;
	for (i = 0; i < 512; i++)
		bad[n++] = 1024 + i;
	for (i = 1600; n < 635; i += 7)
		bad[n++] = i;
	bad[n++] = max - 2;
	bad[n++] = max - 1;
	swt_header_init(&h, max);
	h.nr_bad = n;
	h.bad = bad;
	SWT_OK(swt_header_write(self->dev->path, &h));
	SWT_OK(swt_on(self->dev, 100, 0));
	EXPECT_EQ(0, swt_used_path(self->dev->path, &size, NULL));
	EXPECT_EQ(max - 1 - n, size);

	p = swt_map(len);
	ASSERT_NE(MAP_FAILED, p);
	swt_fill(p, len, 1);
	EXPECT_EQ(max - 1 - n, swt_pageout(p, len));
	EXPECT_EQ(max - 1 - n, swt_used(self->dev));
	map = calloc(1, max);
	EXPECT_EQ(max - 1 - n, check_slots(p, max, max, map));
	for (i = 0; i < n; i++)
		EXPECT_EQ(0, map[bad[i]]) TH_LOG("bad page %u", bad[i]);
	EXPECT_EQ(-1, swt_verify(p, len, 1));
}

/* Every other page is bad, but none is read because its neighbours are. */
TEST_F_TIMEOUT(swap_alloc, bad_pages_ahead, 180)
{
	const size_t max = 1200;
	const size_t len = 400 * self->page;
	size_t n = 0;
	struct swt_header h;
	uint32_t bad[600];
	long before;
	char *p;

	if (variant->backend == SWT_FILE)
		SKIP(return, "a swapfile must have no bad pages");
	while (2 * n + 2 < max) {
		bad[n] = 2 * n + 2;
		n++;
	}
	swt_header_init(&h, max);
	h.nr_bad = n;
	h.bad = bad;
	SWT_OK(swt_header_write(self->dev->path, &h));
	SWT_OK(swt_set(&self->ctx, "/proc/sys/vm/page-cluster", "4"));
	SWT_OK(swt_on(self->dev, 100, 0));
	p = swt_map(len);
	ASSERT_NE(MAP_FAILED, p);
	swt_fill_hard(p, len, 1);
	ASSERT_EQ(400, swt_pageout(p, len));
	ASSERT_EQ(0, swt_drop_cache(&self->ctx, p, len));
	before = swt_vmstat("swap_ra");
	EXPECT_EQ(-1, swt_verify_hard(p, len, 1));
	EXPECT_GE(400, swt_vmstat("swap_ra") - before);
	munmap(p, len);
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
	/* what was read for nobody would outlive the device */
	SWT_OK(swt_off(self->dev, 30));
}

/* Used says exactly what is in use. */
TEST_F_TIMEOUT(swap_alloc, used_is_exact, 180)
{
	size_t i, pages = 1500;
	char *p = swt_map(pages * self->page);

	ASSERT_NE(MAP_FAILED, p);
	SWT_OK(swt_on(self->dev, 100, 0));
	swt_fill(p, pages * self->page, 1);
	ASSERT_EQ(777, swt_pageout(p, 777 * self->page));
	EXPECT_EQ(777, swt_used_exact(self->dev));
	EXPECT_EQ(self->dev->slots * self->page / 1024 - 777 * self->page / 1024,
		  swt_meminfo("SwapFree"));
	ASSERT_EQ(pages, swt_pageout(p, pages * self->page));
	EXPECT_EQ(pages, swt_used_exact(self->dev));
	swt_drop_cache(&self->ctx, p, pages * self->page);
	for (i = 0; i < pages; i += 3)
		madvise(p + i * self->page, self->page, MADV_DONTNEED);
	EXPECT_EQ(1000, swt_used_exact(self->dev));
	ASSERT_EQ(0, munmap(p, pages * self->page));
	EXPECT_EQ(0, swt_used_exact(self->dev));
}

/* More pages than slots, again and again. */
TEST_F_TIMEOUT(swap_alloc, full, 300)
{
	size_t max = swt_scaled(2500, 1100), extra = max / 4;
	size_t some = max / 5 * 2, len = (max + extra) * self->page;
	char *p = swt_map(len);
	int round;

	ASSERT_NE(MAP_FAILED, p);
	SWT_OK(swt_dev_mkswap(self->dev, max));
	SWT_OK(swt_on(self->dev, 100, 0));
	for (round = 0; round < 3; round++) {
		swt_fill(p, len, round);
		EXPECT_EQ(max - 1, swt_pageout(p, len));
		EXPECT_EQ(max - 1, swt_used(self->dev));
		EXPECT_EQ(0, swt_meminfo("SwapFree"));
		EXPECT_EQ(max - 1, check_slots(p, max + extra, max, NULL));
		/* some of it goes: there is exactly so much room again */
		swt_wait_writeback();
		madvise(p, some * self->page, MADV_DONTNEED);
		EXPECT_TRUE(swt_is_zero(p, some * self->page));
		swt_fill(p, some * self->page, round + 100);
		EXPECT_EQ(max - 1, swt_pageout(p, len));
		EXPECT_EQ(-1, swt_verify(p, some * self->page, round + 100));
		/* memory that was swapped in, and then written: slots free again */
		swt_fill(p, len, round + 200);
		EXPECT_EQ(-1, swt_verify(p, len, round + 200));
		EXPECT_GE(max - 1, swt_used(self->dev));
	}
}

/*
 * Every other slot is freed on a full device: no free cluster anywhere, but
 * each hole must be found.
 */
TEST_F_TIMEOUT(swap_alloc, holes, 300)
{
	size_t i, max = swt_scaled(2600, 1100), len = (max - 1) * self->page;
	char *p = swt_map(len), *q = swt_map(len), *map = calloc(1, max);
	int step;

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_NE(MAP_FAILED, q);
	SWT_OK(swt_dev_mkswap(self->dev, max));
	SWT_OK(swt_on(self->dev, 100, 0));
	for (step = 2; step < 20; step += 5) {
		size_t freed = 0;

		memset(map, 0, max);
		swt_fill(p, len, step);
		EXPECT_EQ(max - 1, swt_pageout(p, len));
		swt_drop_cache(&self->ctx, p, len);
		for (i = 0; i < max - 1; i += step, freed++)
			madvise(p + i * self->page, self->page, MADV_DONTNEED);
		EXPECT_EQ(max - 1 - freed, swt_used_exact(self->dev));
		EXPECT_EQ(max - 1 - freed, check_slots(p, max - 1, max, map));
		swt_fill(q, freed * self->page, step + 100);
		EXPECT_EQ(freed, swt_pageout(q, freed * self->page));
		EXPECT_EQ(max - 1, swt_used(self->dev));
		EXPECT_EQ(freed, check_slots(q, freed, max, map));
		EXPECT_EQ(-1, swt_verify(q, freed * self->page, step + 100));
		for (i = 0; i < max - 1; i++) {
			char *c = p + i * self->page;

			if (i % step == 0)
				EXPECT_TRUE(swt_is_zero(c, self->page));
		}
		madvise(q, len, MADV_DONTNEED);
		swt_fill(p, len, step);
		EXPECT_EQ(-1, swt_verify(p, len, step));
		madvise(p, len, MADV_DONTNEED);
		SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
	}
}

/*
 * Pages that were read back keep their slots while there is room. When there
 * is none, these slots must be found and taken: what is swapped out and what
 * is cached are more than the device holds.
 */
TEST_F_TIMEOUT(swap_alloc, reclaim_cached, 300)
{
	size_t max = swt_scaled(4096, 2048) + 1, na = max / 9 * 4, nb = max / 20 * 19;
	size_t a_len = na * self->page, b_len = nb * self->page;
	char *a = swt_map(a_len), *b = swt_map(b_len);
	size_t n, tries;

	ASSERT_NE(MAP_FAILED, a);
	ASSERT_NE(MAP_FAILED, b);
	SWT_OK(swt_dev_mkswap(self->dev, max));
	SWT_OK(swt_on(self->dev, 100, 0));
	swt_fill(a, a_len, 1);
	ASSERT_EQ(na, swt_pageout(a, a_len));
	swt_drop_cache(&self->ctx, a, a_len);
	EXPECT_EQ(-1, swt_verify(a, a_len, 1));
	EXPECT_EQ(0, swt_swapped(a, a_len));

	swt_fill(b, b_len, 2);
	for (n = 0, tries = 0; tries < 20 && n != nb; tries++)
		n = swt_pageout(b, b_len);
	/* before all devices had clusters, these might not look for such slots */
	if (swt_has_slots_cache() &&
	    (variant->backend == SWT_DISK_ROT || variant->backend == SWT_FILE)) {
		EXPECT_LE(max - 1 - na, n);
	} else {
		EXPECT_EQ(nb, n);
	}
	EXPECT_EQ(-1, swt_verify(a, a_len, 1));
	EXPECT_EQ(-1, swt_verify(b, b_len, 2));
}

/*
 * A swapfile in hundreds of pieces: two files that grow in turn. Each page
 * must come back from where it went.
 */
TEST_F_TIMEOUT(swap_alloc, extents, 180)
{
	size_t i, max = 1200, step = 3, len = (max - 1) * self->page;
	char other[SWT_PATH], *p = swt_map(len);
	int fd, fd2, err = 0;

	if (variant->backend != SWT_FILE)
		SKIP(return, "for swapfiles only");
	ASSERT_NE(MAP_FAILED, p);
	snprintf(other, sizeof(other), "%.200s/swt-other", swt_dir());
	fd = open(self->dev->path, O_RDWR);
	fd2 = open(other, O_RDWR | O_CREAT | O_TRUNC, 0600);
	ASSERT_LE(0, fd);
	ASSERT_LE(0, fd2);
	unlink(other);
	ASSERT_EQ(0, ftruncate(fd, 0));
	for (i = 0; i < max && !err; i += step) {
		err = posix_fallocate(fd, i * self->page, step * self->page) ?:
		      posix_fallocate(fd2, i * self->page, self->page);
		if (i % 120 == 0)
			err = err ?: fsync(fd) ?: fsync(fd2);
	}
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, fsync(fd));
	close(fd);
	SWT_OK(swt_dev_mkswap(self->dev, max));
	SWT_OK(swt_on(self->dev, 100, 0));
	for (i = 0; i < 2; i++) {
		swt_fill_hard(p, len, i);
		ASSERT_EQ(max - 1, swt_pageout(p, len));
		swt_wait_writeback();
		/* the second time there is room to drop what is cached */
		if (i)
			madvise(p, self->page, MADV_DONTNEED);
		else
			EXPECT_EQ(-1, swt_verify_hard(p, len, i));
	}
	swt_drop_cache(&self->ctx, p + self->page, len - self->page);
	EXPECT_TRUE(swt_is_zero(p, self->page));
	swt_fill_hard(p, self->page, 1);
	EXPECT_EQ(-1, swt_verify_hard(p, len, 1));
	SWT_OK(swt_off(self->dev, 30));
	/* and the other file got nothing of it */
	for (i = 0; i < max; i += step) {
		ASSERT_EQ(self->page, pread(fd2, p, self->page, i * self->page));
		EXPECT_TRUE(swt_is_zero(p, self->page));
	}
	close(fd2);
}

/* Several processes that fill the device at the same time. */
TEST_F_TIMEOUT(swap_alloc, fill_concurrently, 300)
{
	size_t max = swt_scaled(4200, 2100), pages = max / 3, len = pages * self->page;
	pid_t pid[4];
	int i, round;

	SWT_OK(swt_dev_mkswap(self->dev, max));
	SWT_OK(swt_on(self->dev, 100, 0));
	for (i = 0; i < 4; i++) {
		pid[i] = swt_fork();
		ASSERT_LE(0, pid[i]);
		if (pid[i])
			continue;
		for (round = 0; round < (int)swt_scaled(6, 2); round++) {
			char *p = swt_map(len);

			if (p == MAP_FAILED)
				_exit(1);
			swt_fill(p, len, i * 100 + round);
			swt_pageout(p, len);
			if (check_slots(p, pages, max, NULL) < 0)
				_exit(2);
			if (swt_verify(p, len, i * 100 + round) != -1)
				_exit(3);
			munmap(p, len);
		}
		_exit(0);
	}
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, swt_wait(pid[i]));
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

/*
 * Devices so large that clusters are added to them several times, where the
 * kernel does so. A page of zeros takes a slot like any other, but no I/O.
 */
#define LARGE_STEP	1024UL
#define LARGE_DATA	64UL	/* one in so many pages has data */

FIXTURE(swap_large)
{
	struct swt_ctx ctx;
	struct swt_dev *dev;
	size_t page, max;
};

FIXTURE_VARIANT(swap_large)
{
	bool rotational;
};

FIXTURE_VARIANT_ADD(swap_large, ssd)
{
	.rotational = false,
};

FIXTURE_VARIANT_ADD(swap_large, rotational)
{
	.rotational = true,
};

FIXTURE_SETUP(swap_large)
{
	int ret;

	self->page = swt_page();
	self->max = swt_scaled(180000, 36000) + 1;
	ret = swt_begin(&self->ctx) ?:
	      swt_dev_new(&self->ctx, &self->dev, SWT_LOOP, self->max) ?:
	      swt_rotational(self->dev, variant->rotational);
	ret = swt_setup_done(&self->ctx, ret);
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
}

FIXTURE_TEARDOWN_PARENT(swap_large)
{
	EXPECT_EQ(0, swt_end(&self->ctx)) TH_LOG("%s", swt_msg());
}

/* Write to and swap out many pages, a few at a time; returns how many went. */
static size_t large_pageout(char *p, size_t pages, uint64_t seed)
{
	size_t page = swt_page(), n = 0, i, j, step;

	for (i = 0; i < pages; i += step) {
		step = pages - i < LARGE_STEP ? pages - i : LARGE_STEP;
		memset(p + i * page, 0, step * page);
		for (j = i; j < i + step; j++)
			if (j % LARGE_DATA == 0)
				swt_fill_hard(p + j * page, page, seed + j);
		n += swt_pageout(p + i * page, step * page);
	}
	return n;
}

/* How many of the pages with data are not as large_pageout() left them? */
static size_t large_wrong(const char *p, size_t pages, uint64_t seed)
{
	size_t page = swt_page(), n = 0, i;

	for (i = 0; i < pages; i += LARGE_DATA)
		n += swt_verify_hard(p + i * page, page, seed + i) != -1;
	return n;
}

/* Each usable slot is found, wherever the bad ones are. */
TEST_F_TIMEOUT(swap_large, fill, 600)
{
	size_t i, slots, n = 0, extra = 100, max = self->max;
	struct swt_header h;
	uint32_t bad[620];
	char *p, *map;

	bad[n++] = 1;
	bad[n++] = 511;
	/* more than whole clusters */
	for (i = 0; i < 520; i++)
		bad[n++] = max / 4 / SWT_CLUSTER * SWT_CLUSTER - 3 + i;
	for (i = max / 2; i < max - 1; i += max / 180)
		bad[n++] = i;
	bad[n++] = max - 1;
	swt_header_init(&h, max);
	h.nr_bad = n;
	h.bad = bad;
	SWT_OK(swt_header_write(self->dev->path, &h));
	SWT_OK(swt_on(self->dev, 100, 0));
	slots = max - 1 - n;
	p = swt_map((max + extra) * self->page);
	ASSERT_NE(MAP_FAILED, p);

	EXPECT_EQ(slots, large_pageout(p, max + extra, 1));
	EXPECT_EQ(slots, swt_used(self->dev));
	map = calloc(1, max);
	EXPECT_EQ(slots, check_slots(p, max + extra, max, map));
	for (i = 0; i < n; i++)
		EXPECT_EQ(0, map[bad[i]]) TH_LOG("bad page %u", bad[i]);
	free(map);
	swt_wait_writeback();
	EXPECT_EQ(0, large_wrong(p, max + extra, 1));
	munmap(p, (max + extra) * self->page);
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
	SWT_OK(swt_off(self->dev, 30));
}

/* Several processes that need new clusters at the same time. */
TEST_F_TIMEOUT(swap_large, fill_concurrently, 600)
{
	size_t pages = (self->max - 1) / 4;
	pid_t pid[4];
	int i;

	SWT_OK(swt_on(self->dev, 100, 0));
	for (i = 0; i < 4; i++) {
		pid[i] = swt_fork();
		ASSERT_LE(0, pid[i]);
		if (pid[i])
			continue;
		char *p = swt_map(pages * self->page);

		if (p == MAP_FAILED)
			_exit(1);
		if (large_pageout(p, pages, i) != pages)
			_exit(2);
		if (check_slots(p, pages, self->max, NULL) != (int)pages)
			_exit(3);
		if (large_wrong(p, pages, i))
			_exit(4);
		_exit(0);
	}
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, swt_wait(pid[i]));
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
	SWT_OK(swt_off(self->dev, 30));
}

/*
 * swapoff while processes go through one free cluster after the other. They
 * leave little in each, which has to be read back.
 */
TEST_F_TIMEOUT(swap_large, swapoff, 600)
{
	size_t keep = LARGE_DATA, step = SWT_CLUSTER;
	size_t nr = self->max / SWT_CLUSTER * 4 / 7;
	double end = swt_now() + swt_seconds(5);
	int i, offs = 0;
	pid_t pid[3];
	size_t k;

	SWT_OK(swt_on(self->dev, 100, 0));
	for (i = 0; i < 3; i++) {
		pid[i] = swt_fork();
		ASSERT_LE(0, pid[i]);
		if (pid[i])
			continue;
		char *p = swt_map(nr * step * self->page);

		if (p == MAP_FAILED)
			_exit(1);
		while (swt_now() < end) {
			for (k = 0; k < nr; k++) {
				char *c = p + k * step * self->page;

				memset(c, 0, step * self->page);
				swt_fill_hard(c, self->page, k);
				madvise(c, step * self->page, MADV_PAGEOUT);
				madvise(c + keep * self->page,
					(step - keep) * self->page, MADV_DONTNEED);
			}
			for (k = 0; k < nr; k++)
				if (swt_verify_hard(p + k * step * self->page,
						    self->page, k) != -1)
					_exit(2);
			madvise(p, nr * step * self->page, MADV_DONTNEED);
		}
		_exit(0);
	}
	for (; swt_now() < end; offs++) {
		usleep(100000 + offs % 10 * 20000);
		SWT_OK(swt_off(self->dev, 60));
		SWT_OK(swt_on(self->dev, 100, 0));
	}
	TH_LOG("%d times", offs);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, swt_wait(pid[i]));
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

FIXTURE(swap_prio)
{
	struct swt_ctx ctx;
	struct swt_dev *dev[3];
	size_t page;
};

FIXTURE_VARIANT(swap_prio)
{
	enum swt_backend backend[3];
};

FIXTURE_VARIANT_ADD(swap_prio, disks)
{
	.backend = { SWT_DISK, SWT_DISK, SWT_DISK },
};

FIXTURE_VARIANT_ADD(swap_prio, rotational)
{
	.backend = { SWT_DISK_ROT, SWT_DISK_ROT, SWT_FILE },
};

FIXTURE_VARIANT_ADD(swap_prio, mixed)
{
	.backend = { SWT_ZRAM, SWT_DISK, SWT_FILE },
};

FIXTURE_SETUP(swap_prio)
{
	int i, ret;

	self->page = swt_page();
	ret = swt_begin(&self->ctx);
	for (i = 0; i < 3 && !ret; i++)
		ret = swt_dev_new(&self->ctx, &self->dev[i], variant->backend[i],
				  MAX_PAGES);
	ret = swt_setup_done(&self->ctx, ret);
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
}

FIXTURE_TEARDOWN_PARENT(swap_prio)
{
	EXPECT_EQ(0, swt_end(&self->ctx)) TH_LOG("%s", swt_msg());
}

/* The device with the higher priority is full before the next one is used. */
TEST_F_TIMEOUT(swap_prio, order, 180)
{
	size_t len = 2500 * self->page;
	char *p = swt_map(len), *q = swt_map(len);
	int i;

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_NE(MAP_FAILED, q);
	for (i = 0; i < 3; i++) {
		SWT_OK(swt_dev_mkswap(self->dev[i], 1001 + 100 * i));
		SWT_OK(swt_on(self->dev[i], 100 * (i + 1), 0));
	}
	swt_fill(p, len, 1);
	ASSERT_EQ(900, swt_pageout(p, 900 * self->page));
	EXPECT_EQ(900, swt_used_exact(self->dev[2]));
	EXPECT_EQ(0, swt_used(self->dev[1]));
	EXPECT_EQ(0, swt_used(self->dev[0]));
	ASSERT_EQ(2000, swt_pageout(p, 2000 * self->page));
	EXPECT_EQ(1200, swt_used(self->dev[2]));
	EXPECT_EQ(800, swt_used_exact(self->dev[1]));
	EXPECT_EQ(0, swt_used(self->dev[0]));
	ASSERT_EQ(2500, swt_pageout(p, len));
	EXPECT_EQ(1200, swt_used(self->dev[2]));
	EXPECT_EQ(1100, swt_used_exact(self->dev[1]));
	EXPECT_EQ(200, swt_used_exact(self->dev[0]));

	/* room on the first: the next pages go there again */
	swt_drop_cache(&self->ctx, p, len);
	madvise(p, 500 * self->page, MADV_DONTNEED);
	EXPECT_EQ(700, swt_used_exact(self->dev[2]));
	swt_fill(q, 500 * self->page, 2);
	ASSERT_EQ(500, swt_pageout(q, 500 * self->page));
	EXPECT_EQ(1200, swt_used(self->dev[2]));
	EXPECT_EQ(200, swt_used_exact(self->dev[0]));
	EXPECT_EQ(-1, swt_verify(q, 500 * self->page, 2));
	EXPECT_TRUE(swt_is_zero(p, 500 * self->page));
	/* the five kinds of pages come in turn: 500 is a multiple */
	swt_fill(p, 500 * self->page, 1);
	EXPECT_EQ(-1, swt_verify(p, len, 1));
}

/* Without a given priority, the first one swapped on is used first. */
TEST_F_TIMEOUT(swap_prio, default_order, 180)
{
	size_t len = 1500 * self->page;
	int i, prio[3];
	char *p = swt_map(len);

	ASSERT_NE(MAP_FAILED, p);
	for (i = 0; i < 3; i++) {
		SWT_OK(swt_dev_mkswap(self->dev[i], 1001));
		SWT_OK(swt_on(self->dev[i], -1, 0));
	}
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, swt_used_path(self->dev[i]->path, NULL, &prio[i]));
	EXPECT_LT(prio[1], prio[0]);
	EXPECT_LT(prio[2], prio[1]);
	EXPECT_GT(0, prio[0]);
	swt_fill(p, len, 1);
	ASSERT_EQ(1500, swt_pageout(p, len));
	EXPECT_EQ(1000, swt_used(self->dev[0]));
	EXPECT_EQ(500, swt_used_exact(self->dev[1]));
	EXPECT_EQ(0, swt_used(self->dev[2]));
	EXPECT_EQ(-1, swt_verify(p, len, 1));
	/* the first one goes: the others move up */
	SWT_OK(swt_off(self->dev[0], 30));
	ASSERT_LE(0, swt_used_path(self->dev[1]->path, NULL, &prio[1]));
	ASSERT_LE(0, swt_used_path(self->dev[2]->path, NULL, &prio[2]));
	EXPECT_EQ(prio[0], prio[1]);
	EXPECT_EQ(prio[0] - 1, prio[2]);
}

/* Devices of the same priority take turns. */
TEST_F_TIMEOUT(swap_prio, equal, 180)
{
	size_t pages = MAX_PAGES, len = pages * self->page;
	char *p = swt_map(len);
	long used, sum = 0;
	int i;

	ASSERT_NE(MAP_FAILED, p);
	for (i = 0; i < 3; i++)
		SWT_OK(swt_on(self->dev[i], 500, 0));
	swt_fill(p, len, 1);
	ASSERT_EQ(pages, swt_pageout(p, len));
	for (i = 0; i < 3; i++) {
		used = swt_used_exact(self->dev[i]);
		sum += used;
		TH_LOG("%s: %ld of %zu", self->dev[i]->path, used, pages);
		EXPECT_LE((long)pages / 5, used);
	}
	EXPECT_EQ(pages, sum);
	EXPECT_EQ(-1, swt_verify(p, len, 1));
}

/* One of them full, the other ones still take turns. */
TEST_F_TIMEOUT(swap_prio, equal_one_small, 180)
{
	size_t pages = 6000, len = pages * self->page;
	char *p = swt_map(len);

	ASSERT_NE(MAP_FAILED, p);
	SWT_OK(swt_dev_mkswap(self->dev[0], 301));
	SWT_OK(swt_on(self->dev[0], 500, 0));
	SWT_OK(swt_on(self->dev[1], 500, 0));
	SWT_OK(swt_on(self->dev[2], 500, 0));
	swt_fill(p, len, 1);
	ASSERT_EQ(pages, swt_pageout(p, len));
	EXPECT_EQ(300, swt_used(self->dev[0]));
	EXPECT_LE(1500, swt_used_exact(self->dev[1]));
	EXPECT_LE(1500, swt_used_exact(self->dev[2]));
	EXPECT_EQ(-1, swt_verify(p, len, 1));
	/* everything full */
	swt_drop_cache(&self->ctx, p, len);
	munmap(p, len);
	SWT_OK(swt_wait_used(&self->ctx, self->dev[0], 0));
	SWT_OK(swt_wait_used(&self->ctx, self->dev[1], 0));
	SWT_OK(swt_wait_used(&self->ctx, self->dev[2], 0));
}

TEST_HARNESS_MAIN
