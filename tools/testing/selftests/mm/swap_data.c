// SPDX-License-Identifier: GPL-2.0
/*
 * Whatever is done to memory that is swapped out, its bytes must be right
 * afterwards, on every kind of swap, and no slot may be left behind.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "../kselftest_harness.h"
#include "swap_util.h"

FIXTURE(swap_data)
{
	struct swt_ctx ctx;
	struct swt_dev *dev;
	size_t page, pages, len;
};

FIXTURE_VARIANT(swap_data)
{
	enum swt_backend backend;
};

FIXTURE_VARIANT_ADD(swap_data, disk)
{
	.backend = SWT_DISK,
};

FIXTURE_VARIANT_ADD(swap_data, disk_rotational)
{
	.backend = SWT_DISK_ROT,
};

FIXTURE_VARIANT_ADD(swap_data, swapfile)
{
	.backend = SWT_FILE,
};

FIXTURE_VARIANT_ADD(swap_data, zram)
{
	.backend = SWT_ZRAM,
};

FIXTURE_VARIANT_ADD(swap_data, zswap)
{
	.backend = SWT_ZSWAP,
};

FIXTURE_SETUP(swap_data)
{
	int ret;

	self->page = swt_page();
	self->pages = swt_scaled(1024, 256) & ~63UL;
	self->len = self->pages * self->page;
	ret = swt_begin(&self->ctx) ?:
	      swt_dev_new(&self->ctx, &self->dev, variant->backend,
			  4 * self->pages) ?:
	      swt_on(self->dev, 1000, 0);
	ret = swt_setup_done(&self->ctx, ret);
	if (ret == SWT_SKIP)
		SKIP(return, "%s", swt_msg());
	ASSERT_EQ(0, ret) TH_LOG("%s", swt_msg());
}

FIXTURE_TEARDOWN_PARENT(swap_data)
{
	EXPECT_EQ(0, swt_end(&self->ctx)) TH_LOG("%s", swt_msg());
}

/* Swap it out, make sure that it has left memory; what has not is returned. */
static size_t page_out(struct swt_ctx *ctx, void *p, size_t len)
{
	size_t n = len / swt_page() - swt_pageout(p, len);

	return n + swt_drop_cache(ctx, p, len);
}

#define PAGEOUT(p, n)	ASSERT_EQ(0, page_out(&self->ctx, p, n))
#define VERIFY(p, n, seed) EXPECT_EQ(-1, swt_verify(p, n, seed))

TEST_F_TIMEOUT(swap_data, patterns, 300)
{
	char *p = swt_map(self->len);
	int round;

	ASSERT_NE(MAP_FAILED, p);
	for (round = 0; round < 3; round++) {
		swt_fill(p, self->len, 1000 + round);
		PAGEOUT(p, self->len);
		EXPECT_EQ(self->len / 1024, swt_smaps(p, "Swap"));
		EXPECT_EQ(0, swt_smaps(p, "Rss"));
		EXPECT_LE(self->pages, swt_used(self->dev));
		VERIFY(p, self->len, 1000 + round);
		/* once more without writing: the old slots may serve again */
		PAGEOUT(p, self->len);
		VERIFY(p, self->len, 1000 + round);
	}
}

/*
 * Pages that keep their slots become zero and something else in turn: which ones
 * are zero is not written to the device, but must not be remembered too long.
 */
TEST_F_TIMEOUT(swap_data, zeroes, 300)
{
	size_t i, round, bad = 0;
	char *p = swt_map(self->len);

	ASSERT_NE(MAP_FAILED, p);
	for (round = 0; round < 4; round++) {
		for (i = 0; i < self->pages; i++)
			p[i * self->page + 5] = (i + round) % 2;
		PAGEOUT(p, self->len);
		/* read only, or the slots would be given up */
		for (i = 0; i < self->pages; i++)
			bad += p[i * self->page + 5] != (char)((i + round) % 2);
	}
	EXPECT_EQ(0, bad);
}

/* One byte of each page is written after swap-in, in no particular order. */
TEST_F_TIMEOUT(swap_data, write_one_byte, 300)
{
	char *p = swt_map(self->len), *copy = swt_map(self->page);
	size_t i, n, bad = 0;

	ASSERT_NE(MAP_FAILED, p);
	memset(p, 7, self->len);
	for (n = 0; n < 3; n++) {
		PAGEOUT(p, self->len);
		for (i = 0; i < self->pages; i++)
			p[i * 37 % self->pages * self->page + n * 100] = i + n;
	}
	PAGEOUT(p, self->len);
	for (i = 0; i < self->pages; i++) {
		memset(copy, 7, self->page);
		for (n = 0; n < 3; n++)
			copy[n * 100] = i + n;
		bad += !!memcmp(copy, p + i * 37 % self->pages * self->page,
				self->page);
	}
	EXPECT_EQ(0, bad);
}

/*
 * That a page comes back is noticed, whoever brings it back: what it has left
 * behind in the swap cache tells when it was swapped out.
 */
TEST_F_TIMEOUT(swap_data, refault, 300)
{
	long before, enough = self->pages * 9 / 10;
	char *p = swt_map(self->len);
	pid_t pid;

	if (swt_vmstat("workingset_refault_anon") < 0)
		SKIP(return, "refaults are not counted");
	ASSERT_NE(MAP_FAILED, p);
	swt_fill_hard(p, self->len, 1);
	PAGEOUT(p, self->len);
	before = swt_vmstat("workingset_refault_anon");
	EXPECT_EQ(-1, swt_verify_hard(p, self->len, 1));
	EXPECT_LE(before + enough, swt_vmstat("workingset_refault_anon"));

	PAGEOUT(p, self->len);
	before = swt_vmstat("workingset_refault_anon");
	pid = swt_fork();
	if (!pid)
		_exit(swt_verify_hard(p, self->len, 1) != -1);
	EXPECT_EQ(0, swt_wait(pid));
	EXPECT_LE(before + enough, swt_vmstat("workingset_refault_anon"));

	EXPECT_EQ(-1, swt_verify_hard(p, self->len, 1));
	PAGEOUT(p, self->len);
	before = swt_vmstat("workingset_refault_anon");
	SWT_OK(swt_off(self->dev, 60));
	EXPECT_LE(before + enough, swt_vmstat("workingset_refault_anon"));
	EXPECT_EQ(-1, swt_verify_hard(p, self->len, 1));
}

TEST_F_TIMEOUT(swap_data, fork_shared, 300)
{
	size_t half = self->len / 2;
	char *p = swt_map(self->len);
	pid_t pid;

	ASSERT_NE(MAP_FAILED, p);
	swt_fill(p, self->len, 1);
	PAGEOUT(p, self->len);

	pid = swt_fork();
	if (!pid) {
		if (swt_verify(p, half, 1) != -1)
			_exit(1);
		/* write to pages swapped in, and to pages still swapped out */
		swt_fill(p, self->len - self->page, 2);
		if (swt_verify(p, self->len - self->page, 2) != -1)
			_exit(2);
		if (swt_pageout(p, half) != half / self->page)
			_exit(3);
		_exit(swt_verify(p, self->len - self->page, 2) != -1 ? 4 : 0);
	}
	VERIFY(p, self->len, 1);
	swt_pageout(p, half);
	EXPECT_EQ(0, swt_wait(pid));
	VERIFY(p, self->len, 1);
	swt_fill(p, self->len, 3);
	PAGEOUT(p, self->len);
	VERIFY(p, self->len, 3);
}

static void wait_for_eof(int fd)
{
	char c;

	while (read(fd, &c, 1) > 0)
		;
}

/* More references to a slot than fit into a byte of any kind of map. */
TEST_F_TIMEOUT(swap_data, fork_many, 300)
{
	size_t i, len = 48 * self->page, n = 300, bad = 0;
	char *p = swt_map(len);
	pid_t pid[300];
	int fd[2];

	ASSERT_NE(MAP_FAILED, p);
	swt_fill(p, len, 5);
	PAGEOUT(p, len);
	ASSERT_EQ(0, pipe(fd));
	for (i = 0; i < n; i++) {
		pid[i] = swt_fork();
		ASSERT_LE(0, pid[i]);
		if (pid[i])
			continue;
		close(fd[1]);
		/* some give their references up before others take theirs */
		if (i % 3 == 0)
			munmap(p, len / 2);
		if (i % 3 != 1)
			wait_for_eof(fd[0]);
		if (i % 3 == 0)
			_exit(0);
		if (swt_verify(p, len, 5) != -1)
			_exit(1);
		memset(p, i, len / 3);
		_exit(0);
	}
	close(fd[0]);
	EXPECT_EQ(48, swt_swapped(p, len));
	close(fd[1]);
	for (i = 0; i < n; i++)
		bad += swt_wait(pid[i]) != 0;
	EXPECT_EQ(0, bad);
	VERIFY(p, len, 5);
}

static int tree(char *p, size_t len, int depth)
{
	pid_t left, right;
	int ret;

	if (!depth)
		return swt_verify(p, len, 6) != -1;
	left = swt_fork();
	if (!left)
		_exit(tree(p, len, depth - 1));
	right = swt_fork();
	if (!right)
		_exit(tree(p, len, depth - 1));
	ret = depth % 2 ? swt_verify(p, len, 6) != -1 : 0;
	return ret | swt_wait(left) | swt_wait(right);
}

TEST_F_TIMEOUT(swap_data, fork_tree, 300)
{
	size_t len = 128 * self->page;
	char *p = swt_map(len);

	ASSERT_NE(MAP_FAILED, p);
	swt_fill(p, len, 6);
	PAGEOUT(p, len);
	EXPECT_EQ(0, tree(p, len, 4));
	VERIFY(p, len, 6);
}

TEST_F_TIMEOUT(swap_data, partial_unmap, 300)
{
	size_t i, chunk = 5 * self->page, n = self->len / (2 * chunk);
	char *p = swt_map(self->len), *q;
	long used;

	ASSERT_NE(MAP_FAILED, p);
	for (i = 0; i < n; i++) {
		swt_fill(p + 2 * i * chunk, chunk, i);
		swt_fill(p + (2 * i + 1) * chunk, chunk, i + 10000);
	}
	PAGEOUT(p, 2 * n * chunk);
	used = swt_used_exact(self->dev);
	EXPECT_EQ(2 * n * 5, used);
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, munmap(p + 2 * i * chunk, chunk));
	EXPECT_EQ(n * 5, swt_used_exact(self->dev));
	/* new pages in the holes, in memory and in the address space */
	for (i = 0; i < n; i++) {
		q = mmap(p + 2 * i * chunk, chunk, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		ASSERT_EQ(p + 2 * i * chunk, q);
		EXPECT_TRUE(swt_is_zero(q, self->page));
		swt_fill(q, chunk, i + 20000);
	}
	swt_pageout(p, 2 * n * chunk);
	for (i = 0; i < n; i++) {
		VERIFY(p + 2 * i * chunk, chunk, i + 20000);
		VERIFY(p + (2 * i + 1) * chunk, chunk, i + 10000);
	}
}

TEST_F_TIMEOUT(swap_data, mremap, 300)
{
	size_t half = self->len / 2;
	char *p, *q, *r;

	p = swt_map(self->len);
	ASSERT_NE(MAP_FAILED, p);
	swt_fill(p, half, 1);
	swt_fill(p + half, half, 2);
	PAGEOUT(p, self->len);
	/* the second half moves away, over something else, and grows */
	q = swt_map(2 * self->len);
	ASSERT_NE(MAP_FAILED, q);
	memset(q, 1, 10 * self->page);
	r = mremap(p + half, half, self->len, MREMAP_MAYMOVE | MREMAP_FIXED,
		   q + self->page);
	ASSERT_EQ(q + self->page, r);
	EXPECT_EQ(half / self->page, swt_swapped(r, self->len));
	VERIFY(r, half, 2);
	EXPECT_TRUE(swt_is_zero(r + half, self->len - half));
	VERIFY(p, half, 1);
	/* shrink while swapped */
	PAGEOUT(p, half);
	r = mremap(p, half, half / 2, 0);
	ASSERT_EQ(p, r);
	VERIFY(p, half / 2, 1);
}

TEST_F_TIMEOUT(swap_data, madvise, 300)
{
	size_t q = self->len / 4;
	char *p = swt_map(self->len);
	size_t i;

	ASSERT_NE(MAP_FAILED, p);
	for (i = 0; i < 4; i++)
		swt_fill(p + i * q, q, i);
	PAGEOUT(p, self->len);
	EXPECT_EQ(self->pages, swt_used_exact(self->dev));

	ASSERT_EQ(0, madvise(p, q, MADV_DONTNEED));
	EXPECT_EQ(self->pages * 3 / 4, swt_used_exact(self->dev));
	ASSERT_EQ(0, madvise(p + q, q, MADV_FREE));
	EXPECT_EQ(self->pages / 2, swt_used_exact(self->dev));
	ASSERT_EQ(0, madvise(p + 2 * q, q, MADV_COLD));
	ASSERT_EQ(0, madvise(p + 2 * q, q, MADV_WILLNEED));
	EXPECT_TRUE(swt_is_zero(p, 2 * q));
	VERIFY(p + 2 * q, q, 2);
	VERIFY(p + 3 * q, q, 3);

	/* readahead, and pushed out again at once */
	PAGEOUT(p + 2 * q, 2 * q);
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, madvise(p + 2 * q, 2 * q, MADV_WILLNEED));
		ASSERT_EQ(0, madvise(p + 2 * q, 2 * q, MADV_PAGEOUT));
	}
	VERIFY(p + 2 * q, q, 2);
	VERIFY(p + 3 * q, q, 3);

	/* freed lazily while it is in memory and has a slot */
	PAGEOUT(p + 2 * q, q);
	VERIFY(p + 2 * q, q, 2);
	ASSERT_EQ(0, madvise(p + 2 * q, q, MADV_FREE));
	madvise(p + 2 * q, q, MADV_PAGEOUT);
	for (i = 0; i < q / self->page; i++) {
		char *c = p + 2 * q + i * self->page;

		if (swt_is_zero(c, self->page))
			continue;
		/* not lost: then it must be what it was */
		swt_fill(p, q, 2);
		ASSERT_EQ(0, memcmp(c, p + i * self->page, self->page));
	}
	VERIFY(p + 3 * q, q, 3);
}

static void on_segv(int sig)
{
	_exit(42);
}

TEST_F_TIMEOUT(swap_data, mprotect, 300)
{
	size_t half = self->len / 2;
	char *p = swt_map(self->len);
	pid_t pid;

	ASSERT_NE(MAP_FAILED, p);
	swt_fill(p, half, 1);
	swt_fill(p + half, half, 2);
	PAGEOUT(p, self->len);
	ASSERT_EQ(0, mprotect(p, half, PROT_READ));
	ASSERT_EQ(0, mprotect(p + half, half, PROT_NONE));
	EXPECT_EQ(self->pages, swt_swapped(p, self->len));
	pid = swt_fork();
	if (!pid) {
		signal(SIGSEGV, on_segv);
		p[self->page] = 1;
		_exit(0);
	}
	EXPECT_EQ(42, swt_wait(pid));
	pid = swt_fork();
	if (!pid) {
		signal(SIGSEGV, on_segv);
		_exit(p[half] == 1);
	}
	EXPECT_EQ(42, swt_wait(pid));
	VERIFY(p, half, 1);
	ASSERT_EQ(0, mprotect(p, self->len, PROT_READ | PROT_WRITE));
	VERIFY(p + half, half, 2);
	swt_fill(p, self->len, 3);
	PAGEOUT(p, self->len);
	VERIFY(p, self->len, 3);
}

TEST_F_TIMEOUT(swap_data, mlock, 300)
{
	size_t half = self->len / 2;
	char *p = swt_map(self->len);

	ASSERT_NE(MAP_FAILED, p);
	swt_fill(p, self->len, 1);
	PAGEOUT(p, self->len);
	ASSERT_EQ(0, mlock(p, half));
	EXPECT_EQ(0, swt_swapped(p, half));
	EXPECT_EQ(half / self->page, swt_swapped(p + half, half));
	madvise(p, half, MADV_PAGEOUT);
	swt_reclaim(&self->ctx, self->len);
	EXPECT_EQ(0, swt_swapped(p, half));
	ASSERT_EQ(0, munlock(p, half));
	VERIFY(p, self->len, 1);
	PAGEOUT(p, self->len);
	VERIFY(p, self->len, 1);
}

/* Shared memory has its swap entries in the page cache, not in page tables. */
static size_t shmem_pageout(struct swt_ctx *ctx, char *p, size_t len)
{
	size_t want = len / 1024, n = 0;
	int i;

	for (i = 0; i < 30; i++) {
		swt_madvise_pageout(p, len, i);
		n = swt_smaps(p, "Swap");
		if (n == want)
			break;
		usleep(2000);
	}
	for (i = 0; i < 20 && swt_resident(p, len); i++) {
		swt_wait_writeback();
		swt_reclaim(ctx, len);
	}
	return n;
}

TEST_F_TIMEOUT(swap_data, shared_anon, 300)
{
	pid_t pid;
	char *p;

	p = mmap(NULL, self->len, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	swt_fill(p, self->len, 1);
	ASSERT_EQ(self->len / 1024, shmem_pageout(&self->ctx, p, self->len));
	pid = swt_fork();
	if (!pid) {
		if (swt_verify(p, self->len / 2, 1) != -1)
			_exit(1);
		swt_fill(p, self->len / 2, 2);
		_exit(0);
	}
	VERIFY(p + self->len - self->page, 0, 1);
	EXPECT_EQ(0, swt_wait(pid));
	VERIFY(p, self->len / 2, 2);
	shmem_pageout(&self->ctx, p, self->len);
	VERIFY(p, self->len / 2, 2);
	swt_fill(p, self->len, 3);
	ASSERT_EQ(self->len / 1024, shmem_pageout(&self->ctx, p, self->len));
	VERIFY(p, self->len, 3);
}

static void file_of_shmem(struct __test_metadata *_metadata, struct swt_ctx *ctx,
			  struct swt_dev *dev, size_t len, int fd)
{
	size_t page = swt_page(), pages = len / page, i, q = len / 4;
	char *p, *buf = swt_map(q);

	ASSERT_NE(MAP_FAILED, buf);
	ASSERT_EQ(0, ftruncate(fd, len));
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	madvise(p, len, MADV_NOHUGEPAGE);
	for (i = 0; i < 4; i++)
		swt_fill(p + i * q, q, i);
	ASSERT_EQ(len / 1024, shmem_pageout(ctx, p, len));
	EXPECT_EQ(pages, swt_used_exact(dev));

	/* a hole in what is swapped out, pages and parts of pages */
	ASSERT_EQ(0, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       q, q - 100));
	EXPECT_TRUE(swt_is_zero(p + q, q - page));
	/* the last quarter goes, and comes back empty */
	ASSERT_EQ(0, ftruncate(fd, 3 * q));
	ASSERT_EQ(0, ftruncate(fd, len));
	EXPECT_TRUE(swt_is_zero(p + 3 * q, q));
	VERIFY(p, q, 0);
	EXPECT_EQ(q, pread(fd, buf, q, 2 * q));
	VERIFY(buf, q, 2);

	/* truncate in the middle of a swapped page */
	swt_fill(p, len, 9);
	ASSERT_EQ(len / 1024, shmem_pageout(ctx, p, len));
	ASSERT_EQ(0, ftruncate(fd, q + 12));
	ASSERT_EQ(0, ftruncate(fd, len));
	VERIFY(p, q, 9);
	EXPECT_TRUE(swt_is_zero(p + q + page, q));
	for (i = 12; i < page; i++)
		ASSERT_EQ(0, p[q + i]);

	/* write(2) into swapped pages, the mapping gone */
	swt_fill(p, len, 10);
	ASSERT_EQ(len / 1024, shmem_pageout(ctx, p, len));
	ASSERT_EQ(0, munmap(p, len));
	memset(buf, 0x55, 100);
	for (i = 0; i < pages; i += 2)
		ASSERT_EQ(100, pwrite(fd, buf, 100, i * page + 1000));
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	swt_fill(buf, q, 10);
	for (i = 0; i < q / page; i += 2)
		memset(buf + i * page + 1000, 0x55, 100);
	EXPECT_EQ(0, memcmp(p, buf, q));
	for (i = 0; i < pages; i++)
		EXPECT_EQ(i % 2 ? p[i * page + 1000] : 0x55,
			  p[i * page + 1000]);
	ASSERT_EQ(len / 1024, shmem_pageout(ctx, p, len));
	/* and the whole of it goes while it is swapped out */
	munmap(p, len);
	munmap(buf, q);
}

TEST_F_TIMEOUT(swap_data, memfd, 300)
{
	int fd = memfd_create("swt", 0);

	ASSERT_LE(0, fd);
	file_of_shmem(_metadata, &self->ctx, self->dev, self->len, fd);
	close(fd);
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

TEST_F_TIMEOUT(swap_data, tmpfs, 300)
{
	char dir[] = "/tmp/swt-XXXXXX", path[64];
	int fd;

	if (!mkdtemp(dir))
		SKIP(return, "cannot make a directory in /tmp");
	ASSERT_EQ(0, mount("none", dir, "tmpfs", 0, "size=256m"));
	snprintf(path, sizeof(path), "%s/file", dir);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	EXPECT_LE(0, fd);
	if (fd >= 0)
		file_of_shmem(_metadata, &self->ctx, self->dev, self->len, fd);
	unlink(path);
	close(fd);
	EXPECT_EQ(0, umount2(dir, MNT_DETACH));
	rmdir(dir);
	SWT_OK(swt_wait_used(&self->ctx, self->dev, 0));
}

/* A private mapping of a file: pages written to go to swap, others do not. */
TEST_F_TIMEOUT(swap_data, private_file, 300)
{
	size_t i, len = 256 * self->page;
	char path[SWT_PATH], *p, *buf = swt_map(len);
	int fd;

	if (!swt_dir())
		SKIP(return, "no SWAP_TEST_DIR");
	snprintf(path, sizeof(path), "%.200s/swt-private", swt_dir());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	ASSERT_LE(0, fd);
	unlink(path);
	swt_fill(buf, len, 1);
	ASSERT_EQ(len, write(fd, buf, len));
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	ASSERT_NE(MAP_FAILED, p);
	for (i = 0; i < 256; i += 2)
		swt_fill(p + i * self->page, self->page, i + 100);
	for (i = 0; i < 256; i += 2)
		EXPECT_EQ(1, swt_pageout(p + i * self->page, self->page));
	EXPECT_EQ(128, swt_swapped(p, len));
	for (i = 0; i < 256; i += 2) {
		VERIFY(p + i * self->page, self->page, i + 100);
		EXPECT_EQ(0, memcmp(p + (i + 1) * self->page,
				    buf + (i + 1) * self->page, self->page));
	}
	close(fd);
}

/* A process goes with everything it has in swap, of its own will or not. */
TEST_F_TIMEOUT(swap_data, exit_and_kill, 300)
{
	char *p = swt_map(self->len);
	int fd[2], round;
	pid_t pid;
	char c;

	ASSERT_NE(MAP_FAILED, p);
	for (round = 0; round < 6; round++) {
		ASSERT_EQ(0, pipe(fd));
		pid = swt_fork();
		if (!pid) {
			swt_fill(p, self->len, round);
			swt_pageout(p, round % 3 ? self->len : self->len / 2);
			if (round % 2)
				_exit(0);
			if (write(fd[1], "", 1) != 1)
				_exit(1);
			/* until the signal comes */
			for (;;) {
				madvise(p, self->len, MADV_PAGEOUT);
				if (swt_verify(p, self->len, round) != -1)
					_exit(2);
			}
		}
		if (round % 2 == 0) {
			ASSERT_EQ(1, read(fd[0], &c, 1));
			usleep(30000 * round);
			kill(pid, SIGKILL);
		}
		EXPECT_EQ(round % 2 ? 0 : 128 + SIGKILL, swt_wait(pid));
		close(fd[0]);
		close(fd[1]);
	}
}

TEST_HARNESS_MAIN
