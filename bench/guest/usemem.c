// SPDX-License-Identifier: GPL-2.0
/*
 * usemem: take memory, walk over it, say how fast that was.
 *
 * Written anew to the options and the output of the program of that name in
 * the vm-scalability suite, so that its command lines and the scripts that
 * parse its results work here.  See usage() for what there is.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum source { FROM_MMAP, FROM_MALLOC, FROM_FILE, FROM_HUGETLB };

static const char *prog = "usemem";
static enum source source = FROM_MMAP;
static const char *file_name = "/dev/zero";
static unsigned long size, unit, step = sizeof(long), nr_proc = 1, nr_thread;
static unsigned long repeat = 1, runtime, sleep_secs, bytes_per_sec, delay_usec;
static int opt_random, opt_readonly, opt_write_file, opt_prefault, opt_prealloc;
static int opt_mlock, opt_quiet, opt_verbose, opt_read_again, opt_touch_alloc;
static int opt_init_time, opt_punch, opt_sync_rw, opt_sync_free, opt_detach;
static int opt_advise = -1;
static const char *pid_file;
static unsigned long page_size;

/* What all processes and threads share. */
static struct shared {
	atomic_ulong at_rw, at_free;
} *shared;

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", prog, what, strerror(errno));
	exit(1);
}

static void usage(FILE *f, int code)
{
	fprintf(f,
"usage: %s [options] [size]\n"
"size is for each task; it takes a suffix k, m, g or t.\n"
"where the memory comes from\n"
"  -O, --anonymous       anonymous mmap() (the default)\n"
"  -a, --malloc          malloc()\n"
"  -f, --file FILE       mmap() of FILE, shared when -w is given\n"
"  -w, --open-rw         open FILE for writing; it grows to the size needed\n"
"  -U, --hugetlb         anonymous mmap() of hugetlb pages\n"
"  -F, --prefault        mmap() with MAP_POPULATE\n"
"  -P, --prealloc        the parent allocates, all tasks use its memory\n"
"  -T, --touch-alloc     read every page right after allocation\n"
"  -u, --unit SIZE       allocate in chunks of SIZE\n"
"  -D, --advise N        madvise(N) on what was allocated\n"
"  -L, --mlock           mlock() it\n"
"      --punch-holes     give every second page back before the end\n"
"how it is used\n"
"  -n, --nproc N         in N processes\n"
"  -t, --thread N        in N threads of each process\n"
"  -r, --repeat N        walk over it N times\n"
"      --runtime SECS    walk over it again and again for so long\n"
"  -j, --step SIZE       one access every SIZE bytes\n"
"  -R, --random          in random order\n"
"  -o, --readonly        read only\n"
"  -Z, --read-again      read it once more at the end\n"
"  -b, --bytes-per-sec N at most so fast\n"
"  -e, --delay USEC      wait after every unit\n"
"  -s, --sleep SECS      sleep before the memory is given back\n"
"  -y, --sync-rw         no task starts before all have allocated\n"
"  -x, --sync-free       no task frees before all are through\n"
"and\n"
"      --init-time       show the time of allocation apart\n"
"  -d, --detach          go on in the background\n"
"  -p, --pid-file FILE   write the process id there\n"
"  -q, --quiet           no result lines\n"
"  -v, --verbose         more lines\n"
"  -h, --help            this\n", prog);
	exit(code);
}

static unsigned long bytes(const char *text)
{
	char *end;
	double n = strtod(text, &end);

	switch (*end) {
	case 't': case 'T': n *= 1024; /* fall through */
	case 'g': case 'G': n *= 1024; /* fall through */
	case 'm': case 'M': n *= 1024; /* fall through */
	case 'k': case 'K': n *= 1024; end++; break;
	}
	if (end == text || (*end && strcmp(end, "b") && strcmp(end, "B")) || n < 0) {
		fprintf(stderr, "%s: not a size: %s\n", prog, text);
		exit(1);
	}
	return n;
}

static unsigned long usecs(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000UL + ts.tv_nsec / 1000;
}

static void barrier(atomic_ulong *arrived)
{
	struct timespec ms = { 0, 1000000 };
	unsigned long all = nr_proc * (nr_thread ? nr_thread : 1);

	atomic_fetch_add(arrived, 1);
	while (atomic_load(arrived) < all)
		nanosleep(&ms, NULL);
}

/* ---- allocation ---- */

static unsigned long *allocate(unsigned long len, unsigned long offset)
{
	int prot = PROT_READ | (opt_readonly && source == FROM_FILE ?
				0 : PROT_WRITE);
	int flags = opt_prefault ? MAP_POPULATE : 0, fd = -1;
	void *p;

	if (source == FROM_MALLOC) {
		p = malloc(len);
		if (!p)
			fail("malloc");
	} else {
		if (source == FROM_FILE) {
			struct stat st;

			fd = open(file_name, opt_write_file ?
				  O_RDWR | O_CREAT : O_RDONLY, 0644);
			if (fd < 0 || fstat(fd, &st))
				fail(file_name);
			if (S_ISREG(st.st_mode) &&
			    (unsigned long)st.st_size < offset + len &&
			    (!opt_write_file || ftruncate(fd, offset + len)))
				fail(file_name);
			flags |= opt_write_file ? MAP_SHARED : MAP_PRIVATE;
		} else {
			flags |= MAP_PRIVATE | MAP_ANONYMOUS;
			if (source == FROM_HUGETLB)
				flags |= MAP_HUGETLB;
		}
		p = mmap(NULL, len, prot, flags, fd, fd < 0 ? 0 : (off_t)offset);
		if (p == MAP_FAILED)
			fail("mmap");
		if (fd >= 0)
			close(fd);
	}
	if (opt_advise >= 0 && madvise(p, len & ~(page_size - 1), opt_advise))
		fail("madvise");
	if (opt_mlock && mlock(p, len))
		fail("mlock");
	if (opt_touch_alloc)
		for (unsigned long i = 0; i < len; i += page_size)
			(void)*(volatile char *)((char *)p + i);
	return p;
}

static void release(unsigned long *p, unsigned long len)
{
	if (source == FROM_MALLOC)
		free(p);
	else if (munmap(p, len))
		fail("munmap");
}

/* ---- the walk ---- */

struct task {
	pthread_t thread;
	unsigned long **chunk;	/* the memory, nr_chunks of unit bytes */
	unsigned long done;	/* bytes walked over */
	unsigned long alloc_usec, work_usec, free_usec, checksum;
	unsigned long number;
};

static unsigned long nr_chunks(void)
{
	return (size + unit - 1) / unit;
}

static unsigned long chunk_len(unsigned long i)
{
	return i + 1 < nr_chunks() ? unit : size - i * unit;
}

static unsigned long next_random(unsigned long *state)
{
	*state = *state * 6364136223846793005UL + 1442695040888963407UL;
	return *state >> 20;
}

static void keep_pace(struct task *t, unsigned long begin)
{
	unsigned long due;

	if (delay_usec)
		usleep(delay_usec);
	if (!bytes_per_sec)
		return;
	due = begin + (double)t->done / bytes_per_sec * 1e6;
	if (usecs() < due)
		usleep(due - usecs());
}

static void walk_chunk(struct task *t, unsigned long c, int write)
{
	volatile unsigned long *p = t->chunk[c];
	unsigned long words = chunk_len(c) / sizeof(long);
	unsigned long stride = step / sizeof(long);
	unsigned long seed = t->number * 7919 + c + 1, sum = 0;

	for (unsigned long i = 0; i < words; i += stride) {
		unsigned long at = opt_random ? next_random(&seed) % words : i;

		if (write)
			p[at] = at;
		else
			sum += p[at];
	}
	t->checksum += sum;
	t->done += chunk_len(c);
}

static void walk(struct task *t)
{
	unsigned long begin = usecs();
	unsigned long order = t->number + 12345;

	for (unsigned long r = 0; runtime || r < repeat; r++)
		for (unsigned long c = 0; c < nr_chunks(); c++) {
			if (runtime && usecs() - begin >= runtime * 1000000)
				goto out;
			unsigned long i = opt_random ?
				next_random(&order) % nr_chunks() : c;

			walk_chunk(t, i, !opt_readonly);
			keep_pace(t, begin);
		}
out:
	if (opt_read_again)
		for (unsigned long c = 0; c < nr_chunks(); c++) {
			walk_chunk(t, c, 0);
			keep_pace(t, begin);
		}
}

static void get_memory(struct task *t)
{
	unsigned long base = t->number * size;

	t->chunk = calloc(nr_chunks(), sizeof(*t->chunk));
	if (!t->chunk)
		fail("calloc");
	for (unsigned long c = 0; c < nr_chunks(); c++)
		t->chunk[c] = allocate(chunk_len(c), base + c * unit);
}

static void punch_holes(struct task *t)
{
	for (unsigned long c = 0; c < nr_chunks(); c++) {
		char *p = (char *)(((uintptr_t)t->chunk[c] + page_size - 1) &
				   ~(page_size - 1));
		char *end = (char *)t->chunk[c] + chunk_len(c);

		for (; p + page_size <= end; p += 2 * page_size)
			if (madvise(p, page_size, MADV_DONTNEED))
				fail("MADV_DONTNEED");
	}
}

static void *work(void *arg)
{
	struct task *t = arg;
	unsigned long a = usecs(), b;

	if (!t->chunk)
		get_memory(t);
	b = usecs();
	t->alloc_usec = b - a;
	if (opt_sync_rw) {
		barrier(&shared->at_rw);
		b = usecs();
	}
	walk(t);
	t->work_usec = usecs() - b;
	if (!opt_init_time)
		t->work_usec += t->alloc_usec;
	if (!opt_quiet) {
		char line[256];
		unsigned long us = t->work_usec ? t->work_usec : 1;
		int n = 0;

		/* one write(), so that tasks do not tear each other's lines */
		if (opt_init_time)
			n = snprintf(line, sizeof(line),
				     "%lu usecs to allocate memory\n",
				     t->alloc_usec);
		n += snprintf(line + n, sizeof(line) - n,
			      "%lu bytes / %lu usecs = %lu KB/s\n", t->done, us,
			      (unsigned long)(t->done / 1024.0 * 1e6 / us));
		if (write(1, line, n) != n)
			fail("stdout");
	}
	if (opt_punch)
		punch_holes(t);
	if (sleep_secs)
		sleep(sleep_secs);
	if (opt_sync_free)
		barrier(&shared->at_free);
	a = usecs();
	if (!opt_prealloc)
		for (unsigned long c = 0; c < nr_chunks(); c++)
			release(t->chunk[c], chunk_len(c));
	t->free_usec = usecs() - a;
	if (!opt_quiet && !opt_prealloc) {
		char line[64];
		int n = snprintf(line, sizeof(line),
				 "%lu usecs to free memory\n", t->free_usec);

		if (write(1, line, n) != n)
			fail("stdout");
	}
	return NULL;
}

static int process(unsigned long number, unsigned long **chunk)
{
	unsigned long n = nr_thread ? nr_thread : 1;
	struct task *tasks = calloc(n, sizeof(*tasks));

	if (!tasks)
		fail("calloc");
	for (unsigned long i = 0; i < n; i++) {
		tasks[i].number = number * n + i;
		tasks[i].chunk = chunk;
	}
	if (!nr_thread) {
		work(tasks);
	} else {
		for (unsigned long i = 0; i < n; i++) {
			errno = pthread_create(&tasks[i].thread, NULL, work,
					       tasks + i);
			if (errno)
				fail("pthread_create");
		}
		for (unsigned long i = 0; i < n; i++)
			pthread_join(tasks[i].thread, NULL);
	}
	if (opt_verbose)
		for (unsigned long i = 0; i < n; i++)
			printf("task %lu: checksum %#lx\n", tasks[i].number,
			       tasks[i].checksum);
	fflush(NULL);
	return 0;
}

static void detach(void)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (pid)
		exit(0);
	setsid();
}

static void parse(int argc, char **argv)
{
	enum { PUNCH = 256, INIT_TIME, RUNTIME };
	static const struct option options[] = {
		{ "anonymous", 0, NULL, 'O' },
		{ "malloc", 0, NULL, 'a' },
		{ "file", 1, NULL, 'f' },
		{ "open-rw", 0, NULL, 'w' },
		{ "hugetlb", 0, NULL, 'U' },
		{ "prefault", 0, NULL, 'F' },
		{ "prealloc", 0, NULL, 'P' },
		{ "touch-alloc", 0, NULL, 'T' },
		{ "unit", 1, NULL, 'u' },
		{ "advise", 1, NULL, 'D' },
		{ "mlock", 0, NULL, 'L' },
		{ "punch-holes", 0, NULL, PUNCH },
		{ "nproc", 1, NULL, 'n' },
		{ "thread", 1, NULL, 't' },
		{ "repeat", 1, NULL, 'r' },
		{ "runtime", 1, NULL, RUNTIME },
		{ "step", 1, NULL, 'j' },
		{ "random", 0, NULL, 'R' },
		{ "readonly", 0, NULL, 'o' },
		{ "read-again", 0, NULL, 'Z' },
		{ "bytes-per-sec", 1, NULL, 'b' },
		{ "delay", 1, NULL, 'e' },
		{ "sleep", 1, NULL, 's' },
		{ "sync-rw", 0, NULL, 'y' },
		{ "sync-free", 0, NULL, 'x' },
		{ "init-time", 0, NULL, INIT_TIME },
		{ "detach", 0, NULL, 'd' },
		{ "pid-file", 1, NULL, 'p' },
		{ "quiet", 0, NULL, 'q' },
		{ "verbose", 0, NULL, 'v' },
		{ "help", 0, NULL, 'h' },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv,
				"Oaf:wUFPTu:D:Ln:t:r:j:RoZb:e:s:yxdp:qvh",
				options, NULL)) != -1)
		switch (c) {
		case 'O': source = FROM_MMAP; break;
		case 'a': source = FROM_MALLOC; break;
		case 'f': source = FROM_FILE; file_name = optarg; break;
		case 'w': opt_write_file = 1; break;
		case 'U': source = FROM_HUGETLB; break;
		case 'F': opt_prefault = 1; break;
		case 'P': opt_prealloc = 1; break;
		case 'T': opt_touch_alloc = 1; break;
		case 'u': unit = bytes(optarg); break;
		case 'D': opt_advise = atoi(optarg); break;
		case 'L': opt_mlock = 1; break;
		case PUNCH: opt_punch = 1; break;
		case 'n': nr_proc = strtoul(optarg, NULL, 0); break;
		case 't': nr_thread = strtoul(optarg, NULL, 0); break;
		case 'r': repeat = strtoul(optarg, NULL, 0); break;
		case RUNTIME: runtime = strtoul(optarg, NULL, 0); break;
		case 'j': step = bytes(optarg); break;
		case 'R': opt_random = 1; break;
		case 'o': opt_readonly = 1; break;
		case 'Z': opt_read_again = 1; break;
		case 'b': bytes_per_sec = bytes(optarg); break;
		case 'e': delay_usec = strtoul(optarg, NULL, 0); break;
		case 's': sleep_secs = strtoul(optarg, NULL, 0); break;
		case 'y': opt_sync_rw = 1; break;
		case 'x': opt_sync_free = 1; break;
		case INIT_TIME: opt_init_time = 1; break;
		case 'd': opt_detach = 1; break;
		case 'p': pid_file = optarg; break;
		case 'q': opt_quiet = 1; break;
		case 'v': opt_verbose = 1; break;
		case 'h': usage(stdout, 0); break;
		default: usage(stderr, 1);
		}
	if (optind == argc - 1)
		size = bytes(argv[optind]);
	else if (optind != argc)
		usage(stderr, 1);
	if (!size && source == FROM_FILE) {
		struct stat st;

		if (!stat(file_name, &st))
			size = st.st_size;
	}
	if (!size)
		size = page_size;
	if (!unit || unit > size)
		unit = size;
	if (step < sizeof(long))
		step = sizeof(long);
	if (!nr_proc)
		nr_proc = 1;
	/* chunks of a file begin on a page, and no word is cut in two */
	unit = (unit + page_size - 1) & ~(page_size - 1);
	size = (size + sizeof(long) - 1) & ~(sizeof(long) - 1);
}

int main(int argc, char **argv)
{
	unsigned long **chunk = NULL;
	int status, bad = 0;

	page_size = sysconf(_SC_PAGESIZE);
	parse(argc, argv);
	if (opt_detach)
		detach();
	if (pid_file) {
		FILE *f = fopen(pid_file, "w");

		if (!f || fprintf(f, "%d\n", getpid()) < 0 || fclose(f))
			fail(pid_file);
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		fail("mmap");
	if (opt_prealloc) {
		struct task t = { 0 };

		get_memory(&t);
		chunk = t.chunk;
	}
	if (nr_proc == 1)
		return process(0, chunk);
	for (unsigned long i = 0; i < nr_proc; i++) {
		pid_t pid = fork();

		if (pid < 0)
			fail("fork");
		if (!pid)
			exit(process(i, chunk));
	}
	while (wait(&status) > 0)
		if (status) {
			if (WIFSIGNALED(status))
				fprintf(stderr, "%s: a task was killed by signal %d\n",
					prog, WTERMSIG(status));
			bad = 1;
		}
	return bad;
}
