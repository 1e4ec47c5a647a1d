// SPDX-License-Identifier: GPL-2.0
/*
 * What zswap does besides keeping pages: large folios whole or not at all, giving
 * pages to the disk behind it, and pages that it cannot decompress.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "swap_util.h"

#define DEBUGFS		"/sys/kernel/debug"
#define THP		"/sys/kernel/mm/transparent_hugepage/"
#define REGION		(4UL << 20)

FIXTURE(swap_zswap)
{
	struct swt_ctx ctx;
	struct swt_dev *dev;
	size_t page;
};

FIXTURE_SETUP(swap_zswap)
{
	int ret;

	self->page = swt_page();
	ret = swt_begin(&self->ctx) ?:
	      swt_dev_new(&self->ctx, &self->dev, SWT_ZSWAP, 16384) ?:
	      swt_on(self->dev, 1000, 0);
	if (!ret && access(DEBUGFS "/zswap", F_OK))
		mount("none", DEBUGFS, "debugfs", 0, NULL);
	if (!ret && access(DEBUGFS "/zswap/stored_pages", R_OK))
		ret = swt_skip("no debugfs of zswap");
	ret = swt_setup_done(&self->ctx, ret);
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
}

FIXTURE_TEARDOWN_PARENT(swap_zswap)
{
	EXPECT_EQ(0, swt_end(&self->ctx)) TH_LOG("%s", swt_msg());
}

static long zswap_stat(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), DEBUGFS "/zswap/%s", name);
	return swt_read_long(path);
}

static int zswap_max(struct swt_ctx *ctx, const char *value)
{
	char path[SWT_PATH + 32];

	snprintf(path, sizeof(path), "%s/memory.zswap.max", ctx->cgroup);
	if (!ctx->cgroup[0] || access(path, W_OK))
		return swt_skip("no memory.zswap.max");
	return swt_write(path, "%s", value);
}

static const char *order_file(int order, const char *name)
{
	static char path[160];

	snprintf(path, sizeof(path), THP "hugepages-%lukB/%s",
		 swt_page() / 1024 << order, name);
	return path;
}

/* REGION bytes in folios of that order, as far as there are any, zero pages */
static char *map_order(struct swt_ctx *ctx, int order)
{
	size_t off;
	char *raw, *p;

	raw = mmap(NULL, REGION * 2, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (raw == MAP_FAILED)
		return NULL;
	p = (char *)(((uintptr_t)raw + REGION - 1) & ~(REGION - 1));
	if (p > raw)
		munmap(raw, p - raw);
	munmap(p + REGION, raw + REGION - p);
	if (swt_set(ctx, order_file(order, "enabled"), "always"))
		return NULL;
	for (off = 0; off < REGION; off += swt_page())
		p[off] = 1;
	swt_set(ctx, order_file(order, "enabled"), "never");
	return p;
}

/* Large folios of every order are stored whole, and nothing is written. */
TEST_F_TIMEOUT(swap_zswap, large, 300)
{
	size_t pages = REGION / self->page;
	long written, stored, whole, sum = 0;
	int order, orders = 0;
	char *p;

	for (order = 1; self->page << order <= REGION / 2; order++) {
		if (access(order_file(order, "enabled"), W_OK) ||
		    access(order_file(order, "stats/zswpout"), R_OK))
			continue;
		orders++;
		p = map_order(&self->ctx, order);
		ASSERT_NE(NULL, p) TH_LOG("%s", swt_msg());
		/* compresses, but not to nothing */
		swt_fill(p, REGION, order);
		stored = zswap_stat("stored_pages");
		written = swt_vmstat("pswpout");
		whole = swt_read_long(order_file(order, "stats/zswpout"));
		ASSERT_EQ(pages, swt_pageout(p, REGION));
		sum += swt_read_long(order_file(order, "stats/zswpout")) - whole;
		/* but for pages of random bytes, and what has one, nothing is */
		EXPECT_EQ(0, swt_drop_cache(&self->ctx, p, REGION));
		EXPECT_EQ(-1, swt_verify(p, REGION, order)) TH_LOG("order %d", order);

		for (size_t i = 0; i < pages; i++)
			memset(p + i * self->page, 'a' + i % 26, self->page - 1);
		stored = zswap_stat("stored_pages");
		written = swt_vmstat("pswpout");
		ASSERT_EQ(pages, swt_pageout(p, REGION));
		EXPECT_EQ(stored + (long)pages, zswap_stat("stored_pages"))
			TH_LOG("order %d", order);
		EXPECT_EQ(written, swt_vmstat("pswpout")) TH_LOG("order %d", order);
		munmap(p, REGION);
		EXPECT_EQ(stored, zswap_stat("stored_pages"));
		SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
	}
	if (!orders)
		SKIP(return, "zswap takes no large folios here");
	TH_LOG("%d orders, %ld folios whole", orders, sum);
	EXPECT_LT(0, sum);
}

/* A folio of which one page is refused, because it does not compress, is not there. */
TEST_F_TIMEOUT(swap_zswap, whole_or_not, 180)
{
	size_t pages = REGION / self->page, size, i;
	long stored, whole, written, folios;
	int order, orders = 0;
	char *p, *q;

	q = swt_map(REGION);
	ASSERT_NE(MAP_FAILED, q);
	ASSERT_EQ(0, mlock(q, REGION));
	for (order = 1; self->page << order <= REGION / 2; order++) {
		if (access(order_file(order, "enabled"), W_OK) ||
		    access(order_file(order, "stats/zswpout"), R_OK))
			continue;
		size = self->page << order;
		swt_write("/proc/sys/vm/compact_memory", "1");
		folios = swt_read_long(order_file(order, "stats/anon_fault_alloc"));
		p = map_order(&self->ctx, order);
		ASSERT_NE(NULL, p) TH_LOG("%s", swt_msg());
		folios = swt_read_long(order_file(order, "stats/anon_fault_alloc")) - folios;
		if (folios != (long)(REGION / size)) {
			munmap(p, REGION);
			continue;
		}
		orders++;

		swt_fill_hard(q, REGION, order);
		for (i = 0; i < pages; i++)
			if ((i + 1) * self->page % size)
				memset(q + i * self->page, 'a' + i % 26, self->page);
		memcpy(p, q, REGION);
		stored = zswap_stat("stored_pages");
		written = swt_vmstat("pswpout");
		whole = swt_read_long(order_file(order, "stats/zswpout"));
		ASSERT_EQ(pages, swt_pageout(p, REGION));
		swt_wait_writeback();
		EXPECT_EQ(whole, swt_read_long(order_file(order, "stats/zswpout")))
			TH_LOG("order %d", order);
		EXPECT_EQ(stored, zswap_stat("stored_pages")) TH_LOG("order %d", order);
		EXPECT_LE(written + (long)pages, swt_vmstat("pswpout"));
		EXPECT_EQ(0, swt_drop_cache(&self->ctx, p, REGION));
		EXPECT_EQ(0, memcmp(p, q, REGION)) TH_LOG("order %d", order);
		munmap(p, REGION);
		SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
	}
	if (!orders)
		SKIP(return, "zswap takes no large folios here, or there are none");
	EXPECT_LT(1, orders);
}

/*
 * A cgroup that may have no more in zswap gets room there a page at a time: the
 * oldest are written to the disk.
 */
TEST_F_TIMEOUT(swap_zswap, writeback, 180)
{
	size_t pages = 1500, len = pages * self->page, i;
	long back = zswap_stat("written_back_pages");
	long stored = zswap_stat("stored_pages");
	char *p = swt_map(len);

	if (zswap_max(&self->ctx, "16K"))
		SKIP(return, "%s", swt_msg());
	for (i = 0; i < pages; i++)
		memset(p + i * self->page, 'a' + i % 26, self->page - i % 100);
	/* compresses to next to nothing: the limit comes late */
	ASSERT_EQ(pages, swt_pageout(p, len));
	swt_wait_writeback();
	TH_LOG("%ld written back", zswap_stat("written_back_pages") - back);
	EXPECT_LT(back, zswap_stat("written_back_pages"));
	EXPECT_GT(stored + (long)pages, zswap_stat("stored_pages"));
	EXPECT_EQ(0, swt_drop_cache(&self->ctx, p, len));
	for (i = 0; i < pages; i++) {
		EXPECT_EQ('a' + (char)(i % 26), p[i * self->page]);
		EXPECT_EQ(i % 100 ? 0 : 'a' + (char)(i % 26), p[(i + 1) * self->page - 1]);
	}
	zswap_max(&self->ctx, "max");
	munmap(p, len);
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
	EXPECT_EQ(stored, zswap_stat("stored_pages"));
}

#define FAIL		DEBUGFS "/fail_zswap/"

/* Decompression fails, for tasks that say so ("Y") or for all, or not any more. */
static int decompress_fails(const char *task_filter)
{
	if (!task_filter)
		return swt_write(FAIL "probability", "0");
	if (access(FAIL "probability", W_OK))
		return swt_skip("no fail_zswap");
	return swt_write(FAIL "task-filter", "%s", task_filter) ?:
	       swt_write(FAIL "interval", "0") ?:
	       swt_write(FAIL "verbose", "0") ?:
	       swt_write(FAIL "times", "-1") ?:
	       swt_write(FAIL "probability", "100");
}

/* Reads the page in a process of its own. Returns how that ended. */
static int read_page(const char *page, bool fails)
{
	pid_t pid = swt_fork();

	if (!pid) {
		if (fails && swt_write("/proc/self/make-it-fail", "1"))
			_exit(3);
		_exit(page[0] == '#');
	}
	return swt_wait(pid);
}

/*
 * A page that cannot be decompressed is an error of those who want it, as long
 * as that lasts: it stays in zswap.
 */
TEST_F_TIMEOUT(swap_zswap, decompress_error, 120)
{
	size_t pages = 64, len = pages * self->page, i;
	long failed = zswap_stat("decompress_fail"), stored;
	char *p = swt_map(len);
	int ret, try;

	swt_set(&self->ctx, "/proc/sys/vm/page-cluster", "0");
	for (i = 0; i < pages; i++)
		memset(p + i * self->page, 'a' + i % 26, self->page - 1);
	stored = zswap_stat("stored_pages");
	ASSERT_EQ(pages, swt_pageout(p, len));
	EXPECT_EQ(0, swt_drop_cache(&self->ctx, p, len));
	EXPECT_EQ(stored + (long)pages, zswap_stat("stored_pages"));
	ret = decompress_fails("Y");
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
	for (i = 0; i < 10; i++)
		EXPECT_EQ(128 + SIGBUS, read_page(p + i * self->page, true));
	decompress_fails(NULL);
	EXPECT_LE(failed + 10, zswap_stat("decompress_fail"));
	EXPECT_EQ(stored + (long)pages, zswap_stat("stored_pages"));

	/* once reclaim has found the unread pages in the swap cache */
	for (i = 0; i < pages; i++) {
		for (try = 0; try < 20 && read_page(p + i * self->page, false); try++)
			swt_reclaim(&self->ctx, len);
		ASSERT_GT(20, try) TH_LOG("page %zu", i);
		EXPECT_EQ('a' + (char)(i % 26), p[i * self->page]);
		EXPECT_EQ('a' + (char)(i % 26), p[(i + 1) * self->page - 2]);
	}
	EXPECT_EQ(stored, zswap_stat("stored_pages"));
}

/* Nor is a page lost that writeback cannot decompress, or anything written. */
TEST_F_TIMEOUT(swap_zswap, decompress_error_writeback, 120)
{
	size_t pages = 400, first = 40, len = pages * self->page, i;
	long failed = zswap_stat("decompress_fail"), stored, back, n;
	char *p = swt_map(len);
	int ret;

	/* compresses to a bit more than a quarter */
	swt_fill_hard(p, len, 1);
	for (i = 0; i < pages; i++)
		memset(p + i * self->page + self->page / 4, 'a' + i % 26,
		       self->page * 3 / 4);
	stored = zswap_stat("stored_pages");
	/* those that are to be written back, in the second round */
	ASSERT_EQ(first, swt_pageout(p, first * self->page));
	n = zswap_stat("stored_pages");
	EXPECT_EQ(stored + (long)first, n);
	back = zswap_stat("written_back_pages");
	ret = decompress_fails("N");
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
	SWT_OK(zswap_max(&self->ctx, "4096"));
	EXPECT_EQ(pages - first, swt_pageout(p + first * self->page,
					     len - first * self->page));
	swt_wait_writeback();
	zswap_max(&self->ctx, "max");
	decompress_fails(NULL);
	EXPECT_LT(failed, zswap_stat("decompress_fail"));
	EXPECT_EQ(back, zswap_stat("written_back_pages"));
	EXPECT_LE(n, zswap_stat("stored_pages"));
	for (i = 0; i < pages; i++)
		EXPECT_EQ('a' + (char)(i % 26), p[(i + 1) * self->page - 2]);
	munmap(p, len);
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
	EXPECT_EQ(stored, zswap_stat("stored_pages"));
}

/* swapoff gives up what it cannot decompress, and SIGBUS tells. */
TEST_F_TIMEOUT(swap_zswap, decompress_error_swapoff, 120)
{
	size_t pages = 50, len = pages * self->page;
	long stored = zswap_stat("stored_pages");
	char *p = swt_map(len);
	int ret;

	if (swt_is_virtual(self->dev))
		SKIP(return, "what is in zswap stays there");
	memset(p, 'x', len);
	ASSERT_EQ(pages, swt_pageout(p, len));
	EXPECT_EQ(0, swt_drop_cache(&self->ctx, p, len));
	ret = decompress_fails("N");
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
	SWT_OK(swt_off(self->dev, 30));
	decompress_fails(NULL);
	EXPECT_EQ(stored, zswap_stat("stored_pages"));
	EXPECT_EQ(128 + SIGBUS, read_page(p + 7 * self->page, false));
	munmap(p, len);
}

TEST_HARNESS_MAIN
