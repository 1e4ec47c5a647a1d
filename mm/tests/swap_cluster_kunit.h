/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KUnit tests for clusters and their tables, on a device that does not exist:
 * slots are allocated and freed, nothing is read or written.
 */
#ifdef CONFIG_SWAP_KUNIT_TEST

#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/blkdev.h>
#include <linux/swap_cgroup.h>
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
	swap_cgroup_swapoff(KDEV_TYPE);
	vfree(si->swap_map);
}

static int kdev_init(struct kunit *test)
{
	static const struct block_device_operations fops;
	const unsigned long *flags = test->param_value;
	struct swap_info_struct *si;
	unsigned long i;

	si = kunit_kzalloc(test, struct_size(si, avail_lists, nr_node_ids), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, si);
	si->zeromap = kunit_kzalloc(test, bitmap_size(KDEV_MAX), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, si->zeromap);
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

	si->swap_map = vzalloc(KDEV_MAX);
	KUNIT_ASSERT_NOT_NULL(test, si->swap_map);
	for (i = 0; i < KDEV_MAX; i++)
		if (kdev_bad(i))
			si->swap_map[i] = SWAP_MAP_BAD;
	test->priv = si;
	KUNIT_ASSERT_EQ(test, 0, swap_clusters_init(si, si->swap_map));
	KUNIT_ASSERT_EQ(test, 0, zswap_swapon(KDEV_TYPE, KDEV_MAX));
	KUNIT_ASSERT_EQ(test, 0, swap_cgroup_swapon(KDEV_TYPE, KDEV_MAX));
	return 0;
}

/* Is what clusters say of themselves true? Nobody else uses the device. */
static void kdev_check(struct kunit *test, unsigned long used)
{
	struct swap_info_struct *si = test->priv;
	unsigned long i, j, count, listed, sum = 0;
	struct swap_cluster_info *ci, *other;
	struct swap_table *table;

	for (i = 0; i < clusters_nr(si); i++) {
		ci = si->cluster_info + i;
		table = kdev_table(ci);
		count = 0;
		for (j = 0; table && j < SWAPFILE_CLUSTER; j++) {
			count += !swp_tb_is_null(table->entries[j]);
			sum += swp_tb_is_counted(table->entries[j]);
		}
		KUNIT_EXPECT_EQ(test, count, ci->count);
		KUNIT_EXPECT_EQ(test, ci->state == CLUSTER_FREE, !count);
		KUNIT_EXPECT_EQ(test, ci->state == CLUSTER_FULL,
				count == SWAPFILE_CLUSTER);
		listed = 0;
		list_for_each_entry(other, cluster_list(si, ci->state, ci->order),
				    list)
			listed += other == ci;
		KUNIT_EXPECT_EQ(test, 1UL, listed);
	}
	KUNIT_EXPECT_EQ(test, used, sum);
	KUNIT_EXPECT_EQ(test, used, atomic_long_read(&si->inuse_pages));
}

/* A cluster has a table from its first slot to its last. */
static void swap_cluster_life(struct kunit *test)
{
	struct swap_info_struct *si = test->priv;
	unsigned long offset, other;
	struct swap_cluster_info *ci;
	struct swap_table *table;

	offset = swap_cluster_alloc(si, 1, 0);
	KUNIT_ASSERT_NE(test, 0UL, offset);
	ci = si->cluster_info + offset / SWAPFILE_CLUSTER;
	table = kdev_table(ci);
	KUNIT_ASSERT_NOT_NULL(test, table);
	KUNIT_EXPECT_EQ(test, 1, ci->count);
	KUNIT_EXPECT_EQ(test, CLUSTER_NONFULL, ci->state);
	KUNIT_EXPECT_TRUE(test, swp_tb_is_shadow(swap_table_get(ci, offset)));

	other = swap_cluster_alloc(si, 1, 0);
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
	unsigned int grown = 0;

	KUNIT_EXPECT_LT(test, end, KDEV_MAX);
	for (n = 0; (offset = swap_cluster_alloc(si, 1, 0)); n++) {
		KUNIT_ASSERT_LT(test, offset, swap_slots_end(si));
		KUNIT_ASSERT_FALSE(test, kdev_bad(offset));
		/* so marked by the one who got it, which is once */
		KUNIT_ASSERT_EQ(test, 1, si->swap_map[offset]);
		si->swap_map[offset] = 2;
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
	unsigned int order, i, j, nr;

	for (i = 0; i < 3; i++) {
		for (order = 0; order < SWAP_NR_ORDERS; order++) {
			nr = 1 << order;
			offset[order][i] = swap_cluster_alloc(si, 1, order);
			KUNIT_ASSERT_NE(test, 0UL, offset[order][i]);
			KUNIT_EXPECT_TRUE(test, IS_ALIGNED(offset[order][i], nr));
			for (j = 0; j < nr; j++)
				KUNIT_EXPECT_EQ(test, 1, si->swap_map[offset[order][i] + j]);
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
	while ((offset = swap_cluster_alloc(si, 1, 1))) {
		last = offset;
		n += 2;
	}
	/* clusters with slots that cannot be used are never free for others */
	KUNIT_EXPECT_EQ(test, n, (KDEV_MAX / SWAPFILE_CLUSTER - 3) * SWAPFILE_CLUSTER);
	kdev_free(si, last, 1);
	KUNIT_EXPECT_EQ(test, 0UL, swap_cluster_alloc(si, 1, 1));
	for (; swap_cluster_alloc(si, 1, 0); n++)
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

	offset = swap_cluster_alloc(si, 1, 0);
	KUNIT_EXPECT_PTR_EQ(test, ci, si->cluster_info + offset / SWAPFILE_CLUSTER);
	KUNIT_EXPECT_PTR_EQ(test, table, kdev_table(ci));
	kdev_free(si, offset, 1);
	kdev_check(test, 0);
}

/* Nothing is allocated once swapoff has begun. */
static void swap_cluster_writeok(struct kunit *test)
{
	struct swap_info_struct *si = test->priv;
	unsigned long offset = swap_cluster_alloc(si, 1, 0);
	unsigned int order;

	KUNIT_ASSERT_NE(test, 0UL, offset);
	si->flags &= ~SWP_WRITEOK;
	swap_clusters_quiesce(si);
	for (order = 0; order < SWAP_NR_ORDERS; order++)
		KUNIT_EXPECT_EQ(test, 0UL, swap_cluster_alloc(si, 1, order));
	kdev_free(si, offset, 1);
	KUNIT_EXPECT_EQ(test, 0UL, swap_cluster_alloc(si, 1, 0));
	kdev_check(test, 0);
}

static struct kunit_case swap_cluster_cases[] = {
	KUNIT_CASE_PARAM(swap_cluster_life, kdev_gen_params),
	KUNIT_CASE_PARAM(swap_cluster_fill, kdev_gen_params),
	KUNIT_CASE_PARAM(swap_cluster_orders, kdev_gen_params),
	KUNIT_CASE_PARAM(swap_cluster_scarce, kdev_gen_params),
	KUNIT_CASE_PARAM(swap_cluster_lookup, kdev_gen_params),
	KUNIT_CASE_PARAM(swap_cluster_prepared, kdev_gen_params),
	KUNIT_CASE_PARAM(swap_cluster_writeok, kdev_gen_params),
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
