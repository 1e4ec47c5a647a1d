// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for the format of swap tables: what is put into an entry comes
 * out of it again, next to everything else that it can hold.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/swap.h>
#include <linux/swapops.h>

#include "../internal.h"
#include "../swap_table.h"

#define SHADOW_MAX	(~SWP_TB_FLAGS_MASK >> 1)	/* without the XA mark */

static const unsigned long pfns[] = {
	0, 1, 2, 0x55555, (1UL << (SWP_TB_PFN_BITS - 1)) - 1,
	1UL << (SWP_TB_PFN_BITS - 1), (1UL << (SWP_TB_PFN_BITS - 1)) * 2 - 1,
};

static const unsigned long shadows[] = {
	1, 2, 0x5555, SHADOW_MAX >> 1, SHADOW_MAX - 1, SHADOW_MAX,
};

/* Each entry is of one kind */
static void expect_kind(struct kunit *test, unsigned long swp_tb,
			bool null, bool shadow, bool pfn, bool bad)
{
	KUNIT_EXPECT_EQ_MSG(test, swp_tb_is_null(swp_tb), null, "%lx", swp_tb);
	KUNIT_EXPECT_EQ_MSG(test, swp_tb_is_shadow(swp_tb), shadow, "%lx", swp_tb);
	KUNIT_EXPECT_EQ_MSG(test, swp_tb_is_pfn(swp_tb), pfn, "%lx", swp_tb);
	KUNIT_EXPECT_EQ_MSG(test, swp_tb_is_bad(swp_tb), bad, "%lx", swp_tb);
	KUNIT_EXPECT_EQ_MSG(test, swp_tb_is_counted(swp_tb), shadow || pfn,
			    "%lx", swp_tb);
}

/* The bits add up, and there are enough of each */
static void swap_table_bits(struct kunit *test)
{
	KUNIT_EXPECT_GE(test, SWP_TB_COUNT_BITS, 2);
	KUNIT_EXPECT_LE(test, SWP_TB_FLAGS_BITS, 5);
	KUNIT_EXPECT_EQ(test, SWP_TB_COUNT_BITS + SWP_TB_ZERO_BITS, SWP_TB_FLAGS_BITS);
	KUNIT_EXPECT_LE(test, SWP_TB_FLAGS_BITS + SWP_TB_PFN_BITS + SWP_TB_PFN_MARK_BITS,
			BITS_PER_LONG);
	KUNIT_EXPECT_EQ(test, SWP_TB_ZERO & (~0UL << SWP_TB_COUNT_SHIFT), 0UL);
	KUNIT_EXPECT_EQ(test, SWP_TB_ZERO | (~0UL << SWP_TB_COUNT_SHIFT),
			SWP_TB_FLAGS_MASK);
}

static void swap_table_constants(struct kunit *test)
{
	expect_kind(test, SWP_TB_NULL, true, false, false, false);
	expect_kind(test, SWP_TB_BAD, false, false, false, true);
}

/* Every pfn with every count and zero bit */
static void swap_table_pfn(struct kunit *test)
{
	unsigned long flags, swp_tb;
	unsigned int i, count, zero;

	for (i = 0; i < ARRAY_SIZE(pfns); i++)
		for (count = 0; count <= SWP_TB_COUNT_MAX; count++)
			for (zero = 0; zero <= SWP_TB_ZERO_BITS; zero++) {
				flags = swp_tb_mk_flags(count, zero);
				swp_tb = swp_tb_mk_pfn(pfns[i], flags);
				expect_kind(test, swp_tb, false, false, true, false);
				KUNIT_EXPECT_EQ(test, swp_tb_pfn(swp_tb), pfns[i]);
				KUNIT_EXPECT_EQ(test, swp_tb_flags(swp_tb), flags);
				KUNIT_EXPECT_EQ(test, swp_tb_count(swp_tb), count);
				KUNIT_EXPECT_EQ(test, !!(swp_tb & SWP_TB_ZERO), zero);
			}
}

/* Every shadow, and none, with every count and zero bit */
static void swap_table_shadow(struct kunit *test)
{
	unsigned long flags, swp_tb;
	unsigned int i, count, zero;
	void *shadow;

	for (i = 0; i <= ARRAY_SIZE(shadows); i++)
		for (count = 0; count <= SWP_TB_COUNT_MAX; count++)
			for (zero = 0; zero <= SWP_TB_ZERO_BITS; zero++) {
				shadow = i ? xa_mk_value(shadows[i - 1]) : NULL;
				flags = swp_tb_mk_flags(count, zero);
				swp_tb = swp_tb_mk_shadow(shadow, flags);
				expect_kind(test, swp_tb, false, true, false, false);
				KUNIT_EXPECT_PTR_EQ(test, swp_tb_shadow(swp_tb), shadow);
				KUNIT_EXPECT_EQ(test, swp_tb_flags(swp_tb), flags);
				KUNIT_EXPECT_EQ(test, swp_tb_count(swp_tb), count);
				KUNIT_EXPECT_EQ(test, !!(swp_tb & SWP_TB_ZERO), zero);
			}
}

/* From every count to every other one: nothing else changes */
static void swap_table_set_count(struct kunit *test)
{
	unsigned long pfn = pfns[ARRAY_SIZE(pfns) - 1], before, after;
	unsigned int from, to;

	for (from = 0; from <= SWP_TB_COUNT_MAX; from++)
		for (to = 0; to <= SWP_TB_COUNT_MAX; to++) {
			before = swp_tb_mk_pfn(pfn, swp_tb_mk_flags(from, true));
			after = swp_tb_set_count(before, to);
			KUNIT_EXPECT_EQ(test, after,
					swp_tb_mk_pfn(pfn, swp_tb_mk_flags(to, true)));

			before = swp_tb_mk_shadow(xa_mk_value(SHADOW_MAX),
						  swp_tb_mk_flags(from, false));
			after = swp_tb_set_count(before, to);
			KUNIT_EXPECT_EQ(test, after,
					swp_tb_mk_shadow(xa_mk_value(SHADOW_MAX),
							 swp_tb_mk_flags(to, false)));
		}
}

static const unsigned long offsets[] = {
	1, 2, 511, 512, 0x12345678, (unsigned long)(1ULL << 32) - 1,
	(unsigned long)(1ULL << 32), (unsigned long)(1ULL << 40) + 1,
};

/* The slot in front of another one */
static void swap_table_rmap(struct kunit *test)
{
	unsigned long swp_tb;
	unsigned int i;

	if (!IS_ENABLED(CONFIG_VSWAP))
		kunit_skip(test, "no virtual device");
	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		swp_tb = swp_tb_mk_rmap(offsets[i]);
		expect_kind(test, swp_tb, false, false, false, false);
		KUNIT_EXPECT_TRUE(test, swp_tb_is_rmap(swp_tb));
		KUNIT_EXPECT_EQ(test, offsets[i], swp_tb_rmap(swp_tb));
	}
	KUNIT_EXPECT_FALSE(test, swp_tb_is_rmap(SWP_TB_NULL));
	KUNIT_EXPECT_FALSE(test, swp_tb_is_rmap(SWP_TB_BAD));
	for (i = 0; i < ARRAY_SIZE(pfns); i++)
		KUNIT_EXPECT_FALSE(test, swp_tb_is_rmap(swp_tb_mk_pfn(pfns[i], 0)));
	for (i = 0; i < ARRAY_SIZE(shadows); i++) {
		swp_tb = swp_tb_mk_shadow(xa_mk_value(shadows[i]), 0);
		KUNIT_EXPECT_FALSE(test, swp_tb_is_rmap(swp_tb));
	}
}

/* Words of the virtual table: every type of device, and what is aligned */
static void swap_table_words(struct kunit *test)
{
	unsigned int type, i;
	unsigned long word;
	void *object;

	if (!IS_ENABLED(CONFIG_VSWAP))
		kunit_skip(test, "no virtual device");
	for (type = 0; type < MAX_SWAPFILES; type++)
		for (i = 0; i < ARRAY_SIZE(offsets); i++) {
			word = swp_vt_mk_phys(type, offsets[i]);
			KUNIT_EXPECT_EQ(test, SWP_VT_PHYS, swp_vt_kind(word));
			KUNIT_EXPECT_EQ(test, type, swp_vt_phys_type(word));
			KUNIT_EXPECT_EQ(test, offsets[i], swp_vt_phys_offset(word));
		}
	object = kunit_kmalloc(test, 8, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, object);
	word = swp_vt_mk_zswap(object);
	KUNIT_EXPECT_EQ(test, SWP_VT_ZSWAP, swp_vt_kind(word));
	KUNIT_EXPECT_PTR_EQ(test, object, swp_vt_zswap(word));
	KUNIT_EXPECT_EQ(test, SWP_VT_NONE, swp_vt_kind(0));
	KUNIT_EXPECT_EQ(test, SWP_VT_POISON, swp_vt_kind(SWP_VT_POISON));
}

/* Stepping through swap ptes changes the offset, and nothing else */
static void swap_pte_move(struct kunit *test)
{
	static const long deltas[] = { 0, 1, 2, 511, 512, 1L << 20 };
	unsigned int type, i, flags;
	unsigned long offset;
	pte_t from, to;

	for (type = 0; type < MAX_SWAPFILES; type += MAX_SWAPFILES - 1)
		for (i = 0; i < ARRAY_SIZE(deltas); i++)
			for (flags = 0; flags < 8; flags++) {
				offset = 0x123456;
				from = swp_entry_to_pte(swp_entry(type, offset));
				to = swp_entry_to_pte(swp_entry(type, offset + deltas[i]));
				if (flags & 1) {
					from = pte_swp_mksoft_dirty(from);
					to = pte_swp_mksoft_dirty(to);
				}
				if (flags & 2) {
					from = pte_swp_mkexclusive(from);
					to = pte_swp_mkexclusive(to);
				}
				if (flags & 4) {
					from = pte_swp_mkuffd_wp(from);
					to = pte_swp_mkuffd_wp(to);
				}
				from = pte_move_swp_offset(from, deltas[i]);
				KUNIT_EXPECT_TRUE(test, pte_same(from, to));
				to = pte_move_swp_offset(to, -deltas[i]);
				from = pte_move_swp_offset(from, -deltas[i]);
				KUNIT_EXPECT_TRUE(test, pte_same(from, to));
			}
}

static struct kunit_case swap_table_cases[] = {
	KUNIT_CASE(swap_table_bits),
	KUNIT_CASE(swap_table_constants),
	KUNIT_CASE(swap_table_pfn),
	KUNIT_CASE(swap_table_shadow),
	KUNIT_CASE(swap_table_set_count),
	KUNIT_CASE(swap_table_rmap),
	KUNIT_CASE(swap_table_words),
	KUNIT_CASE(swap_pte_move),
	{}
};

static struct kunit_suite swap_table_suite = {
	.name = "swap_table",
	.test_cases = swap_table_cases,
};

kunit_test_suite(swap_table_suite);

MODULE_DESCRIPTION("KUnit tests for the format of swap tables");
MODULE_LICENSE("GPL");
