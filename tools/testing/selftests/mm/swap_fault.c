// SPDX-License-Identifier: GPL-2.0
/*
 * Failures that are made to happen: allocations (fault injection) and reads
 * and writes (device mapper). No data may be lost but what cannot be read,
 * and no slot.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "../kselftest_harness.h"
#include "swap_util.h"

#define DEBUGFS	"/sys/kernel/debug"

FIXTURE(swap_enomem)
{
	struct swt_ctx ctx;
	struct swt_dev *dev;
	size_t page;
};

FIXTURE_VARIANT(swap_enomem)
{
	enum swt_backend backend;
};

FIXTURE_VARIANT_ADD(swap_enomem, disk)
{
	.backend = SWT_DISK,
};

FIXTURE_VARIANT_ADD(swap_enomem, disk_rotational)
{
	.backend = SWT_DISK_ROT,
};

FIXTURE_VARIANT_ADD(swap_enomem, swapfile)
{
	.backend = SWT_FILE,
};

FIXTURE_VARIANT_ADD(swap_enomem, zram)
{
	.backend = SWT_ZRAM,
};

FIXTURE_VARIANT_ADD(swap_enomem, zswap)
{
	.backend = SWT_ZSWAP,
};

/* Let allocations fail that may sleep, too, but not yet. */
static int arm(struct swt_ctx *ctx)
{
	static const char * const what[] = { "failslab", "fail_page_alloc" };
	char path[128];
	int i, ret, n = 0;

	if (access("/proc/self/fail-nth", W_OK))
		return swt_skip("no fault injection in this kernel");
	if (access(DEBUGFS "/failslab", F_OK) && access(DEBUGFS "/fail_page_alloc", F_OK))
		mount("none", DEBUGFS, "debugfs", 0, NULL);
	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), DEBUGFS "/%s", what[i]);
		if (access(path, F_OK))
			continue;
		n++;
		snprintf(path, sizeof(path), DEBUGFS "/%s/ignore-gfp-wait", what[i]);
		ret = swt_set(ctx, path, "N");
		snprintf(path, sizeof(path), DEBUGFS "/%s/verbose", what[i]);
		ret = ret ?: swt_set(ctx, path, "0");
		snprintf(path, sizeof(path), DEBUGFS "/%s/task-filter", what[i]);
		ret = ret ?: swt_set(ctx, path, "Y");
		snprintf(path, sizeof(path), DEBUGFS "/%s/probability", what[i]);
		ret = ret ?: swt_set(ctx, path, "0");
		snprintf(path, sizeof(path), DEBUGFS "/%s/times", what[i]);
		ret = ret ?: swt_set(ctx, path, "-1");
		if (i) {
			snprintf(path, sizeof(path), DEBUGFS "/%s/min-order", what[i]);
			ret = ret ?: swt_set(ctx, path, "0");
		}
		if (ret)
			return ret;
	}
	return n ? 0 : swt_skip("neither failslab nor fail_page_alloc");
}

/* In per cent, for tasks that ask for it. */
static void set_probability(int percent)
{
	swt_write(DEBUGFS "/failslab/probability", "%d", percent);
	swt_write(DEBUGFS "/fail_page_alloc/probability", "%d", percent);
}

FIXTURE_SETUP(swap_enomem)
{
	int ret;

	self->page = swt_page();
	ret = swt_begin(&self->ctx) ?:
	      arm(&self->ctx) ?:
	      swt_dev_new(&self->ctx, &self->dev, variant->backend, 8192);
	ret = swt_setup_done(&self->ctx, ret);
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
}

FIXTURE_TEARDOWN_PARENT(swap_enomem)
{
	set_probability(0);
	EXPECT_EQ(0, swt_end(&self->ctx)) TH_LOG("%s", swt_msg());
}

/* The next n-th allocation of this task fails; did it? */
static int fail_nth_fd;

static void fail_nth(int n)
{
	char buf[16];

	if (!fail_nth_fd)
		fail_nth_fd = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	snprintf(buf, sizeof(buf), "%d", n);
	if (pwrite(fail_nth_fd, buf, strlen(buf), 0) < 0)
		perror("fail-nth");
}

static bool failed_nth(void)
{
	char buf[16] = "";

	if (pread(fail_nth_fd, buf, sizeof(buf) - 1, 0) < 0)
		perror("fail-nth");
	return atoi(buf) == 0;
}

/* Each allocation that swapon(2) makes fails once. */
TEST_F_TIMEOUT(swap_enomem, swapon, 300)
{
	long total = swt_meminfo("SwapTotal");
	int n, err, refused = 0;
	bool hit = true;

	/* those of pages that may be highmem, too; not there without that test */
	swt_set(&self->ctx, DEBUGFS "/fail_page_alloc/ignore-gfp-highmem", "N");
	for (n = 1; hit && n < 3000; n++) {
		fail_nth(n);
		err = swapon(self->dev->path, 0) ? errno : 0;
		hit = failed_nth();
		fail_nth(0);
		if (err) {
			refused++;
			ASSERT_EQ(true, hit);
			EXPECT_EQ(-1, swt_used(self->dev)) TH_LOG("n = %d", n);
			EXPECT_EQ(total, swt_meminfo("SwapTotal"));
			EXPECT_EQ(true, err == ENOMEM || err == EIO)
				TH_LOG("n = %d: %s", n, strerror(err));
			continue;
		}
		ASSERT_EQ(0, swapoff(self->dev->path));
	}
	TH_LOG("%d allocations, %d times refused", n, refused);
	EXPECT_LT(3, refused);
	SWT_OK(swt_on(self->dev, 100, 0));
}

/* The same for swapoff(2) with data on the device. */
TEST_F_TIMEOUT(swap_enomem, swapoff, 300)
{
	size_t len = 300 * self->page;
	char *p = swt_map(len);
	int n, err, refused = 0;
	bool hit = true;

	SWT_OK(swt_on(self->dev, 100, 0));
	swt_fill(p, len, 1);
	for (n = 1; hit && n < 2000; n += 1 + n / 10) {
		ASSERT_EQ(300, swt_pageout(p, len));
		if (n % 3 == 0)
			swt_drop_cache(&self->ctx, p, len);
		fail_nth(n);
		err = swapoff(self->dev->path) ? errno : 0;
		hit = failed_nth();
		fail_nth(0);
		if (err) {
			refused++;
			EXPECT_EQ(ENOMEM, err);
			EXPECT_LE(0, swt_used(self->dev));
		} else {
			self->dev->on = false;
			EXPECT_EQ(-1, swt_used(self->dev));
			SWT_OK(swt_on(self->dev, 100, 0));
		}
		EXPECT_EQ(-1, swt_verify(p, len, 1)) TH_LOG("n = %d", n);
	}
	TH_LOG("up to allocation %d, %d times refused", n, refused);
}

/*
 * Swapping out and in while every tenth allocation fails. Only instructions
 * that touch memory and madvise() may be used then.
 */
TEST_F_TIMEOUT(swap_enomem, swapping, 300)
{
	double end = swt_now() + swt_seconds(2);
	size_t i, len = 600 * self->page;
	char *p = swt_map(len);
	pid_t pid[3];
	int fd, k;

	SWT_OK(swt_on(self->dev, 100, 0));
	for (k = 0; k < 3; k++) {
		pid[k] = swt_fork();
		if (pid[k])
			continue;
		fd = open("/proc/self/make-it-fail", O_WRONLY);
		swt_fill(p, len, k);
		set_probability(10);
		if (write(fd, "1", 1) != 1)
			_exit(1);
		for (i = k; swt_now() < end; i += 1000) {
			madvise(p, len, MADV_PAGEOUT);
			if (swt_verify(p, len, i) != -1)
				_exit(2);
			madvise(p, len, MADV_WILLNEED);
			swt_fill(p, len, i + 1000);
		}
		_exit(0);
	}
	for (k = 0; k < 3; k++)
		EXPECT_EQ(0, swt_wait(pid[k]));
	set_probability(0);
}

/* fork() has to take references to slots, and gives them back if it fails. */
TEST_F_TIMEOUT(swap_enomem, fork, 300)
{
	size_t len = 200 * self->page;
	char *p = swt_map(len);
	int n, forked = 0;
	pid_t pid;

	SWT_OK(swt_on(self->dev, 100, 0));
	swt_fill(p, len, 1);
	ASSERT_EQ(200, swt_pageout(p, len));
	swt_drop_cache(&self->ctx, p, len);
	for (n = 1; n < 150; n++) {
		fail_nth(n);
		pid = fork();
		if (!pid)
			_exit(swt_verify(p, len, 1) != -1);
		fail_nth(0);
		if (pid < 0)
			continue;
		forked++;
		EXPECT_EQ(0, swt_wait(pid));
	}
	TH_LOG("%d of 150 times", forked);
	EXPECT_EQ(-1, swt_verify(p, len, 1));
}

/* Where small allocations fail, let only those from one cache. */
static int only_from(struct swt_ctx *ctx, const char *cache)
{
	char path[64];
	int ret;

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/failslab", cache);
	if (access(path, W_OK) || access(DEBUGFS "/failslab/cache-filter", W_OK))
		return swt_skip("no failslab by cache");
	ret = swt_set(ctx, DEBUGFS "/failslab/cache-filter", "Y");
	return ret ?: swt_set(ctx, path, "1");
}

/* In this task small allocations fail, or do not. */
static void fail_small(bool fail)
{
	swt_write("/proc/self/make-it-fail", "%d", fail);
	swt_write(DEBUGFS "/failslab/probability", "%d", fail ? 100 : 0);
}

/*
 * Has the memory until it is killed. With @fail there is none in this task for
 * what counts many references.
 */
static pid_t holder(bool fail)
{
	pid_t pid;
	int err;

	fail_small(fail);
	pid = swt_fork();
	err = errno;
	if (pid) {
		fail_small(false);
		errno = err;
	}
	while (!pid)
		pause();
	return pid;
}

/* A slot that is shared so often that its count needs more memory: fork() fails. */
TEST_F_TIMEOUT(swap_enomem, fork_shared, 120)
{
	size_t len = 8 * self->page;
	char *p = swt_map(len);
	pid_t pid[16];
	int i, n = 0;

	/* where an entry has no room for the fifteenth reference */
	if (sizeof(long) < 8 || self->page != 4096)
		SKIP(return, "the table of counts has another size here");
	SWT_OK(swt_on(self->dev, 100, 0));
	if (only_from(&self->ctx, "kmalloc-2k"))
		SKIP(return, "%s", swt_msg());

	ASSERT_NE(MAP_FAILED, p);
	swt_fill_hard(p, len, 1);
	swt_pageout(p, len);
	swt_drop_cache(&self->ctx, p, len);
	ASSERT_LT(0, swt_swapped(p, len));
	for (i = 0; i < 13; i++) {
		/* nothing else in fork() has that size */
		pid[n] = holder(true);
		ASSERT_LT(0, pid[n++]);
	}
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-1, holder(true));
		EXPECT_EQ(ENOMEM, errno);
	}
	for (i = 0; i < 3; i++) {
		pid[n] = holder(false);
		ASSERT_LT(0, pid[n++]);
	}
	while (n--) {
		kill(pid[n], SIGKILL);
		waitpid(pid[n], NULL, 0);
	}
	EXPECT_EQ(-1, swt_verify_hard(p, len, 1));
	munmap(p, len);
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

/* Slots that there is no memory for to keep whose they are. */
TEST_F_TIMEOUT(swap_enomem, cgroup_ids, 60)
{
	/* the cluster of a virtual device's first slot, never free, may know already */
	long known = swt_is_virtual(self->dev) ? 511 : 0;
	const char *cgroup = self->ctx.cgroup;
	size_t len = (known + 8) * self->page;
	char *p = swt_map(len);
	long failures, swapped;

	if (self->page != 4096 || !*cgroup)
		SKIP(return, "no cgroup, or its ids have another size here");
	SWT_OK(swt_on(self->dev, 100, 0));
	if (only_from(&self->ctx, "kmalloc-1k"))
		SKIP(return, "%s", swt_msg());

	ASSERT_NE(MAP_FAILED, p);
	swt_fill(p, len, 1);
	failures = swt_swap_event(cgroup, "fail");
	ASSERT_LE(0, failures);
	fail_small(true);
	swt_madvise_pageout(p, len, true);
	fail_small(false);
	swapped = swt_swapped(p, len);
	EXPECT_GE(known, swapped);
	EXPECT_EQ(swapped, swt_used(self->dev));
	EXPECT_LE(failures + 8, swt_swap_event(cgroup, "fail"));

	failures = swt_swap_event(cgroup, "fail");
	EXPECT_EQ(known + 8, swt_pageout(p, len));
	EXPECT_EQ(failures, swt_swap_event(cgroup, "fail"));
	EXPECT_EQ(-1, swt_verify(p, len, 1));
}

FIXTURE(swap_ioerr)
{
	struct swt_ctx ctx;
	struct swt_dev *dev;
	size_t page;
	char disk[SWT_PATH];
};

FIXTURE_VARIANT(swap_ioerr)
{
	enum swt_backend backend;
};

FIXTURE_VARIANT_ADD(swap_ioerr, disk)
{
	.backend = SWT_DISK,
};

FIXTURE_VARIANT_ADD(swap_ioerr, zswap)
{
	.backend = SWT_ZSWAP,
};

#define DM_NAME		"swt-dm"
#define DM_SIZE		16384	/* bytes for an ioctl */

/* A part of the device: what it is, and how large, in sectors */
struct dm_part {
	const char *type;
	uint64_t sectors;
	char params[SWT_PATH + 64];
};

static int dm_ctl(unsigned long cmd, unsigned int flags, const struct dm_part *part, int nr,
		  unsigned int *minor)
{
	struct dm_ioctl *io = calloc(1, DM_SIZE);
	struct dm_target_spec *spec = (void *)(io + 1);
	int i, ret, fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	uint64_t start = 0;

	if (fd < 0) {
		free(io);
		return -1;
	}
	io->version[0] = DM_VERSION_MAJOR;
	io->data_size = DM_SIZE;
	io->data_start = sizeof(*io);
	io->flags = flags;
	io->target_count = nr;
	memcpy(io->name, DM_NAME, sizeof(DM_NAME));
	for (i = 0; i < nr; i++) {
		spec->sector_start = start;
		spec->length = part[i].sectors;
		spec->next = sizeof(*spec) + sizeof(part[i].params);
		snprintf(spec->target_type, sizeof(spec->target_type), "%s", part[i].type);
		memcpy(spec + 1, part[i].params, sizeof(part[i].params));
		spec = (void *)spec + spec->next;
		start += part[i].sectors;
	}
	ret = ioctl(fd, cmd, io);
	if (minor)
		*minor = minor(io->dev);
	close(fd);
	free(io);
	return ret;
}

static void dm_remove(void)
{
	int i;

	for (i = 0; i < 100 && dm_ctl(DM_DEV_REMOVE, 0, NULL, 0, NULL) &&
	     errno == EBUSY; i++)
		usleep(10000);
}

/* I/O waits, from now on or no longer. */
static int dm_suspend(bool suspend)
{
	unsigned int flags = DM_NOFLUSH_FLAG | DM_SKIP_LOCKFS_FLAG;

	if (dm_ctl(DM_DEV_SUSPEND, suspend ? DM_SUSPEND_FLAG | flags : 0, NULL, 0, NULL))
		return swt_fail("dm suspend or resume: %s", strerror(errno));
	return 0;
}

enum io { IO_GOOD, IO_NO_WRITE, IO_NONE };

static int dm_load(const struct dm_part *part, int nr)
{
	if (dm_ctl(DM_TABLE_LOAD, 0, part, nr, NULL))
		return swt_skip("no dm-%s: %s", part[nr / 2].type, strerror(errno));
	return dm_suspend(true) ?: dm_suspend(false);
}

/* What happens to I/O from now on. */
static int dm_set(const char *disk, unsigned long pages, enum io io)
{
	static const char * const type[] = { "linear", "flakey", "error" };
	static const char * const fmt[] = { "%s 0", "%s 0 0 1 1 error_writes", "" };
	struct dm_part part = { type[io], pages * swt_page() / 512 };

	snprintf(part.params, sizeof(part.params), fmt[io], disk);
	return dm_load(&part, 1);
}

/* One page of the disk is broken. */
static int dm_break(const char *disk, unsigned long pages, unsigned long bad)
{
	unsigned long n = swt_page() / 512;
	struct dm_part part[] = {
		{ "linear", bad * n }, { "error", n }, { "linear", (pages - bad - 1) * n },
	};

	snprintf(part[0].params, sizeof(part[0].params), "%s 0", disk);
	snprintf(part[2].params, sizeof(part[2].params), "%s %lu", disk, (bad + 1) * n);
	return dm_load(part, 3);
}

static int dm_over(struct swt_dev *d, char *disk)
{
	unsigned int minor;

	memcpy(disk, d->path, SWT_PATH);
	dm_remove();
	if (dm_ctl(DM_DEV_CREATE, 0, NULL, 0, &minor))
		return swt_skip("no device mapper: %s", strerror(errno));
	d->undo = dm_remove;
	if (dm_set(disk, d->max, IO_NO_WRITE) || dm_set(disk, d->max, IO_NONE))
		return SWT_SKIP;
	snprintf(d->path, sizeof(d->path), "/dev/dm-%u", minor);
	return dm_set(disk, d->max, IO_GOOD);
}

FIXTURE_SETUP(swap_ioerr)
{
	int ret;

	self->page = swt_page();
	ret = swt_begin(&self->ctx) ?:
	      swt_dev_new(&self->ctx, &self->dev, variant->backend, 8192) ?:
	      dm_over(self->dev, self->disk) ?:
	      swt_on(self->dev, 100, 0);
	ret = swt_setup_done(&self->ctx, ret);
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
}

FIXTURE_TEARDOWN_PARENT(swap_ioerr)
{
	dm_set(self->disk, self->dev->max, IO_GOOD);
	EXPECT_EQ(0, swt_end(&self->ctx)) TH_LOG("%s", swt_msg());
}

/* What cannot be written stays, in memory or in zswap, and is right. */
TEST_F_TIMEOUT(swap_ioerr, write_error, 180)
{
	size_t pages = 200, len = pages * self->page;
	char *p = swt_map(len);
	int i;

	swt_fill(p, len, 1);
	SWT_OK(dm_set(self->disk, self->dev->max, IO_NO_WRITE));
	for (i = 0; i < 3; i++)
		swt_madvise_pageout(p, len, i);
	/* reclaim would try again and again: not for long */
	swt_reclaim(&self->ctx, self->page);
	swt_wait_writeback();
	EXPECT_EQ(-1, swt_verify(p, len, 1));
	for (i = 0; i < 3; i++)
		swt_madvise_pageout(p, len, i);

	/* the disk has recovered: all of it can go */
	SWT_OK(dm_set(self->disk, self->dev->max, IO_GOOD));
	for (i = 0; i < 10 && (swt_pageout(p, len) != pages ||
			       swt_drop_cache(&self->ctx, p, len)); i++)
		swt_wait_writeback();
	EXPECT_EQ(pages, swt_swapped(p, len));
	EXPECT_EQ(0, swt_resident(p, len));
	EXPECT_EQ(-1, swt_verify(p, len, 1));

	/* swapoff needs no writing */
	ASSERT_EQ(pages, swt_pageout(p, len));
	swt_drop_cache(&self->ctx, p, len);
	SWT_OK(dm_set(self->disk, self->dev->max, IO_NO_WRITE));
	SWT_OK(swt_off(self->dev, 30));
	EXPECT_EQ(-1, swt_verify(p, len, 1));
}

/* A process that exits while its pages cannot be written leaves nothing. */
TEST_F_TIMEOUT(swap_ioerr, write_error_exit, 180)
{
	size_t len = 300 * self->page;
	int i;

	SWT_OK(dm_set(self->disk, self->dev->max, IO_NO_WRITE));
	for (i = 0; i < 3; i++) {
		pid_t pid = swt_fork();

		if (!pid) {
			char *p = swt_map(len);

			swt_fill_hard(p, len, 1);
			madvise(p, len, MADV_PAGEOUT);
			_exit(0);
		}
		EXPECT_EQ(0, swt_wait(pid));
	}
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

/* What cannot be read kills the one that needs it, nobody else. */
TEST_F_TIMEOUT(swap_ioerr, read_error, 180)
{
	size_t i, pages = 100, len = pages * self->page;
	char *p = swt_map(len), *copy = swt_map(len);
	bool bad = false;
	pid_t pid;
	int ret;

	/* the neighbours are not read ahead */
	if (swt_set(&self->ctx, "/proc/sys/vm/page-cluster", "0"))
		SKIP(return, "%s", swt_msg());
	swt_fill_hard(p, len, 1);
	swt_fill_hard(copy, len, 1);
	ASSERT_EQ(0, mlock(copy, len));
	ASSERT_EQ(pages, swt_pageout(p, len));
	ASSERT_EQ(0, swt_drop_cache(&self->ctx, p, len));
	SWT_OK(dm_set(self->disk, self->dev->max, IO_NONE));
	for (i = 0; i < 10; i++) {
		pid = swt_fork();
		if (!pid)
			_exit(*(p + i * self->page) == 'x');
		ret = swt_wait(pid);
		if (variant->backend == SWT_ZSWAP && !swt_is_virtual(self->dev) && ret < 2)
			continue;	/* not on the disk */
		EXPECT_EQ(128 + SIGBUS, ret);
		bad = true;
	}
	if (variant->backend != SWT_ZSWAP || swt_is_virtual(self->dev))
		EXPECT_TRUE(bad);
	SWT_OK(dm_set(self->disk, self->dev->max, IO_GOOD));
	/* nobody has tried these */
	i = 10 * self->page;
	EXPECT_EQ(0, memcmp(p + i, copy + i, len - i));
	ASSERT_EQ(0, munmap(p, 10 * self->page));
	EXPECT_EQ(pages - 10, swt_pageout(p + 10 * self->page, len - 10 * self->page));
}

/* swapoff gives up what it cannot read, and SIGBUS tells. */
TEST_F_TIMEOUT(swap_ioerr, swapoff_read_error, 180)
{
	size_t pages = 50, len = pages * self->page;
	char *p = swt_map(len);
	pid_t pid;

	/* what does not compress is behind the virtual device */
	if (variant->backend == SWT_ZSWAP && !swt_is_virtual(self->dev))
		SKIP(return, "what is in zswap can be read");
	swt_fill_hard(p, len, 1);
	ASSERT_EQ(pages, swt_pageout(p, len));
	ASSERT_EQ(0, swt_drop_cache(&self->ctx, p, len));
	SWT_OK(dm_set(self->disk, self->dev->max, IO_NONE));
	SWT_OK(swt_off(self->dev, 30));
	SWT_OK(dm_set(self->disk, self->dev->max, IO_GOOD));
	pid = swt_fork();
	if (!pid)
		_exit(*(p + 7 * self->page) == 'x');
	EXPECT_EQ(128 + SIGBUS, swt_wait(pid));
	/* writing a new page in its place is possible after unmapping */
	madvise(p, len, MADV_DONTNEED);
	EXPECT_TRUE(swt_is_zero(p, len));
	/* the label goes with swt_end() */
	SWT_OK(swt_on(self->dev, 100, 0));
	swt_fill(p, len, 2);
	ASSERT_EQ(pages, swt_pageout(p, len));
	EXPECT_EQ(-1, swt_verify(p, len, 2));
}

/* How many of the pages raise SIGBUS; -1 if another one is wrong. */
static int count_lost(char *p, size_t pages, unsigned long seed)
{
	size_t i, page = swt_page();
	int ret, lost = 0;
	pid_t pid;

	for (i = 0; i < pages; i++) {
		pid = swt_fork();
		if (!pid) {
			char want[65536];

			swt_fill_hard(want, page, seed + i);
			_exit(memcmp(want, p + i * page, page) ? 1 : 0);
		}
		ret = swt_wait(pid);
		if (ret == 128 + SIGBUS)
			lost++;
		else if (ret)
			return -1;
	}
	return lost;
}

/* One sector cannot be read: one process has lost one page, all else is right. */
TEST_F_TIMEOUT(swap_ioerr, bad_sector, 180)
{
	size_t pages = 30, len = pages * self->page, i;
	unsigned long max = self->dev->max;
	int out[2], go[2], lost[2];
	char *p = swt_map(len), c;
	pid_t pid;

	if (variant->backend == SWT_ZSWAP && !swt_is_virtual(self->dev))
		SKIP(return, "what is in zswap can be read");
	/*
	 * Most slots are used, so the broken one is, too. Reclaim looks at no such
	 * pages when all are.
	 */
	SWT_OK(swt_off(self->dev, 30));
	SWT_OK(swt_dev_mkswap(self->dev, 2 * pages + 9));
	self->dev->max = max;
	SWT_OK(swt_on(self->dev, 100, 0));
	ASSERT_EQ(0, pipe(out));
	ASSERT_EQ(0, pipe(go));
	pid = swt_fork();
	for (i = 0; i < pages; i++)
		swt_fill_hard(p + i * self->page, self->page, (pid ? 1000 : 2000) + i);
	swt_pageout(p, len);
	swt_drop_cache(&self->ctx, p, len);
	if (!pid) {
		if (write(out[1], "x", 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(100);
		lost[1] = count_lost(p, pages, 2000);
		_exit(lost[1] < 0 ? 101 : lost[1]);
	}
	ASSERT_EQ(1, read(out[0], &c, 1));
	EXPECT_LE(2 * pages, swt_used(self->dev));
	swt_drop_cache(&self->ctx, p, len);
	EXPECT_EQ(0, swt_resident(p, len));
	SWT_OK(dm_break(self->disk, max, 20));
	SWT_OK(swt_off(self->dev, 30));
	SWT_OK(dm_set(self->disk, self->dev->max, IO_GOOD));
	EXPECT_EQ(1, write(go[1], "x", 1));
	lost[0] = count_lost(p, pages, 1000);
	lost[1] = swt_wait(pid);
	EXPECT_TRUE((lost[0] == 0 && lost[1] == 1) || (lost[0] == 1 && lost[1] == 0))
		TH_LOG("%d and %d pages lost", lost[0], lost[1]);
}

/* zswap that has to write to a disk what it cannot keep */
FIXTURE(swap_writeback)
{
	struct swt_ctx ctx;
	struct swt_dev *dev;
	size_t page;
	char disk[SWT_PATH], max[SWT_PATH + 32];
};

/* What else of this task can fail */
static int arm_fault(struct swt_ctx *ctx, const char *name, const char *percent)
{
	const char * const value[][2] = {
		{ "verbose", "0" }, { "task-filter", "Y" }, { "times", "-1" },
		{ "probability", percent },
	};
	char path[128];
	unsigned int i;
	int ret = 0;

	snprintf(path, sizeof(path), DEBUGFS "/%s", name);
	if (access(path, F_OK))
		return swt_skip("no %s", name);
	for (i = 0; i < ARRAY_SIZE(value) && !ret; i++) {
		snprintf(path, sizeof(path), DEBUGFS "/%s/%s", name, value[i][0]);
		ret = swt_set(ctx, path, value[i][1]);
	}
	return ret;
}

/* So many of a hundred times that this task wants slots */
static void fail_slots(int percent)
{
	swt_write(DEBUGFS "/fail_swap_slots/probability", "%d", percent);
	swt_write("/proc/self/make-it-fail", "%d", percent > 0);
}

FIXTURE_SETUP(swap_writeback)
{
	int ret;

	self->page = swt_page();
	ret = swt_begin(&self->ctx) ?:
	      arm(&self->ctx) ?:
	      arm_fault(&self->ctx, "fail_zswap", "100") ?:
	      arm_fault(&self->ctx, "fail_swap_slots", "0") ?:
	      swt_dev_new(&self->ctx, &self->dev, SWT_ZSWAP, 4096) ?:
	      dm_over(self->dev, self->disk) ?:
	      swt_on(self->dev, 100, 0);
	snprintf(self->max, sizeof(self->max), "%s/memory.zswap.max", self->ctx.cgroup);
	if (!ret && (!self->ctx.cgroup[0] || access(self->max, W_OK)))
		ret = swt_skip("no memory.zswap.max");
	ret = swt_setup_done(&self->ctx, ret);
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
}

FIXTURE_TEARDOWN_PARENT(swap_writeback)
{
	dm_suspend(false);
	fail_slots(0);
	dm_set(self->disk, self->dev->max, IO_GOOD);
	EXPECT_EQ(0, swt_end(&self->ctx)) TH_LOG("%s", swt_msg());
}

/*
 * A page more makes room in zswap by writing another one. Everything in this that
 * can fail does so once: memory, slots, and reading what was compressed.
 */
TEST_F_TIMEOUT(swap_writeback, each_step, 300)
{
	size_t pages = 100, len = pages * self->page, i;
	int n, missed = 0, round = 0;
	long back = swt_vmstat("zswpwb");
	char *p = swt_map(len);

	ASSERT_NE(MAP_FAILED, p);
	/* until there is nothing that could fail any more */
	for (n = 1; n < 300 && missed < 10; n++, round++) {
		swt_fill(p, len, round);
		SWT_OK(swt_write(self->max, "%d", 1 << 20));
		swt_pageout(p, len / 2);
		/* full now */
		SWT_OK(swt_write(self->max, "%d", 8192));
		for (i = len / 2; i < len; i += 10 * self->page) {
			fail_nth(n);
			madvise(p + i, 10 * self->page, MADV_PAGEOUT);
			missed = failed_nth() ? 0 : missed + 1;
			fail_nth(0);
		}
		swt_wait_writeback();
		EXPECT_EQ(-1, swt_verify(p, len, round)) TH_LOG("n = %d", n);
	}
	back = swt_vmstat("zswpwb") - back;
	TH_LOG("up to the %dth failure, %ld pages written back", n, back);
	EXPECT_LT(20, n);
	EXPECT_LT(100, back);
	SWT_OK(swt_write(self->max, "max"));
	munmap(p, len);
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

/*
 * While no slots can be had nothing is written, and zswap keeps what it has. While
 * every other time they can, some pages are.
 */
TEST_F_TIMEOUT(swap_writeback, no_slots, 180)
{
	size_t pages = 200, len = pages * self->page;
	char path[SWT_PATH + 32];
	char *p = swt_map(len);
	long back, current;
	int percent;

	if (!swt_is_virtual(self->dev))
		SKIP(return, "what is in zswap has slots of the disk");
	ASSERT_NE(MAP_FAILED, p);
	snprintf(path, sizeof(path), "%s/memory.swap.current", self->ctx.cgroup);
	/* what was stored can be read */
	SWT_OK(swt_write(DEBUGFS "/fail_zswap/probability", "0"));
	for (percent = 100; percent >= 0; percent -= 50) {
		swt_fill(p, len, percent);
		SWT_OK(swt_write(self->max, "%d", 1 << 20));
		ASSERT_EQ(pages / 2, swt_pageout(p, len / 2));
		current = swt_read_long(path);
		back = swt_vmstat("zswpwb");
		/* full now */
		SWT_OK(swt_write(self->max, "%d", 8192));
		fail_slots(percent);
		madvise(p + len / 2, len / 2, MADV_PAGEOUT);
		fail_slots(0);
		swt_wait_writeback();
		if (percent == 100) {
			EXPECT_EQ(back, swt_vmstat("zswpwb"));
			EXPECT_EQ(current, swt_read_long(path));
		} else {
			EXPECT_LT(back, swt_vmstat("zswpwb"));
			EXPECT_LT(current, swt_read_long(path));
		}
		EXPECT_EQ(-1, swt_verify(p, len, percent));
	}
	munmap(p, len);
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

/* What zswap cannot write is right, in memory, and goes when the disk is well. */
TEST_F_TIMEOUT(swap_writeback, write_error, 180)
{
	size_t pages = 200, len = pages * self->page;
	long back = swt_vmstat("zswpwb");
	char *p = swt_map(len);
	int i, io;

	ASSERT_NE(MAP_FAILED, p);
	for (io = IO_GOOD; io <= IO_NO_WRITE; io++) {
		swt_fill(p, len, io);
		SWT_OK(swt_write(self->max, "max"));
		ASSERT_EQ(pages, swt_pageout(p, len));
		SWT_OK(dm_set(self->disk, self->dev->max, io));
		SWT_OK(swt_write(self->max, "%d", 8192));
		swt_reclaim(&self->ctx, len);
		for (i = 0; i < 3; i++) {
			/* a few pages come, others have to go */
			swt_verify(p + i * self->page, 1, io);
			swt_madvise_pageout(p, len, false);
			swt_wait_writeback();
		}
		EXPECT_EQ(-1, swt_verify(p, len, io));
	}
	SWT_OK(dm_set(self->disk, self->dev->max, IO_GOOD));
	for (i = 0; i < 10 && (swt_pageout(p, len) != pages ||
			       swt_drop_cache(&self->ctx, p, len)); i++)
		swt_wait_writeback();
	EXPECT_EQ(pages, swt_swapped(p, len));
	EXPECT_LT(back, swt_vmstat("zswpwb"));
	EXPECT_EQ(-1, swt_verify(p, len, IO_NO_WRITE));
	munmap(p, len);
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

/*
 * Several processes that write what zswap does not take, and to make room for what
 * it does take, with next to no memory for writing: they do not wait for each other.
 */
TEST_F_TIMEOUT(swap_writeback, no_memory, 120)
{
	double end = swt_now() + swt_seconds(20);
	size_t pages = 64, len = pages * self->page, i;
	size_t cold = 1000 * self->page;
	long back = swt_vmstat("zswpwb");
	char *p = swt_map(len), *old = swt_map(cold);
	pid_t pid[12];
	int k;

	ASSERT_NE(MAP_FAILED, p);
	if (only_from(&self->ctx, "swap_iocb"))
		SKIP(return, "%s", swt_msg());
	SWT_OK(swt_write(DEBUGFS "/fail_zswap/probability", "0"));
	SWT_OK(swt_write(self->max, "max"));
	swt_fill(old, cold, 1);
	ASSERT_EQ(1000, swt_pageout(old, cold));
	SWT_OK(swt_write(self->max, "%d", 8192));
	for (k = 0; k < 12; k++) {
		pid[k] = swt_fork();
		if (pid[k])
			continue;
		while (swt_now() < end) {
			/* every other page does not compress */
			swt_fill_hard(p, len, k);
			for (i = 0; i < pages; i += 2)
				swt_fill(p + i * self->page, self->page, k);
			fail_small(true);
			madvise(p, len, MADV_PAGEOUT);
			for (i = 0; i < pages; i += 2)
				if (swt_verify(p + i * self->page, self->page, k) != -1)
					_exit(1);
		}
		_exit(0);
	}
	for (k = 0; k < 12; k++)
		EXPECT_EQ(0, swt_wait(pid[k]));
	fail_small(false);
	back = swt_vmstat("zswpwb") - back;
	TH_LOG("%ld pages written back", back);
	EXPECT_LT(100, back);
	SWT_OK(swt_write(self->max, "max"));
	EXPECT_EQ(-1, swt_verify(old, cold, 1));
	munmap(old, cold);
	munmap(p, len);
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

/* What is being written stays where it is: swapoff waits for the disk. */
TEST_F_TIMEOUT(swap_writeback, under_write, 180)
{
	size_t pages = 100, len = pages * self->page;
	char *p = swt_map(len);
	int round;
	pid_t pid;

	ASSERT_NE(MAP_FAILED, p);
	for (round = 0; round < 4; round++) {
		/* the disk itself, or because zswap does not take them */
		SWT_OK(swt_write(self->max, round % 2 ? "max" : "0"));
		swt_fill_hard(p, len, round);
		SWT_OK(dm_suspend(true));
		madvise(p, len, MADV_PAGEOUT);
		pid = swt_fork();
		if (!pid)
			_exit(!!swt_off(self->dev, 60));
		usleep(500000);
		EXPECT_EQ(0, waitpid(pid, NULL, WNOHANG));
		SWT_OK(dm_suspend(false));
		EXPECT_EQ(0, swt_wait(pid));
		EXPECT_EQ(-1, swt_verify_hard(p, len, round));
		SWT_OK(swt_on(self->dev, 100, 0));
	}
	munmap(p, len);
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

FIXTURE(swap_enomem_large)
{
	struct swt_ctx ctx;
	struct swt_dev *dev[2];
	size_t page, max[2];
};

FIXTURE_VARIANT(swap_enomem_large)
{
	bool rotational;
};

FIXTURE_VARIANT_ADD(swap_enomem_large, ssd)
{
	.rotational = false,
};

FIXTURE_VARIANT_ADD(swap_enomem_large, rotational)
{
	.rotational = true,
};

FIXTURE_SETUP(swap_enomem_large)
{
	const char *highmem = DEBUGFS "/fail_page_alloc/ignore-gfp-highmem";
	int i, ret;

	self->page = swt_page();
	self->max[0] = swt_scaled(131072, 32768) - 1;
	self->max[1] = self->max[0] / 4;
	ret = swt_begin(&self->ctx) ?: arm(&self->ctx);
	if (!ret && access(highmem, W_OK))
		ret = swt_skip("no fail_page_alloc");
	ret = ret ?: swt_set(&self->ctx, highmem, "N");
	for (i = 0; i < 2 && !ret; i++)
		ret = swt_dev_new(&self->ctx, &self->dev[i], SWT_LOOP, self->max[i]) ?:
		      swt_rotational(self->dev[i], variant->rotational);
	ret = swt_setup_done(&self->ctx, ret);
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
}

FIXTURE_TEARDOWN_PARENT(swap_enomem_large)
{
	set_probability(0);
	EXPECT_EQ(0, swt_end(&self->ctx)) TH_LOG("%s", swt_msg());
}

/*
 * Large devices need memory themselves as they fill. Without it pages stay
 * where they are, and whoever wants to swap them out comes back; with it, all
 * of the devices can be used.
 */
TEST_F_TIMEOUT(swap_enomem_large, fill, 600)
{
	size_t i, n, step = 1024, some, failed = 0;
	size_t pages = self->max[0] + self->max[1] - 2;
	int fd = open("/proc/self/make-it-fail", O_WRONLY);
	char *p, *c;

	ASSERT_LE(0, fd);
	for (i = 0; i < 2; i++)
		SWT_OK(swt_on(self->dev[i], 100, 0));
	p = swt_map(pages * self->page);
	ASSERT_NE(MAP_FAILED, p);
	swt_write(DEBUGFS "/fail_page_alloc/probability", "100");
	for (i = 0; i < pages; i += step) {
		if (step > pages - i)
			step = pages - i;
		c = p + i * self->page;
		/* zeros take slots, but no I/O */
		memset(c, 0, step * self->page);
		*(size_t *)c = i;
		some = step < 100 ? step : 100;
		ASSERT_EQ(1, write(fd, "1", 1));
		madvise(c, step * self->page, MADV_PAGEOUT);
		for (n = 0; n < 2; n++)
			madvise(c + (step - some) * self->page, some * self->page,
				MADV_PAGEOUT);
		ASSERT_EQ(1, write(fd, "0", 1));
		failed += swt_swapped(c, step * self->page) != step;
		ASSERT_EQ(step, swt_pageout(c, step * self->page));
	}
	TH_LOG("not everything went %zu times", failed);
	EXPECT_LT(0, failed);
	swt_write(DEBUGFS "/fail_page_alloc/probability", "0");
	for (i = 0; i < 2; i++)
		EXPECT_EQ(self->max[i] - 1, swt_used(self->dev[i]));
	for (i = 0; i < pages; i += 1024) {
		EXPECT_EQ(i, *(size_t *)(p + i * self->page));
		EXPECT_EQ(0, p[(i + 1) * self->page]);
	}
	munmap(p, pages * self->page);
	for (i = 0; i < 2; i++)
		SWT_OK(swt_wait_used(&self->ctx, self->dev[i], 0));
	close(fd);
}

TEST_HARNESS_MAIN
