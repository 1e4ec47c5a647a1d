/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MM_SWAP_TABLE_H
#define _MM_SWAP_TABLE_H

#include <linux/mm_types.h>
#include <linux/swap.h>
#include <linux/xarray.h>

/*
 * The format of a swap table's entries
 *
 * A swap table has one word for each slot of a cluster, which says what the
 * slot is used for. The lowest bit that is set tells the kinds apart:
 *
 *   NULL    0                     free
 *   Shadow  flags | shadow |    1 in use, not cached
 *   PFN     flags | pfn    |   10 in use, and cached: the folio's first pfn
 *   Rmap    offset         |  100 in use: behind this slot of the virtual device
 *   Bad     11111 ...      | 1000 not to be used: the header, a bad page, ...
 *
 * A shadow is an XA value, as in the page cache, of which workingset.c leaves
 * the topmost bits free; xa_mk_value(0) if there is nothing to remember.
 *
 * The flags are a count of the references to the slot, and a bit that is set
 * when the slot holds nothing but zeroes. They are kept when a slot changes
 * between Shadow and PFN. The count's maximum means that the count is kept
 * elsewhere. A PFN leaves room for five bits, or for less on 32 bits with large
 * physical addresses: then the zero bit is kept elsewhere, too.
 *
 * Everything here is a pure function of its arguments.
 */

/* The width of a pfn, the way zsmalloc finds it out */
#if defined(MAX_POSSIBLE_PHYSMEM_BITS)
#define SWP_TB_PHYSMEM_BITS	MAX_POSSIBLE_PHYSMEM_BITS
#elif defined(MAX_PHYSMEM_BITS)
#define SWP_TB_PHYSMEM_BITS	MAX_PHYSMEM_BITS
#else
#define SWP_TB_PHYSMEM_BITS	BITS_PER_LONG
#endif
#define SWP_TB_PFN_BITS		(SWP_TB_PHYSMEM_BITS - PAGE_SHIFT)

#define SWP_TB_SHADOW_MARK	0x1UL
#define SWP_TB_PFN_MARK		0x2UL
#define SWP_TB_PFN_MARK_BITS	2
#define SWP_TB_RMAP_MARK	0x4UL
#define SWP_TB_RMAP_MASK	0x7UL
#define SWP_TB_RMAP_SHIFT	3

/* What a pfn leaves, but not more than five bits, or three of 32: shadows need some */
#define SWP_TB_SPARE_BITS	(BITS_PER_LONG - SWP_TB_PFN_BITS - SWP_TB_PFN_MARK_BITS)
#define SWP_TB_FLAGS_BITS	(SWP_TB_SPARE_BITS < 3 ? SWP_TB_SPARE_BITS : \
				 BITS_PER_LONG == 32 ? 3 : \
				 SWP_TB_SPARE_BITS < 5 ? SWP_TB_SPARE_BITS : 5)
#define SWP_TB_ZERO_BITS	(SWP_TB_FLAGS_BITS > 2 ? 1 : 0)
#define SWP_TB_COUNT_BITS	(SWP_TB_FLAGS_BITS - SWP_TB_ZERO_BITS)
#define SWP_TB_COUNT_MAX	((1UL << SWP_TB_COUNT_BITS) - 1)

#define SWP_TB_COUNT_SHIFT	(BITS_PER_LONG - SWP_TB_COUNT_BITS)
#define SWP_TB_FLAGS_SHIFT	(BITS_PER_LONG - SWP_TB_FLAGS_BITS)
#define SWP_TB_FLAGS_MASK	(~0UL << SWP_TB_FLAGS_SHIFT)
#define SWP_TB_ZERO		(SWP_TB_ZERO_BITS ? 1UL << SWP_TB_FLAGS_SHIFT : 0)

#define SWP_TB_NULL		0UL
#define SWP_TB_BAD		(~0UL << 3)

static inline bool swp_tb_is_null(unsigned long swp_tb)
{
	return swp_tb == SWP_TB_NULL;
}

static inline bool swp_tb_is_shadow(unsigned long swp_tb)
{
	return swp_tb & SWP_TB_SHADOW_MARK;
}

static inline bool swp_tb_is_pfn(unsigned long swp_tb)
{
	return (swp_tb & (SWP_TB_SHADOW_MARK | SWP_TB_PFN_MARK)) == SWP_TB_PFN_MARK;
}

/* Never so without a virtual device */
static inline bool swp_tb_is_rmap(unsigned long swp_tb)
{
	return IS_ENABLED(CONFIG_VSWAP) &&
	       (swp_tb & SWP_TB_RMAP_MASK) == SWP_TB_RMAP_MARK;
}

static inline bool swp_tb_is_bad(unsigned long swp_tb)
{
	return swp_tb == SWP_TB_BAD;
}

/* In use, cached or not: an entry that has flags */
static inline bool swp_tb_is_counted(unsigned long swp_tb)
{
	return swp_tb & (SWP_TB_SHADOW_MARK | SWP_TB_PFN_MARK);
}

/* The flags of a Shadow or PFN, where they are in the word */
static inline unsigned long swp_tb_flags(unsigned long swp_tb)
{
	return swp_tb & SWP_TB_FLAGS_MASK;
}

static inline unsigned long swp_tb_mk_flags(unsigned int count, bool zero)
{
	return ((unsigned long)count << SWP_TB_COUNT_SHIFT) |
	       (zero ? SWP_TB_ZERO : 0);
}

static inline unsigned int swp_tb_count(unsigned long swp_tb)
{
	return swp_tb >> SWP_TB_COUNT_SHIFT;
}

/* Where there is a bit for it */
static inline bool swp_tb_is_zero(unsigned long swp_tb)
{
	return swp_tb_is_counted(swp_tb) && (swp_tb & SWP_TB_ZERO);
}

static inline unsigned long swp_tb_set_zero(unsigned long swp_tb, bool zero)
{
	return zero ? swp_tb | SWP_TB_ZERO : swp_tb & ~SWP_TB_ZERO;
}

static inline unsigned long swp_tb_set_count(unsigned long swp_tb,
					     unsigned int count)
{
	swp_tb &= ~(~0UL << SWP_TB_COUNT_SHIFT);
	return swp_tb | ((unsigned long)count << SWP_TB_COUNT_SHIFT);
}

static inline unsigned long swp_tb_mk_pfn(unsigned long pfn, unsigned long flags)
{
	BUILD_BUG_ON(SWP_TB_COUNT_BITS < 2);

	return (pfn << SWP_TB_PFN_MARK_BITS) | SWP_TB_PFN_MARK | flags;
}

static inline unsigned long swp_tb_pfn(unsigned long swp_tb)
{
	return (swp_tb & ~SWP_TB_FLAGS_MASK) >> SWP_TB_PFN_MARK_BITS;
}

/* @shadow: an XA value that leaves SWP_TB_FLAGS_MASK free, or NULL */
static inline unsigned long swp_tb_mk_shadow(void *shadow, unsigned long flags)
{
	return (unsigned long)shadow | SWP_TB_SHADOW_MARK | flags;
}

/* The XA value, NULL if the shadow is empty */
static inline void *swp_tb_shadow(unsigned long swp_tb)
{
	swp_tb &= ~SWP_TB_FLAGS_MASK;
	return swp_tb == SWP_TB_SHADOW_MARK ? NULL : (void *)swp_tb;
}

/* @offset: of a slot of the virtual device */
static inline unsigned long swp_tb_mk_rmap(unsigned long offset)
{
	return (offset << SWP_TB_RMAP_SHIFT) | SWP_TB_RMAP_MARK;
}

static inline unsigned long swp_tb_rmap(unsigned long swp_tb)
{
	return swp_tb >> SWP_TB_RMAP_SHIFT;
}

/*
 * The format of a virtual table's words
 *
 * A virtual table has one word for each slot of a cluster of the virtual device,
 * which says where the slot's data are. The lowest bits tell the kinds apart:
 *
 *   None    0                     nowhere: zeroes, or in the swap cache only
 *   Phys    offset | type  |  001 in a slot of a device
 *   Zswap   pointer        |  010 compressed, an object of zswap
 *   Poison                 |  011 lost: they could not be read
 */
enum swp_vt_kind {
	SWP_VT_NONE,
	SWP_VT_PHYS,
	SWP_VT_ZSWAP,
	SWP_VT_POISON,
};

#define SWP_VT_KIND_BITS	3
#define SWP_VT_KIND_MASK	((1UL << SWP_VT_KIND_BITS) - 1)
#define SWP_VT_TYPE_BITS	MAX_SWAPFILES_SHIFT
#define SWP_VT_TYPE_MASK	((1UL << SWP_VT_TYPE_BITS) - 1)

static inline enum swp_vt_kind swp_vt_kind(unsigned long swp_vt)
{
	return swp_vt & SWP_VT_KIND_MASK;
}

static inline unsigned long swp_vt_mk_phys(unsigned int type, unsigned long offset)
{
	return (offset << SWP_VT_TYPE_BITS | type) << SWP_VT_KIND_BITS | SWP_VT_PHYS;
}

static inline unsigned int swp_vt_phys_type(unsigned long swp_vt)
{
	return swp_vt >> SWP_VT_KIND_BITS & SWP_VT_TYPE_MASK;
}

static inline unsigned long swp_vt_phys_offset(unsigned long swp_vt)
{
	return swp_vt >> (SWP_VT_KIND_BITS + SWP_VT_TYPE_BITS);
}

/* What says that the data of the next slot are in the next one, too */
static inline unsigned long swp_vt_next(unsigned long swp_vt)
{
	return swp_vt + (1UL << (SWP_VT_KIND_BITS + SWP_VT_TYPE_BITS));
}

/* @object: aligned to eight bytes at least, as what slabs are made of is */
static inline unsigned long swp_vt_mk_zswap(void *object)
{
	return (unsigned long)object | SWP_VT_ZSWAP;
}

static inline void *swp_vt_zswap(unsigned long swp_vt)
{
	return (void *)(swp_vt & ~SWP_VT_KIND_MASK);
}

#endif /* _MM_SWAP_TABLE_H */
