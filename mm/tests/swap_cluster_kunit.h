/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KUnit tests for clusters and their tables, on a device that does not exist:
 * slots are allocated and freed, nothing is read or written.
 */
#ifdef CONFIG_SWAP_KUNIT_TEST

#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/blkdev.h>
#include <linux/zswap.h>

/* Enough for the array of clusters to grow several times, and not a multiple */
#define KDEV_MAX	(300UL * SWAPFILE_CLUSTER + 77)
#define KDEV_TYPE	(MAX_SWAPFILES - 1)

static const unsigned long kdev_flags[] = {
	SWP_USED | SWP_WRITEOK | SWP_BLKDEV | SWP_SOLIDSTATE,
	SWP_USED | SWP_WRITEOK | SWP_BLKDEV,
};

static void kdev_describe(const unsigned long *flags, char *desc)
{
	strscpy(desc, *flags & SWP_SOLIDSTATE ? "solid state" : "rotating",
		KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(kdev, kdev_flags, kdev_describe);

/* All slots of the third cluster, and one of the fifth */
static bool kdev_bad(unsigned long offset)
{
	return !offset || offset / SWAPFILE_CLUSTER == 2 ||
	       offset == 4 * SWAPFILE_CLUSTER + 7;
}

static unsigned long kdev_usable(void)
{
	return KDEV_MAX - SWAPFILE_CLUSTER - 2;
}

static struct swap_table *kdev_table(struct swap_cluster_info *ci)
{
	return rcu_dereference_protected(ci->table, true);
}

/*
 * Slots that somebody refers to and that are not cached: the allocator marks
 * them as hibernation's.
 */
static unsigned long kdev_alloc(struct swap_info_struct *si, unsigned int order)
{
	unsigned long offset = swap_cluster_alloc(si, NULL, order);
	struct swap_cluster_info *ci;
	unsigned int i;

	if (!offset)
		return 0;
	ci = swap_cluster_lock(si, offset);
	for (i = 0; i < 1 << order; i++) {
		WARN_ON(!swp_tb_is_bad(__swap_table_get(ci, offset + i)));
		__swap_table_set(ci, offset + i,
				 swp_tb_mk_shadow(NULL, swp_tb_mk_flags(1, false)));
	}
	swap_cluster_unlock(ci);
	return offset;
}

static void kdev_free(struct swap_info_struct *si, unsigned long offset,
		      unsigned int nr)
{
	struct swap_cluster_info *ci = swap_cluster_lock(si, offset);

	swap_cluster_free(si, ci, offset, nr);
	swap_cluster_unlock(ci);
}

static void kdev_exit(struct kunit *test)
{
	struct swap_info_struct *si = test->priv;
	unsigned long i;

	if (!si)
		return;
	/* Slots in use are missing from those of real devices */
	for (i = 0; i < si->slots_end; i++)
		if (swp_tb_is_counted(swap_table_get(swap_slot_cluster(si, i), i)))
			kdev_free(si, i, 1);
	cancel_work_sync(&si->discard_work);
	cancel_delayed_work_sync(&si->reclaim_work);
	swap_clusters_exit(si);
	zswap_swapoff(KDEV_TYPE);
}

static int kdev_init(struct kunit *test)
{
	static const struct block_device_operations fops;
	const unsigned long *flags = test->param_value;
	struct swap_info_struct *si;
	unsigned long i;

	si = kunit_kzalloc(test, struct_size(si, avail_lists, nr_node_ids), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, si);
	si->bdev = kunit_kzalloc(test, sizeof(*si->bdev), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, si->bdev);
	si->bdev->bd_disk = kunit_kzalloc(test, sizeof(*si->bdev->bd_disk), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, si->bdev->bd_disk);
	si->bdev->bd_disk->fops = &fops;

	si->type = KDEV_TYPE;
	si->flags = *flags;
	si->max = KDEV_MAX;
	/* It is never full, which would have it leave a list that it is not on */
	si->pages = UINT_MAX;
	spin_lock_init(&si->lock);

	si->bad_slots = kmalloc_array(SWAPFILE_CLUSTER + 1, sizeof(u32), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, si->bad_slots);
	for (i = 1; i < KDEV_MAX; i++)
		if (kdev_bad(i))
			si->bad_slots[si->nr_bad_slots++] = i;
	test->priv = si;
	KUNIT_ASSERT_EQ(test, 0, swap_clusters_init(si));
	zswap_swapon(KDEV_TYPE, KDEV_MAX);
	return 0;
}

/* Nobody else uses the device. */
static void kdev_check(struct kunit *test, unsigned long used)
{
	struct swap_info_struct *si = test->priv;
	struct swap_cluster_info *ci;
	unsigned long i, sum = 0;

	for (i = 0; i < clusters_nr(si); i++) {
		ci = si->cluster_info + i;
		spin_lock(&ci->lock);
		KUNIT_EXPECT_TRUE(test, cluster_consistent(si, ci));
		spin_unlock(&ci->lock);
	}
	for (i = 0; i < swap_slots_end(si); i++)
		sum += swp_tb_is_counted(swap_table_get(swap_slot_cluster(si, i), i));
	spin_lock(&si->lock);
	KUNIT_EXPECT_TRUE(test, lists_consistent(si));
	spin_unlock(&si->lock);
	KUNIT_EXPECT_EQ(test, used, sum);
	KUNIT_EXPECT_EQ(test, used, atomic_long_read(&si->inuse_pages));
}

/* What is wrong is found: each fault that is made here is one that bugs make. */
static void swap_cluster_inconsistent(struct kunit *test)
{
	struct swap_info_struct *si = test->priv;
	unsigned int *extend = kunit_kzalloc(test, SWAP_EXTEND_SIZE, GFP_KERNEL);
	unsigned long offset = kdev_alloc(si, 0), swp_tb, all;
	struct swap_cluster_info *ci;
	struct list_head free;

	KUNIT_ASSERT_NOT_NULL(test, extend);
	KUNIT_ASSERT_TRUE(test, swap_cluster_prepare_memcg(swap_slot_cluster(si, offset)));
	ci = swap_cluster_lock(si, offset);
	swp_tb = __swap_table_get(ci, offset);
	all = swp_tb_set_count(swp_tb, SWP_TB_COUNT_MAX);
	KUNIT_EXPECT_TRUE(test, cluster_consistent(si, ci));
	/* a slot that is lost, counted twice, or that nobody refers to */
	ci->count++;
	KUNIT_EXPECT_FALSE(test, cluster_consistent(si, ci));
	ci->count--;
	__swap_table_set(ci, offset, SWP_TB_NULL);
	KUNIT_EXPECT_FALSE(test, cluster_consistent(si, ci));
	__swap_table_set(ci, offset, swp_tb_set_count(swp_tb, 0));
	KUNIT_EXPECT_FALSE(test, cluster_consistent(si, ci));
	/* counts that are here and there, or neither */
	__swap_table_set(ci, offset, all);
	KUNIT_EXPECT_FALSE(test, cluster_consistent(si, ci));
	ci->extend = extend;
	KUNIT_EXPECT_FALSE(test, cluster_consistent(si, ci));
	extend[offset % SWAPFILE_CLUSTER] = SWP_TB_COUNT_MAX;
	KUNIT_EXPECT_TRUE(test, cluster_consistent(si, ci));
	__swap_table_set(ci, offset, swp_tb);
	KUNIT_EXPECT_FALSE(test, cluster_consistent(si, ci));
	ci->extend = NULL;
	/* a state that is not so */
	ci->state = CLUSTER_FREE;
	KUNIT_EXPECT_FALSE(test, cluster_consistent(si, ci));
	ci->state = CLUSTER_FULL;
	KUNIT_EXPECT_FALSE(test, cluster_consistent(si, ci));
	ci->state = CLUSTER_NONFULL;
	/* what a slot had before it was freed */
	if (ci->memcg_ids) {
		__swap_cluster_set_memcg(ci, offset + 1, 1, USHRT_MAX);
		KUNIT_EXPECT_FALSE(test, cluster_consistent(si, ci));
		__swap_cluster_set_memcg(ci, offset + 1, 1, 0);
	}
	KUNIT_EXPECT_TRUE(test, cluster_consistent(si, ci));
	swap_cluster_unlock(ci);

	spin_lock(&si->lock);
	KUNIT_EXPECT_TRUE(test, lists_consistent(si));
	list_move(&ci->list, &si->full_clusters);
	KUNIT_EXPECT_FALSE(test, lists_consistent(si));
	list_del_init(&ci->list);
	KUNIT_EXPECT_FALSE(test, lists_consistent(si));
	list_add(&ci->list, &si->nonfull_clusters[0]);
	list_replace_init(&si->free_clusters, &free);
	KUNIT_EXPECT_FALSE(test, lists_consistent(si));
	list_replace(&free, &si->free_clusters);
	si->frag_cluster_nr[0]++;
	KUNIT_EXPECT_FALSE(test, lists_consistent(si));
	si->frag_cluster_nr[0]--;
	KUNIT_EXPECT_TRUE(test, lists_consistent(si));
	spin_unlock(&si->lock);
	kdev_check(test, 1);
}

/* A cluster has a table from its first slot to its last. */
static void swap_cluster_life(struct kunit *test)
{
	struct swap_info_struct *si = test->priv;
	unsigned long offset, other;
	struct swap_cluster_info *ci;
	struct swap_table *table;

	offset = kdev_alloc(si, 0);
	KUNIT_ASSERT_NE(test, 0UL, offset);
	ci = si->cluster_info + offset / SWAPFILE_CLUSTER;
	table = kdev_table(ci);
	KUNIT_ASSERT_NOT_NULL(test, table);
	KUNIT_EXPECT_EQ(test, 1, ci->count);
	KUNIT_EXPECT_EQ(test, CLUSTER_NONFULL, ci->state);
	KUNIT_EXPECT_TRUE(test, swp_tb_is_shadow(swap_table_get(ci, offset)));

	other = kdev_alloc(si, 0);
	KUNIT_EXPECT_EQ(test, offset + 1, other);
	KUNIT_EXPECT_PTR_EQ(test, table, kdev_table(ci));
	kdev_check(test, 2);

	/* Who still has the table finds nothing there */
	rcu_read_lock();
	kdev_free(si, offset, 1);
	KUNIT_EXPECT_PTR_EQ(test, table, kdev_table(ci));
	kdev_free(si, other, 1);
	KUNIT_EXPECT_NULL(test, kdev_table(ci));
	KUNIT_EXPECT_EQ(test, SWP_TB_NULL,
			READ_ONCE(table->entries[offset % SWAPFILE_CLUSTER]));
	rcu_read_unlock();
	KUNIT_EXPECT_EQ(test, SWP_TB_NULL, swap_table_get(ci, offset));
	KUNIT_EXPECT_EQ(test, CLUSTER_FREE, ci->state);
	kdev_check(test, 0);
}

/* Every usable slot is handed out once, and the device grows to have it. */
static void swap_cluster_fill(struct kunit *test)
{
	struct swap_info_struct *si = test->priv;
	unsigned long n, offset, end = swap_slots_end(si);
	unsigned long *seen;
	unsigned int grown = 0;

	seen = kunit_kzalloc(test, bitmap_size(KDEV_MAX), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, seen);
	KUNIT_EXPECT_LT(test, end, KDEV_MAX);
	for (n = 0; (offset = kdev_alloc(si, 0)); n++) {
		KUNIT_ASSERT_LT(test, offset, swap_slots_end(si));
		KUNIT_ASSERT_FALSE(test, kdev_bad(offset));
		KUNIT_ASSERT_FALSE(test, __test_and_set_bit(offset, seen));
		if (swap_slots_end(si) != end) {
			KUNIT_ASSERT_GT(test, swap_slots_end(si), end);
			end = swap_slots_end(si);
			grown++;
		}
	}
	KUNIT_EXPECT_EQ(test, kdev_usable(), n);
	KUNIT_EXPECT_EQ(test, KDEV_MAX, end);
	KUNIT_EXPECT_GE(test, grown, 2);
	kdev_check(test, n);

	for (offset = 0; offset < KDEV_MAX; offset++)
		if (!kdev_bad(offset))
			kdev_free(si, offset, 1);
	kdev_check(test, 0);
	/* what can never be free keeps its table: header, bad pages, tail */
	for (n = 0, offset = 0; offset < KDEV_MAX; offset += SWAPFILE_CLUSTER)
		n += !!kdev_table(si->cluster_info + offset / SWAPFILE_CLUSTER);
	KUNIT_EXPECT_EQ(test, 4UL, n);
}

/* Slots of every order are aligned, contiguous, and of one cluster. */
static void swap_cluster_orders(struct kunit *test)
{
	struct swap_info_struct *si = test->priv;
	unsigned long offset[SWAP_NR_ORDERS][3], used = 0;
	unsigned int order, i, nr;

	for (i = 0; i < 3; i++) {
		for (order = 0; order < SWAP_NR_ORDERS; order++) {
			nr = 1 << order;
			offset[order][i] = kdev_alloc(si, order);
			KUNIT_ASSERT_NE(test, 0UL, offset[order][i]);
			KUNIT_EXPECT_TRUE(test, IS_ALIGNED(offset[order][i], nr));
			used += nr;
		}
		kdev_check(test, used);
	}
	for (order = 0; order < SWAP_NR_ORDERS; order++) {
		for (i = 0; i < 3; i++)
			kdev_free(si, offset[order][i], 1 << order);
		used -= 3 << order;
		kdev_check(test, used);
	}
}

/* An order that finds no room does not keep another from what there is. */
static void swap_cluster_scarce(struct kunit *test)
{
	struct swap_info_struct *si = test->priv;
	unsigned long n = 0, offset, last = 0;

	if (SWAP_NR_ORDERS == 1)
		kunit_skip(test, "no large orders");
	while ((offset = kdev_alloc(si, 1))) {
		last = offset;
		n += 2;
	}
	/* clusters with slots that cannot be used are never free for others */
	KUNIT_EXPECT_EQ(test, n, (KDEV_MAX / SWAPFILE_CLUSTER - 3) * SWAPFILE_CLUSTER);
	kdev_free(si, last, 1);
	KUNIT_EXPECT_EQ(test, 0UL, kdev_alloc(si, 1));
	for (; kdev_alloc(si, 0); n++)
		;
	KUNIT_EXPECT_EQ(test, kdev_usable() + 1, n);
	kdev_check(test, kdev_usable());
}

/* What was never allocated can be looked up as well. */
static void swap_cluster_lookup(struct kunit *test)
{
	struct swap_info_struct *si = test->priv;
	unsigned long end = swap_slots_end(si);

	KUNIT_EXPECT_PTR_EQ(test, si->cluster_info, swap_slot_cluster(si, 0));
	KUNIT_EXPECT_NOT_NULL(test, swap_slot_cluster(si, end - 1));
	KUNIT_EXPECT_NULL(test, swap_slot_cluster(si, end));
	KUNIT_EXPECT_NULL(test, swap_slot_cluster(si, KDEV_MAX));
	KUNIT_EXPECT_NULL(test, swap_slot_cluster(si, ULONG_MAX));

	KUNIT_EXPECT_EQ(test, SWP_TB_NULL,
			swap_table_get(swap_slot_cluster(si, end - 1), end - 1));
	KUNIT_EXPECT_EQ(test, SWP_TB_BAD,
			swap_table_get(swap_slot_cluster(si, 0), 0));
	/* no device has the type of this one */
	KUNIT_EXPECT_NULL(test, swap_cache_get_folio(swp_entry(KDEV_TYPE, 1)));
	KUNIT_EXPECT_NULL(test, swap_cache_get_shadow(swp_entry(KDEV_TYPE, 1)));
}

/* A table that is had ahead of its use is the one that is used. */
static void swap_cluster_prepared(struct kunit *test)
{
	struct swap_info_struct *si = test->priv;
	struct swap_cluster_info *ci;
	struct swap_table *table;
	unsigned long offset;

	ci = list_first_entry(&si->free_clusters, struct swap_cluster_info, list);
	KUNIT_ASSERT_TRUE(test, cluster_prepare_free(si));
	table = kdev_table(ci);
	KUNIT_ASSERT_NOT_NULL(test, table);
	/* not one more */
	KUNIT_ASSERT_TRUE(test, cluster_prepare_free(si));
	KUNIT_EXPECT_PTR_EQ(test, table, kdev_table(ci));
	kdev_check(test, 0);

	offset = kdev_alloc(si, 0);
	KUNIT_EXPECT_PTR_EQ(test, ci, si->cluster_info + offset / SWAPFILE_CLUSTER);
	KUNIT_EXPECT_PTR_EQ(test, table, kdev_table(ci));
	kdev_free(si, offset, 1);
	kdev_check(test, 0);
}

/* Nothing is allocated once swapoff has begun. */
static void swap_cluster_writeok(struct kunit *test)
{
	struct swap_info_struct *si = test->priv;
	unsigned long offset = kdev_alloc(si, 0);
	unsigned int order;

	KUNIT_ASSERT_NE(test, 0UL, offset);
	si->flags &= ~SWP_WRITEOK;
	swap_clusters_quiesce(si);
	for (order = 0; order < SWAP_NR_ORDERS; order++)
		KUNIT_EXPECT_EQ(test, 0UL, kdev_alloc(si, order));
	kdev_free(si, offset, 1);
	KUNIT_EXPECT_EQ(test, 0UL, kdev_alloc(si, 0));
	kdev_check(test, 0);
}

static void kdev_set(struct swap_info_struct *si, unsigned long offset,
		     unsigned long swp_tb)
{
	struct swap_cluster_info *ci = swap_cluster_lock(si, offset);

	__swap_table_set(ci, offset, swp_tb);
	swap_cluster_unlock(ci);
}

static unsigned int kdev_count(struct swap_info_struct *si, unsigned long offset)
{
	struct swap_cluster_info *ci = swap_cluster_lock(si, offset);
	unsigned int count = swap_slot_count(ci, offset);

	swap_cluster_unlock(ci);
	return count;
}

static int kdev_dup(struct swap_info_struct *si, unsigned long offset,
		    unsigned int nr)
{
	struct swap_cluster_info *ci = swap_cluster_lock(si, offset);
	int err = swap_slots_dup(ci, offset, nr);

	swap_cluster_unlock(ci);
	return err;
}

static int kdev_put(struct swap_info_struct *si, unsigned long offset,
		    unsigned int nr)
{
	struct swap_cluster_info *ci = swap_cluster_lock(si, offset);
	int ret = swap_slots_put(si, ci, offset, nr);

	swap_cluster_unlock(ci);
	return ret;
}

/* Contiguous on a device that is still empty. */
static unsigned long kdev_alloc_some(struct swap_info_struct *si, unsigned int nr)
{
	unsigned long first = kdev_alloc(si, 0);

	while (--nr)
		kdev_alloc(si, 0);
	return first;
}

/* Counts of neighbours go up and down, each across where counts are kept. */
static void swap_cluster_counts(struct kunit *test)
{
	struct swap_info_struct *si = test->priv;
	const unsigned int most = 3 * SWP_TB_COUNT_MAX;
	unsigned long offset = kdev_alloc_some(si, 2);
	struct swap_cluster_info *ci = si->cluster_info + offset / SWAPFILE_CLUSTER;
	unsigned int i, j;

	for (i = 0; i < 2; i++) {
		for (j = 1; j < most; j++) {
			KUNIT_EXPECT_EQ(test, j, kdev_count(si, offset + i));
			KUNIT_EXPECT_EQ(test, i || j >= SWP_TB_COUNT_MAX, !!ci->extend);
			KUNIT_ASSERT_EQ(test, 0, kdev_dup(si, offset + i, 1));
		}
		KUNIT_EXPECT_EQ(test, most, kdev_count(si, offset + i));
	}
	for (i = 0; i < 2; i++) {
		for (j = most; j > 1; j--) {
			KUNIT_EXPECT_EQ(test, j, kdev_count(si, offset + i));
			KUNIT_EXPECT_EQ(test, !i || j >= SWP_TB_COUNT_MAX, !!ci->extend);
			KUNIT_ASSERT_EQ(test, 0, kdev_put(si, offset + i, 1));
		}
		/* to and fro where it changes its place */
		while (kdev_count(si, offset + i) <= SWP_TB_COUNT_MAX)
			KUNIT_ASSERT_EQ(test, 0, kdev_dup(si, offset + i, 1));
		while (kdev_count(si, offset + i) > 1)
			KUNIT_ASSERT_EQ(test, 0, kdev_put(si, offset + i, 1));
	}
	KUNIT_EXPECT_NULL(test, ci->extend);
	/* the zero bit and the shadow are next to the count, not part of it */
	kdev_set(si, offset, swp_tb_mk_shadow(xa_mk_value(5), swp_tb_mk_flags(1, true)));
	for (j = 1; j < most; j++)
		KUNIT_ASSERT_EQ(test, 0, kdev_dup(si, offset, 1));
	KUNIT_EXPECT_PTR_EQ(test, xa_mk_value(5), swp_tb_shadow(swap_table_get(ci, offset)));
	KUNIT_EXPECT_EQ(test, !!SWP_TB_ZERO_BITS, swp_tb_is_zero(swap_table_get(ci, offset)));
	for (j = 1; j < most; j++)
		KUNIT_ASSERT_EQ(test, 0, kdev_put(si, offset, 1));

	/* the last references: both slots are free */
	KUNIT_EXPECT_EQ(test, 0, kdev_put(si, offset, 2));
	KUNIT_EXPECT_EQ(test, SWP_TB_NULL, swap_table_get(ci, offset));
	kdev_check(test, 0);
}

/* The table is there for the reference that wants it, and not for less. */
static void swap_cluster_extend(struct kunit *test)
{
	struct swap_info_struct *si = test->priv;
	unsigned long offset = kdev_alloc_some(si, 1);
	struct swap_cluster_info *ci = si->cluster_info + offset / SWAPFILE_CLUSTER;
	unsigned int *extend;

	KUNIT_EXPECT_EQ(test, 0, swap_extend_alloc(ci, offset, GFP_KERNEL));
	KUNIT_EXPECT_NULL(test, ci->extend);
	while (kdev_count(si, offset) < SWP_TB_COUNT_MAX - 1)
		KUNIT_ASSERT_EQ(test, 0, kdev_dup(si, offset, 1));
	KUNIT_EXPECT_EQ(test, 0, swap_extend_alloc(ci, offset, GFP_KERNEL));
	extend = ci->extend;
	KUNIT_ASSERT_NOT_NULL(test, extend);
	KUNIT_EXPECT_EQ(test, 0, swap_extend_alloc(ci, offset, GFP_KERNEL));
	KUNIT_EXPECT_PTR_EQ(test, extend, ci->extend);
	/* one reference less after all: it goes with the last slot */
	while (kdev_count(si, offset))
		KUNIT_ASSERT_EQ(test, 0, kdev_put(si, offset, 1));
	KUNIT_EXPECT_NULL(test, ci->extend);
	kdev_check(test, 0);
}

/* What a slot that is cached, free, bad or hibernation's does and refuses. */
static void swap_cluster_refused(struct kunit *test)
{
	struct swap_info_struct *si = test->priv;
	unsigned long offset = kdev_alloc_some(si, 4), bad = 0, hibernation;
	struct swap_cluster_info *ci = si->cluster_info + offset / SWAPFILE_CLUSTER;
	unsigned long cached = swp_tb_mk_pfn(1, swp_tb_mk_flags(0, false));

	/* cached: from 0 to 1 and back, and no further; never free */
	kdev_set(si, offset, cached);
	KUNIT_EXPECT_TRUE(test, swap_slot_only_cached(ci, offset));
	KUNIT_EXPECT_EQ(test, -EINVAL, kdev_put(si, offset, 1));
	KUNIT_EXPECT_EQ(test, 0, kdev_dup(si, offset, 1));
	KUNIT_EXPECT_FALSE(test, swap_slot_only_cached(ci, offset));
	KUNIT_EXPECT_EQ(test, 1, kdev_put(si, offset, 1));
	KUNIT_EXPECT_EQ(test, cached, swap_table_get(ci, offset));

	/* not cached: 0 is what a free slot has */
	KUNIT_EXPECT_EQ(test, 0, kdev_put(si, offset + 1, 1));
	KUNIT_EXPECT_EQ(test, SWP_TB_NULL, swap_table_get(ci, offset + 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, kdev_dup(si, offset + 1, 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, kdev_put(si, offset + 1, 1));
	kdev_set(si, offset + 2, swp_tb_mk_shadow(NULL, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL, kdev_dup(si, offset + 2, 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, kdev_put(si, offset + 2, 1));
	kdev_set(si, offset + 2, swp_tb_mk_shadow(NULL, swp_tb_mk_flags(1, false)));

	/* all or nothing up; what can be put is put down */
	KUNIT_EXPECT_EQ(test, -EINVAL, kdev_dup(si, offset, 4));
	KUNIT_EXPECT_EQ(test, 0U, kdev_count(si, offset));
	KUNIT_EXPECT_EQ(test, 1U, kdev_count(si, offset + 2));
	KUNIT_EXPECT_EQ(test, -EINVAL, kdev_put(si, offset, 4));
	KUNIT_EXPECT_EQ(test, SWP_TB_NULL, swap_table_get(ci, offset + 2));
	KUNIT_EXPECT_EQ(test, SWP_TB_NULL, swap_table_get(ci, offset + 3));
	kdev_check(test, 1);

	hibernation = swap_cluster_alloc(si, NULL, 0);
	KUNIT_EXPECT_EQ(test, -EINVAL, kdev_dup(si, hibernation, 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, kdev_put(si, hibernation, 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, kdev_dup(si, bad, 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, kdev_put(si, bad, 1));
	kdev_free(si, hibernation, 1);
	kdev_free(si, offset, 1);
	/* a cluster without a table */
	KUNIT_EXPECT_EQ(test, -EINVAL, kdev_dup(si, offset, 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, kdev_put(si, offset, 1));
	kdev_check(test, 0);
}

/* A range in which slots go different ways. */
static void swap_cluster_range(struct kunit *test)
{
	struct swap_info_struct *si = test->priv;
	unsigned long offset = kdev_alloc_some(si, 6);
	struct swap_cluster_info *ci = si->cluster_info + offset / SWAPFILE_CLUSTER;

	KUNIT_ASSERT_EQ(test, 0, kdev_dup(si, offset + 2, 1));
	kdev_set(si, offset + 4, swp_tb_mk_pfn(1, swp_tb_mk_flags(1, false)));
	KUNIT_EXPECT_EQ(test, 1, kdev_put(si, offset, 6));
	KUNIT_EXPECT_EQ(test, SWP_TB_NULL, swap_table_get(ci, offset));
	KUNIT_EXPECT_EQ(test, SWP_TB_NULL, swap_table_get(ci, offset + 1));
	KUNIT_EXPECT_EQ(test, 1U, kdev_count(si, offset + 2));
	KUNIT_EXPECT_EQ(test, SWP_TB_NULL, swap_table_get(ci, offset + 3));
	KUNIT_EXPECT_TRUE(test, swap_slot_only_cached(ci, offset + 4));
	KUNIT_EXPECT_EQ(test, SWP_TB_NULL, swap_table_get(ci, offset + 5));
	kdev_check(test, 2);
	kdev_free(si, offset + 4, 1);
	KUNIT_EXPECT_EQ(test, 0, kdev_put(si, offset + 2, 1));
	kdev_check(test, 0);
}

/* Cgroup ids and zero bits belong to a slot, and are gone when it is free. */
static void swap_cluster_marks(struct kunit *test)
{
	struct swap_info_struct *si = test->priv;
	unsigned long offset = kdev_alloc_some(si, 3);
	struct swap_cluster_info *ci = si->cluster_info + offset / SWAPFILE_CLUSTER;

	swap_cluster_set_zero(ci, offset + 1, 2, true);
	KUNIT_EXPECT_FALSE(test, swap_slot_is_zero(ci, offset));
	KUNIT_EXPECT_TRUE(test, swap_slot_is_zero(ci, offset + 1));
	KUNIT_EXPECT_TRUE(test, swap_slots_alike_zero(ci, offset + 1, 2));
	KUNIT_EXPECT_FALSE(test, swap_slots_alike_zero(ci, offset, 2));
	KUNIT_EXPECT_EQ(test, 1U, kdev_count(si, offset + 1));
	swap_cluster_set_zero(ci, offset, 2, false);
	KUNIT_EXPECT_FALSE(test, swap_slot_is_zero(ci, offset + 1));
	KUNIT_EXPECT_TRUE(test, swap_slot_is_zero(ci, offset + 2));

	KUNIT_EXPECT_NULL(test, ci->memcg_ids);
	KUNIT_EXPECT_TRUE(test, swap_cluster_prepare_memcg(ci));
	KUNIT_EXPECT_EQ(test, mem_cgroup_disabled(), !ci->memcg_ids);
	if (ci->memcg_ids) {
		spin_lock(&ci->lock);
		/* no cgroup has that one: nothing is uncharged */
		__swap_cluster_set_memcg(ci, offset + 1, 1, USHRT_MAX);
		KUNIT_EXPECT_EQ(test, 0, __swap_slot_memcg_id(ci, offset));
		KUNIT_EXPECT_EQ(test, USHRT_MAX, __swap_slot_memcg_id(ci, offset + 1));
		KUNIT_EXPECT_EQ(test, 0, __swap_slot_memcg_id(ci, offset + 2));
		spin_unlock(&ci->lock);
	}

	KUNIT_EXPECT_EQ(test, 0, kdev_put(si, offset + 1, 2));
	KUNIT_EXPECT_FALSE(test, swap_slot_is_zero(ci, offset + 2));
	if (ci->memcg_ids)
		KUNIT_EXPECT_EQ(test, 0, ci->memcg_ids[(offset + 1) % SWAPFILE_CLUSTER]);
	KUNIT_EXPECT_EQ(test, 0, kdev_put(si, offset, 1));
	kdev_check(test, 0);
}

#ifdef CONFIG_VSWAP
static void kdev_set_backing(struct kunit *test, struct swap_cluster_info *ci,
			     unsigned long offset, unsigned long word,
			     unsigned long was)
{
	KUNIT_EXPECT_EQ(test, was, swap_backing_get(ci, offset));
	KUNIT_ASSERT_EQ(test, 0, swap_backing_set(ci, offset, 1, word));
	swap_cluster_lock(test->priv, offset);
	KUNIT_EXPECT_TRUE(test, cluster_consistent(test->priv, ci));
	swap_cluster_unlock(ci);
	KUNIT_EXPECT_EQ(test, word, swap_backing_get(ci, offset));
}

/* A virtual table comes with the first word and goes with the last. */
static void swap_cluster_backing(struct kunit *test)
{
	struct swap_info_struct *si = test->priv;
	unsigned long offset = kdev_alloc(si, 2), word;
	struct swap_cluster_info *ci;
	unsigned int i;

	KUNIT_ASSERT_NE(test, 0UL, offset);
	ci = swap_slot_cluster(si, offset);
	KUNIT_EXPECT_FALSE(test, rcu_access_pointer(ci->backing));
	KUNIT_EXPECT_EQ(test, SWP_VT_NONE, swap_backing_get(ci, offset));

	kdev_set_backing(test, ci, offset, SWP_VT_POISON, SWP_VT_NONE);
	KUNIT_EXPECT_EQ(test, SWP_VT_NONE, swap_backing_get(ci, offset + 1));
	kdev_set_backing(test, ci, offset + 1, swp_vt_mk_phys(3, 77), SWP_VT_NONE);
	/* of one kind, then of another: that is no third */
	kdev_set_backing(test, ci, offset, swp_vt_mk_phys(3, 76), SWP_VT_POISON);
	KUNIT_EXPECT_EQ(test, 2, ci->nr_backed);

	/* in a row, but in two clusters */
	for (i = 0; i < 4; i++) {
		word = swp_vt_mk_phys(3, SWAPFILE_CLUSTER - 2 + i);
		kdev_set_backing(test, ci, offset + i, word, swap_backing_get(ci, offset + i));
	}
	KUNIT_EXPECT_EQ(test, 2, swap_backing_run(ci, offset, 4));
	KUNIT_EXPECT_EQ(test, 2, swap_backing_run(ci, offset + 2, 2));
	KUNIT_EXPECT_EQ(test, 1, swap_backing_run(ci, offset, 1));
	kdev_set_backing(test, ci, offset + 2, SWP_VT_NONE, swp_vt_mk_phys(3, SWAPFILE_CLUSTER));
	kdev_set_backing(test, ci, offset + 3, SWP_VT_NONE, word);
	KUNIT_EXPECT_EQ(test, 0, swap_backing_run(ci, offset + 2, 2));
	kdev_set_backing(test, ci, offset, swp_vt_mk_phys(3, 76),
			 swp_vt_mk_phys(3, SWAPFILE_CLUSTER - 2));
	kdev_set_backing(test, ci, offset + 1, swp_vt_mk_phys(3, 77),
			 swp_vt_mk_phys(3, SWAPFILE_CLUSTER - 1));

	swap_cluster_lock(si, offset);
	/* one that a slot has which is free, and one that is not counted */
	__swap_backing_set(ci, offset + 4, SWP_VT_POISON);
	KUNIT_EXPECT_FALSE(test, cluster_consistent(si, ci));
	__swap_backing_set(ci, offset + 4, SWP_VT_NONE);
	ci->nr_backed++;
	KUNIT_EXPECT_FALSE(test, cluster_consistent(si, ci));
	ci->nr_backed--;
	/* of the virtual device, what is nowhere is lost */
	si->flags |= SWP_VSWAP;
	KUNIT_EXPECT_FALSE(test, cluster_consistent(si, ci));
	si->flags &= ~SWP_VSWAP;
	KUNIT_EXPECT_TRUE(test, cluster_consistent(si, ci));

	__swap_backing_set(ci, offset, SWP_VT_NONE);
	KUNIT_EXPECT_TRUE(test, rcu_access_pointer(ci->backing));
	KUNIT_EXPECT_EQ(test, swp_vt_mk_phys(3, 77),
			__swap_backing_set(ci, offset + 1, SWP_VT_NONE));
	KUNIT_EXPECT_FALSE(test, rcu_access_pointer(ci->backing));
	/* nothing to say, and no table needed for that */
	KUNIT_EXPECT_EQ(test, SWP_VT_NONE,
			__swap_backing_set(ci, offset, SWP_VT_NONE));
	swap_cluster_unlock(ci);

	/* a new one is as empty as the first */
	kdev_set_backing(test, ci, offset + 2, SWP_VT_POISON, SWP_VT_NONE);
	KUNIT_EXPECT_EQ(test, SWP_VT_NONE, swap_backing_get(ci, offset + 1));
	kdev_set_backing(test, ci, offset + 2, SWP_VT_NONE, SWP_VT_POISON);
	KUNIT_EXPECT_EQ(test, 0, kdev_put(si, offset, 4));
	kdev_check(test, 0);
}
#else
static void swap_cluster_backing(struct kunit *test)
{
	kunit_skip(test, "no virtual device");
}
#endif

/*
 * The last slots of 16 TiB, all of those in front of which are taken; a virtual
 * device is larger.
 */
static void swap_cluster_huge(struct kunit *test)
{
	struct swap_info_struct *si = test->priv;
	const unsigned long max = (unsigned long)(1ULL << (IS_ENABLED(CONFIG_VSWAP) ? 33 : 32));
	const unsigned long first = max - 100UL * SWAPFILE_CLUSTER;
	unsigned long end, offset, last = 0, n = 0, i;
	struct swap_cluster_info *ci;
	swp_entry_t entry;

	if (!max)
		kunit_skip(test, "no device is that large");
	swap_clusters_exit(si);
	zswap_swapoff(KDEV_TYPE);
	si->max = max;
	KUNIT_ASSERT_EQ(test, 0, swap_clusters_init(si));
	zswap_swapon(KDEV_TYPE, max);
	end = swap_slots_end(si);
	KUNIT_ASSERT_LT(test, end, first);

	/* what exists is taken, and what lies between is as if it were */
	while (!list_empty(&si->free_clusters))
		KUNIT_ASSERT_NE(test, 0UL, kdev_alloc(si, 0));
	ci = si->cluster_info + first / SWAPFILE_CLUSTER - 1;
	si->cluster_mem_end = (unsigned long)PTR_ALIGN_DOWN(ci, PAGE_SIZE);
	si->slots_end = first;

	while ((offset = kdev_alloc(si, 0))) {
		if (offset < end)
			continue;
		KUNIT_ASSERT_GE(test, offset, first);
		KUNIT_ASSERT_LT(test, offset, max);
		last = max(last, offset);
		n++;
	}
	KUNIT_EXPECT_EQ(test, max - 1, last);
	KUNIT_EXPECT_EQ(test, max - first, n);
	/* the neighbour of the first: there is memory for it */
	ci->state = CLUSTER_FULL;
	KUNIT_EXPECT_EQ(test, max, swap_slots_end(si));
	entry = swp_entry(KDEV_TYPE, last);
	KUNIT_EXPECT_EQ(test, last, swp_offset(pte_to_swp_entry(swp_entry_to_pte(entry))));
	KUNIT_EXPECT_EQ(test, (unsigned int)KDEV_TYPE, swp_type(entry));
	ci = swap_slot_cluster(si, last);
	KUNIT_EXPECT_PTR_EQ(test, si->cluster_info + max / SWAPFILE_CLUSTER - 1, ci);
	KUNIT_EXPECT_NULL(test, swap_slot_cluster(si, max));
	KUNIT_EXPECT_EQ(test, 0, kdev_dup(si, last, 1));
	KUNIT_EXPECT_EQ(test, 2U, kdev_count(si, last));
	KUNIT_EXPECT_EQ(test, 0, kdev_put(si, last, 1));

	/* one that is free is found, and all can be free again */
	KUNIT_EXPECT_EQ(test, 0, kdev_put(si, last, 1));
	KUNIT_EXPECT_EQ(test, last, kdev_alloc(si, 0));
	for (offset = first; offset < max; offset++)
		KUNIT_ASSERT_EQ(test, 0, kdev_put(si, offset, 1));
	/* there is nothing between: for what ends it the front is all there is */
	for (i = first / SWAPFILE_CLUSTER; i < max / SWAPFILE_CLUSTER; i++) {
		ci = si->cluster_info + i;
		KUNIT_EXPECT_EQ(test, CLUSTER_FREE, ci->state);
		KUNIT_EXPECT_NULL(test, kdev_table(ci));
		list_del_init(&ci->list);
	}
	si->slots_end = end;
	kdev_check(test, end - 1);
}

static struct kunit_case swap_cluster_cases[] = {
	KUNIT_CASE_PARAM(swap_cluster_inconsistent, kdev_gen_params),
	KUNIT_CASE_PARAM(swap_cluster_life, kdev_gen_params),
	KUNIT_CASE_PARAM(swap_cluster_fill, kdev_gen_params),
	KUNIT_CASE_PARAM(swap_cluster_orders, kdev_gen_params),
	KUNIT_CASE_PARAM(swap_cluster_scarce, kdev_gen_params),
	KUNIT_CASE_PARAM(swap_cluster_lookup, kdev_gen_params),
	KUNIT_CASE_PARAM(swap_cluster_prepared, kdev_gen_params),
	KUNIT_CASE_PARAM(swap_cluster_writeok, kdev_gen_params),
	KUNIT_CASE_PARAM(swap_cluster_counts, kdev_gen_params),
	KUNIT_CASE_PARAM(swap_cluster_extend, kdev_gen_params),
	KUNIT_CASE_PARAM(swap_cluster_refused, kdev_gen_params),
	KUNIT_CASE_PARAM(swap_cluster_range, kdev_gen_params),
	KUNIT_CASE_PARAM(swap_cluster_marks, kdev_gen_params),
	KUNIT_CASE_PARAM(swap_cluster_backing, kdev_gen_params),
	KUNIT_CASE_PARAM(swap_cluster_huge, kdev_gen_params),
	{}
};

static struct kunit_suite swap_cluster_suite = {
	.name = "swap_cluster",
	.init = kdev_init,
	.exit = kdev_exit,
	.test_cases = swap_cluster_cases,
};

kunit_test_suite(swap_cluster_suite);

#endif /* CONFIG_SWAP_KUNIT_TEST */
