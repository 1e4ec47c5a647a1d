// SPDX-License-Identifier: GPL-2.0
/*
 * Large folios of every order: swapped out whole where the device allows it,
 * in slots that are contiguous, aligned and of one cluster; split elsewhere;
 * with the right data in any case.
 */
#define _GNU_SOURCE
#include <dirent.h>

#include "../kselftest_harness.h"
#include "swap_util.h"

#define THP		"/sys/kernel/mm/transparent_hugepage/"
#define REGION		(4UL << 20)

FIXTURE(swap_thp)
{
	struct swt_ctx ctx;
	struct swt_dev *dev;
	size_t page;
	int nr_orders;
	int order[20];
};

FIXTURE_VARIANT(swap_thp)
{
	enum swt_backend backend;
};

FIXTURE_VARIANT_ADD(swap_thp, disk)
{
	.backend = SWT_DISK,
};

FIXTURE_VARIANT_ADD(swap_thp, disk_rotational)
{
	.backend = SWT_DISK_ROT,
};

FIXTURE_VARIANT_ADD(swap_thp, swapfile)
{
	.backend = SWT_FILE,
};

FIXTURE_VARIANT_ADD(swap_thp, zram)
{
	.backend = SWT_ZRAM,
};

FIXTURE_VARIANT_ADD(swap_thp, zswap)
{
	.backend = SWT_ZSWAP,
};

static const char *order_file(int order, const char *name)
{
	static char path[160];

	snprintf(path, sizeof(path), THP "hugepages-%lukB/%s",
		 swt_page() / 1024 << order, name);
	return path;
}

FIXTURE_SETUP(swap_thp)
{
	int i, ret;

	self->page = swt_page();
	ret = swt_begin(&self->ctx);
	/* where everything takes long every other one, that of a PMD included */
	for (i = 1; i < 20; i++)
		if (!access(order_file(i, "enabled"), W_OK) &&
		    (self->page << i) <= REGION / 2 &&
		    (swt_scale() >= 0.5 || i % 2))
			self->order[self->nr_orders++] = i;
	if (!ret && !self->nr_orders)
		ret = swt_skip("no large folios in this kernel");
	for (i = 0; i < self->nr_orders && !ret; i++)
		ret = swt_set(&self->ctx, order_file(self->order[i], "enabled"),
			      "never");
	ret = ret ?:
	      swt_dev_new(&self->ctx, &self->dev, variant->backend, 16384) ?:
	      swt_on(self->dev, 1000, 0);
	ret = swt_setup_done(&self->ctx, ret);
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
}

FIXTURE_TEARDOWN_PARENT(swap_thp)
{
	EXPECT_EQ(0, swt_end(&self->ctx)) TH_LOG("%s", swt_msg());
}

/* What happens to large folios on this device. */
static bool goes_whole(enum swt_backend backend)
{
	if (backend == SWT_FILE)
		return false;
	/* rotating devices have clusters since the slots caches are gone */
	if (backend == SWT_DISK_ROT)
		return !swt_has_slots_cache();
	return true;
}

static char *__map_order(int order, uint64_t seed, long *missing)
{
	long before = swt_read_long(order_file(order, "stats/anon_fault_alloc"));
	size_t size = swt_page() << order;
	char *raw, *p;
	long n;

	raw = mmap(NULL, REGION * 2, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (raw == MAP_FAILED)
		return NULL;
	p = (char *)(((uintptr_t)raw + REGION - 1) & ~(REGION - 1));
	if (p > raw)
		munmap(raw, p - raw);
	munmap(p + REGION, raw + REGION - p);
	swt_write(order_file(order, "enabled"), "always");
	swt_fill_hard(p, REGION, seed);
	swt_write(order_file(order, "enabled"), "never");
	n = swt_read_long(order_file(order, "stats/anon_fault_alloc")) - before;
	*missing = REGION / size - n;
	return p;
}

/* REGION bytes of folios of this order, random bytes in them */
static char *map_order(struct __test_metadata *_metadata, int order, uint64_t seed)
{
	long missing;
	char *p = __map_order(order, seed, &missing);

	if (p && missing) {
		munmap(p, REGION);
		swt_write("/proc/sys/vm/compact_memory", "1");
		p = __map_order(order, seed, &missing);
	}
	if (p && missing)
		TH_LOG("order %d: %ld folios missing", order, missing);
	return p;
}

/*
 * How many of the folios that could be there have their entries in a row,
 * aligned, in one cluster. -1 if some folio's entries cross a cluster.
 */
static long whole_folios(const char *p, size_t len, int order)
{
	size_t nr = 1UL << order, pages = len / swt_page(), i, j;
	unsigned long *off = calloc(pages, sizeof(*off));
	long whole = 0;

	swt_offsets(p, len, off);
	for (i = 0; i < pages; i += nr) {
		if (!off[i] || off[i] % nr)
			continue;
		for (j = 1; j < nr; j++)
			if (off[i + j] != off[i] + j)
				break;
		if (j < nr)
			continue;
		whole++;
		if (off[i] / SWT_CLUSTER != (off[i] + nr - 1) / SWT_CLUSTER)
			whole = -100000;
	}
	free(off);
	return whole;
}

struct stats {
	long swpout, fallback;
};

static struct stats read_stats(int order)
{
	const char *zswpout = order_file(order, "stats/zswpout");
	struct stats s = { 0 };

	/* one or the other; not there where zswap only takes small ones */
	if (!access(zswpout, R_OK))
		s.swpout = swt_read_long(zswpout);
	s.swpout += swt_read_long(order_file(order, "stats/swpout"));
	s.fallback = swt_read_long(order_file(order, "stats/swpout_fallback"));
	return s;
}

TEST_F_TIMEOUT(swap_thp, whole_or_split, 300)
{
	size_t pages = REGION / self->page;
	struct stats a, b;
	int i, order;
	long folios, n;
	char *p;

	for (i = 0; i < self->nr_orders; i++) {
		order = self->order[i];
		folios = pages >> order;
		p = map_order(_metadata, order, order);
		ASSERT_NE(NULL, p);
		a = read_stats(order);
		ASSERT_EQ(pages, swt_pageout(p, REGION));
		b = read_stats(order);
		n = whole_folios(p, REGION, order);
		if (goes_whole(variant->backend)) {
			/* memory may have been too fragmented for some */
			EXPECT_LE(folios * 3 / 4, b.swpout - a.swpout)
				TH_LOG("order %d", order);
			EXPECT_LE(b.swpout - a.swpout, n);
		} else {
			EXPECT_EQ(a.swpout, b.swpout) TH_LOG("order %d", order);
			EXPECT_LT(a.fallback, b.fallback) TH_LOG("order %d", order);
		}
		EXPECT_EQ(0, swt_drop_cache(&self->ctx, p, REGION));
		EXPECT_EQ(-1, swt_verify_hard(p, REGION, order));
		/* what was swapped in may be small or large, and goes out again */
		swt_fill_hard(p, REGION, order + 100);
		ASSERT_EQ(pages, swt_pageout(p, REGION));
		EXPECT_EQ(-1, swt_verify_hard(p, REGION, order + 100));
		munmap(p, REGION);
		SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
	}
}

/* Parts of folios that are swapped out whole go, move, come back, are shared. */
TEST_F_TIMEOUT(swap_thp, parts, 300)
{
	size_t size, part, off;
	int i, order, k;
	char *p, *q;
	pid_t pid;

	q = swt_map(REGION);
	ASSERT_NE(MAP_FAILED, q);
	for (i = 0; i < self->nr_orders; i++) {
		order = self->order[i];
		size = self->page << order;
		part = order > 1 ? size / 4 : size / 2;
		p = map_order(_metadata, order, order);
		ASSERT_NE(NULL, p);
		swt_fill_hard(q, REGION, order);
		ASSERT_EQ(REGION / self->page, swt_pageout(p, REGION));
		swt_drop_cache(&self->ctx, p, REGION);

		pid = swt_fork();
		if (!pid)
			_exit(swt_verify_hard(p, REGION, order) != -1);

		for (off = 0, k = 0; off < REGION; off += size, k++) {
			char *c = p + off + part, *e = q + off + part;

			switch (k % 5) {
			case 0:
				madvise(c, part, MADV_DONTNEED);
				memset(e, 0, part);
				break;
			case 1:
				munmap(c, part);
				ASSERT_EQ(c, mmap(c, part, PROT_READ | PROT_WRITE,
						  MAP_PRIVATE | MAP_FIXED |
						  MAP_ANONYMOUS, -1, 0));
				memset(e, 0, part);
				break;
			case 2:
				*c = 77;
				*e = 77;
				break;
			case 3:
				madvise(c, part, MADV_FREE);
				memset(e, 0, part);
				break;
			case 4:
				madvise(c, part, MADV_WILLNEED);
				break;
			}
		}
		EXPECT_EQ(0, memcmp(p, q, REGION / 2));
		EXPECT_EQ(0, swt_wait(pid));
		swt_pageout(p, REGION / 2);
		EXPECT_EQ(0, memcmp(p, q, REGION));
		munmap(p, REGION);
		madvise(q, REGION, MADV_DONTNEED);
	}
}

/* Zero pages of every order: whole folios, all but a byte, every other page. */
TEST_F_TIMEOUT(swap_thp, zeroes, 300)
{
	size_t pages = REGION / self->page, size, off, out;
	int i, order, kind;
	char *p, *q;

	q = swt_map(REGION);
	ASSERT_NE(MAP_FAILED, q);
	ASSERT_EQ(0, mlock(q, REGION));
	for (i = 0; i < self->nr_orders; i++) {
		order = self->order[i];
		size = self->page << order;
		p = map_order(_metadata, order, order);
		ASSERT_NE(NULL, p);
		memset(q, 0, REGION);
		for (off = 0, kind = 0; off < REGION; off += size, kind++) {
			if (kind % 3 == 1)
				q[off + size - 1] = 1;
			for (size_t j = 0; kind % 3 == 2 && j < size; j += 2 * self->page)
				q[off + j] = 2;
		}
		memcpy(p, q, REGION);
		/* where a folio is split, the zero page takes the place of others */
		out = swt_pageout(p, REGION);
		if (goes_whole(variant->backend))
			EXPECT_LE(pages * 3 / 4, out) TH_LOG("order %d", order);
		swt_drop_cache(&self->ctx, p, REGION);
		EXPECT_EQ(0, memcmp(p, q, REGION)) TH_LOG("order %d", order);

		/* what was zero is not any more, and the other way round */
		for (off = 0; off < REGION; off += self->page)
			q[off + 8] = off / self->page % 3;
		for (off = 0; off < REGION; off += 3 * self->page)
			memset(q + off, 0, self->page);
		memcpy(p, q, REGION);
		swt_pageout(p, REGION);
		swt_drop_cache(&self->ctx, p, REGION);
		EXPECT_EQ(0, memcmp(p, q, REGION)) TH_LOG("order %d", order);
		munmap(p, REGION);
		SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
	}
}

/* One page of each folio comes back, is written to, and goes out again. */
TEST_F_TIMEOUT(swap_thp, swap_in_one, 300)
{
	size_t size, off;
	int i, order;
	char *p;

	for (i = 0; i < self->nr_orders; i++) {
		order = self->order[i];
		size = self->page << order;
		p = map_order(_metadata, order, order);
		ASSERT_NE(NULL, p);
		ASSERT_EQ(REGION / self->page, swt_pageout(p, REGION));
		swt_drop_cache(&self->ctx, p, REGION);
		for (off = 0; off < REGION; off += size)
			p[off + size - self->page] ^= 1;
		swt_pageout(p, REGION);
		for (off = 0; off < REGION; off += size)
			p[off + size - self->page] ^= 1;
		EXPECT_EQ(-1, swt_verify_hard(p, REGION, order));
		munmap(p, REGION);
	}
}

/* No room for a large folio anywhere: it is split, and all of it fits. */
TEST_F_TIMEOUT(swap_thp, fragmented, 300)
{
	size_t i, fill = 4100, len = fill * self->page;
	int order = self->order[self->nr_orders - 1];
	struct stats a, b;
	char *p, *q;

	if (swt_is_virtual(self->dev))
		SKIP(return, "what zswap takes leaves the device as it is");
	SWT_OK(swt_off(self->dev, 30));
	SWT_OK(swt_dev_mkswap(self->dev, fill + 1));
	SWT_OK(swt_on(self->dev, 1000, 0));
	q = swt_map(len);
	ASSERT_NE(MAP_FAILED, q);
	swt_fill(q, len, 1);
	ASSERT_EQ(fill, swt_pageout(q, len));
	swt_drop_cache(&self->ctx, q, len);
	for (i = 0; i < fill; i += 3)
		madvise(q + i * self->page, self->page, MADV_DONTNEED);

	p = map_order(_metadata, order, 2);
	ASSERT_NE(NULL, p);
	a = read_stats(order);
	EXPECT_EQ(REGION / self->page, swt_pageout(p, REGION));
	b = read_stats(order);
	EXPECT_EQ(a.swpout, b.swpout);
	EXPECT_LT(a.fallback, b.fallback);
	EXPECT_EQ(-1, swt_verify_hard(p, REGION, 2));
	for (i = 0; i < fill; i += 3)
		EXPECT_TRUE(swt_is_zero(q + i * self->page, self->page));
	swt_fill(q, len, 1);
	EXPECT_EQ(-1, swt_verify(q, len, 1));
}

/* All orders at once, freed in part, until clusters of all kinds are mixed. */
TEST_F_TIMEOUT(swap_thp, mixed_orders, 300)
{
	int i, round, order;
	char *p[20] = { NULL };
	long n;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < self->nr_orders; i++) {
			order = self->order[i];
			if (!p[i])
				p[i] = map_order(_metadata, order, round * 20 + i);
			ASSERT_NE(NULL, p[i]);
			swt_pageout(p[i], REGION);
			n = whole_folios(p[i], REGION, order);
			EXPECT_LE(0, n) TH_LOG("order %d crosses a cluster", order);
		}
		for (i = 0; i < self->nr_orders; i++) {
			if (!p[i])
				continue;
			if ((i + round) % 2) {
				swt_fill_hard(p[i], REGION, round * 20 + 20 + i);
				continue;
			}
			munmap(p[i], REGION);
			p[i] = NULL;
		}
	}
	for (i = 0; i < self->nr_orders; i++)
		if (p[i])
			EXPECT_EQ(-1, swt_verify_hard(p[i], REGION, 3 * 20 + i));
}

TEST_HARNESS_MAIN
