// SPDX-License-Identifier: GPL-2.0
/*
 * swapdemo [devices]: swap pages with known contents, show where they went, and
 * check every byte.
 *
 * Without an argument: more memory in use than there is, and no swap device. All
 * there is not room for is in zswap, by way of the virtual swap device. Then a disk
 * comes, gets most of it, and goes again.
 *
 * devices: out and in on each kind of device in turn: a virtio disk, a swapfile on
 * ext4, zram, and zswap in front of the disk.
 *
 * What is shown comes from /proc and /sys, not from this program.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

#define MEGABYTES 64
#define CGROUP "/sys/fs/cgroup/swapdemo"
#define SIZE ((size_t)MEGABYTES << 20)

static size_t page;
static int failed;

static const char *read_file(const char *path, char *buf, size_t len)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, len - 1);

	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n < 0 ? -1 : 0;
}

/* a counter of /proc/vmstat */
static long vmstat(const char *name)
{
	static char buf[65536];
	char want[64], *p;
	size_t got = 0;
	ssize_t n;
	int fd = open("/proc/vmstat", O_RDONLY);

	while (fd >= 0 && (n = read(fd, buf + got, sizeof(buf) - 1 - got)) > 0)
		got += n;
	if (fd >= 0)
		close(fd);
	buf[got] = '\0';
	snprintf(want, sizeof(want), "\n%s ", name);
	p = strstr(buf, want);
	return p ? atol(p + strlen(want)) : 0;
}

/* "Used" of a device in /proc/swaps, in kB; -1 when it is not there */
static long used_kb(const char *dev)
{
	char buf[4096], *line, *save;
	char name[256];
	long size, used;

	read_file("/proc/swaps", buf, sizeof(buf));
	for (line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (sscanf(line, "%255s %*s %ld %ld", name, &size, &used) == 3 &&
		    !strcmp(name, dev))
			return used;
	return -1;
}

static long resident_kb(unsigned char *mem)
{
	static unsigned char vec[SIZE / 4096];
	long n = 0;

	if (mincore(mem, SIZE, vec))
		return -1;
	for (size_t i = 0; i < SIZE / page; i++)
		n += vec[i] & 1;
	return n * (long)(page / 1024);
}

struct counters {
	long pswpout, pswpin, zswpout, zswpin;
};

static struct counters counters(void)
{
	return (struct counters){ vmstat("pswpout"), vmstat("pswpin"),
				  vmstat("zswpout"), vmstat("zswpin") };
}

static void show(const char *step, const char *dev, unsigned char *mem, struct counters *old)
{
	struct counters new = counters();
	long orig, compr, stored;
	char buf[256];

	printf("  %-15s %9ld %9ld %8ld %8ld %8ld %8ld ", step, resident_kb(mem), used_kb(dev),
	       new.pswpout - old->pswpout, new.pswpin - old->pswpin,
	       new.zswpout - old->zswpout, new.zswpin - old->zswpin);
	if (!strcmp(dev, "/dev/zram0") &&
	    sscanf(read_file("/sys/block/zram0/mm_stat", buf, sizeof(buf)), "%ld %ld",
		   &orig, &compr) == 2)
		printf(" zram: %ld kB in %ld kB", orig / 1024, compr / 1024);
	stored = atol(read_file("/sys/kernel/debug/zswap/stored_pages", buf, sizeof(buf)));
	if (stored)
		printf(" zswap: %ld pages in %ld kB", stored,
		       atol(read_file("/sys/kernel/debug/zswap/pool_total_size", buf,
				      sizeof(buf))) / 1024);
	putchar('\n');
	fflush(stdout);
	*old = new;
}

/* every byte of a page depends on the page and on the round; it compresses */
static void fill(uint64_t *p, size_t nr, unsigned int round)
{
	for (size_t i = 0; i < page / 8; i++)
		p[i] = i % 4 ? nr * 0x9e3779b97f4a7c15ull + round : nr ^ (i << 32) ^ round;
}

static size_t check(unsigned char *mem, unsigned int round)
{
	uint64_t *want = malloc(page);
	size_t wrong = 0;

	for (size_t i = 0; want && i < SIZE / page; i++) {
		fill(want, i, round);
		if (memcmp(mem + i * page, want, page))
			wrong++;
	}
	free(want);
	return wrong;
}

/*
 * MADV_PAGEOUT writes the pages; those whose write takes a while stay in the
 * swap cache until somebody needs memory. memory.reclaim is that somebody.
 */
static void push_out(unsigned char *mem)
{
	madvise(mem, SIZE, MADV_PAGEOUT);
	for (int i = 0; i < 50 && resident_kb(mem) > 0; i++) {
		char amount[32];

		if (i)
			usleep(100 * 1000);
		snprintf(amount, sizeof(amount), "%ldK", resident_kb(mem));
		write_file(CGROUP "/memory.reclaim", amount);
	}
}

static void fail(const char *what)
{
	printf("  FAILED: %s (%s)\n", what, strerror(errno));
	failed = 1;
}

static void demo(const char *title, const char *dev, int zswap, unsigned int round)
{
	struct counters c;
	unsigned char *mem;
	size_t wrong;

	printf("%s: %d MB out and in\n", title, MEGABYTES);
	printf("  %-15s %9s %9s %8s %8s %8s %8s\n  %-15s %9s %9s %17s %17s\n", "", "resident",
	       "swap used", "written", "read", "zswapped", "loaded", "", "kB", "kB",
	       "pages, device", "pages, zswap");
	/* somebody at the prompt of 'make shell' may have switched it on */
	if (write_file("/sys/module/zswap/parameters/enabled", zswap ? "Y" : "N") && zswap)
		return fail("zswap cannot be enabled");
	if (swapon(dev, 0)) {
		fail("swapon");
		goto zswap_off;
	}
	mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED) {
		fail("mmap");
		goto off;
	}
	for (size_t i = 0; i < SIZE / page; i++)
		fill((uint64_t *)(mem + i * page), i, round);
	c = counters();
	show("written", dev, mem, &c);

	push_out(mem);
	show("pushed out", dev, mem, &c);
	errno = 0;
	if (resident_kb(mem) > MEGABYTES * 1024 / 10)
		fail("most of the memory is still resident");

	wrong = check(mem, round);
	show("touched again", dev, mem, &c);
	printf("  every byte checked: %zu of %zu pages wrong\n", wrong, SIZE / page);
	if (wrong)
		fail("contents changed");

	/* what is out when the device goes has to come back by itself */
	push_out(mem);
	show("out again", dev, mem, &c);
	if (swapoff(dev))
		fail("swapoff");
	show("swapoff", dev, mem, &c);
	wrong = check(mem, round);
	printf("  every byte checked: %zu of %zu pages wrong\n", wrong, SIZE / page);
	if (wrong)
		fail("contents changed");
	munmap(mem, SIZE);
off:
	swapoff(dev);
zswap_off:
	if (zswap)
		write_file("/sys/module/zswap/parameters/enabled", "N");
	putchar('\n');
}

/* ---- no device, then a disk ---- */

#define STORY_MB 1024
#define VSWAP "/sys/kernel/debug/vswap/"
#define ZSWAP "/sys/module/zswap/parameters/"
#define DISK "/dev/vda"

static long number(const char *path)
{
	char buf[64];

	return atol(read_file(path, buf, sizeof(buf)));
}

/* a line of /proc/meminfo, in kB */
static long meminfo(const char *name)
{
	char buf[8192], want[64], *p;

	snprintf(want, sizeof(want), "%s:", name);
	p = strstr(read_file("/proc/meminfo", buf, sizeof(buf)), want);
	return p ? atol(p + strlen(want)) : 0;
}

/*
 * A slot that is not in zswap, not on the disk and not in the swap cache only is of
 * a page of zeroes. What is on the disk and in the swap cache counts as on the disk.
 */
static void where(const char *step)
{
	static int lines;
	long kb = page / 1024, used = number(VSWAP "used") * kb;
	long zswap = meminfo("Zswapped"), disk = number(VSWAP "physical") * kb;
	long cached = meminfo("SwapCached"), zero = used - zswap - disk - cached;

	if (lines++ % 12 == 0)
		printf("  %-34s %8s %8s %8s %9s %8s %8s %8s\n", "MB", "resident", "swapped",
		       "in zswap", "(takes)", "on disk", "cached", "zero");
	printf("  %-34s %8ld %8ld %8ld %9ld %8ld %8ld %8ld\n", step,
	       meminfo("AnonPages") >> 10, used >> 10, zswap >> 10, meminfo("Zswap") >> 10,
	       disk >> 10, cached >> 10, zero > 0 ? zero >> 10 : 0);
	fflush(stdout);
}

/* one page in eight is zeroes; the others compress to a quarter or so */
static void story_page(uint64_t *p, size_t nr, unsigned int round)
{
	if (nr % 8)
		fill(p, nr, round);
	else
		memset(p, 0, page);
}

static int story_pass(unsigned char *mem, size_t pages, unsigned int round,
		      unsigned int next, const char *what)
{
	uint64_t *want = malloc(page);
	size_t wrong = 0, step = pages / 4;
	char text[64];

	for (size_t i = 0; want && i < pages; i++) {
		uint64_t *p = (uint64_t *)(mem + i * page);

		if (round) {
			story_page(want, i, round);
			wrong += !!memcmp(p, want, page);
		}
		if (next != round)
			story_page(p, i, next);
		if ((i + 1) % step == 0) {
			snprintf(text, sizeof(text), "%s, %zu MB", what, (i + 1) * page >> 20);
			where(text);
		}
	}
	if (round)
		printf("  every byte checked: %zu of %zu pages wrong\n", wrong, pages);
	if (wrong || !want)
		fail("contents changed");
	free(want);
	return failed;
}

static void story(void)
{
	size_t pages = ((size_t)STORY_MB << 20) / page;
	unsigned char *mem;

	printf("%d MB of data, %ld MB of memory, no swap device: /proc/swaps has nothing\n",
	       STORY_MB, meminfo("MemTotal") >> 10);
	if (write_file(ZSWAP "max_pool_percent", "40") || write_file(ZSWAP "enabled", "Y"))
		return fail("zswap cannot be enabled");
	/* with it there is that much to promise */
	mem = mmap(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		return fail("mmap");
	where("at first");
	story_pass(mem, pages, 0, 1, "written");
	if (story_pass(mem, pages, 1, 2, "checked and rewritten"))
		return;

	printf("\nswapon of a disk, and zswap may have 16 MB (memory.zswap.max): the rest is written back\n");
	if (swapon(DISK, 0) || write_file(CGROUP "/memory.zswap.max", "16M"))
		return fail("swapon, memory.zswap.max");
	if (story_pass(mem, pages, 2, 3, "checked and rewritten"))
		return;
	printf("  swap used on the disk: %ld MB\n", used_kb(DISK) >> 10);
	if (number(VSWAP "physical") < (long)pages / 8)
		fail("little was written to the disk");

	printf("\nswapoff of the disk: what is there goes back to zswap\n");
	write_file(CGROUP "/memory.zswap.max", "max");
	if (swapoff(DISK))
		return fail("swapoff");
	where("swapped off");
	if (number(VSWAP "physical"))
		fail("something is on a disk that is gone");
	story_pass(mem, pages, 3, 3, "checked");
	munmap(mem, pages * page);
	where("given back");
	puts("  (what is left belongs to other processes and to the root file system)");
	if (number(VSWAP "used") > (long)pages / 50)
		fail("slots are left in use");
	putchar('\n');
}

int main(int argc, char **argv)
{
	bool devices = argc > 1 && !strcmp(argv[1], "devices");

	page = sysconf(_SC_PAGESIZE);
	mkdir(CGROUP, 0755);
	write_file(CGROUP "/cgroup.procs", "0");
	if (!devices && access(VSWAP "used", F_OK)) {
		puts("This kernel has no virtual swap device: nothing can be swapped without another one.\n");
		devices = true;
	}
	if (devices) {
		demo("virtio disk", "/dev/vda", 0, 1);
		demo("swapfile on ext4", "/swap/file", 0, 2);
		demo("zram", "/dev/zram0", 0, 3);
		demo("zswap over the disk", "/dev/vda", 1, 4);
	} else {
		story();
	}
	puts(failed ? "swapdemo: FAILED" : "swapdemo: all data came back unchanged");
	return failed;
}
