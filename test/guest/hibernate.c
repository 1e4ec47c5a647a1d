// SPDX-License-Identifier: GPL-2.0
/*
 * hibernate DISK SMALL-DEVICE [MEGABYTES]: processes with memory on a swap disk
 * are suspended to the same disk, twice, and everything of theirs has to be
 * there afterwards. test/hibernate.sh starts the virtual machine again each
 * time. Before that, an image that does not fit its device has to be given up
 * without a trace.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

#define TESTS 19
#define HUGE_SIZE ((size_t)2 << 20)

static size_t page;
static int failed;

/* Who has written a page last. */
enum { FIRST, PARENT, CHILD, WORKER };

static struct region {
	const char *name;
	size_t size;	/* megabytes at first, then bytes */
	unsigned char *mem;
	int shared;
} regions[] = {
	{ .name = "anonymous", .size = 14 },
	{ .name = "huge", .size = 8 },
	{ .name = "memfd", .size = 8, .shared = 1 },
	{ .name = "compressed", .size = 4 },
	{ .name = "worker's", .size = 2 },
};

/* All but the last are of parent and child; the first three go to the disk. */
enum { ANON, HUGE_PAGES, MEMFD, COMPRESSED, WORKERS, REGIONS };

/* All of a line is with the host before the machine can go. */
static void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	fflush(stdout);
	tcdrain(1);
}

static void test(int ok, const char *name)
{
	static int n;

	say("%sok %d - %s\n", ok ? "" : "not ", ++n, name);
	failed |= !ok;
}

static void die(const char *what)
{
	say("# %s: %s\n", what, strerror(errno));
	exit(1);
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));
	int err = errno;

	if (fd >= 0)
		close(fd);
	errno = err;
	return n < 0 ? -1 : 0;
}

/* Slots of the device that are in use; -1 when it is not on. */
static long used(const char *dev)
{
	char line[512], name[256];
	FILE *f = fopen("/proc/swaps", "r");
	long kb, found = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%255s %*s %*d %ld", name, &kb) == 2 && !strcmp(name, dev))
			found = kb * 1024 / (long)page;
	if (f)
		fclose(f);
	return found;
}

/* The sum of two counters of /proc/vmstat. */
static long vmstat(const char *a, const char *b)
{
	FILE *f = fopen("/proc/vmstat", "r");
	char name[64];
	long n, sum = 0;

	while (f && fscanf(f, "%63s %ld", name, &n) == 2)
		if (!strcmp(name, a) || !strcmp(name, b))
			sum += n;
	if (f)
		fclose(f);
	return sum;
}

/* How many pages ever were, those that were zero too. Images do not count. */
static long swapped_out(void)
{
	return vmstat("pswpout", "swpout_zero");
}

static long swapped_in(void)
{
	return vmstat("pswpin", "swpin_zero");
}

/* Are there no more slots in use than before and swapped out since? */
static int no_more(const char *dev, long before, long before_out)
{
	long now = used(dev), out = swapped_out() - before_out;

	say("# %ld slots used, %ld before, %ld pages swapped out since\n", now, before, out);
	return now >= 0 && now <= before + out;
}

/* Where the next image goes. */
static void image_to(const char *dev)
{
	char text[32];
	struct stat st;

	if (stat(dev, &st))
		die(dev);
	snprintf(text, sizeof(text), "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	/* looks for an image there, which it must not find */
	if (write_file("/sys/power/resume", text))
		die("/sys/power/resume");
}

/* In bytes; as far as possible, the rest is reclaimed. */
static void image_size(const char *bytes)
{
	if (write_file("/sys/power/image_size", bytes))
		die("/sys/power/image_size");
}

/* Every byte depends on its place, on who wrote it and when. Some are zero. */
static void pattern(uint64_t *p, int r, size_t nr, int who, int round)
{
	uint64_t seed = (nr << 16 | r << 12 | who << 8 | round) * 0x9e3779b97f4a7c15ull;

	if (nr % 8 == 5) {
		memset(p, 0, page);
		return;
	}
	for (size_t i = 0; i < page / 8; i++)
		p[i] = i % 4 ? seed : seed + i;
}

static void fill(int r, size_t nr, int who, int round)
{
	pattern((uint64_t *)(regions[r].mem + nr * page), r, nr, who, round);
}

static size_t pages(int r)
{
	return regions[r].size / page;
}

/* After fork() each writes a third of its own again; who has page nr for them? */
static int writer(int r, size_t nr, int who)
{
	if (regions[r].shared)
		return nr % 3 == 1 ? CHILD : nr % 3 == 2 ? PARENT : FIRST;
	return nr % 3 == (who == CHILD ? 1 : 2) ? who : FIRST;
}

static void write_again(int who)
{
	for (int r = 0; r < WORKERS; r++)
		for (size_t i = 0; i < pages(r); i++)
			if (writer(r, i, who) == who)
				fill(r, i, who, 0);
}

static size_t check(int who)
{
	uint64_t *want = malloc(page);
	size_t wrong = 0;

	for (int r = 0; want && r < WORKERS; r++) {
		size_t bad = 0;

		for (size_t i = 0; i < pages(r); i++) {
			pattern(want, r, i, writer(r, i, who), 0);
			if (memcmp(regions[r].mem + i * page, want, page) && !bad++)
				say("# %s: page %zu of the %s memory and perhaps more are wrong\n",
				    who == CHILD ? "child" : "parent", i, regions[r].name);
		}
		wrong += bad;
	}
	free(want);
	return want ? wrong : 1;
}

/* What is in there stays there when it is switched off. */
static void zswap(const char *enabled)
{
	if (write_file("/sys/module/zswap/parameters/enabled", enabled))
		die("zswap");
}

static long zswapped(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long kb = 0;

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "Zswapped: %ld", &kb);
	if (f)
		fclose(f);
	return kb * 1024 / (long)page;
}

/* Slots of the virtual device, if there is one. */
static long virtual_slots(void)
{
	FILE *f = fopen("/sys/kernel/debug/vswap/used", "r");
	long n = 0;

	if (f) {
		if (fscanf(f, "%ld", &n) != 1)
			n = -1;
		fclose(f);
	}
	return n;
}

/* The last eighth stays, and one in front of it comes back for reading. */
static void page_out(void)
{
	for (int r = 0; r < WORKERS; r++) {
		size_t out = pages(r) / 8 * 7;

		if (r == COMPRESSED)
			zswap("Y");
		if (madvise(regions[r].mem, out * page, MADV_PAGEOUT))
			die("MADV_PAGEOUT");
		if (r == COMPRESSED)
			zswap("N");
		for (size_t i = pages(r) / 8 * 6; i < out; i++)
			(void)*(volatile unsigned char *)(regions[r].mem + i * page);
	}
}

/* A process of its own that answers requests. */
/* @fd: where questions come from, and where answers go. */
static int child(const int *fd)
{
	size_t answer;
	char what;

	while (read(fd[0], &what, 1) == 1) {
		answer = 0;
		switch (what) {
		case 'w':
			write_again(CHILD);
			break;
		case 'o':
			page_out();
			break;
		case 'c':
			answer = check(CHILD);
			break;
		}
		if (write(fd[1], &answer, sizeof(answer)) != sizeof(answer))
			return 1;
	}
	return 0;
}

/* @fd: where answers come from, and where questions go. */
static size_t ask(const int *fd, char what)
{
	size_t answer;

	if (write(fd[1], &what, 1) != 1 || read(fd[0], &answer, sizeof(answer)) != sizeof(answer))
		die("the child does not answer");
	return answer;
}

static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	stop = sig;
}

/* Swaps all the time, so that suspending finds it in the middle of it. */
static int worker(volatile long *rounds)
{
	unsigned char *mem = regions[WORKERS].mem;
	uint64_t *want = malloc(page);

	signal(SIGTERM, on_term);
	while (!stop) {
		int round = *rounds % 200;

		for (size_t i = 0; i < pages(WORKERS); i++)
			fill(WORKERS, i, WORKER, round);
		madvise(mem, regions[WORKERS].size, MADV_PAGEOUT);
		for (size_t i = 0; i < pages(WORKERS); i++) {
			pattern(want, WORKERS, i, WORKER, round);
			if (memcmp(mem + i * page, want, page)) {
				say("# worker: page %zu is wrong in round %ld\n", i, *rounds);
				return 1;
			}
		}
		++*rounds;
	}
	return 0;
}

/* Returns after somebody has switched the machine on again. */
static void suspend(const char *disk)
{
	image_to(disk);
	say("suspending\n");
	if (write_file("/sys/power/disk", "reboot") ||
	    write_file("/sys/power/state", "disk"))
		die("suspend");
	say("resumed\n");
}

/* Whole huge pages, so that there are some. */
static unsigned char *map(size_t size, int shared)
{
	unsigned char *mem;
	int fd = -1;

	if (shared) {
		fd = memfd_create("hibernate", 0);
		if (fd < 0 || ftruncate(fd, size))
			die("memfd");
		mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		close(fd);
	} else {
		/* what is too much is never touched */
		mem = mmap(NULL, size + HUGE_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	}
	if (mem == MAP_FAILED)
		die("mmap");
	return shared ? mem : mem + (-(uintptr_t)mem & (HUGE_SIZE - 1));
}

static void map_all(size_t mb)
{
	for (int r = 0; r < REGIONS; r++) {
		regions[r].size = (regions[r].size * mb << 20) / 32 & -HUGE_SIZE;
		if (!regions[r].size)
			regions[r].size = HUGE_SIZE;
		regions[r].mem = map(regions[r].size, regions[r].shared);
		if (madvise(regions[r].mem, regions[r].size,
			    r == HUGE_PAGES ? MADV_HUGEPAGE : MADV_NOHUGEPAGE))
			die("madvise");
	}
}

int main(int argc, char **argv)
{
	const char *disk = argv[1], *small = argv[2];
	size_t total = 0, wrong;
	volatile long *rounds;
	int to[2], from[2], status;
	pid_t kid, busy;
	long before, out, in;

	if (argc < 3) {
		say("usage: hibernate DISK SMALL-DEVICE [MEGABYTES]\n");
		return 2;
	}
	page = sysconf(_SC_PAGESIZE);
	say("1..%d\n", TESTS);
	map_all(argc > 3 ? atoi(argv[3]) : 32);
	if (swapon(disk, 0))
		die("swapon");

	for (int r = 0; r < WORKERS; r++) {
		for (size_t i = 0; i < pages(r); i++)
			fill(r, i, FIRST, 0);
		if (r != COMPRESSED)
			total += pages(r);
	}
	page_out();
	/* what they share, and what they do not any more, is all on the disk */
	if (pipe(to) || pipe(from))
		die("pipe");
	kid = fork();
	if (!kid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(to[1]);
		_exit(child((int[]){ to[0], from[1] }));
	}
	close(to[0]);
	close(from[1]);
	from[1] = to[1];
	ask(from, 'w');
	write_again(PARENT);
	ask(from, 'o');
	page_out();
	before = used(disk);
	say("# %ld slots used for %zu pages\n", before, total);
	test(before - (virtual_slots() ? 0 : zswapped()) > (long)total * 3 / 4,
	     "memory of two processes is swapped out");
	say("# %ld pages in zswap, %ld slots of the virtual device\n", zswapped(), virtual_slots());
	test(zswapped() > (long)pages(COMPRESSED) / 2, "and some of it is in zswap");

	/* an image that does not fit, of all there is: little is reclaimed for it */
	out = swapped_out();
	image_size("2000000000");
	image_to(small);
	if (swapon(small, 0))
		die("swapon");
	status = write_file("/sys/power/disk", "reboot") ?:
		 write_file("/sys/power/state", "disk");
	say("# %s\n", status ? strerror(errno) : "it has been suspended");
	test(status == -1 && errno == ENOSPC, "an image that does not fit is given up");
	say("# %ld slots used\n", used(small));
	test(used(small) == 0, "it has left nothing on its device");
	test(swapoff(small) == 0, "which can be switched off");
	test(no_more(disk, before, out), "there is no more on the other device than before");

	/* the first time, in the same way */
	before = used(disk);
	out = swapped_out();
	suspend(disk);
	test(1, "suspended and resumed");
	test(no_more(disk, before, out), "no more slots are in use than before");
	in = swapped_in();
	wrong = check(PARENT);
	test(wrong == 0, "every byte of the parent is right");
	wrong = ask(from, 'c');
	test(wrong == 0, "every byte of the child is right");
	say("# %ld pages swapped in\n", swapped_in() - in);

	/* the second time: all that can be is reclaimed, and something swaps on */
	ask(from, 'o');
	page_out();
	rounds = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (rounds == MAP_FAILED)
		die("mmap");
	busy = fork();
	if (!busy) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(worker(rounds));
	}
	while (*rounds < 1 && !waitpid(busy, NULL, WNOHANG))
		usleep(10000);
	image_size("0");
	suspend(disk);
	test(1, "suspended and resumed again");
	before = *rounds;
	while (*rounds < before + 2 && !waitpid(busy, NULL, WNOHANG))
		usleep(10000);
	say("# %ld rounds before, %ld now\n", before, *rounds);
	kill(busy, SIGTERM);
	test(waitpid(busy, &status, 0) == busy && status == 0 && *rounds >= before + 2,
	     "the worker has gone on with the right data");
	in = swapped_in();
	wrong = check(PARENT);
	test(wrong == 0, "every byte of the parent is right again");
	wrong = ask(from, 'c');
	test(wrong == 0, "every byte of the child is right again");
	in = swapped_in() - in;
	say("# %ld pages swapped in\n", in);
	test(in > (long)total / 2, "most of that was on the disk");

	/* give all back */
	close(to[1]);
	test(waitpid(kid, &status, 0) == kid && status == 0, "the child has gone");
	for (int r = 0; r < REGIONS; r++)
		munmap(regions[r].mem, regions[r].size);
	/* parts of the shell and of the initramfs may be on it */
	say("# %ld slots used, %ld of the virtual device\n", used(disk), virtual_slots());
	test(used(disk) < 2048 && virtual_slots() == 0 && swapoff(disk) == 0, "nothing of theirs is left, swapoff");
	test(swapon(disk, 0) == 0 && used(disk) == 0, "swapon again, nothing is in use");
	test(swapoff(disk) == 0, "swapoff again");
	return failed;
}
