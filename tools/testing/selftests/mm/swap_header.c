// SPDX-License-Identifier: GPL-2.0
/*
 * swapon(2) and swapoff(2) refuse what they must refuse, with the errno that
 * they always had, and leave nothing behind.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "../kselftest_harness.h"
#include "swap_util.h"

#define MAX_BADPAGES	((swt_page() - 10 - 1536) / 4)

FIXTURE(swap_header)
{
	struct swt_ctx ctx;
	struct swt_dev *dev;
	struct swt_header h;
	unsigned long max;	/* pages in a good header */
	unsigned long size;	/* pages of the device, which may be more */
	long total;		/* SwapTotal */
};

FIXTURE_VARIANT(swap_header)
{
	enum swt_backend backend;
};

FIXTURE_VARIANT_ADD(swap_header, disk)
{
	.backend = SWT_DISK,
};

FIXTURE_VARIANT_ADD(swap_header, swapfile)
{
	.backend = SWT_FILE,
};

FIXTURE_VARIANT_ADD(swap_header, zram)
{
	.backend = SWT_ZRAM,
};

static unsigned long device_pages(const char *path)
{
	int fd = open(path, O_RDONLY);
	off_t size = lseek(fd, 0, SEEK_END);

	close(fd);
	return size / swt_page();
}

FIXTURE_SETUP(swap_header)
{
	int ret;

	self->max = 1024;
	ret = swt_begin(&self->ctx) ?:
	      swt_dev_new(&self->ctx, &self->dev, variant->backend, self->max);
	ret = swt_setup_done(&self->ctx, ret);
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
	swt_header_init(&self->h, self->max);
	self->size = device_pages(self->dev->path);
	self->total = swt_meminfo("SwapTotal");
}

FIXTURE_TEARDOWN_PARENT(swap_header)
{
	EXPECT_EQ(0, swt_end(&self->ctx)) TH_LOG("%s", swt_msg());
}

/* errno of swapon(2) with the given header, 0 if it was accepted */
static int try_header(struct swt_dev *d, struct swt_header *h)
{
	int err;

	if (swt_header_write(d->path, h))
		return -1;
	err = swapon(d->path, 0) ? errno : 0;
	if (!err)
		d->on = true;
	return err;
}

#define REFUSED(err) do {						\
	EXPECT_EQ(err, try_header(self->dev, &self->h));		\
	EXPECT_EQ(-1, swt_used(self->dev));				\
	EXPECT_EQ(self->total, swt_meminfo("SwapTotal"));		\
	if (self->dev->on)						\
		swt_off(self->dev, 10);					\
	swt_header_init(&self->h, self->max);				\
} while (0)

#define ACCEPTED(slots) do {						\
	long __size = -1;						\
									\
	EXPECT_EQ(0, try_header(self->dev, &self->h));			\
	EXPECT_EQ(0, swt_used_path(self->dev->path, &__size, NULL));	\
	EXPECT_EQ(slots, __size);					\
	SWT_OK(swt_off(self->dev, 10));				\
	swt_header_init(&self->h, self->max);				\
} while (0)

TEST_F(swap_header, signature)
{
	ACCEPTED(self->max - 1);
	self->h.magic = "SWAP-SPACE";
	REFUSED(EINVAL);
	self->h.magic = "SWAPSPACE1";
	REFUSED(EINVAL);
	self->h.magic = "";
	REFUSED(EINVAL);
	self->h.magic = "S1SUSPEND";
	REFUSED(EINVAL);
}

TEST_F(swap_header, version)
{
	self->h.version = 0;
	REFUSED(EINVAL);
	self->h.version = 2;
	REFUSED(EINVAL);
	self->h.version = UINT_MAX;
	REFUSED(EINVAL);
}

TEST_F(swap_header, last_page)
{
	self->h.last_page = 0;
	REFUSED(EINVAL);
	/* more than there is */
	self->h.last_page = self->size;
	REFUSED(EINVAL);
	self->h.last_page = self->size * 1000;
	REFUSED(EINVAL);
	self->h.last_page = INT_MAX;
	REFUSED(EINVAL);
	self->h.last_page = UINT_MAX - 1;
	REFUSED(EINVAL);
	self->h.last_page = UINT_MAX;
	REFUSED(EINVAL);
	/* less is fine */
	self->h.last_page = 1;
	ACCEPTED(1);
	self->h.last_page = 100;
	ACCEPTED(100);
}

TEST_F(swap_header, other_endianness)
{
	uint32_t bad[3] = { 5, 700, self->max - 1 };

	self->h.swapped = true;
	ACCEPTED(self->max - 1);
	self->h.swapped = true;
	self->h.last_page = self->size;
	REFUSED(EINVAL);
	self->h.swapped = true;
	self->h.nr_bad = MAX_BADPAGES + 1;
	self->h.nr_bad_written = 0;
	REFUSED(EINVAL);
	self->h.swapped = true;
	self->h.nr_bad = 3;
	self->h.bad = bad;
	if (variant->backend == SWT_FILE)
		REFUSED(EINVAL);
	else
		ACCEPTED(self->max - 4);
}

TEST_F(swap_header, bad_pages)
{
	uint32_t *bad = calloc(self->max, sizeof(*bad));
	size_t i;

	if (self->max < MAX_BADPAGES + 2)
		SKIP(return, "pages are too large");
	for (i = 0; i < self->max; i++)
		bad[i] = i + 1;
	self->h.bad = bad;
	self->h.nr_bad = 1;
	if (variant->backend == SWT_FILE) {
		REFUSED(EINVAL);
		return;
	}
	ACCEPTED(self->max - 2);

	self->h.bad = bad;
	self->h.nr_bad = MAX_BADPAGES;
	ACCEPTED(self->max - 1 - MAX_BADPAGES);
	self->h.bad = bad;
	self->h.nr_bad = MAX_BADPAGES + 1;
	self->h.nr_bad_written = 0;
	REFUSED(EINVAL);
	self->h.nr_bad = INT_MAX;
	self->h.nr_bad_written = 0;
	REFUSED(EINVAL);
	self->h.nr_bad = UINT_MAX;
	self->h.nr_bad_written = 0;
	REFUSED(EINVAL);

	/* the header itself, and what is not there */
	bad[0] = 0;
	self->h.bad = bad;
	self->h.nr_bad = 1;
	REFUSED(EINVAL);
	bad[0] = self->max;
	self->h.bad = bad;
	self->h.nr_bad = 1;
	REFUSED(EINVAL);
	bad[0] = UINT_MAX;
	self->h.bad = bad;
	self->h.nr_bad = 1;
	REFUSED(EINVAL);

	/* nothing is left */
	bad[0] = 1;
	self->h.bad = bad;
	self->h.nr_bad = 100;
	self->h.last_page = 100;
	REFUSED(EINVAL);
	/* one is left */
	self->h.bad = bad;
	self->h.nr_bad = 100;
	self->h.last_page = 101;
	ACCEPTED(1);
	free(bad);
}

TEST_F(swap_header, busy)
{
	char dir[SWT_PATH], line[512], *dev;
	FILE *f;

	SWT_OK(swt_on(self->dev, 7, 0));
	EXPECT_EQ(-1, swapon(self->dev->path, 0));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(0, swt_used(self->dev));
	SWT_OK(swt_off(self->dev, 10));
	EXPECT_EQ(-1, swapoff(self->dev->path));
	EXPECT_EQ(EINVAL, errno);

	/* a block device with a file system that is mounted */
	f = fopen("/proc/mounts", "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "/dev/", 5))
			continue;
		dev = strtok(line, " ");
		snprintf(dir, sizeof(dir), "%s", dev);
		if (access(dir, R_OK))
			continue;
		EXPECT_EQ(-1, swapon(dir, 0));
		EXPECT_EQ(EBUSY, errno) TH_LOG("%s", dir);
		break;
	}
	if (f)
		fclose(f);
}

TEST_F(swap_header, flags)
{
	int flag, prio;

	for (flag = 1 << 19; flag; flag <<= 1) {
		EXPECT_EQ(-1, swapon(self->dev->path, flag));
		EXPECT_EQ(EINVAL, errno);
	}
	EXPECT_EQ(-1, swt_used(self->dev));
	/* the priority is only that if the flag says so */
	SWT_OK(swt_on(self->dev, -1, 55));
	EXPECT_EQ(0, swt_used_path(self->dev->path, NULL, &prio));
	EXPECT_GT(0, prio);
	SWT_OK(swt_off(self->dev, 10));
	SWT_OK(swt_on(self->dev, 32767, 0));
	EXPECT_EQ(0, swt_used_path(self->dev->path, NULL, &prio));
	EXPECT_EQ(32767, prio);
	SWT_OK(swt_off(self->dev, 10));
	SWT_OK(swt_on(self->dev, 0, 0));
	EXPECT_EQ(0, swt_used_path(self->dev->path, NULL, &prio));
	EXPECT_EQ(0, prio);
	SWT_OK(swt_off(self->dev, 10));
	/* all the discard flags, on a device that may know no discard */
	SWT_OK(swt_on(self->dev, -1, SWAP_FLAG_DISCARD | 0x60000));
	SWT_OK(swt_off(self->dev, 10));
}

TEST_F(swap_header, not_root)
{
	pid_t pid = swt_fork();

	if (!pid) {
		if (setgid(65534) || setuid(65534))
			_exit(1);
		if (!swapon(self->dev->path, 0) || errno != EPERM)
			_exit(2);
		if (!swapoff(self->dev->path) || errno != EPERM)
			_exit(3);
		_exit(0);
	}
	EXPECT_EQ(0, swt_wait(pid));
	EXPECT_EQ(-1, swt_used(self->dev));
}

static int on(const char *path)
{
	int err = swapon(path, 0) ? errno : 0;

	if (!err)
		swapoff(path);
	return err;
}

static int off(const char *path)
{
	return swapoff(path) ? errno : 0;
}

/* Things that are no swap device at all. */
TEST(swap_what)
{
	char dir[] = "/tmp/swt-XXXXXX", path[64];
	struct swt_ctx ctx;
	int fd;

	if (swt_begin(&ctx))
		SKIP(return, "%s", swt_msg());
	if (!mkdtemp(dir))
		SKIP(return, "cannot make a directory in /tmp");
	EXPECT_EQ(0, mount("none", dir, "tmpfs", 0, NULL));
	EXPECT_EQ(EISDIR, on(dir));
	EXPECT_EQ(EISDIR, off(dir));
	EXPECT_EQ(EINVAL, on("/dev/null"));
	EXPECT_EQ(EINVAL, off("/dev/null"));
	EXPECT_EQ(EINVAL, on("/dev/zero"));
	snprintf(path, sizeof(path), "%s/nothing", dir);
	EXPECT_EQ(ENOENT, on(path));
	EXPECT_EQ(ENOENT, off(path));
	EXPECT_EQ(ENOENT, on(""));
	EXPECT_EQ(EFAULT, on(NULL));
	EXPECT_EQ(EFAULT, off(NULL));
	EXPECT_EQ(0, mkfifo(path, 0600));
	EXPECT_EQ(EINVAL, on(path));
	unlink(path);
	/* a file of a file system that cannot have swapfiles */
	fd = open(path, O_RDWR | O_CREAT, 0600);
	EXPECT_EQ(0, ftruncate(fd, 1 << 20));
	close(fd);
	EXPECT_EQ(EINVAL, on(path));
	EXPECT_EQ(EINVAL, off(path));
	unlink(path);
	umount2(dir, MNT_DETACH);
	rmdir(dir);
	EXPECT_EQ(0, swt_end(&ctx));
}

/* Files that are no swapfiles. */
TEST(swap_which_file)
{
	unsigned long max = 256;
	struct swt_header h;
	struct swt_ctx ctx;
	char path[SWT_PATH];
	int fd;

	if (swt_begin(&ctx))
		SKIP(return, "%s", swt_msg());
	if (!swt_dir())
		SKIP(return, "no SWAP_TEST_DIR");
	snprintf(path, sizeof(path), "%.200s/swt-which", swt_dir());

	/* empty, and shorter than a header */
	SWT_OK(swt_file_new(path, 0, true));
	EXPECT_EQ(EINVAL, on(path));
	SWT_OK(swt_file_new(path, 1, true));
	EXPECT_EQ(EINVAL, on(path));

	/* all of it a hole but the header; one hole; a hole at the end */
	swt_header_init(&h, max);
	SWT_OK(swt_file_new(path, max, true));
	SWT_OK(swt_header_write(path, &h));
	EXPECT_EQ(EINVAL, on(path));
	SWT_OK(swt_file_new(path, max, false));
	SWT_OK(swt_header_write(path, &h));
	EXPECT_EQ(0, on(path));
	fd = open(path, O_RDWR);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       100 * swt_page(), 4 * swt_page()));
	EXPECT_EQ(0, fsync(fd));
	EXPECT_EQ(EINVAL, on(path));
	SWT_OK(swt_file_new(path, max, false));
	SWT_OK(swt_header_write(path, &h));
	EXPECT_EQ(0, on(path));
	/* cut off */
	EXPECT_EQ(0, truncate(path, (max - 1) * swt_page()));
	EXPECT_EQ(EINVAL, on(path));
	close(fd);

	/* an active one can be neither written to nor deleted */
	SWT_OK(swt_file_new(path, max, false));
	SWT_OK(swt_header_write(path, &h));
	EXPECT_EQ(0, swapon(path, 0));
	fd = open(path, O_RDWR);
	EXPECT_EQ(-1, write(fd, "x", 1));
	EXPECT_EQ(ETXTBSY, errno);
	EXPECT_EQ(-1, ftruncate(fd, 0));
	EXPECT_EQ(ETXTBSY, errno);
	EXPECT_EQ(-1, unlink(path));
	EXPECT_EQ(EPERM, errno);
	close(fd);
	EXPECT_EQ(0, swapoff(path));
	EXPECT_EQ(0, unlink(path));
	EXPECT_EQ(0, swt_end(&ctx));
}

/*
 * The largest that a header can tell of: 16 TiB. It takes no memory before it is
 * used, but 4 MB for zswap, and for KASAN an eighth of the clusters' addresses.
 */
TEST(swap_largest)
{
	const size_t len = 4UL << 20;
	char dir[] = "/tmp/swt-XXXXXX";
	struct swt_dev *dev;
	struct swt_ctx ctx;
	long before, size;
	char *p;
	int ret;

	if (sizeof(long) < 8)
		SKIP(return, "too large for 32 bits");
	if (!mkdtemp(dir))
		SKIP(return, "cannot make a directory in /tmp");
	/* a file of this size, which no swapping can swap out */
	ASSERT_EQ(0, mount("none", dir, "ramfs", 0, NULL));
	setenv("SWAP_TEST_DIR", dir, 1);
	ret = swt_begin(&ctx) ?: swt_dev_new(&ctx, &dev, SWT_LOOP, 1UL << 32);
	ret = swt_setup_done(&ctx, ret);
	if (ret == SWT_SKIP)
		SKIP(goto out, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());

	before = swt_meminfo("MemFree");
	SWT_OK(swt_on(dev, 1000, 0));
	before -= swt_meminfo("MemFree");
	TH_LOG("swapon took %ld kB", before);
	/* a byte for each slot would be 4 GB */
	EXPECT_LT(before, 256L << 10);
	EXPECT_EQ(0, swt_used_path(dev->path, &size, NULL));
	EXPECT_EQ(UINT_MAX, size);

	p = swt_map(len);
	swt_fill(p, len, 16);
	EXPECT_EQ(len / swt_page(), swt_pageout(p, len));
	EXPECT_EQ(0, swt_drop_cache(&ctx, p, len));
	EXPECT_EQ(-1, swt_verify(p, len, 16));
	swt_pageout(p, len);
	SWT_OK(swt_off(dev, 60));
	EXPECT_EQ(-1, swt_verify(p, len, 16));
	munmap(p, len);
	EXPECT_EQ(0, swt_end(&ctx)) TH_LOG("%s", swt_msg());
out:
	umount2(dir, MNT_DETACH);
	rmdir(dir);
}

/* As many devices as there can be, and one more. */
TEST(swap_too_many)
{
	unsigned long max = 32, n, i;
	struct swt_header h;
	struct swt_ctx ctx;
	char path[SWT_PATH];

	if (swt_begin(&ctx))
		SKIP(return, "%s", swt_msg());
	if (!swt_dir())
		SKIP(return, "no SWAP_TEST_DIR");
	swt_header_init(&h, max);
	for (n = 0; n < 64; n++) {
		snprintf(path, sizeof(path), "%.200s/swt-many%lu", swt_dir(), n);
		SWT_OK(swt_file_new(path, max, false));
		SWT_OK(swt_header_write(path, &h));
		if (swapon(path, 0))
			break;
	}
	EXPECT_EQ(EPERM, errno);
	EXPECT_LE(16, n);
	EXPECT_GE(32, n);
	unlink(path);
	/* out of order: odd ones first */
	for (i = 1; i < 2 * n; i += 2) {
		snprintf(path, sizeof(path), "%.200s/swt-many%lu", swt_dir(),
			 i < n ? i : i - (n | 1));
		EXPECT_EQ(0, swapoff(path)) TH_LOG("%s", path);
		unlink(path);
	}
	EXPECT_EQ(0, swt_end(&ctx));
}

TEST_HARNESS_MAIN
