/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the swap tests share: making swap devices of every kind, finding
 * out where a page is swapped to, and checking after each test that
 * nothing is left behind.
 *
 * Environment:
 *   SWAP_TEST_DISKS  scratch block devices that may be overwritten; loop
 *                    devices over files in SWAP_TEST_DIR are used if unset
 *   SWAP_TEST_DIR    directory on a file system that supports swapfiles
 *   SWAP_TEST_SCALE  factor for sizes and durations, default 1
 */
#ifndef __SWAP_UTIL_H__
#define __SWAP_UTIL_H__

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/swap.h>
#include <sys/types.h>

#include "../kselftest.h"

#define SWT_SKIP	1	/* returned when the machine lacks something */
#define SWT_MAX_DEVS	9
#define SWT_PATH	256
#define SWT_CLUSTER	512UL	/* slots of the largest cluster there is */

#ifndef MADV_COLD
#define MADV_COLD	20
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

enum swt_backend {
	SWT_DISK,		/* block device, not rotating */
	SWT_DISK_ROT,		/* the same, said to be rotating */
	SWT_FILE,		/* swapfile in SWAP_TEST_DIR */
	SWT_ZRAM,
	SWT_ZSWAP,		/* zswap in front of a block device */
	SWT_LOOP,		/* loop device over a sparse file */
};

struct swt_dev {
	enum swt_backend backend;
	bool on;		/* to be swapped off by swt_end() */
	bool used;		/* this element of the array is taken */
	int loop, zram, disk;	/* number of the device or -1 */
	int old_rotational;	/* to be restored, or -1 */
	unsigned long max;	/* pages in the header, itself included */
	unsigned long slots;	/* slots that can be used */
	char path[SWT_PATH];	/* what is given to swapon(2) */
	char disk_path[SWT_PATH];	/* whose queue/rotational was changed */
	char file[SWT_PATH];	/* file of ours behind it, or empty */
	void (*undo)(void);	/* of the test, after swapoff */
};

struct swt_saved {
	char path[128];
	char value[64];
};

struct swt_ctx {
	struct swt_dev dev[SWT_MAX_DEVS];
	struct swt_saved saved[64];	/* settings to be restored */
	int nr_saved;
	pid_t test;			/* the test's own process */
	long swap_total;		/* SwapTotal at the start, kB */
	bool other_swap;		/* somebody else's swap is active */
	char cgroup[SWT_PATH];		/* the test runs in here, or empty */
};

/* A swap header, as wrong as the test wants it; see swt_header_init(). */
struct swt_header {
	const char *magic;
	uint32_t version;
	uint32_t last_page;
	uint32_t nr_bad;
	const uint32_t *bad;
	int nr_bad_written;		/* elements of bad[]; -1: nr_bad */
	bool swapped;			/* written by a machine of the other endianness */
};

/* Why the last function returned SWT_SKIP or -1. */
const char *swt_msg(void);
int swt_say(int ret);
int swt_fail(const char *fmt, ...) __printf(1, 2);
int swt_skip(const char *fmt, ...) __printf(1, 2);

unsigned long swt_page(void);
double swt_scale(void);
unsigned long swt_scaled(unsigned long n, unsigned long min);
unsigned long swt_seconds(unsigned long n);
double swt_now(void);
/* A kernel that keeps free slots in per-CPU caches counts them as used. */
bool swt_has_slots_cache(void);

/* files */
int swt_read(const char *path, char *buf, size_t len);
int swt_write(const char *path, const char *fmt, ...) __printf(2, 3);
long swt_read_long(const char *path);
int swt_set(struct swt_ctx *ctx, const char *path, const char *value);
long swt_meminfo(const char *name);
long swt_vmstat(const char *name);
long swt_swap_event(const char *cgroup, const char *name);
const char *swt_dir(void);

/* a test's surroundings */
int swt_begin(struct swt_ctx *ctx);
int swt_setup_done(struct swt_ctx *ctx, int ret);
int swt_end(struct swt_ctx *ctx);
int swt_cgroup2(char *mnt, size_t len);

/* devices */
void swt_header_init(struct swt_header *h, unsigned long max);
int swt_header_write(const char *path, const struct swt_header *h);
int swt_dev_new(struct swt_ctx *ctx, struct swt_dev **dev,
		enum swt_backend backend, unsigned long max);
int swt_dev_mkswap(struct swt_dev *d, unsigned long max);
void swt_dev_free(struct swt_ctx *ctx, struct swt_dev *d);
int swt_loop_attach(const char *file, char *path, int *nr);
void swt_loop_detach(int nr);
int swt_file_new(const char *path, unsigned long pages, bool sparse);
int swt_rotational(struct swt_dev *d, bool on);
int swt_on(struct swt_dev *d, int prio, int flags);
int swt_off(struct swt_dev *d, int seconds);
/* pages, or -1 if the device is not in /proc/swaps; @prio may be NULL */
long swt_used_path(const char *path, long *size, int *prio);
long swt_used(struct swt_dev *d);
/* Is what swaps to it on a device only if zswap does not take it? */
bool swt_is_virtual(struct swt_dev *d);
/* the same without slots that are in nobody's hands */
long swt_used_exact(struct swt_dev *d);
int swt_wait_used(struct swt_ctx *ctx, struct swt_dev *d, long pages);

/* memory */
void *swt_map(size_t len);
void swt_madvise_pageout(void *addr, size_t len, bool all_cpus);
size_t swt_pageout(void *addr, size_t len);
size_t swt_swapped(const void *addr, size_t len);
size_t swt_resident(const void *addr, size_t len);
int swt_swap_offset(const void *addr, unsigned long *offset, unsigned int *type);
int swt_offsets(const void *addr, size_t len, unsigned long *offsets);
long swt_smaps(const void *addr, const char *field);
void swt_wait_writeback(void);
size_t swt_drop_cache(struct swt_ctx *ctx, void *addr, size_t len);
void swt_reclaim(struct swt_ctx *ctx, size_t bytes);
void swt_fill(void *addr, size_t len, uint64_t seed);
void swt_fill_hard(void *addr, size_t len, uint64_t seed);
/* offset of the first byte that is not as swt_fill() left it, or -1 */
long swt_verify(const void *addr, size_t len, uint64_t seed);
long swt_verify_hard(const void *addr, size_t len, uint64_t seed);
bool swt_is_zero(const void *addr, size_t len);

/* processes: children die with their parent */
pid_t swt_fork(void);
int swt_wait(pid_t pid);

/* @expr is one of the calls above that return 0 or -1 */
#define SWT_OK(expr)	ASSERT_EQ(0, swt_say(expr))

#endif /* __SWAP_UTIL_H__ */
