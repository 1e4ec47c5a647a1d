// SPDX-License-Identifier: GPL-2.0
/*
 * What a cgroup is charged for its swap: never more than its limit, always
 * what it has, and nothing in the end.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>

#include "../kselftest_harness.h"
#include "swap_util.h"

FIXTURE(swap_memcg)
{
	struct swt_ctx ctx;
	struct swt_dev *dev;
	size_t page;
	char parent[SWT_PATH + 32];	/* cgroups below the test's own */
	char child[SWT_PATH + 64];
};

FIXTURE_VARIANT(swap_memcg)
{
	enum swt_backend backend;
};

FIXTURE_VARIANT_ADD(swap_memcg, disk)
{
	.backend = SWT_DISK,
};

FIXTURE_VARIANT_ADD(swap_memcg, swapfile)
{
	.backend = SWT_FILE,
};

FIXTURE_VARIANT_ADD(swap_memcg, zram)
{
	.backend = SWT_ZRAM,
};

FIXTURE_VARIANT_ADD(swap_memcg, zswap)
{
	.backend = SWT_ZSWAP,
};

static int make_cgroups(struct swt_ctx *ctx, char *parent, char *child)
{
	char path[SWT_PATH + 128], leaf[SWT_PATH + 64];

	if (!ctx->cgroup[0])
		return swt_skip("no cgroup2 with a memory controller");
	/* no processes next to cgroups that have controllers */
	snprintf(leaf, sizeof(leaf), "%s/self", ctx->cgroup);
	mkdir(leaf, 0755);
	snprintf(path, sizeof(path), "%s/cgroup.procs", leaf);
	if (swt_write(path, "0"))
		return swt_fail("cannot enter %s", leaf);
	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", ctx->cgroup);
	if (swt_write(path, "+memory"))
		return swt_fail("no memory controller in %s", ctx->cgroup);
	snprintf(parent, SWT_PATH + 32, "%s/parent", ctx->cgroup);
	mkdir(parent, 0755);
	snprintf(path, sizeof(path), "%s/cgroup.subtree_control", parent);
	if (swt_write(path, "+memory"))
		return swt_fail("no memory controller in %s", parent);
	snprintf(child, SWT_PATH + 64, "%s/child", parent);
	mkdir(child, 0755);
	snprintf(path, sizeof(path), "%s/memory.swap.max", child);
	if (access(path, W_OK))
		return swt_skip("no memory.swap.max");
	return 0;
}

FIXTURE_SETUP(swap_memcg)
{
	int ret;

	self->page = swt_page();
	ret = swt_begin(&self->ctx) ?:
	      make_cgroups(&self->ctx, self->parent, self->child) ?:
	      swt_dev_new(&self->ctx, &self->dev, variant->backend, 8192) ?:
	      swt_on(self->dev, 1000, 0);
	ret = swt_setup_done(&self->ctx, ret);
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
}

FIXTURE_TEARDOWN_PARENT(swap_memcg)
{
	rmdir(self->child);
	rmdir(self->parent);
	EXPECT_EQ(0, swt_end(&self->ctx)) TH_LOG("%s", swt_msg());
}

static long cg_read(const char *dir, const char *name)
{
	char path[SWT_PATH + 128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return swt_read_long(path);
}

static int cg_write(const char *dir, const char *name, long val)
{
	char path[SWT_PATH + 128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return val < 0 ? swt_write(path, "max") : swt_write(path, "%ld", val);
}

static int cg_enter(const char *dir)
{
	return cg_write(dir, "cgroup.procs", 0);
}

/* Charges are given back in batches; they must be gone within a while. */
static long wait_current(const char *dir, long want)
{
	long n = -1;
	int i;

	for (i = 0; i < 500; i++) {
		n = cg_read(dir, "memory.swap.current");
		if (n == want)
			break;
		usleep(10000);
	}
	return n;
}

TEST_F_TIMEOUT(swap_memcg, current, 180)
{
	size_t pages = 1000, len = pages * self->page;
	int to[2], from[2];
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(to));
	ASSERT_EQ(0, pipe(from));
	pid = swt_fork();
	if (!pid) {
		char *p = swt_map(len);

		if (cg_enter(self->child))
			_exit(1);
		swt_fill_hard(p, len, 1);
		if (swt_pageout(p, len) != pages)
			_exit(2);
		if (write(from[1], "", 1) != 1 || read(to[0], &c, 1) != 1)
			_exit(3);
		swt_wait_writeback();
		madvise(p, len / 2, MADV_DONTNEED);
		if (write(from[1], "", 1) != 1 || read(to[0], &c, 1) != 1)
			_exit(4);
		if (swt_verify_hard(p, len, 1) != 0)
			_exit(5);
		_exit(0);
	}
	ASSERT_EQ(1, read(from[0], &c, 1));
	EXPECT_EQ(len, cg_read(self->child, "memory.swap.current"));
	EXPECT_EQ(len, cg_read(self->parent, "memory.swap.current"));
	ASSERT_EQ(1, write(to[1], "", 1));
	ASSERT_EQ(1, read(from[0], &c, 1));
	EXPECT_EQ(pages / 2, swt_used_exact(self->dev));
	EXPECT_EQ(len / 2, wait_current(self->child, len / 2));
	ASSERT_EQ(1, write(to[1], "", 1));
	EXPECT_EQ(0, swt_wait(pid));
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
	EXPECT_EQ(0, wait_current(self->child, 0));
	EXPECT_EQ(0, wait_current(self->parent, 0));
}

/* memory.swap.max of the cgroup itself, and of the one above it */
TEST_F_TIMEOUT(swap_memcg, max, 180)
{
	size_t pages = swt_scaled(1000, 500), max = 3 * pages / 10;
	size_t len = pages * self->page;
	const char *dir;
	pid_t pid;
	int round;

	if (swt_is_virtual(self->dev))
		SKIP(return, "memory.swap.max is not for what zswap takes");
	for (round = 0; round < 2; round++) {
		dir = round ? self->parent : self->child;
		ASSERT_EQ(0, cg_write(dir, "memory.swap.max", max * self->page));
		pid = swt_fork();
		if (!pid) {
			char *p = swt_map(len);

			if (cg_enter(self->child))
				_exit(1);
			swt_fill(p, len, round);
			/* exactly what is allowed */
			if (swt_pageout(p, len) != max)
				_exit(2);
			if (cg_read(dir, "memory.swap.current") !=
			    (long)(max * self->page))
				_exit(3);
			if (swt_verify(p, len, round) != -1)
				_exit(4);
			/* no limit any more */
			cg_write(dir, "memory.swap.max", -1);
			if (swt_pageout(p, len) != pages)
				_exit(5);
			/* a limit below what there is: it stays */
			cg_write(dir, "memory.swap.max", 0);
			if (swt_swapped(p, len) != pages)
				_exit(6);
			_exit(swt_verify(p, len, round) != -1 ? 7 : 0);
		}
		EXPECT_EQ(0, swt_wait(pid));
		EXPECT_LT(0, swt_swap_event(dir, "max"));
		EXPECT_LT(0, swt_swap_event(self->child, "fail"));
		ASSERT_EQ(0, cg_write(dir, "memory.swap.max", -1));
		SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
		EXPECT_EQ(0, wait_current(self->parent, 0));
	}
}

/* No swap at all for this one, while another one has it. */
TEST_F_TIMEOUT(swap_memcg, max_zero, 180)
{
	size_t pages = 500, len = pages * self->page;
	char *q = swt_map(len);
	pid_t pid;

	if (swt_is_virtual(self->dev))
		SKIP(return, "memory.swap.max is not for what zswap takes");
	ASSERT_EQ(0, cg_write(self->child, "memory.swap.max", 0));
	pid = swt_fork();
	if (!pid) {
		char *p = swt_map(len);

		if (cg_enter(self->child))
			_exit(1);
		swt_fill_hard(p, len, 1);
		if (swt_pageout(p, len))
			_exit(2);
		_exit(swt_verify_hard(p, len, 1) != -1 ? 3 : 0);
	}
	swt_fill(q, len, 2);
	EXPECT_EQ(pages, swt_pageout(q, len));
	EXPECT_EQ(0, swt_wait(pid));
	EXPECT_EQ(pages, swt_used_exact(self->dev));
	EXPECT_EQ(-1, swt_verify(q, len, 2));
}

/*
 * The cgroup goes while its memory is still in swap: the ones above it pay
 * until that is freed.
 */
TEST_F_TIMEOUT(swap_memcg, removed, 180)
{
	size_t pages = 800, len = pages * self->page;
	int i, fd = memfd_create("swt", 0);
	char *p, *q;
	pid_t pid;

	if (swt_is_virtual(self->dev))
		SKIP(return, "memory.swap.current is not what zswap takes");
	ASSERT_EQ(0, ftruncate(fd, len));
	pid = swt_fork();
	if (!pid) {
		if (cg_enter(self->child))
			_exit(1);
		p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (p == MAP_FAILED)
			_exit(2);
		swt_fill(p, len, 1);
		for (i = 0; i < 30 && swt_smaps(p, "Swap") != (long)len / 1024; i++)
			swt_madvise_pageout(p, len, i);
		_exit(swt_smaps(p, "Swap") != (long)len / 1024);
	}
	EXPECT_EQ(0, swt_wait(pid));
	EXPECT_EQ(len, cg_read(self->child, "memory.swap.current"));
	ASSERT_EQ(0, rmdir(self->child));
	EXPECT_EQ(len, cg_read(self->parent, "memory.swap.current"));
	EXPECT_EQ(pages, swt_used_exact(self->dev));

	/* half of it is read by somebody else, the rest is freed unread */
	q = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, q);
	EXPECT_EQ(-1, swt_verify(q, len / 2, 1));
	munmap(q, len);
	ASSERT_EQ(0, ftruncate(fd, 0));
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
	EXPECT_EQ(0, wait_current(self->parent, 0));
	close(fd);
}

/* Slots that are freed in one go are not all of them charged to the same one. */
TEST_F_TIMEOUT(swap_memcg, neighbours, 180)
{
	size_t i, pages = 300, len = pages * self->page;
	char other[SWT_PATH + 64];
	cpu_set_t cpu;
	pid_t pid;

	snprintf(other, sizeof(other), "%s/other", self->parent);
	mkdir(other, 0755);
	pid = swt_fork();
	if (!pid) {
		char *p = swt_map(len);

		/* each CPU has slots of its own */
		CPU_ZERO(&cpu);
		CPU_SET(0, &cpu);
		sched_setaffinity(0, sizeof(cpu), &cpu);
		for (i = 0; i < 3; i++) {
			if (cg_enter(i % 2 ? other : self->child))
				_exit(1);
			swt_fill_hard(p + i * len / 3, len / 3, i);
			if (swt_pageout(p + i * len / 3, len / 3) != pages / 3)
				_exit(2);
		}
		swt_drop_cache(&self->ctx, p, len);
		if (cg_read(self->child, "memory.swap.current") < (long)(len / 3 * 2) ||
		    cg_read(other, "memory.swap.current") < (long)len / 3)
			_exit(3);
		munmap(p, len);
		_exit(0);
	}
	EXPECT_EQ(0, swt_wait(pid));
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
	EXPECT_EQ(0, wait_current(self->child, 0));
	EXPECT_EQ(0, wait_current(other, 0));
	EXPECT_EQ(0, rmdir(other));
	EXPECT_EQ(0, wait_current(self->parent, 0));
}

/* Memory that does not fit goes to swap, all of it comes back. */
TEST_F_TIMEOUT(swap_memcg, pressure, 180)
{
	size_t pages = 3000, len = pages * self->page;
	pid_t pid;

	ASSERT_EQ(0, cg_write(self->parent, "memory.max", 6 << 20));
	pid = swt_fork();
	if (!pid) {
		char *p = swt_map(len);
		int i;

		if (cg_enter(self->child))
			_exit(1);
		for (i = 0; i < (int)swt_scaled(3, 2); i++) {
			swt_fill(p, len, i);
			if (swt_verify(p, len, i) != -1)
				_exit(2);
		}
		_exit(0);
	}
	EXPECT_EQ(0, swt_wait(pid));
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
	EXPECT_EQ(0, wait_current(self->parent, 0));
}

/* Killed for lack of memory and swap: nothing is left. */
TEST_F_TIMEOUT(swap_memcg, oom, 180)
{
	pid_t pid;
	int i;

	ASSERT_EQ(0, cg_write(self->parent, "memory.max", 4 << 20));
	ASSERT_EQ(0, cg_write(self->parent, "memory.swap.max", 4 << 20));
	for (i = 0; i < 2; i++) {
		pid = swt_fork();
		if (!pid) {
			char *p = swt_map(64 << 20);

			if (cg_enter(self->child))
				_exit(1);
			swt_fill_hard(p, 64 << 20, 1);
			_exit(2);
		}
		EXPECT_EQ(128 + SIGKILL, swt_wait(pid));
		SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
		EXPECT_EQ(0, wait_current(self->parent, 0));
	}
}

TEST_HARNESS_MAIN
