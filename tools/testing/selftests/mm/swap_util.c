// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "swap_util.h"

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

/* Written into each header, so that a later test knows what was ours. */
#define SWT_LABEL	"swap_test"
#define SWT_PREFIX	"swt-"
/* /proc/pid/pagemap: bit 63 is set if present, else 62 if swapped out */
#define PM_SWAPPED_SHIFT	62

static char msg[512];
static bool slots_cache;

const char *swt_msg(void)
{
	return msg;
}

/* Print why @ret is not 0. */
int swt_say(int ret)
{
	if (ret)
		fprintf(stderr, "# %s\n", msg);
	return ret;
}

int swt_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	return -1;
}

int swt_skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	return SWT_SKIP;
}

unsigned long swt_page(void)
{
	static unsigned long size;

	if (!size)
		size = sysconf(_SC_PAGESIZE);
	return size;
}

double swt_scale(void)
{
	const char *s = getenv("SWAP_TEST_SCALE");
	double scale = s ? atof(s) : 1;

	return scale > 0 ? scale : 1;
}

unsigned long swt_scaled(unsigned long n, unsigned long min)
{
	unsigned long scaled = n * swt_scale();

	return scaled > min ? scaled : min;
}

unsigned long swt_seconds(unsigned long n)
{
	return swt_scaled(n, 1);
}

double swt_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

bool swt_has_slots_cache(void)
{
	return slots_cache;
}

/* Once per program: reading kallsyms is slow on an emulated machine. */
static void __attribute__((constructor)) find_slots_cache(void)
{
	char line[256];
	FILE *f = fopen("/proc/kallsyms", "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (strstr(line, " disable_swap_slots_cache_lock")) {
			slots_cache = true;
			break;
		}
	}
	if (f)
		fclose(f);
}

/* files */

int swt_read(const char *path, char *buf, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t done = 0;
	ssize_t n;

	if (fd < 0)
		return -1;
	while (done < len - 1) {
		n = read(fd, buf + done, len - 1 - done);
		if (n <= 0)
			break;
		done += n;
	}
	buf[done] = 0;
	close(fd);
	return done ? 0 : -1;
}

int swt_write(const char *path, const char *fmt, ...)
{
	char buf[256];
	va_list ap;
	int fd, n, ret, err;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ret = write(fd, buf, n);
	err = errno;
	close(fd);
	errno = err;
	return ret == n ? 0 : -1;
}

long swt_read_long(const char *path)
{
	char buf[64];

	if (swt_read(path, buf, sizeof(buf)))
		return -1;
	return atol(buf);
}

/* Change a setting until the end of the test. */
int swt_set(struct swt_ctx *ctx, const char *path, const char *value)
{
	struct swt_saved *s;
	char buf[256], *p;

	if (swt_read(path, buf, sizeof(buf)))
		return swt_skip("no %s", path);
	p = strchr(buf, '[');
	if (p)
		memmove(buf, p + 1, strlen(p));
	buf[strcspn(buf, "]\n")] = 0;
	/* zswap is set up even when it is switched off, which is off */
	if (!strcmp(buf, value))
		return 0;
	if (ctx->nr_saved == ARRAY_SIZE(ctx->saved))
		return swt_fail("too many settings to save");
	s = &ctx->saved[ctx->nr_saved];
	snprintf(s->path, sizeof(s->path), "%s", path);
	snprintf(s->value, sizeof(s->value), "%.60s", buf);
	if (swt_write(path, "%s", value))
		return swt_skip("cannot write %s to %s: %s", value, path,
				strerror(errno));
	ctx->nr_saved++;
	return 0;
}

static long find_number(const char *path, const char *name)
{
	FILE *f = fopen(path, "r");
	size_t len = strlen(name);
	char line[256];
	long val = -1;

	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, name, len) &&
		    (line[len] == ':' || line[len] == ' ')) {
			val = atol(line + len + 1);
			break;
		}
	}
	if (f)
		fclose(f);
	return val;
}

long swt_meminfo(const char *name)
{
	return find_number("/proc/meminfo", name);
}

long swt_vmstat(const char *name)
{
	return find_number("/proc/vmstat", name);
}

long swt_swap_event(const char *cgroup, const char *name)
{
	char path[SWT_PATH + 32];

	snprintf(path, sizeof(path), "%s/memory.swap.events", cgroup);
	return find_number(path, name);
}

const char *swt_dir(void)
{
	const char *dir = getenv("SWAP_TEST_DIR");
	struct stat st;

	return dir && !stat(dir, &st) && S_ISDIR(st.st_mode) ? dir : NULL;
}

/* cgroups */

int swt_cgroup2(char *mnt, size_t len)
{
	char type[64], line[1024], path[512];
	FILE *f = fopen("/proc/mounts", "r");
	bool found = false;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*s %511s %63s", path, type) == 2 &&
		    !strcmp(type, "cgroup2")) {
			found = true;
			break;
		}
	}
	if (f)
		fclose(f);
	if (!found) {
		snprintf(path, sizeof(path), "/sys/fs/cgroup");
		if (mount("none", path, "cgroup2", 0, NULL))
			return swt_skip("no cgroup2: %s", strerror(errno));
	}
	snprintf(mnt, len, "%.200s", path);
	snprintf(line, sizeof(line), "%s/cgroup.subtree_control", path);
	swt_write(line, "+memory");
	if (swt_read(line, type, sizeof(type)) || !strstr(type, "memory"))
		return swt_skip("no memory controller in cgroup2");
	return 0;
}

static void cgroup_remove(const char *dir)
{
	char path[SWT_PATH + 32], buf[256];
	struct dirent *de;
	DIR *d;
	int i;

	snprintf(path, sizeof(path), "%s/cgroup.kill", dir);
	swt_write(path, "1");
	snprintf(path, sizeof(path), "%s/cgroup.events", dir);
	for (i = 0; i < 1000; i++) {
		if (swt_read(path, buf, sizeof(buf)) || strstr(buf, "populated 0"))
			break;
		usleep(10000);
	}
	d = opendir(dir);
	while (d && (de = readdir(d))) {
		if (de->d_type != DT_DIR || de->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%.200s/%.80s", dir, de->d_name);
		rmdir(path);
	}
	if (d)
		closedir(d);
}

/* devices */

void swt_header_init(struct swt_header *h, unsigned long max)
{
	memset(h, 0, sizeof(*h));
	h->magic = "SWAPSPACE2";
	h->version = 1;
	h->last_page = max - 1;
	h->nr_bad_written = -1;
}

static uint32_t header_word(const struct swt_header *h, uint32_t val)
{
	return h->swapped ? __builtin_bswap32(val) : val;
}

int swt_header_write(const char *path, const struct swt_header *h)
{
	uint32_t *page = calloc(1, swt_page());
	uint32_t i, n = h->nr_bad_written < 0 ? h->nr_bad : h->nr_bad_written;
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	page[256] = header_word(h, h->version);
	page[257] = header_word(h, h->last_page);
	page[258] = header_word(h, h->nr_bad);
	memcpy(&page[263], SWT_LABEL, sizeof(SWT_LABEL));
	for (i = 0; i < n; i++)
		page[384 + i] = header_word(h, h->bad[i]);
	memcpy((char *)page + swt_page() - 10, h->magic, strlen(h->magic));
	if (fd < 0 || pwrite(fd, page, swt_page(), 0) != swt_page() || fsync(fd))
		ret = swt_fail("cannot write a header to %s: %s", path,
			       strerror(errno));
	if (fd >= 0)
		close(fd);
	free(page);
	return ret;
}

static bool header_is_ours(const char *path)
{
	char buf[2048] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ours;

	if (fd < 0)
		return false;
	ours = read(fd, buf, sizeof(buf)) == sizeof(buf) &&
	       !strcmp(buf + 263 * 4, SWT_LABEL);
	close(fd);
	return ours;
}

int swt_loop_attach(const char *file, char *path, int *nr)
{
	struct loop_config config = { 0 };
	int ctl, loop = -1, fd, ret, i;

	ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (ctl < 0)
		return swt_skip("no /dev/loop-control");
	fd = open(file, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		close(ctl);
		return swt_fail("cannot open %s: %s", file, strerror(errno));
	}
	config.fd = fd;
	for (i = 0, ret = -1; ret && i < 10; i++) {
		*nr = ioctl(ctl, LOOP_CTL_GET_FREE);
		snprintf(path, SWT_PATH, "/dev/loop%d", *nr);
		loop = open(path, O_RDWR | O_CLOEXEC);
		if (loop < 0)
			break;
		ret = ioctl(loop, LOOP_CONFIGURE, &config);
		if (ret)
			swt_fail("LOOP_CONFIGURE: %s", strerror(errno));
		close(loop);
	}
	close(fd);
	close(ctl);
	if (loop < 0)
		return swt_skip("no free loop device");
	return ret;
}

void swt_loop_detach(int nr)
{
	char path[SWT_PATH];
	int fd, i;

	snprintf(path, sizeof(path), "/dev/loop%d", nr);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	for (i = 0; ioctl(fd, LOOP_CLR_FD) && errno == EBUSY && i < 100; i++)
		usleep(10000);
	close(fd);
}

int swt_file_new(const char *path, unsigned long pages, bool sparse)
{
	off_t size = pages * swt_page();
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int ret = 0;

	if (fd < 0)
		return swt_fail("cannot create %s: %s", path, strerror(errno));
	if (ftruncate(fd, size) || (!sparse && posix_fallocate(fd, 0, size)) ||
	    fsync(fd))
		ret = swt_skip("no room for %s", path);
	close(fd);
	return ret;
}

static int queue_rotational(const char *dev, int val)
{
	char path[128];
	struct stat st;
	int i, old = -1;

	if (stat(dev, &st) || !S_ISBLK(st.st_mode))
		return -1;
	/* the second one for a partition */
	for (i = 0; i < 2 && old < 0; i++) {
		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%squeue/rotational",
			 major(st.st_rdev), minor(st.st_rdev), i ? "../" : "");
		old = swt_read_long(path);
	}
	if (old >= 0 && old != val && swt_write(path, "%d", val))
		return -1;
	return old;
}

int swt_rotational(struct swt_dev *d, bool on)
{
	int old = queue_rotational(d->path, on);

	if (old < 0)
		return swt_skip("cannot set queue/rotational of %s", d->path);
	if (d->old_rotational < 0) {
		d->old_rotational = old;
		memcpy(d->disk_path, d->path, sizeof(d->disk_path));
	}
	return 0;
}

static int new_disk(struct swt_ctx *ctx, struct swt_dev *d, unsigned long max,
		    bool loop)
{
	char disks[1024], *p, *save;
	uint64_t bytes = 0;
	int fd, i, n = 0;

	snprintf(disks, sizeof(disks), "%s", getenv("SWAP_TEST_DISKS") ?: "");
	for (p = strtok_r(disks, " ", &save); p && !loop;
	     p = strtok_r(NULL, " ", &save), n++) {
		for (i = 0; i < SWT_MAX_DEVS; i++)
			if (ctx->dev[i].used && &ctx->dev[i] != d &&
			    ctx->dev[i].disk == n)
				break;
		if (i < SWT_MAX_DEVS)
			continue;
		fd = open(p, O_RDWR | O_EXCL | O_CLOEXEC);
		if (fd < 0)
			return swt_skip("cannot have %s: %s", p, strerror(errno));
		i = ioctl(fd, BLKGETSIZE64, &bytes);
		close(fd);
		if (i || bytes < max * swt_page())
			continue;
		d->disk = n;
		snprintf(d->path, sizeof(d->path), "%s", p);
		return 0;
	}
	if (!swt_dir())
		return swt_skip("no disk left in SWAP_TEST_DISKS, and no SWAP_TEST_DIR");
	snprintf(d->file, sizeof(d->file), "%.200s/" SWT_PREFIX "disk%d", swt_dir(),
		 (int)(d - ctx->dev));
	return swt_file_new(d->file, max, true) ?:
	       swt_loop_attach(d->file, d->path, &d->loop);
}

static int new_zram(struct swt_dev *d, unsigned long max)
{
	char path[64];

	d->zram = swt_read_long("/sys/class/zram-control/hot_add");
	if (d->zram < 0)
		return swt_skip("no zram");
	snprintf(d->path, sizeof(d->path), "/dev/zram%d", d->zram);
	snprintf(path, sizeof(path), "/sys/block/zram%d/disksize", d->zram);
	if (swt_write(path, "%lu", max * swt_page()))
		return swt_fail("cannot set %s", path);
	return 0;
}

static void free_zram(int nr)
{
	char path[64];
	int i;

	snprintf(path, sizeof(path), "/sys/block/zram%d/reset", nr);
	for (i = 0; swt_write(path, "1") && i < 100; i++)
		usleep(10000);
	for (i = 0; swt_write("/sys/class/zram-control/hot_remove", "%d", nr) &&
	     i < 100; i++)
		usleep(10000);
}

static int zswap_on(struct swt_ctx *ctx)
{
	const char *param = "/sys/module/zswap/parameters/";
	static const char * const compressor[] = { "lzo", "lz4", "zstd", "lzo-rle" };
	char path[128];
	int i, ret = -1;

	snprintf(path, sizeof(path), "%scompressor", param);
	if (access(path, W_OK))
		return swt_skip("no zswap");
	for (i = 0; i < 4 && ret; i++)
		ret = swt_set(ctx, path, compressor[i]);
	if (ret)
		return ret;
	snprintf(path, sizeof(path), "%szpool", param);
	if (!access(path, W_OK))
		swt_set(ctx, path, "zsmalloc");
	snprintf(path, sizeof(path), "%smax_pool_percent", param);
	ret = swt_set(ctx, path, "30");
	snprintf(path, sizeof(path), "%senabled", param);
	return ret ?: swt_set(ctx, path, "Y");
}

/* Put a header on the device: it has @max pages from now on. */
int swt_dev_mkswap(struct swt_dev *d, unsigned long max)
{
	struct swt_header h;

	swt_header_init(&h, max);
	d->max = max;
	d->slots = max - 1;
	return swt_header_write(d->path, &h);
}

/* A device of @max pages with a header, not yet in use. */
int swt_dev_new(struct swt_ctx *ctx, struct swt_dev **dev,
		enum swt_backend backend, unsigned long max)
{
	const char *zswap = "/sys/module/zswap/parameters/enabled";
	struct swt_dev *d = NULL;
	int i, ret = 0;

	for (i = 0; i < SWT_MAX_DEVS && !d; i++)
		if (!ctx->dev[i].used)
			d = &ctx->dev[i];
	if (!d)
		return swt_fail("too many devices");
	*dev = d;
	memset(d, 0, sizeof(*d));
	d->used = true;
	d->backend = backend;
	d->loop = -1;
	d->zram = -1;
	d->disk = -1;
	d->old_rotational = -1;

	if (backend == SWT_ZSWAP)
		ret = zswap_on(ctx);
	else if (!access(zswap, W_OK) && !ctx->dev[1].used)
		ret = swt_set(ctx, zswap, "N");
	if (ret)
		return ret;

	switch (backend) {
	case SWT_DISK:
	case SWT_DISK_ROT:
	case SWT_ZSWAP:
	case SWT_LOOP:
		ret = new_disk(ctx, d, max, backend == SWT_LOOP) ?:
		      swt_rotational(d, backend == SWT_DISK_ROT);
		break;
	case SWT_FILE:
		if (!swt_dir()) {
			ret = swt_skip("no SWAP_TEST_DIR");
			break;
		}
		snprintf(d->file, sizeof(d->file), "%.200s/" SWT_PREFIX "file%d",
			 swt_dir(), (int)(d - ctx->dev));
		memcpy(d->path, d->file, sizeof(d->path));
		ret = swt_file_new(d->file, max, false);
		break;
	case SWT_ZRAM:
		ret = new_zram(d, max);
		break;
	}
	return ret ?: swt_dev_mkswap(d, max);
}

void swt_dev_free(struct swt_ctx *ctx, struct swt_dev *d)
{
	/* the label must not outlive the test */
	int fd = open(d->path, O_WRONLY | O_CLOEXEC);
	char zero[4096] = "";

	if (fd >= 0 && d->path[0]) {
		if (pwrite(fd, zero, sizeof(zero), 0) < 0)
			perror(d->path);
		fsync(fd);
	}
	if (fd >= 0)
		close(fd);
	if (d->old_rotational >= 0)
		queue_rotational(d->disk_path, d->old_rotational);
	if (d->undo)
		d->undo();
	if (d->loop >= 0)
		swt_loop_detach(d->loop);
	if (d->zram >= 0)
		free_zram(d->zram);
	if (d->file[0])
		unlink(d->file);
	memset(d, 0, sizeof(*d));
}

int swt_on(struct swt_dev *d, int prio, int flags)
{
	if (prio >= 0)
		flags |= SWAP_FLAG_PREFER | prio;
	if (swapon(d->path, flags))
		return swt_fail("swapon %s: %s", d->path, strerror(errno));
	d->on = true;
	return 0;
}

/*
 * A leaked slot makes swapoff(2) loop for ever, so do it in a child and kill
 * that when it takes too long. Returns 0, or errno, or -1 for killed.
 */
static int swapoff_bounded(const char *path, int seconds)
{
	double end = swt_now() + seconds;
	int status;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return errno;
	if (!pid)
		_exit(swapoff(path) ? errno : 0);
	while (!waitpid(pid, &status, WNOHANG)) {
		if (swt_now() > end) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
		usleep(2000);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int swt_off(struct swt_dev *d, int seconds)
{
	int ret = swapoff_bounded(d->path, seconds);

	if (ret > 0)
		return swt_fail("swapoff %s: %s", d->path, strerror(ret));
	if (ret)
		return swt_fail("swapoff %s did not end in %d seconds, %ld slots in use",
				d->path, seconds, swt_used(d));
	d->on = false;
	return 0;
}

long swt_used_path(const char *path, long *size, int *prio)
{
	FILE *f = fopen("/proc/swaps", "r");
	char line[1024], name[512], type[32];
	long k_size, k_used, used = -1;
	int p;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%511s %31s %ld %ld %d", name, type, &k_size,
			   &k_used, &p) != 5 || strcmp(name, path))
			continue;
		used = k_used * 1024 / swt_page();
		if (size)
			*size = k_size * 1024 / swt_page();
		if (prio)
			*prio = p;
		break;
	}
	if (f)
		fclose(f);
	return used;
}

#define VSWAP	"/sys/kernel/debug/vswap/"

bool swt_is_virtual(struct swt_dev *d)
{
	return d->backend == SWT_ZSWAP && !access(VSWAP "used", R_OK);
}

long swt_used(struct swt_dev *d)
{
	long used = swt_used_path(d->path, NULL, NULL);

	/* what zswap has takes none there */
	if (used >= 0 && swt_is_virtual(d))
		used += swt_read_long(VSWAP "used") - swt_read_long(VSWAP "physical");
	return used;
}

/*
 * Swap on a small device for a moment. That lets reclaim work on the cgroup
 * even if all the other swap is full, and swapoff(2) empties the caches of
 * free slots of a kernel that has any.
 */
static void with_other_device(struct swt_ctx *ctx, size_t reclaim)
{
	char path[64], dev[SWT_PATH];
	int fd, loop = -1;
	struct swt_header h;

	fd = memfd_create("swt", MFD_CLOEXEC);
	if (fd < 0)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	swt_header_init(&h, 64);
	if (!ftruncate(fd, 64 * swt_page()) &&
	    !swt_loop_attach(path, dev, &loop)) {
		if (!swt_header_write(dev, &h) &&
		    !swapon(dev, SWAP_FLAG_PREFER | 0)) {
			if (reclaim)
				swt_reclaim(ctx, reclaim);
			swapoff_bounded(dev, 20);
		}
		swt_loop_detach(loop);
	}
	close(fd);
}

long swt_used_exact(struct swt_dev *d)
{
	if (swt_has_slots_cache())
		with_other_device(NULL, 0);
	return swt_used(d);
}

/*
 * Used must come to @pages within a bounded time. A page that was freed while
 * it was being written stays in the swap cache until reclaim finds it, so
 * after a while help reclaim to find it.
 */
int swt_wait_used(struct swt_ctx *ctx, struct swt_dev *d, long pages)
{
	double start = swt_now(), now;
	long used;
	int i;

	for (i = 0; ; i++) {
		used = i < 5 ? swt_used(d) : swt_used_exact(d);
		if (used == pages)
			return 0;
		now = swt_now() - start;
		if (now > 20)
			break;
		if (now > 1) {
			swt_wait_writeback();
			with_other_device(ctx, 256UL << 20);
			usleep(300000);
		}
		usleep(20000);
	}
	return swt_fail("%s: %ld slots in use after 20 seconds, not %ld", d->path,
			used, pages);
}

/* What a test that was killed has left behind. */
static int clean_up(const char *cgroups)
{
	char path[600], name[512], line[1024];
	struct dirent *de;
	struct stat st;
	FILE *f;
	DIR *d;
	int nr;

	d = cgroups[0] ? opendir(cgroups) : NULL;
	while (d && (de = readdir(d))) {
		if (strncmp(de->d_name, SWT_PREFIX, strlen(SWT_PREFIX)))
			continue;
		snprintf(path, sizeof(path), "%.200s/%.80s", cgroups, de->d_name);
		cgroup_remove(path);
		rmdir(path);
	}
	if (d)
		closedir(d);

	f = fopen("/proc/swaps", "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%511s", name) != 1 || !header_is_ours(name))
			continue;
		if (swapoff_bounded(name, 60))
			return swt_fail("%s is still active after a test that was killed",
					name);
	}
	if (f)
		fclose(f);

	d = opendir("/sys/block");
	while (d && (de = readdir(d))) {
		snprintf(path, sizeof(path), "/dev/%.80s", de->d_name);
		if (sscanf(de->d_name, "zram%d", &nr) == 1 && header_is_ours(path))
			free_zram(nr);
		if (sscanf(de->d_name, "loop%d", &nr) != 1)
			continue;
		snprintf(path, sizeof(path), "/sys/block/loop%d/loop/backing_file", nr);
		if (stat(path, &st) || swt_read(path, name, sizeof(name)))
			continue;
		if (strstr(name, "/" SWT_PREFIX) || strstr(name, "/memfd:swt"))
			swt_loop_detach(nr);
	}
	if (d)
		closedir(d);
	return 0;
}

int swt_begin(struct swt_ctx *ctx)
{
	char cgroups[SWT_PATH] = "", path[SWT_PATH + 32];

	memset(ctx, 0, sizeof(*ctx));
	if (geteuid())
		return swt_skip("must be root");
	if (access("/proc/swaps", R_OK))
		return swt_skip("no swap in this kernel");
	if (swt_cgroup2(cgroups, sizeof(cgroups)))
		cgroups[0] = 0;
	if (clean_up(cgroups))
		return -1;

	if (cgroups[0]) {
		snprintf(ctx->cgroup, sizeof(ctx->cgroup), "%.200s/" SWT_PREFIX "%d",
			 cgroups, getpid());
		mkdir(ctx->cgroup, 0755);
		snprintf(path, sizeof(path), "%s/cgroup.procs", ctx->cgroup);
		if (swt_write(path, "0"))
			return swt_fail("cannot enter %s", ctx->cgroup);
	}
	ctx->test = getpid();
	ctx->swap_total = swt_meminfo("SwapTotal");
	ctx->other_swap = ctx->swap_total > 0;
	/* Only what a test pages out on purpose shall count in Used. */
	mlockall(MCL_CURRENT);
	return 0;
}

/*
 * An assertion that fails ends with a longjmp() which may make the harness
 * believe that it is in the parent, so that swt_end() is called in the test's
 * own process. Drop what that has in swap.
 */
static void drop_memory(struct swt_ctx *ctx)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long start, end, inode, here[3];
	char line[512], name[256], perm[8];
	int i, fd;

	here[0] = (uintptr_t)ctx;
	here[1] = (uintptr_t)&line;
	here[2] = (uintptr_t)msg;
	while (f && fgets(line, sizeof(line), f)) {
		name[0] = 0;
		if (sscanf(line, "%lx-%lx %7s %*x %*s %lu %255s", &start, &end,
			   perm, &inode, name) < 4)
			continue;
		if (end - start < 128 << 10 || name[0] == '[' ||
		    (inode && !strstr(line, "(deleted)")))
			continue;
		for (i = 0; i < 3; i++)
			if (here[i] >= start && here[i] < end)
				break;
		if (i == 3)
			munmap((void *)start, end - start);
	}
	if (f)
		fclose(f);
	for (fd = 3; fd < 256; fd++)
		close(fd);
}

/*
 * The end of each test, in the parent of the test's process: all its memory
 * must be gone from swap.
 */
int swt_end(struct swt_ctx *ctx)
{
	char errors[400] = "";
	struct swt_dev *d;
	size_t len;
	int i, bad = 0;
	long left;

#define ERROR() do {							\
	len = strlen(errors);						\
	snprintf(errors + len, sizeof(errors) - len, "%s%.150s",	\
		 bad++ ? "; " : "", msg);				\
} while (0)

	if (getpid() == ctx->test)
		drop_memory(ctx);
	if (ctx->cgroup[0]) {
		char path[SWT_PATH + 32], self[512];

		/* when the set-up failed, this is the process in it */
		snprintf(path, sizeof(path), "%s/../cgroup.procs", ctx->cgroup);
		if (!swt_read("/proc/self/cgroup", self, sizeof(self)) &&
		    strstr(self, "/" SWT_PREFIX))
			swt_write(path, "0");
		cgroup_remove(ctx->cgroup);
	}
	swt_wait_writeback();
	for (i = 0; i < SWT_MAX_DEVS; i++) {
		d = &ctx->dev[i];
		if (d->used && d->on && swt_wait_used(ctx, d, 0))
			ERROR();
	}
	for (i = 0; i < SWT_MAX_DEVS; i++) {
		d = &ctx->dev[i];
		if (d->used && d->on && swt_off(d, 60))
			ERROR();
	}
	left = swt_meminfo("SwapTotal");
	if (left != ctx->swap_total) {
		swt_fail("SwapTotal is %ld kB, was %ld kB", left, ctx->swap_total);
		ERROR();
	}
	left = swt_meminfo("SwapFree");
	if (!ctx->other_swap && left) {
		swt_fail("SwapFree is %ld kB without swap", left);
		ERROR();
	}
	for (i = 0; i < SWT_MAX_DEVS; i++)
		if (ctx->dev[i].used)
			swt_dev_free(ctx, &ctx->dev[i]);
	while (ctx->nr_saved--)
		swt_write(ctx->saved[ctx->nr_saved].path, "%s",
			  ctx->saved[ctx->nr_saved].value);
	ctx->nr_saved = 0;
	if (ctx->cgroup[0])
		rmdir(ctx->cgroup);
	if (bad)
		swt_fail("%s", errors);
	return bad;
}

/*
 * The end of a FIXTURE_SETUP(), for which there will be no teardown if it
 * fails: clean up, then.
 */
int swt_setup_done(struct swt_ctx *ctx, int ret)
{
	char why[sizeof(msg)];

	if (ret) {
		memcpy(why, msg, sizeof(why));
		swt_end(ctx);
		memcpy(msg, why, sizeof(why));
	}
	return ret;
}

/* memory */

void *swt_map(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p != MAP_FAILED)
		madvise(p, len, MADV_NOHUGEPAGE);
	return p;
}

static size_t pagemap_count(const void *addr, size_t len, unsigned long *offsets)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	size_t i, n, done, pages = len / swt_page(), count = 0;
	uint64_t buf[512];

	for (done = 0; fd >= 0 && done < pages; done += n) {
		n = pages - done < 512 ? pages - done : 512;
		if (pread(fd, buf, n * 8, ((uintptr_t)addr / swt_page() + done) * 8) !=
		    (ssize_t)(n * 8))
			break;
		for (i = 0; i < n; i++) {
			if (buf[i] >> PM_SWAPPED_SHIFT != 1) {
				if (offsets)
					offsets[done + i] = 0;
				continue;
			}
			count++;
			if (offsets)
				offsets[done + i] = buf[i] >> 5 & ((1ULL << 50) - 1);
		}
	}
	if (fd >= 0)
		close(fd);
	return count;
}

/* Pages of the range whose page table entry is a swap entry. */
size_t swt_swapped(const void *addr, size_t len)
{
	return pagemap_count(addr, len, NULL);
}

/* The slots of these pages, 0 for one that is not swapped out. */
int swt_offsets(const void *addr, size_t len, unsigned long *offsets)
{
	return pagemap_count(addr, len, offsets);
}

int swt_swap_offset(const void *addr, unsigned long *offset, unsigned int *type)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t val = 0;

	if (fd < 0 || pread(fd, &val, 8, (uintptr_t)addr / swt_page() * 8) != 8)
		val = 0;
	if (fd >= 0)
		close(fd);
	if (val >> PM_SWAPPED_SHIFT != 1)
		return -1;
	*type = val & 31;
	*offset = val >> 5 & ((1ULL << 50) - 1);
	return 0;
}

/*
 * A page just faulted in may still be in a batch of the CPU that did it, and
 * madvise() only flushes those of its own: if the first try was not enough,
 * call it on all of them.
 */
void swt_madvise_pageout(void *addr, size_t len, bool all_cpus)
{
	cpu_set_t old, one;
	int cpu;

	if (!all_cpus || sched_getaffinity(0, sizeof(old), &old)) {
		madvise(addr, len, MADV_PAGEOUT);
		return;
	}
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &old))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (!sched_setaffinity(0, sizeof(one), &one))
			madvise(addr, len, MADV_PAGEOUT);
	}
	sched_setaffinity(0, sizeof(old), &old);
}

/*
 * Page out what can be paged out; returns the pages swapped out in the end.
 * Pages that are in some CPU's batch or under writeback need another try.
 */
size_t swt_pageout(void *addr, size_t len)
{
	size_t n, last = 0;
	int idle = 0;

	while (idle < 7) {
		swt_madvise_pageout(addr, len, idle);
		n = swt_swapped(addr, len);
		if (n == len / swt_page())
			break;
		if (n > last) {
			idle = 0;
		} else {
			usleep(1000 << idle);
			idle++;
		}
		last = n;
	}
	return n;
}

/* Pages of the range that are in memory, mapped or in the swap cache. */
size_t swt_resident(const void *addr, size_t len)
{
	size_t i, pages = len / swt_page(), count = 0;
	unsigned char *vec = malloc(pages);

	if (vec && !mincore((void *)addr, len, vec))
		for (i = 0; i < pages; i++)
			count += vec[i] & 1;
	free(vec);
	return count;
}

/* A field of the mapping that @addr is in, in kB. */
long swt_smaps(const void *addr, const char *field)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	size_t n = strlen(field);
	char line[512];
	bool in = false;
	long val = -1;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2) {
			in = (uintptr_t)addr >= start && (uintptr_t)addr < end;
		} else if (in && !strncmp(line, field, n) && line[n] == ':') {
			val = atol(line + n + 1);
			break;
		}
	}
	if (f)
		fclose(f);
	return val;
}

void swt_wait_writeback(void)
{
	int i;

	for (i = 0; i < 200; i++) {
		swt_write("/proc/sys/vm/stat_refresh", "1");
		if (swt_meminfo("Writeback") <= 0)
			break;
		usleep(10000);
	}
}

void swt_reclaim(struct swt_ctx *ctx, size_t bytes)
{
	char path[SWT_PATH + 32], stat[64];

	if (!ctx || !ctx->cgroup[0])
		return;
	/* reclaim goes by these figures, reading them brings them up to date */
	snprintf(path, sizeof(path), "%s/memory.stat", ctx->cgroup);
	swt_read(path, stat, sizeof(stat));
	snprintf(path, sizeof(path), "%s/memory.reclaim", ctx->cgroup);
	/* rather not the test's own text */
	if (swt_write(path, "%zu swappiness=200", bytes) && errno == EINVAL)
		swt_write(path, "%zu", bytes);
}

/*
 * After swt_pageout() the pages may still be in the swap cache, and reading
 * them back would tell nothing about the device. Returns what remains there.
 */
size_t swt_drop_cache(struct swt_ctx *ctx, void *addr, size_t len)
{
	size_t n = 0;
	int i;

	for (i = 0; i < 20; i++) {
		n = swt_resident(addr, len);
		if (!n)
			break;
		swt_wait_writeback();
		/* others may be easier to reclaim: ask for more and more */
		swt_reclaim(ctx, n * swt_page() << i / 4);
		swt_madvise_pageout(addr, len, true);
	}
	return n;
}

static inline uint64_t mix(uint64_t x)
{
	x ^= x >> 31;
	x *= 0x9e3779b97f4a7c15ULL;
	return x ^ x >> 29;
}

/*
 * Pages of five kinds in turn: all zero, all the same word, random bytes,
 * every word its own address, and one byte at the end of a zero page.
 */
static inline uint64_t word(uint64_t seed, size_t page, size_t i, int kind)
{
	uint64_t tag = mix(seed * 1000003 + page);

	switch (kind) {
	case 0:
		return 0;
	case 1:
		return tag;
	case 3:
		return seed << 48 ^ page << 12 ^ i;
	case 4:
		return i == swt_page() / 8 - 1 ? tag | 1ULL << 56 : 0;
	default:
		return mix(tag + i);
	}
}

static long pattern(uint64_t *p, size_t len, uint64_t seed, bool check, int kind)
{
	size_t page, i, words = swt_page() / 8;
	uint64_t w;

	for (page = 0; page < len / swt_page(); page++) {
		int k = kind < 0 ? page % 5 : kind;

		for (i = 0; i < words; i++, p++) {
			w = word(seed, page, i, k);
			if (!check)
				*p = w;
			else if (*p != w)
				return (page * words + i) * 8;
		}
	}
	return -1;
}

void swt_fill(void *addr, size_t len, uint64_t seed)
{
	pattern(addr, len, seed, false, -1);
}

long swt_verify(const void *addr, size_t len, uint64_t seed)
{
	return pattern((void *)addr, len, seed, true, -1);
}

/* Random bytes only: nothing that zswap or the zero map could keep off a device. */
void swt_fill_hard(void *addr, size_t len, uint64_t seed)
{
	pattern(addr, len, seed, false, 2);
}

long swt_verify_hard(const void *addr, size_t len, uint64_t seed)
{
	return pattern((void *)addr, len, seed, true, 2);
}

bool swt_is_zero(const void *addr, size_t len)
{
	return pattern((void *)addr, len, 0, true, 0) == -1;
}

/* processes */

pid_t swt_fork(void)
{
	pid_t parent = getpid(), pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(99);
	}
	return pid;
}

/* exit status, or 128 + signal */
int swt_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
