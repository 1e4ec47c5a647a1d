// SPDX-License-Identifier: GPL-2.0
/*
 * Slots that hibernation takes for its image, through the device that programs
 * use which write the image themselves: none is left behind, nobody else gets
 * at them, and their device stays.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <asm/posix_types.h>
#include <linux/suspend_ioctls.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>

#include "../kselftest_harness.h"
#include "swap_util.h"

#define SNAPSHOT	"/dev/snapshot"
#define SLOTS		300

FIXTURE(swap_hibernate)
{
	struct swt_ctx ctx;
	struct swt_dev *dev;
	size_t page;
};

FIXTURE_VARIANT(swap_hibernate)
{
	enum swt_backend backend;
};

FIXTURE_VARIANT_ADD(swap_hibernate, disk)
{
	.backend = SWT_DISK,
};

FIXTURE_VARIANT_ADD(swap_hibernate, disk_rotational)
{
	.backend = SWT_DISK_ROT,
};

FIXTURE_SETUP(swap_hibernate)
{
	int ret;

	if (access(SNAPSHOT, R_OK))
		SKIP(return, "no " SNAPSHOT);
	self->page = swt_page();
	ret = swt_begin(&self->ctx) ?:
	      swt_dev_new(&self->ctx, &self->dev, variant->backend, 4096) ?:
	      swt_on(self->dev, 100, 0);
	ret = swt_setup_done(&self->ctx, ret);
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
}

FIXTURE_TEARDOWN_PARENT(swap_hibernate)
{
	if (access(SNAPSHOT, R_OK))
		return;
	EXPECT_EQ(0, swt_end(&self->ctx)) TH_LOG("%s", swt_msg());
}

static int snapshot_open(struct swt_dev *d)
{
	struct resume_swap_area area = { .offset = 0 };
	int fd = open(SNAPSHOT, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || stat(d->path, &st))
		return swt_fail("%s: %s", SNAPSHOT, strerror(errno));
	/* as the kernel encodes it for user space */
	area.dev = (minor(st.st_rdev) & 0xff) | major(st.st_rdev) << 8 |
		   (minor(st.st_rdev) & ~0xff) << 12;
	if (ioctl(fd, SNAPSHOT_SET_SWAP_AREA, &area))
		return swt_fail("SNAPSHOT_SET_SWAP_AREA: %s", strerror(errno));
	return fd;
}

/* Returns the slot, or 0. */
static unsigned long snapshot_alloc(int fd)
{
	__kernel_loff_t offset = 0;

	if (ioctl(fd, SNAPSHOT_ALLOC_SWAP_PAGE, &offset))
		return 0;
	return offset / swt_page();
}

static int snapshot_alloc_many(int fd, char *seen, unsigned long max, int nr)
{
	unsigned long slot;

	while (nr--) {
		slot = snapshot_alloc(fd);
		if (!slot || slot >= max)
			return swt_fail("slot %lu of %lu: %s", slot, max, strerror(errno));
		if (seen[slot]++)
			return swt_fail("slot %lu twice", slot);
	}
	return 0;
}

/* Freed on request; until then the device is busy, and in use as before. */
TEST_F_TIMEOUT(swap_hibernate, free, 120)
{
	int fd = snapshot_open(self->dev);
	char seen[4096] = "";

	ASSERT_LE(0, fd) TH_LOG("%s", swt_msg());
	SWT_OK(snapshot_alloc_many(fd, seen, 4096, SLOTS));
	EXPECT_EQ(SLOTS, swt_used(self->dev));
	EXPECT_EQ(-1, swapoff(self->dev->path));
	EXPECT_EQ(EBUSY, errno);
	/* that changed nothing */
	SWT_OK(snapshot_alloc_many(fd, seen, 4096, 1));
	EXPECT_EQ(SLOTS + 1, swt_used(self->dev));
	EXPECT_EQ(0, ioctl(fd, SNAPSHOT_FREE_SWAP_PAGES));
	EXPECT_EQ(0, swt_used(self->dev));
	/* all of the device, twice */
	memset(seen, 0, sizeof(seen));
	SWT_OK(snapshot_alloc_many(fd, seen, 4096, self->dev->slots));
	EXPECT_EQ(0, snapshot_alloc(fd));
	EXPECT_EQ(0, ioctl(fd, SNAPSHOT_FREE_SWAP_PAGES));
	EXPECT_EQ(0, swt_used(self->dev));
	memset(seen, 0, sizeof(seen));
	SWT_OK(snapshot_alloc_many(fd, seen, 4096, self->dev->slots));
	EXPECT_EQ(0, ioctl(fd, SNAPSHOT_FREE_SWAP_PAGES));
	close(fd);
	SWT_OK(swt_off(self->dev, 30));
}

TEST_F_TIMEOUT(swap_hibernate, close, 120)
{
	int fd = snapshot_open(self->dev);
	char seen[4096] = "";

	ASSERT_LE(0, fd) TH_LOG("%s", swt_msg());
	SWT_OK(snapshot_alloc_many(fd, seen, 4096, SLOTS));
	EXPECT_EQ(SLOTS, swt_used(self->dev));
	close(fd);
	EXPECT_EQ(0, swt_used(self->dev));
	SWT_OK(swt_off(self->dev, 30));
}

/* Its owner ends, or is killed. */
TEST_F_TIMEOUT(swap_hibernate, exit, 120)
{
	char seen[4096];
	int i, go[2];
	pid_t pid;
	char c;

	for (i = 0; i < 2; i++) {
		memset(seen, 0, sizeof(seen));
		ASSERT_EQ(0, pipe(go));
		pid = swt_fork();
		if (!pid) {
			int fd = snapshot_open(self->dev);

			if (fd < 0 || snapshot_alloc_many(fd, seen, 4096, SLOTS))
				_exit(1 + swt_say(-1));
			if (write(go[1], "x", 1) != 1)
				_exit(1);
			if (i)
				pause();
			_exit(0);
		}
		ASSERT_EQ(1, read(go[0], &c, 1));
		if (i) {
			EXPECT_EQ(SLOTS, swt_used(self->dev));
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
		} else {
			EXPECT_EQ(0, swt_wait(pid));
		}
		close(go[0]);
		close(go[1]);
		EXPECT_EQ(0, swt_used(self->dev));
	}
	SWT_OK(swt_off(self->dev, 30));
}

/* Among slots of others: many extents, and neighbours that are read ahead. */
TEST_F_TIMEOUT(swap_hibernate, among_others, 180)
{
	size_t step = 5 * self->page, len = 80 * step, off;
	int fd = snapshot_open(self->dev);
	char *mem = swt_map(len);
	char seen[4096] = "";
	long used, ahead;

	ASSERT_LE(0, fd) TH_LOG("%s", swt_msg());
	ASSERT_NE(MAP_FAILED, mem);
	SWT_OK(swt_set(&self->ctx, "/proc/sys/vm/page-cluster", "4"));
	swt_fill_hard(mem, len, 1);
	for (off = 0; off < len; off += step) {
		swt_pageout(mem + off, step);
		SWT_OK(snapshot_alloc_many(fd, seen, 4096, 1 + off / step % 3));
	}
	swt_drop_cache(&self->ctx, mem, len);
	used = swt_used(self->dev);
	/* read what is between them, and ahead */
	ahead = swt_vmstat("swap_ra");
	EXPECT_EQ(-1, swt_verify_hard(mem, len, 1));
	EXPECT_GE(len / self->page, swt_vmstat("swap_ra") - ahead);
	swt_fill_hard(mem, len, 2);
	swt_wait_writeback();
	EXPECT_GE(used, swt_used(self->dev));
	munmap(mem, len);
	/* 1 + 2 + 3 + 1 + ... of 80 */
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 26 * 6 + 3));
	EXPECT_EQ(0, ioctl(fd, SNAPSHOT_FREE_SWAP_PAGES));
	EXPECT_EQ(0, swt_used(self->dev));
	close(fd);
	SWT_OK(swt_off(self->dev, 30));
}

/* Allocate what there is. Returns how many slots that were. */
static long snapshot_alloc_all(int fd)
{
	long n = 0;

	while (snapshot_alloc(fd))
		n++;
	return n;
}

/*
 * Have all pages in memory and in the swap cache. The device may have been full
 * before: the kernel's reclaim of such slots, which that began, may still be on
 * its way and take some of them. Returns the slots in use then, or 0.
 */
static long cached_in_swap(struct swt_ctx *ctx, struct swt_dev *dev, char *mem,
			   size_t pages)
{
	size_t len = pages * swt_page();
	long used;
	int i;

	for (i = 0; i < 10; i++) {
		if (swt_pageout(mem, len) != pages)
			break;
		swt_drop_cache(ctx, mem, len);
		if (swt_verify_hard(mem, len, 1) != -1 || swt_swapped(mem, len))
			break;
		usleep(200000);
		used = swt_used(dev);
		if (used >= (long)pages)
			return used;
	}
	return 0;
}

/*
 * When swap is getting full, slots whose data are in memory as well are there
 * for the taking: but not for an image in which that memory is clean.
 */
TEST_F_TIMEOUT(swap_hibernate, image, 180)
{
	size_t pages = 600, len = pages * self->page;
	int fd = snapshot_open(self->dev), err, resumed = 0;
	char *mem = swt_map(len);
	long used, n, image;

	ASSERT_LE(0, fd) TH_LOG("%s", swt_msg());
	ASSERT_NE(MAP_FAILED, mem);
	swt_fill_hard(mem, len, 1);
	for (image = 0; image < 2; image++) {
		used = cached_in_swap(&self->ctx, self->dev, mem, pages);
		ASSERT_LT(0, used);
		if (!image) {
			EXPECT_LT(self->dev->slots - used, snapshot_alloc_all(fd));
			EXPECT_EQ(0, ioctl(fd, SNAPSHOT_FREE_SWAP_PAGES));
			continue;
		}
		/* nobody else runs from here on, and nothing is printed */
		err = ioctl(fd, SNAPSHOT_FREEZE) ||
		      ioctl(fd, SNAPSHOT_CREATE_IMAGE, &resumed) ? errno : 0;
		/* making room for the image may have swapped out more */
		used = swt_used(self->dev);
		n = err ? 0 : snapshot_alloc_all(fd);
		ioctl(fd, SNAPSHOT_FREE);
		ioctl(fd, SNAPSHOT_UNFREEZE);
		if (err)
			SKIP(return, "no image of this machine: %s", strerror(err));
		EXPECT_EQ(self->dev->slots - used, n);
	}
	EXPECT_EQ(0, ioctl(fd, SNAPSHOT_FREE_SWAP_PAGES));
	EXPECT_EQ(-1, swt_verify_hard(mem, len, 1));
	munmap(mem, len);
	close(fd);
	SWT_OK(swt_off(self->dev, 30));
}

/* swapoff and allocations race: either none is had, or the device stays. */
TEST_F_TIMEOUT(swap_hibernate, swapoff, 180)
{
	double stop = swt_now() + swt_seconds(8);
	unsigned long offs = 0, busy = 0;
	int fd = snapshot_open(self->dev);
	pid_t pid;

	ASSERT_LE(0, fd) TH_LOG("%s", swt_msg());
	pid = swt_fork();
	if (!pid) {
		while (swt_now() < stop) {
			snapshot_alloc(fd);
			ioctl(fd, SNAPSHOT_FREE_SWAP_PAGES);
		}
		_exit(0);
	}
	while (swt_now() < stop) {
		if (!swapoff(self->dev->path)) {
			offs++;
			SWT_OK(swt_on(self->dev, 100, 0));
		} else {
			ASSERT_EQ(EBUSY, errno);
			busy++;
		}
	}
	TH_LOG("%lu times off, %lu times busy", offs, busy);
	EXPECT_LT(0, offs + busy);
	EXPECT_EQ(0, swt_wait(pid));
	EXPECT_EQ(0, ioctl(fd, SNAPSHOT_FREE_SWAP_PAGES));
	EXPECT_EQ(0, swt_used(self->dev));
	close(fd);
	SWT_OK(swt_off(self->dev, 30));
}

TEST_HARNESS_MAIN
