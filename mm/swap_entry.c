// SPDX-License-Identifier: GPL-2.0-only
/*
 * Swap entries: how the rest of the kernel allocates them and gives them back
 */
#include <linux/mm.h>
#include <linux/swap.h>
#include <linux/swapops.h>

#include "swap.h"
#include "swap_cluster.h"

/* Put the folio into the swap cache, at slots of the virtual device or another. */
static int folio_alloc_slots(struct folio *folio)
{
	if (vswap_can_store(folio_memcg(folio))) {
		/*
		 * Should zswap not take it after all, it must go to a device, whole:
		 * once its page tables have swap entries it is not split.
		 */
		if (folio_test_large(folio) && !swap_can_take(folio))
			return -E2BIG;
		if (vswap_alloc(folio))
			return 0;
	}
	/* What may not be written would be stuck there: it waits for zswap */
	if ((!vswap_exists() ||
	     mem_cgroup_zswap_writeback_enabled(folio_memcg(folio))) &&
	    swap_alloc_slots(folio).val)
		return 0;
	mem_cgroup_swap_fail(folio);
	return -ENOMEM;
}

/**
 * folio_alloc_swap() - Allocate swap space for a folio.
 * @folio: The folio that is to be swapped out.
 *
 * The slots are contiguous and naturally aligned, and are charged to the folio's
 * memory cgroup. The folio is put into the swap cache there. Nobody refers to
 * the slots yet: as long as nobody does, they are free again when the folio
 * leaves the swap cache.
 *
 * Context: May sleep. The caller holds the folio lock. The folio is up to date,
 * and not in the swap cache.
 * Return: 0, or -ENOMEM when no device has room for the folio or the cgroup may
 * not have the slots; -E2BIG for a large folio that must be split for swapping.
 */
int folio_alloc_swap(struct folio *folio)
{
	unsigned int nr = folio_nr_pages(folio);
	struct swap_cluster_info *ci;
	int err, memcg_id;

	VM_WARN_ON_ONCE_FOLIO(!folio_test_locked(folio), folio);
	VM_WARN_ON_ONCE_FOLIO(!folio_test_uptodate(folio), folio);
	VM_WARN_ON_ONCE_FOLIO(folio_test_swapcache(folio), folio);
	VM_WARN_ON_ONCE_FOLIO(!folio_test_swapbacked(folio), folio);

	if (folio_test_large(folio) && !IS_ENABLED(CONFIG_THP_SWAP)) {
		mem_cgroup_swap_fail(folio);
		return -E2BIG;
	}
	err = folio_alloc_slots(folio);
	if (err)
		return err;
	swap_cache_account(folio, nr);

	ci = swap_entry_cluster(folio->swap);
	memcg_id = -ENOMEM;
	if (swap_cluster_prepare_memcg(ci))
		memcg_id = swap_entry_is_virtual(folio->swap) ?
			   mem_cgroup_own_swap(folio) : mem_cgroup_try_charge_swap(folio);
	else
		mem_cgroup_swap_fail(folio);
	if (memcg_id < 0) {
		swap_cache_del_folio(folio);
		return -ENOMEM;
	}
	if (memcg_id) {
		spin_lock(&ci->lock);
		__swap_cluster_set_memcg(ci, swp_offset(folio->swap), nr, memcg_id);
		spin_unlock(&ci->lock);
	}
	return 0;
}

/* References to the slots of a folio come and go under its lock. */
static bool folio_has_slots(struct folio *folio)
{
	VM_WARN_ON_ONCE_FOLIO(!folio_test_locked(folio), folio);

	return !WARN_ON_ONCE(!folio_test_swapcache(folio));
}

/**
 * folio_dup_swap() - Add a reference to slots of a folio in the swap cache.
 * @folio: The folio.
 * @subpage: The page whose slot it is, NULL for the slots of all pages.
 *
 * Slots that nobody refers to yet get their first reference only here.
 *
 * Context: The caller holds the folio lock, and the lock of the page table or
 * mapping where the reference is kept. Does not sleep.
 * Return: 0, or -ENOMEM when there is no memory to count as many references;
 * -EINVAL if the folio is not in the swap cache. No reference was added then.
 */
int folio_dup_swap(struct folio *folio, struct page *subpage)
{
	swp_entry_t entry = subpage ? page_swap_entry(subpage) : folio->swap;
	unsigned int nr = subpage ? 1 : folio_nr_pages(folio);
	struct swap_cluster_info *ci;
	int err;

	if (!folio_has_slots(folio))
		return -EINVAL;

	ci = swap_cluster_lock(swp_swap_info(entry), swp_offset(entry));
	err = swap_slots_dup(ci, swp_offset(entry), nr);
	swap_cluster_unlock(ci);

	WARN_ON_ONCE(err == -EINVAL);
	return err;
}

/**
 * folio_put_swap() - Drop a reference to slots of a folio in the swap cache.
 * @folio: The folio.
 * @subpage: The page whose slot it is, NULL for the slots of all pages.
 *
 * No slot is freed: the swap cache still holds on to them.
 *
 * Context: The caller holds the folio lock, and the lock of the page table or
 * mapping where the reference was kept. Does not sleep.
 */
void folio_put_swap(struct folio *folio, struct page *subpage)
{
	swp_entry_t entry = subpage ? page_swap_entry(subpage) : folio->swap;
	unsigned int nr = subpage ? 1 : folio_nr_pages(folio);
	struct swap_info_struct *si;
	struct swap_cluster_info *ci;
	int err = 0;

	if (!folio_has_slots(folio))
		return;

	si = swp_swap_info(entry);
	ci = swap_cluster_lock(si, swp_offset(entry));
	if (nr > 1 || !__swap_slot_put_one(ci, swp_offset(entry)))
		err = swap_slots_put(si, ci, swp_offset(entry), nr);
	swap_cluster_unlock(ci);

	WARN_ON_ONCE(err < 0);
}

/**
 * folio_free_swap() - Free the swap space used for this folio.
 * @folio: The folio to remove.
 *
 * If swap is getting full, or if there are no more mappings of this folio,
 * then call folio_free_swap to free its swap space.
 *
 * Return: true if we were able to release the swap space.
 */
bool folio_free_swap(struct folio *folio)
{
	return folio_swapcache_freeable(folio) && swap_cache_try_free(folio);
}

/**
 * folio_free_barred_swap() - Free slots that the folio may not be written to.
 * @folio: The folio, in the swap cache.
 *
 * Of use where there is a virtual device: cgroups that may not write to any other
 * get its slots only, but may have some of another from before: what is dirty, and
 * has those, could never go. Without them it can have virtual ones.
 *
 * Context: The caller holds the folio lock. The folio is not under writeback.
 */
void folio_free_barred_swap(struct folio *folio)
{
	if (!swap_entry_is_virtual(folio->swap) &&
	    !mem_cgroup_zswap_writeback_enabled(folio_memcg(folio)))
		folio_free_swap(folio);
}

/**
 * swap_dup_entry_direct() - Add a reference to a slot, for fork().
 * @entry: An entry of a page table.
 *
 * Context: The caller holds the lock of the page table. Does not sleep.
 * Return: 0, or -ENOMEM when there is no memory to count as many references: to
 * be tried again after swap_dup_entry_prepare(), without the lock. An entry that
 * does not exist, of a corrupt page table, is ignored.
 */
int swap_dup_entry_direct(swp_entry_t entry)
{
	struct swap_cluster_info *ci = swap_entry_cluster(entry);
	int err = 0;

	if (!ci) {
		pr_err_ratelimited("swap: bad entry %08lx in a page table\n", entry.val);
		return 0;
	}

	spin_lock(&ci->lock);
	if (!__swap_slot_dup_one(ci, swp_offset(entry)))
		err = swap_slots_dup(ci, swp_offset(entry), 1);
	spin_unlock(&ci->lock);

	WARN_ON_ONCE(err == -EINVAL);
	return err == -ENOMEM ? err : 0;
}

/**
 * swap_dup_entry_prepare() - Have the memory that swap_dup_entry_direct() wanted.
 * @entry: The entry.
 *
 * Context: May sleep. Nothing keeps the entry in use.
 * Return: 0 when it is worth trying again, or -ENOMEM.
 */
int swap_dup_entry_prepare(swp_entry_t entry)
{
	struct swap_info_struct *si = get_swap_device(entry);
	int err;

	/* Swapped off meanwhile: the page table has changed */
	if (!si)
		return 0;
	err = swap_extend_alloc(swap_slot_cluster(si, swp_offset(entry)),
				swp_offset(entry), GFP_KERNEL);
	put_swap_device(si);
	return err;
}

/**
 * swp_swapcount() - How many refer to a slot?
 * @entry: The entry.
 *
 * Context: The caller holds the lock of a page table that has the entry.
 * Return: The number of references.
 */
int swp_swapcount(swp_entry_t entry)
{
	struct swap_cluster_info *ci = swap_entry_cluster(entry);
	int count;

	if (!ci)
		return 0;
	spin_lock(&ci->lock);
	count = min_t(unsigned int, swap_slot_count(ci, swp_offset(entry)), INT_MAX);
	spin_unlock(&ci->lock);

	return count;
}

/* Drop folios in the swap cache whose slots nobody refers to any more. */
static void swap_reclaim_range(struct swap_info_struct *si, unsigned long offset,
			       unsigned long end)
{
	int nr;

	while (offset < end) {
		nr = 0;
		if (swap_slot_only_cached(swap_slot_cluster(si, offset), offset))
			nr = abs(swap_try_to_reclaim(si, offset,
						     TTRS_UNMAPPED | TTRS_FULL));
		/* On to the end of the folio; folios are aligned in swap */
		offset = nr ? ALIGN(offset + 1, nr) : offset + 1;
	}
}

/**
 * swap_put_entries_direct() - Drop a reference to each slot of a range.
 * @entry: The first entry. Ignored if it is not one of swap.
 * @nr: The number of entries. Their slots may belong to several clusters.
 *
 * Slots that nobody refers to any more are freed. Those that are cached are when
 * their folio can be locked, and is not mapped or swap is getting full.
 *
 * Context: The references belong to the caller, who holds the lock of the page
 * table or mapping where they were kept, or has taken them out of there. Does
 * not sleep.
 */
void swap_put_entries_direct(swp_entry_t entry, int nr)
{
	unsigned long offset = swp_offset(entry), start, end = offset + nr;
	struct swap_cluster_info *ci;
	struct swap_info_struct *si;
	bool only_cached = false;
	unsigned int n;
	int ret;

	if (non_swap_entry(entry))
		return;

	si = get_swap_device(entry);
	if (!si)
		return;

	if (WARN_ON_ONCE(end > swap_slots_end(si)))
		goto out;

	for (start = offset; start < end; start += n) {
		/* A few at a time: others spin for the lock, with interrupts off even */
		n = min3(end - start, SWAPFILE_CLUSTER - start % SWAPFILE_CLUSTER, 64UL);
		ci = swap_cluster_lock(si, start);
		ret = swap_slots_put(si, ci, start, n);
		swap_cluster_unlock(ci);
		WARN_ON_ONCE(ret < 0);
		only_cached |= ret > 0;
	}
	/* In one go afterwards: a folio is freed when all its slots can be */
	if (only_cached)
		swap_reclaim_range(si, offset, end);
out:
	put_swap_device(si);
}

#ifdef CONFIG_HIBERNATION
/**
 * swap_alloc_hibernation_slot() - Allocate a slot for the image of hibernation.
 * @type: The type of the swap device.
 *
 * Nobody else reads or writes the slot, and the device cannot be swapped off
 * until swap_free_hibernation_slot() frees it.
 *
 * Context: May sleep.
 * Return: The slot, or an entry whose val is 0 when the device has no room or
 * does not exist.
 */
swp_entry_t swap_alloc_hibernation_slot(int type)
{
	struct swap_info_struct *si = swap_type_get(type);
	swp_entry_t entry = {0};
	unsigned long offset;

	if (!si)
		return entry;

	offset = swap_cluster_alloc(si, NULL, 0);
	if (offset)
		entry = swp_entry(type, offset);
	put_swap_device(si);
	return entry;
}

/**
 * swap_free_hibernation_slot() - Free a slot of the image of hibernation.
 * @entry: What swap_alloc_hibernation_slot() returned.
 *
 * Context: Any that may take a spinlock.
 */
void swap_free_hibernation_slot(swp_entry_t entry)
{
	/* The slot keeps the device from being swapped off */
	struct swap_info_struct *si = swp_swap_info(entry);
	unsigned long offset = swp_offset(entry);
	struct swap_cluster_info *ci;

	ci = swap_cluster_lock(si, offset);
	if (!WARN_ON_ONCE(!swp_tb_is_bad(swap_table_get(ci, offset)))) {
		atomic_long_dec(&si->hibernation_slots);
		swap_cluster_free(si, ci, offset, 1);
	}
	swap_cluster_unlock(ci);
}
#endif /* CONFIG_HIBERNATION */
