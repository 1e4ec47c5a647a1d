// SPDX-License-Identifier: GPL-2.0-only
/*
 * Swap clusters: allocating and freeing the slots of a swap device
 *
 * A swap device is divided into clusters of SWAPFILE_CLUSTER slots, naturally
 * aligned. Clusters are kept on lists by how much room they have: free, full,
 * and for each order of allocation nonfull and fragmented ones. Each CPU fills
 * a cluster of its own as long as there are enough.
 *
 * Locks, from the outermost to the innermost:
 *
 *   the CPU's current cluster (a local lock)
 *     the current cluster that CPUs share (si->shared_lock)
 *       the cluster (ci->lock); one of the virtual device outside of another
 *         the lists (si->lock), the available devices (swap_avail_lock)
 *
 * A cluster is always on the list that goes with its state, but for the time
 * in which it is being discarded: "current" is only where a CPU looks first.
 * Whoever gets at a cluster by a remembered offset, from the head of a list or
 * after having dropped its lock must therefore look at its state under its
 * lock: it may have been filled, freed, discarded or taken for another order.
 * The cluster itself stays valid as long as there is a reference on the device.
 *
 * The array of clusters has address space for the whole device, but memory only
 * at its front: the clusters of the slots before si->slots_end exist. Clusters
 * are added as the free ones run out (cluster_grow_mutex, outside of all the
 * locks above) and none goes before swapoff.
 *
 * swapoff clears SWP_WRITEOK and passes through the lock of every cluster.
 * Slots are allocated only after SWP_WRITEOK was seen set under the cluster's
 * lock, so none is allocated after that.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/fault-inject.h>
#include <linux/kmemleak.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/vmalloc.h>

#include "swap.h"
#include "swap_cluster.h"

/*
 * A table that fills a page is one. The others come from a cache, with room to
 * be freed by RCU.
 */
#define SWAP_TABLE_IS_PAGE	(sizeof(struct swap_table) == PAGE_SIZE)

struct swap_table_object {
	struct swap_table table;
	struct rcu_head rcu;
};

#ifdef CONFIG_DELAY_SWAP
static DECLARE_FAULT_ATTR(delay_swap);
static u32 delay_swap_us = 1000;

/**
 * swap_delay() - Wait where others may change what was looked at.
 *
 * Context: Any. Does not sleep.
 */
void swap_delay(void)
{
	/* Who lets the n-th allocation of a task fail does not ask for that */
	if (delay_swap.probability && should_fail(&delay_swap, 1))
		udelay(get_random_u32_inclusive(1, READ_ONCE(delay_swap_us)));
}

static int __init delay_swap_debugfs(void)
{
	struct dentry *dir = fault_create_debugfs_attr("delay_swap", NULL, &delay_swap);

	if (!IS_ERR(dir))
		debugfs_create_u32("us", 0600, dir, &delay_swap_us);
	return PTR_ERR_OR_ZERO(dir);
}
late_initcall(delay_swap_debugfs);
#endif

static struct kmem_cache *swap_table_cache;

#define SWAP_EXTEND_SIZE	(SWAPFILE_CLUSTER * sizeof(unsigned int))

/**
 * swap_table_init() - Prepare for the allocation of swap tables.
 *
 * Context: Boot.
 */
void __init swap_table_init(void)
{
	if (!SWAP_TABLE_IS_PAGE)
		swap_table_cache = KMEM_CACHE(swap_table_object,
					      SLAB_PANIC | SLAB_NOLEAKTRACE);
}

static struct swap_table *swap_table_alloc(gfp_t gfp)
{
	struct swap_table_object *object;
	struct page *page;

	/* Whoever reclaims may have to keep its own memory to some nodes */
	if (SWAP_TABLE_IS_PAGE) {
		page = alloc_pages_node(NUMA_NO_NODE, gfp | __GFP_ZERO, 0);
		return page ? page_address(page) : NULL;
	}

	object = kmem_cache_alloc_node(swap_table_cache, gfp | __GFP_ZERO,
				       numa_mem_id());
	return object ? &object->table : NULL;
}

static void swap_table_free(struct swap_table *table)
{
	if (SWAP_TABLE_IS_PAGE)
		free_page((unsigned long)table);
	else if (table)
		kmem_cache_free(swap_table_cache,
				container_of(table, struct swap_table_object, table));
}

static void swap_table_free_page_rcu(struct rcu_head *rcu)
{
	__free_page(container_of(rcu, struct page, rcu_head));
}

/* Somebody may still read it without a lock */
static void swap_table_free_rcu(struct swap_table *table)
{
	if (SWAP_TABLE_IS_PAGE)
		call_rcu(&virt_to_page(table)->rcu_head, swap_table_free_page_rcu);
	else
		kfree_rcu(container_of(table, struct swap_table_object, table), rcu);
}

/*
 * No slot of the cluster is in use any more: the table is all NULL, and nobody
 * asks for the ids of cgroups.
 */
static void cluster_free_tables(struct swap_cluster_info *ci)
{
	struct swap_table *table;

	table = rcu_replace_pointer(ci->table, NULL, lockdep_is_held(&ci->lock));
	swap_table_free_rcu(table);
	kfree(ci->memcg_ids);
	ci->memcg_ids = NULL;
	/* Made for a reference that was not taken in the end */
	kfree(ci->extend);
	ci->extend = NULL;
}

/*
 * Reclaim, which needs tables to make progress, must not use up all memory for
 * them.
 */
#define CLUSTER_TABLES_GFP	(__GFP_HIGH | __GFP_NOMEMALLOC | __GFP_NOWARN)

/* Have a table for a cluster that is about to be used. Nothing sleeps. */
static bool cluster_get_table(struct swap_cluster_info *ci)
{
	lockdep_assert_held(&ci->lock);

	if (!rcu_access_pointer(ci->table))
		rcu_assign_pointer(ci->table, swap_table_alloc(CLUSTER_TABLES_GFP));
	return rcu_access_pointer(ci->table);
}

static unsigned long cluster_offset(struct swap_info_struct *si,
				    struct swap_cluster_info *ci)
{
	return (ci - si->cluster_info) * (unsigned long)SWAPFILE_CLUSTER;
}

/* The first slot behind a slot's cluster, or behind the device's last */
static unsigned long cluster_end(struct swap_info_struct *si,
				 unsigned long offset)
{
	return min(ALIGN(offset + 1, SWAPFILE_CLUSTER), si->max);
}

static struct list_head *cluster_list(struct swap_info_struct *si,
				      enum swap_cluster_state state,
				      unsigned int order)
{
	switch (state) {
	case CLUSTER_NONFULL:
		return &si->nonfull_clusters[order];
	case CLUSTER_FRAG:
		return &si->frag_clusters[order];
	case CLUSTER_FULL:
		return &si->full_clusters;
	case CLUSTER_DISCARD:
		return &si->discard_clusters;
	default:
		return &si->free_clusters;
	}
}

/* Give the cluster another state, and put it on the list that goes with it. */
static void cluster_move(struct swap_info_struct *si,
			 struct swap_cluster_info *ci,
			 enum swap_cluster_state state, unsigned int order)
{
	struct list_head *list = cluster_list(si, state, order);

	lockdep_assert_held(&ci->lock);

	spin_lock(&si->lock);
	if (ci->state == CLUSTER_FRAG)
		si->frag_cluster_nr[ci->order]--;
	if (state == CLUSTER_FRAG)
		si->frag_cluster_nr[order]++;
	ci->state = state;
	ci->order = order;
	/*
	 * Wear evenly what is in use of a solid state device. On a rotating
	 * one stay near the front, and go through neighbours in the order in
	 * which they lie on the disk. The first cluster, with the header, is
	 * never free.
	 */
	if (state == CLUSTER_FREE && !(si->flags & SWP_SOLIDSTATE)) {
		if (ci[-1].state == CLUSTER_FREE)
			list = &ci[-1].list;
		list_move(&ci->list, list);
	} else {
		list_move_tail(&ci->list, list);
	}
	spin_unlock(&si->lock);
}

/*
 * Take the cluster at the head of a list, and make the one behind it the head.
 *
 * The lock of the list nests inside the cluster's, so it is dropped here and
 * the caller locks the cluster, if it needs to. cluster_on_list() then tells
 * whether the cluster has left the list meanwhile. If so somebody else made
 * progress, and there is the next cluster to try.
 */
static struct swap_cluster_info *cluster_first(struct swap_info_struct *si,
					       struct list_head *list)
{
	struct swap_cluster_info *ci;

	/* Saves the lock. One that comes just now, or moves, may be missed */
	if (list_empty(list))
		return NULL;

	spin_lock(&si->lock);
	ci = list_first_entry_or_null(list, struct swap_cluster_info, list);
	if (ci)
		list_move_tail(&ci->list, list);
	spin_unlock(&si->lock);

	return ci;
}

static bool cluster_on_list(struct swap_info_struct *si,
			    struct swap_cluster_info *ci, struct list_head *list)
{
	lockdep_assert_held(&ci->lock);

	return cluster_list(si, ci->state, ci->order) == list;
}

static bool swap_writeok(struct swap_info_struct *si)
{
	return READ_ONCE(si->flags) & SWP_WRITEOK;
}

/*
 * May slots of this order be allocated from the cluster? If so it has a table.
 */
static bool cluster_usable(struct swap_info_struct *si,
			   struct swap_cluster_info *ci, unsigned int order)
{
	lockdep_assert_held(&ci->lock);

	if (!swap_writeok(si))
		return false;
	if (ci->state == CLUSTER_FREE)
		return cluster_get_table(ci);
	return (ci->state == CLUSTER_NONFULL || ci->state == CLUSTER_FRAG) &&
	       ci->order == order && ci->count + (1 << order) <= SWAPFILE_CLUSTER;
}

/*
 * Free the slots of a range that only the swap cache holds on to. Drops and
 * retakes the cluster's lock: the caller has to look at the cluster afresh.
 */
static void cluster_reclaim_range(struct swap_info_struct *si,
				  struct swap_cluster_info *ci,
				  unsigned long start, unsigned int nr)
	__releases(&ci->lock)
	__acquires(&ci->lock)
{
	unsigned long offset;

	spin_unlock(&ci->lock);
	/*
	 * A value read without the lock is only a reason to try:
	 * swap_try_to_reclaim() finds out under the folio's lock.
	 */
	for (offset = start; offset < start + nr; offset++) {
		if (swp_tb_is_null(swap_table_get(ci, offset)))
			continue;
		if (!swap_slot_only_cached(ci, offset) ||
		    swap_try_to_reclaim(si, offset, TTRS_ANYWAY) <= 0)
			break;
	}
	spin_lock(&ci->lock);
}

/*
 * Are the slots of a range free, but perhaps for some that only the swap cache
 * holds on to?
 */
static inline bool cluster_range_free(struct swap_cluster_info *ci,
				      unsigned long start, unsigned int nr,
				      bool *cached)
{
	unsigned long swp_tb;
	unsigned int i;

	*cached = false;
	for (i = 0; i < nr; i++) {
		swp_tb = __swap_table_get(ci, start + i);
		if (swp_tb_is_null(swp_tb))
			continue;
		if (!swp_tb_only_cached(swp_tb))
			return false;
		*cached = true;
	}
	return true;
}

/*
 * Take free slots of a cluster into use: for a folio, to put it into the swap cache
 * there or, when it has virtual slots, for what lies behind those; or for
 * hibernation.
 */
static void cluster_claim(struct swap_info_struct *si,
			  struct swap_cluster_info *ci, unsigned long offset,
			  struct folio *folio, unsigned int order)
{
	unsigned int i, nr = 1 << order;

	if (IS_ENABLED(CONFIG_VSWAP) && folio && folio_test_swapcache(folio)) {
		for (i = 0; i < nr; i++)
			__swap_table_set(ci, offset + i,
					 swp_tb_mk_rmap(swp_offset(folio->swap) + i));
	} else if (folio) {
		__swap_cache_add_folio(ci, folio, swp_entry(si->type, offset));
	} else {
		for (i = 0; i < nr; i++)
			__swap_table_set(ci, offset + i, SWP_TB_BAD);
		/* Under this lock, for swap_clusters_quiesce() */
		atomic_long_add(nr, &si->hibernation_slots);
	}
	ci->count += nr;
	if (ci->count == SWAPFILE_CLUSTER)
		cluster_move(si, ci, CLUSTER_FULL, order);
	else if (ci->state == CLUSTER_FREE)
		cluster_move(si, ci, CLUSTER_NONFULL, order);
	swap_usage_add(si, nr);
}

/*
 * Allocate slots from a locked cluster, at @offset or behind it.
 *
 * With @reclaim, slots that only the swap cache holds on to will do: they are
 * freed first, with the cluster's lock dropped.
 */
static unsigned long cluster_scan(struct swap_info_struct *si,
				  struct swap_cluster_info *ci,
				  unsigned long offset, struct folio *folio,
				  unsigned int order, bool reclaim)
{
	unsigned long end = cluster_end(si, offset);
	unsigned int nr = 1 << order;
	bool cached;

	if (!cluster_usable(si, ci, order))
		return 0;

	for (; offset + nr <= end; offset += nr) {
		if (!cluster_range_free(ci, offset, nr, &cached))
			continue;
		if (cached) {
			if (!reclaim)
				continue;
			cluster_reclaim_range(si, ci, offset, nr);
			if (!cluster_usable(si, ci, order))
				return 0;
			if (!cluster_range_free(ci, offset, nr, &cached) || cached)
				continue;
		}
		cluster_claim(si, ci, offset, folio, order);
		return offset;
	}

	return 0;
}

/*
 * Allocate from the cluster at the head of a list. Returns false when there is
 * none, or it is free and there is no memory for its table.
 */
static bool cluster_alloc_first(struct swap_info_struct *si,
				struct list_head *list, unsigned long *found,
				struct folio *folio, unsigned int order,
				bool reclaim)
{
	struct swap_cluster_info *ci = cluster_first(si, list);
	bool more = true;

	if (!ci)
		return false;

	spin_lock(&ci->lock);
	if (cluster_on_list(si, ci, list)) {
		more = cluster_get_table(ci);
		/* Ours now, or of no use: others had better look elsewhere */
		if (ci->state == CLUSTER_NONFULL)
			cluster_move(si, ci, CLUSTER_FRAG, order);
		*found = cluster_scan(si, ci, cluster_offset(si, ci), folio,
				      order, reclaim);
	}
	spin_unlock(&ci->lock);
	return more;
}

/*
 * Is it time to take slots that only the swap cache holds on to? A virtual device
 * has plenty of others.
 */
static bool slots_are_short(struct swap_info_struct *si)
{
	return !swap_is_virtual(si) && vm_swap_full();
}

/* Allocate from one of the first @nr clusters of a list. */
static unsigned long cluster_alloc_list(struct swap_info_struct *si,
					struct list_head *list, unsigned long nr,
					struct folio *folio, unsigned int order)
{
	bool reclaim = slots_are_short(si);
	unsigned long found = 0;

	while (!found && nr-- && swap_writeok(si) &&
	       cluster_alloc_first(si, list, &found, folio, order, reclaim))
		cond_resched();

	return found;
}

/*
 * Turn a cluster in which another order has left room into one of order 0, and
 * allocate from it.
 */
static unsigned long cluster_steal(struct swap_info_struct *si,
				   struct folio *folio)
{
	struct swap_cluster_info *ci;
	unsigned long found = 0;
	unsigned int order = 1;

	while (!found && order < SWAP_NR_ORDERS && swap_writeok(si)) {
		ci = cluster_first(si, &si->frag_clusters[order]);
		if (!ci)
			ci = cluster_first(si, &si->nonfull_clusters[order]);
		if (!ci) {
			order++;
			continue;
		}

		spin_lock(&ci->lock);
		if (ci->order == order &&
		    (ci->state == CLUSTER_FRAG || ci->state == CLUSTER_NONFULL)) {
			cluster_move(si, ci, CLUSTER_FRAG, 0);
			found = cluster_scan(si, ci, cluster_offset(si, ci),
					     folio, 0, false);
		}
		spin_unlock(&ci->lock);
	}

	return found;
}

static bool clusters_shared(struct swap_info_struct *si)
{
	return !(si->flags & SWP_SOLIDSTATE);
}

/*
 * Where the next one looks after slots up to @end were taken, @end excluded: in
 * the same cluster.
 */
static unsigned long next_in_cluster(unsigned long end)
{
	return end % SWAPFILE_CLUSTER ? end : SWAP_NEXT_INVALID;
}

/* The same for a CPU: where CPUs share a cluster, in what it has of that. */
static unsigned long next_in_run(struct swap_info_struct *si, unsigned long end)
{
	if (clusters_shared(si) && !(end % SWAP_RUN))
		return SWAP_NEXT_INVALID;
	return next_in_cluster(end);
}

/* Allocate from the cluster of a remembered slot, at that or behind it. */
static unsigned long cluster_alloc_next(struct swap_info_struct *si,
					unsigned long next, struct folio *folio,
					unsigned int order)
{
	struct swap_cluster_info *ci;
	unsigned long found;

	if (next == SWAP_NEXT_INVALID)
		return 0;

	ci = swap_cluster_lock(si, next);
	found = cluster_scan(si, ci, next, folio, order, false);
	swap_cluster_unlock(ci);
	return found;
}

static unsigned long cluster_alloc_free(struct swap_info_struct *si,
					struct folio *folio, unsigned int order)
{
	unsigned long found = 0;

	/* A free cluster has room, unless somebody else is first to lock it */
	while (!found && swap_writeok(si) &&
	       cluster_alloc_first(si, &si->free_clusters, &found, folio, order,
				   false))
		;
	return found;
}

/*
 * Allocate from a cluster that is half empty, if the next one that is not full is so.
 * A virtual device has always free ones, but each in use takes memory for its tables.
 */
static unsigned long cluster_alloc_sparse(struct swap_info_struct *si,
					  struct folio *folio, unsigned int order)
{
	struct list_head *list = &si->nonfull_clusters[order];
	struct swap_cluster_info *ci = cluster_first(si, list);
	unsigned long found = 0;

	if (!ci)
		return 0;

	spin_lock(&ci->lock);
	if (cluster_on_list(si, ci, list) && ci->count <= SWAPFILE_CLUSTER / 2) {
		cluster_move(si, ci, CLUSTER_FRAG, order);
		found = cluster_scan(si, ci, cluster_offset(si, ci), folio, order,
				     false);
	}
	spin_unlock(&ci->lock);
	return found;
}

/* Allocate where a new run begins in the cluster that CPUs share. */
static unsigned long cluster_alloc_shared(struct swap_info_struct *si,
					  struct folio *folio, unsigned int order)
{
	unsigned long *next = &si->shared_next[order];
	unsigned long found;

	spin_lock(&si->shared_lock);
	found = cluster_alloc_next(si, *next, folio, order);
	if (!found)
		found = cluster_alloc_free(si, folio, order);
	*next = found ? next_in_cluster(ALIGN(found + (1 << order), SWAP_RUN)) :
			SWAP_NEXT_INVALID;
	spin_unlock(&si->shared_lock);

	return found;
}

/*
 * Allocate from the current cluster, or make a free one current. Nothing here
 * sleeps, or drops a lock to reclaim.
 */
static unsigned long cluster_alloc_current(struct swap_info_struct *si,
					   struct folio *folio,
					   unsigned int order)
{
	struct swap_current_cluster *cur;
	unsigned long found;

	local_lock(&si->percpu_cluster->lock);
	cur = this_cpu_ptr(si->percpu_cluster);
	found = cluster_alloc_next(si, cur->next[order], folio, order);
	if (!found && swap_is_virtual(si))
		found = cluster_alloc_sparse(si, folio, order);
	if (!found && clusters_shared(si))
		found = cluster_alloc_shared(si, folio, order);
	else if (!found)
		found = cluster_alloc_free(si, folio, order);
	cur->next[order] = found ? next_in_run(si, found + (1 << order)) :
				   SWAP_NEXT_INVALID;
	local_unlock(&si->percpu_cluster->lock);

	return found;
}

/* Make the cluster that @found was allocated from the current one. */
static void cluster_set_current(struct swap_info_struct *si,
				unsigned long found, unsigned int order)
{
	unsigned long end = found + (1 << order);

	local_lock(&si->percpu_cluster->lock);
	this_cpu_write(si->percpu_cluster->next[order], next_in_run(si, end));
	if (clusters_shared(si)) {
		spin_lock(&si->shared_lock);
		si->shared_next[order] = next_in_cluster(ALIGN(end, SWAP_RUN));
		spin_unlock(&si->shared_lock);
	}
	local_unlock(&si->percpu_cluster->lock);
}

/* Discard a cluster that waits for it, which makes it free. */
static bool cluster_discard_one(struct swap_info_struct *si)
{
	struct swap_cluster_info *ci;

	spin_lock(&si->lock);
	ci = list_first_entry_or_null(&si->discard_clusters,
				      struct swap_cluster_info, list);
	if (ci)
		list_del_init(&ci->list);
	spin_unlock(&si->lock);
	if (!ci)
		return false;

	/*
	 * On no list, no slot in use, and in a state in which nothing may be
	 * allocated from it: nobody else does anything with the cluster.
	 */
	swap_discard_slots(si, cluster_offset(si, ci), SWAPFILE_CLUSTER);

	spin_lock(&ci->lock);
	cluster_move(si, ci, CLUSTER_FREE, 0);
	spin_unlock(&ci->lock);
	return true;
}

static void swap_discard_work(struct work_struct *work)
{
	struct swap_info_struct *si;

	si = container_of(work, struct swap_info_struct, discard_work);

	while (cluster_discard_one(si))
		cond_resched();
}

/*
 * Free what only the swap cache holds on to in the full clusters that have not
 * been looked at for longest. A cluster that loses a slot becomes nonfull.
 */
static void cluster_reclaim_full(struct swap_info_struct *si, long to_scan)
{
	unsigned long offset, end;
	struct swap_cluster_info *ci;
	int nr;

	while (to_scan-- > 0) {
		ci = cluster_first(si, &si->full_clusters);
		if (!ci)
			break;

		/*
		 * No lock is needed to look for cached slots: neither the
		 * cluster's state matters nor are the values more than hints,
		 * as in cluster_reclaim_range().
		 */
		offset = cluster_offset(si, ci);
		end = cluster_end(si, offset);
		while (offset < end) {
			nr = 0;
			if (swap_slot_only_cached(ci, offset))
				nr = abs(swap_try_to_reclaim(si, offset, TTRS_ANYWAY));
			/* On to the end of the folio; folios are aligned in swap */
			offset = nr ? ALIGN(offset + 1, nr) : offset + 1;
		}
		cond_resched();
	}
}

#define SWAP_CLUSTER_COLS						\
	DIV_ROUND_UP(L1_CACHE_BYTES, sizeof(struct swap_cluster_info))

/*
 * Clusters are put on the list of free ones so that the CPUs that fill them at
 * the same time do not share cache lines of the array. Those of a rotating
 * device are used in the order in which they lie on it.
 */
static unsigned long cluster_cols(struct swap_info_struct *si)
{
	return si->flags & SWP_SOLIDSTATE ? SWAP_CLUSTER_COLS : 1;
}

/* How many clusters the device can have at most. */
static unsigned long clusters_max(struct swap_info_struct *si)
{
	return DIV_ROUND_UP(si->max, SWAPFILE_CLUSTER);
}

/* How many there are. */
static unsigned long clusters_nr(struct swap_info_struct *si)
{
	return DIV_ROUND_UP(READ_ONCE(si->slots_end), SWAPFILE_CLUSTER);
}

#define CLUSTERS_GFP							\
	(GFP_KERNEL | __GFP_HIGH | __GFP_NOMEMALLOC | __GFP_NOWARN)

/*
 * Add a page to the array.
 *
 * Once the device is in use this runs inside memalloc_noreclaim_save(), where no
 * allocation reclaims memory. That also opens the last reserves: the page must
 * not come out of them. Page tables may, for which vmalloc has GFP flags of its
 * own: one of them does for PTRS_PER_PTE pages.
 */
static bool cluster_map_page(struct swap_info_struct *si, unsigned long addr)
{
	struct page *page = alloc_page(CLUSTERS_GFP | __GFP_HIGHMEM | __GFP_ZERO);

	if (!page)
		return false;
	if (vm_area_map_pages(si->cluster_area, addr, addr + PAGE_SIZE, &page)) {
		vm_area_unmap_pages(si->cluster_area, addr, addr + PAGE_SIZE);
		__free_page(page);
		return false;
	}
	list_add(&page->lru, &si->cluster_pages);
	return true;
}

/*
 * Add pages to the array, so many that each CPU finds a free cluster away from
 * those of the others. Returns for how many clusters there is memory then.
 */
static unsigned long clusters_map(struct swap_info_struct *si)
{
	unsigned long start = (unsigned long)si->cluster_info;
	unsigned long nr = clusters_nr(si), max = clusters_max(si);
	unsigned long end;

	nr = min(nr + cluster_cols(si) * num_online_cpus(), max);
	end = (unsigned long)(si->cluster_info + nr);
	while (si->cluster_mem_end < end &&
	       cluster_map_page(si, si->cluster_mem_end))
		si->cluster_mem_end += PAGE_SIZE;

	return min((si->cluster_mem_end - start) / sizeof(*si->cluster_info), max);
}

/* One of the virtual device is held while one of another is taken */
static void cluster_lock_init(struct swap_info_struct *si,
			      struct swap_cluster_info *ci)
{
	static struct lock_class_key vswap_key __maybe_unused;

	spin_lock_init(&ci->lock);
	if (swap_is_virtual(si))
		lockdep_set_class(&ci->lock, &vswap_key);
}

static void cluster_mark_bad(struct swap_cluster_info *ci,
			     struct swap_table *table, unsigned long offset)
{
	table->entries[offset % SWAPFILE_CLUSTER] = SWP_TB_BAD;
	ci->count++;
}

/*
 * Set up a cluster that does not exist yet. The slots that can never be
 * allocated are marked: the header, bad pages, and what lies behind the end of
 * the device. A cluster with such slots keeps its table until swapoff. Returns
 * whether there was memory.
 */
static bool cluster_init(struct swap_info_struct *si, struct swap_cluster_info *ci)
{
	unsigned long start = cluster_offset(si, ci), end = cluster_end(si, start);
	unsigned int i = 0, nr_bad = si->nr_bad_slots;
	unsigned long offset = end;
	struct swap_table *table;

	cluster_lock_init(si, ci);
	while (i < nr_bad && si->bad_slots[i] < start)
		i++;
	if (!start || (end % SWAPFILE_CLUSTER) ||
	    (i < nr_bad && si->bad_slots[i] < end)) {
		table = swap_table_alloc(CLUSTERS_GFP);
		if (!table)
			return false;
		if (!start)
			cluster_mark_bad(ci, table, 0);
		for (; i < nr_bad && si->bad_slots[i] < end; i++)
			cluster_mark_bad(ci, table, si->bad_slots[i]);
		for (; offset % SWAPFILE_CLUSTER; offset++)
			cluster_mark_bad(ci, table, offset);
		rcu_assign_pointer(ci->table, table);
	}

	if (!ci->count)
		ci->state = CLUSTER_FREE;
	else if (ci->count < SWAPFILE_CLUSTER)
		ci->state = CLUSTER_NONFULL;
	else
		ci->state = CLUSTER_FULL;
	return true;
}

/*
 * Make clusters exist, behind those that do. Returns whether there was memory
 * for any. The caller excludes others that add clusters to the device.
 */
static bool clusters_add(struct swap_info_struct *si)
{
	unsigned long first = clusters_nr(si), nr = clusters_map(si);
	unsigned long i, j, cols = cluster_cols(si);
	struct swap_cluster_info *ci;

	for (i = first; i < nr; i++)
		if (!cluster_init(si, si->cluster_info + i))
			nr = i;
	if (nr == first)
		return false;

	/*
	 * Whoever sees the end finds the clusters set up. Only then can a slot
	 * be allocated: whoever has an entry finds its cluster to exist.
	 */
	smp_store_release(&si->slots_end,
			  min(nr * SWAPFILE_CLUSTER, si->max));

	spin_lock(&si->lock);
	for (j = 0; j < cols; j++) {
		for (i = first + j; i < nr; i += cols) {
			ci = si->cluster_info + i;
			list_add_tail(&ci->list, cluster_list(si, ci->state, 0));
		}
	}
	spin_unlock(&si->lock);
	return true;
}

static DEFINE_MUTEX(cluster_grow_mutex);

/*
 * Add clusters if none is free. Returns whether one is free now. Not so when
 * all that the device can have exist, there is no memory for more, or swapoff
 * began.
 *
 * Called without a lock, often in order to free memory: it must not wait for
 * memory to be freed, nor may a holder of the mutex.
 */
static bool clusters_grow(struct swap_info_struct *si)
{
	unsigned int noreclaim;
	bool grown;

	/*
	 * Only memory for its table was wanting for a cluster that is free. The
	 * end saves the mutex: it only grows, and this is the last one.
	 */
	if (!list_empty(&si->free_clusters) ||
	    READ_ONCE(si->slots_end) == si->max)
		return false;

	mutex_lock(&cluster_grow_mutex);
	noreclaim = memalloc_noreclaim_save();
	/* Another CPU may have been faster, and bad clusters are of no use */
	while (list_empty(&si->free_clusters) && swap_writeok(si) &&
	       clusters_add(si))
		;
	grown = !list_empty(&si->free_clusters) && swap_writeok(si);
	memalloc_noreclaim_restore(noreclaim);
	mutex_unlock(&cluster_grow_mutex);

	return grown;
}

/*
 * There is no free cluster: reclaim and search those that have some room.
 * Called, and returns, without a lock.
 */
static unsigned long cluster_alloc_scarce(struct swap_info_struct *si,
					  struct folio *folio,
					  unsigned int order)
{
	unsigned long nr_clusters = clusters_nr(si);
	unsigned long nr_frag, found = 0;

	if (slots_are_short(si)) {
		cluster_reclaim_full(si, 1);
		found = cluster_alloc_list(si, &si->free_clusters, 1, folio, order);
	}
	/* An order that fills a cluster finds room only in a free one */
	if ((1 << order) == SWAPFILE_CLUSTER)
		return found;
	/* Nonfull clusters that fail go to the end of the list: not once more */
	nr_frag = READ_ONCE(si->frag_cluster_nr[order]);
	if (!found)
		found = cluster_alloc_list(si, &si->nonfull_clusters[order],
					   nr_clusters, folio, order);
	if (!found)
		found = cluster_alloc_list(si, &si->frag_clusters[order],
					   nr_frag, folio, order);
	return found;
}

/*
 * Give the first free cluster a table ahead of its use, from memory that can be
 * waited for. Called without a lock. Returns false when there is no free
 * cluster, or no memory.
 */
static bool cluster_prepare_free(struct swap_info_struct *si)
{
	struct swap_cluster_info *ci;
	struct swap_table *table;

	if (list_empty(&si->free_clusters))
		return false;
	table = swap_table_alloc(GFP_NOIO | CLUSTER_TABLES_GFP);
	if (!table)
		return false;

	/* It stays the first one: the next to be tried */
	spin_lock(&si->lock);
	ci = list_first_entry_or_null(&si->free_clusters,
				      struct swap_cluster_info, list);
	spin_unlock(&si->lock);
	if (ci) {
		spin_lock(&ci->lock);
		/* Anything may have happened to it: let the caller look again */
		if (ci->state == CLUSTER_FREE && !rcu_access_pointer(ci->table)) {
			rcu_assign_pointer(ci->table, table);
			table = NULL;
		}
		spin_unlock(&ci->lock);
	}
	swap_table_free(table);
	return ci;
}

/*
 * Is there a cluster in use with room for one slot? The lists are searched one
 * after the other, and a cluster can move past that from one not yet searched
 * to one that was: after a failure only this tells that the device has no room.
 *
 * Clusters that do not exist yet do not count: the caller has tried to add some.
 * If there was no memory for them the device has no room now.
 */
static bool cluster_has_room(struct swap_info_struct *si)
{
	unsigned int order;
	bool room = false;

	spin_lock(&si->lock);
	for (order = 0; !room && order < SWAP_NR_ORDERS; order++)
		room = !list_empty(&si->nonfull_clusters[order]) ||
		       !list_empty(&si->frag_clusters[order]);
	spin_unlock(&si->lock);

	return room;
}

static void swap_reclaim_work(struct work_struct *work)
{
	struct swap_info_struct *si;

	si = container_of(work, struct swap_info_struct, reclaim_work.work);

	cluster_reclaim_full(si, atomic_long_read(&si->inuse_pages) /
				 SWAPFILE_CLUSTER + 1);
}

/**
 * swap_cluster_alloc() - Allocate slots.
 * @si: The device.
 * @folio: The folio that is put into the swap cache there; NULL for slots that
 *         hibernation has for itself.
 * @order: Allocate 1 << @order contiguous, naturally aligned slots. They never
 *         cross a cluster. Swapfiles do not have large orders.
 *
 * Context: May sleep. The caller has a reference on the device, and holds the
 * folio's lock.
 * Return: The offset of the first slot, 0 when there is no room.
 */
unsigned long swap_cluster_alloc(struct swap_info_struct *si,
				 struct folio *folio, unsigned int order)
{
	unsigned long found;

	/* Without CONFIG_THP_SWAP large folios have been split beforehand */
	if (WARN_ON_ONCE(order >= SWAP_NR_ORDERS))
		return 0;
	/*
	 * What is contiguous in a swapfile need not be contiguous on the
	 * device below it: no large entries there.
	 */
	if (order && !(si->flags & SWP_BLKDEV) && !swap_is_virtual(si))
		return 0;

retry:
	do {
		do {
			found = cluster_alloc_current(si, folio, order);
			if (found)
				return found;
		} while (clusters_grow(si));
		found = cluster_alloc_scarce(si, folio, order);
	} while (!found && cluster_discard_one(si));

	if (!found && !order)
		found = cluster_steal(si, folio);
	if (found) {
		cluster_set_current(si, found, order);
		return found;
	}

	if (!swap_writeok(si))
		return 0;
	/*
	 * It was for want of a table only, or others took the clusters that were
	 * added, or moved what has room.
	 */
	if (cluster_prepare_free(si) || clusters_grow(si) ||
	    (!order && cluster_has_room(si)))
		goto retry;
	return 0;
}

/* The table entry of any slot of a cluster whose lock is held */
static unsigned long cluster_slot_entry(struct swap_cluster_info *ci,
					unsigned long offset)
{
	lockdep_assert_held(&ci->lock);

	return rcu_access_pointer(ci->table) ? __swap_table_get(ci, offset) :
					       SWP_TB_NULL;
}

static unsigned int __swap_slot_count(struct swap_cluster_info *ci,
				      unsigned long offset, unsigned long swp_tb)
{
	unsigned int count = swp_tb_count(swp_tb);

	if (unlikely(count == SWP_TB_COUNT_MAX))
		count = ci->extend[offset % SWAPFILE_CLUSTER];
	return count;
}

static void __swap_slot_set_count(struct swap_cluster_info *ci,
				  unsigned long offset, unsigned long swp_tb,
				  unsigned int count)
{
	if (unlikely(count >= SWP_TB_COUNT_MAX)) {
		ci->extend[offset % SWAPFILE_CLUSTER] = count;
		count = SWP_TB_COUNT_MAX;
	} else if (unlikely(swp_tb_count(swp_tb) == SWP_TB_COUNT_MAX)) {
		ci->extend[offset % SWAPFILE_CLUSTER] = 0;
		if (!memchr_inv(ci->extend, 0, SWAP_EXTEND_SIZE)) {
			kfree(ci->extend);
			ci->extend = NULL;
		}
	}
	__swap_table_set(ci, offset, swp_tb_set_count(swp_tb, count));
}

/**
 * swap_slot_count() - How many refer to a slot?
 * @ci: Its cluster.
 * @offset: The slot.
 *
 * Context: The caller holds the cluster's lock.
 * Return: The number of references, 0 also for a slot that is not in use.
 */
unsigned int swap_slot_count(struct swap_cluster_info *ci, unsigned long offset)
{
	unsigned long swp_tb = cluster_slot_entry(ci, offset);

	return swp_tb_is_counted(swp_tb) ? __swap_slot_count(ci, offset, swp_tb) : 0;
}

static unsigned int *swap_extend_new(gfp_t gfp)
{
	unsigned int *extend = kzalloc(SWAP_EXTEND_SIZE, gfp);

	/* Nobody looks for pointers in the array of clusters */
	kmemleak_not_leak(extend);
	return extend;
}

/**
 * swap_slots_dup() - Add a reference to each of some slots.
 * @ci: The cluster of the slots.
 * @offset: The first slot.
 * @nr: The number of slots.
 *
 * Context: The caller holds the cluster's lock.
 * Return: 0; -ENOMEM when a count needs the extend table, and there is no memory
 * for that now, or when UINT_MAX refer to a slot; -EINVAL when a slot is not in
 * use, or not cached and nobody refers to it. No reference was added then.
 */
int swap_slots_dup(struct swap_cluster_info *ci, unsigned long offset,
		   unsigned int nr)
{
	unsigned int i, count;
	unsigned long swp_tb;

	for (i = 0; i < nr; i++) {
		swp_tb = cluster_slot_entry(ci, offset + i);
		count = swp_tb_count(swp_tb);
		if (!swp_tb_is_counted(swp_tb) || (!count && !swp_tb_is_pfn(swp_tb)))
			return -EINVAL;
		if (likely(count < SWP_TB_COUNT_MAX - 1))
			continue;
		if (!ci->extend)
			ci->extend = swap_extend_new(GFP_ATOMIC | __GFP_NOWARN);
		if (!ci->extend ||
		    ci->extend[(offset + i) % SWAPFILE_CLUSTER] == UINT_MAX)
			return -ENOMEM;
	}

	for (i = 0; i < nr; i++) {
		swp_tb = __swap_table_get(ci, offset + i);
		count = __swap_slot_count(ci, offset + i, swp_tb);
		__swap_slot_set_count(ci, offset + i, swp_tb, count + 1);
	}
	return 0;
}

/**
 * swap_extend_alloc() - Have an extend table that swap_slots_dup() wanted.
 * @ci: The cluster.
 * @offset: The slot that was to get one more reference.
 * @gfp: How to allocate.
 *
 * Context: The caller keeps the device from being swapped off. May sleep if @gfp
 * says so.
 * Return: 0 when it is worth trying again, or -ENOMEM.
 */
int swap_extend_alloc(struct swap_cluster_info *ci, unsigned long offset,
		      gfp_t gfp)
{
	unsigned int count, *extend = swap_extend_new(gfp);

	if (!extend)
		return -ENOMEM;

	spin_lock(&ci->lock);
	count = swap_slot_count(ci, offset);
	/* Others may have come first, or the slot have lost references */
	if (!ci->extend && count == SWP_TB_COUNT_MAX - 1)
		swap(ci->extend, extend);
	spin_unlock(&ci->lock);
	kfree(extend);
	return count == UINT_MAX ? -ENOMEM : 0;
}

/*
 * How many of @nr slots, from the first on, have lost all references with this
 * one, and are to be freed?
 */
static unsigned int cluster_slots_last(struct swap_cluster_info *ci,
				       unsigned long offset, unsigned int nr)
{
	unsigned long *swp_tb;
	unsigned int n;

	if (!rcu_access_pointer(ci->table))
		return 0;
	swp_tb = rcu_dereference_protected(ci->table, lockdep_is_held(&ci->lock))->entries +
		 offset % SWAPFILE_CLUSTER;
	for (n = 0; n < nr; n++)
		if (!swp_tb_is_shadow(swp_tb[n]) || swp_tb_count(swp_tb[n]) != 1)
			break;
	return n;
}

/**
 * swap_slots_put() - Drop a reference to each of some slots.
 * @si: The device.
 * @ci: The cluster of the slots.
 * @offset: The first slot.
 * @nr: The number of slots.
 *
 * Those that nobody refers to any more and that are not cached are freed.
 *
 * Context: The caller holds the cluster's lock.
 * Return: 1 if only the swap cache holds on to some of them now, else 0; -EINVAL
 * if somebody had no reference to drop, to a slot that is left as it is.
 */
int swap_slots_put(struct swap_info_struct *si, struct swap_cluster_info *ci,
		   unsigned long offset, unsigned int nr)
{
	unsigned long swp_tb, end = offset + nr;
	unsigned int n, count;
	int ret = 0;

	while (offset < end) {
		n = cluster_slots_last(ci, offset, end - offset);
		if (n) {
			swap_cluster_free(si, ci, offset, n);
			offset += n;
			continue;
		}

		swp_tb = cluster_slot_entry(ci, offset);
		count = swp_tb_is_counted(swp_tb) ?
			__swap_slot_count(ci, offset, swp_tb) : 0;
		if (count)
			__swap_slot_set_count(ci, offset, swp_tb, count - 1);
		if (!count)
			ret = -EINVAL;
		else if (count == 1 && !ret)
			ret = 1;
		offset++;
	}
	return ret;
}

#ifdef CONFIG_VSWAP
/**
 * __swap_backing_set() - Say where the data of a slot are.
 * @ci: The slot's cluster, of the virtual device.
 * @offset: The slot.
 * @swp_vt: A word of the virtual table.
 *
 * The table goes with the last word that says something.
 *
 * Context: The caller holds the cluster's lock, and that of the folio if the slot
 * is cached. There is a table, or nothing to say.
 * Return: The word until now.
 */
unsigned long __swap_backing_set(struct swap_cluster_info *ci,
				 unsigned long offset, unsigned long swp_vt)
{
	struct swap_table *table;
	unsigned long *word, old;

	table = rcu_dereference_protected(ci->backing, lockdep_is_held(&ci->lock));
	if (!table)
		return SWP_VT_NONE;
	word = table->entries + offset % SWAPFILE_CLUSTER;
	old = *word;
	/* Whoever finds an object here finds it set up; a dependency pairs */
	smp_store_release(word, swp_vt);
	ci->nr_backed += !!swp_vt - !!old;
	if (!ci->nr_backed) {
		RCU_INIT_POINTER(ci->backing, NULL);
		swap_table_free_rcu(table);
	}
	return old;
}

/**
 * swap_backing_run() - How many slots have their data in a row on a device?
 * @ci: Their cluster, of the virtual device.
 * @offset: The first slot.
 * @nr: The number of slots.
 *
 * Those of the next cluster there do not count: no folio's slots are in two.
 *
 * Context: The caller holds the cluster's lock, or that of the folio in the swap
 * cache there.
 * Return: The number of slots from the first on, 0 if its data are elsewhere.
 */
unsigned int swap_backing_run(struct swap_cluster_info *ci, unsigned long offset,
			      unsigned int nr)
{
	unsigned long swp_vt = swap_backing_get(ci, offset);
	unsigned int n;

	if (swp_vt_kind(swp_vt) != SWP_VT_PHYS)
		return 0;
	for (n = 1; n < nr; n++) {
		swp_vt = swp_vt_next(swp_vt);
		if (swp_vt_phys_offset(swp_vt) % SWAPFILE_CLUSTER == 0 ||
		    swap_backing_get(ci, offset + n) != swp_vt)
			break;
	}
	return n;
}

/**
 * swap_backing_set() - Say where the data of slots are, which have no table perhaps.
 * @ci: The cluster, of the virtual device.
 * @offset: The first slot.
 * @nr: The number of slots.
 * @swp_vt: The first word. Others follow it as swp_vt_next() says.
 *
 * Context: May sleep. The caller holds the lock of the folio in the swap cache there.
 * Return: 0, or -ENOMEM: then nothing has changed.
 */
int swap_backing_set(struct swap_cluster_info *ci, unsigned long offset,
		     unsigned int nr, unsigned long swp_vt)
{
	const gfp_t gfp = GFP_NOIO | __GFP_HIGH | __GFP_NOMEMALLOC | __GFP_NOWARN;
	struct swap_table *table = NULL;

	spin_lock(&ci->lock);
	if (!rcu_access_pointer(ci->backing))
		table = swap_table_alloc(CLUSTER_TABLES_GFP);
	if (!table && !rcu_access_pointer(ci->backing)) {
		spin_unlock(&ci->lock);
		table = swap_table_alloc(gfp);
		if (!table)
			return -ENOMEM;
		spin_lock(&ci->lock);
	}
	/* Others may have come first, and even be gone again */
	if (!rcu_access_pointer(ci->backing)) {
		rcu_assign_pointer(ci->backing, table);
		table = NULL;
	}
	for (; nr--; swp_vt = swp_vt_next(swp_vt))
		__swap_backing_set(ci, offset++, swp_vt);
	spin_unlock(&ci->lock);

	if (table)
		swap_table_free(table);
	return 0;
}

/* Do the words, their number, and what the slots are used for agree? */
static bool backing_consistent(struct swap_info_struct *si,
			       struct swap_cluster_info *ci)
{
	unsigned int i, count = 0;
	unsigned long swp_tb;

	for (i = 0; i < SWAPFILE_CLUSTER; i++) {
		swp_tb = cluster_slot_entry(ci, i);
		if (swap_backing_get(ci, i)) {
			if (!swp_tb_is_counted(swp_tb) || swap_slot_is_zero(ci, i))
				return false;
			count++;
		} else if (swap_is_virtual(si) && swp_tb_is_shadow(swp_tb) &&
			   !swap_slot_is_zero(ci, i)) {
			/* The data would be nowhere */
			return false;
		}
	}
	return ci->nr_backed == count && !rcu_access_pointer(ci->backing) == !count;
}
#else
static bool backing_consistent(struct swap_info_struct *si,
			       struct swap_cluster_info *ci)
{
	return true;
}
#endif /* CONFIG_VSWAP */

/**
 * swap_slots_unreferenced() - Does only the swap cache hold on to slots?
 * @ci: Their cluster.
 * @offset: The first slot.
 * @nr: The number of slots. All are cached.
 *
 * Context: The caller holds the cluster's lock.
 * Return: Whether no page table, and no shmem mapping, refers to any of them.
 */
bool swap_slots_unreferenced(struct swap_cluster_info *ci, unsigned long offset,
			     unsigned int nr)
{
	while (nr--)
		if (swp_tb_count(__swap_table_get(ci, offset + nr)))
			return false;
	return true;
}

static void __swap_slot_set_zero(struct swap_cluster_info *ci,
				 unsigned long offset, bool zero)
{
	struct swap_table *table;
	unsigned long swp_tb;

	if (SWP_TB_ZERO_BITS) {
		swp_tb = __swap_table_get(ci, offset);
		VM_WARN_ON_ONCE(!swp_tb_is_counted(swp_tb));
		__swap_table_set(ci, offset, swp_tb_set_zero(swp_tb, zero));
		return;
	}

	table = rcu_dereference_protected(ci->table, lockdep_is_held(&ci->lock));
	/* Atomic for those who look without the lock only */
	assign_bit(offset % SWAPFILE_CLUSTER, table->zero, zero);
}

/**
 * swap_cluster_set_zero() - Note whether slots hold nothing but zeroes.
 * @ci: Their cluster.
 * @offset: The first slot.
 * @nr: The number of slots.
 * @zero: Whether they do.
 *
 * Context: The caller holds the lock of the folio that is in the swap cache at
 * the slots.
 */
void swap_cluster_set_zero(struct swap_cluster_info *ci, unsigned long offset,
			   unsigned int nr, bool zero)
{
	unsigned int i = 0;

	/* Because of the folio's lock nobody else changes it, and seldom we do */
	while (i < nr && swap_slot_is_zero(ci, offset + i) == zero)
		i++;
	if (i == nr)
		return;

	spin_lock(&ci->lock);
	for (; i < nr; i++)
		__swap_slot_set_zero(ci, offset + i, zero);
	spin_unlock(&ci->lock);
}

/**
 * swap_cluster_prepare_memcg() - Have room for ids of cgroups.
 * @ci: The cluster.
 *
 * Context: May sleep. The caller holds the lock of a folio that slots of the
 * cluster were allocated for.
 * Return: Whether there is, or none is needed: without cgroups.
 */
bool swap_cluster_prepare_memcg(struct swap_cluster_info *ci)
{
	unsigned short *ids;

	/* They stay as long as a slot of the cluster is in use */
	if (READ_ONCE(ci->memcg_ids) || mem_cgroup_disabled())
		return true;
	ids = kcalloc_node(SWAPFILE_CLUSTER, sizeof(*ids),
			   GFP_NOIO | CLUSTER_TABLES_GFP, numa_mem_id());
	if (!ids)
		return false;
	/* Nobody looks for pointers in the array of clusters */
	kmemleak_not_leak(ids);

	spin_lock(&ci->lock);
	if (!ci->memcg_ids) {
		/* Who finds them without the lock finds them to be 0 */
		smp_store_release(&ci->memcg_ids, ids);
		ids = NULL;
	}
	spin_unlock(&ci->lock);
	kfree(ids);
	return true;
}

/**
 * __swap_cluster_set_memcg() - Record the cgroup that slots are charged to.
 * @ci: Their cluster.
 * @offset: The first slot.
 * @nr: The number of slots.
 * @id: The cgroup's id, 0 for none.
 *
 * Context: The caller holds the cluster's lock. The slots are in use.
 */
void __swap_cluster_set_memcg(struct swap_cluster_info *ci, unsigned long offset,
			      unsigned int nr, unsigned short id)
{
	lockdep_assert_held(&ci->lock);

	offset %= SWAPFILE_CLUSTER;
	while (ci->memcg_ids && nr--)
		ci->memcg_ids[offset++] = id;
}

/**
 * swap_memcg_id() - The cgroup that a slot is charged to.
 * @entry: The slot.
 *
 * Context: The slot is in use and stays so: because of a page table's lock, or the
 * lock of a folio that is in the swap cache there.
 * Return: The cgroup's id, 0 if there is none.
 */
unsigned short swap_memcg_id(swp_entry_t entry)
{
	struct swap_cluster_info *ci = swap_entry_cluster(entry);
	unsigned short *ids;

	/* They stay as long as a slot of the cluster is in use */
	ids = ci ? READ_ONCE(ci->memcg_ids) : NULL;
	return ids ? READ_ONCE(ids[swp_offset(entry) % SWAPFILE_CLUSTER]) : 0;
}

/**
 * swap_memcg_move() - Record that a slot's charge has moved to another cgroup.
 * @entry: The slot.
 * @from: The id of the cgroup that is to be charged now.
 * @to: The id of the cgroup that is charged afterwards.
 *
 * Context: The caller keeps the device from being swapped off.
 * Return: Whether the slot was charged to @from.
 */
bool swap_memcg_move(swp_entry_t entry, unsigned short from, unsigned short to)
{
	struct swap_cluster_info *ci = swap_entry_cluster(entry);
	unsigned long offset = swp_offset(entry);
	bool moved;

	if (!ci)
		return false;
	spin_lock(&ci->lock);
	moved = ci->memcg_ids && __swap_slot_memcg_id(ci, offset) == from;
	if (moved)
		__swap_cluster_set_memcg(ci, offset, 1, to);
	spin_unlock(&ci->lock);

	return moved;
}

/* A range may have been charged to many cgroups. */
static void cluster_uncharge(struct swap_info_struct *si,
			     struct swap_cluster_info *ci, unsigned long offset,
			     unsigned int nr)
{
	unsigned short *ids = ci->memcg_ids;
	unsigned int i, n;

	if (!ids)
		return;
	ids += offset % SWAPFILE_CLUSTER;
	for (i = 0; i < nr; i += n) {
		for (n = 1; i + n < nr && ids[i + n] == ids[i]; n++)
			;
		if (ids[i] && swap_is_virtual(si))
			mem_cgroup_disown_swap(ids[i], n);
		else if (ids[i])
			mem_cgroup_uncharge_swap(ids[i], n);
	}
	memset(ids, 0, nr * sizeof(*ids));
}

/**
 * swap_memcg_uncharge() - Have slots charged to nobody any more.
 * @entry: The first slot.
 * @nr: The number of slots.
 *
 * Context: The caller holds the lock of the folio in the swap cache there.
 */
void swap_memcg_uncharge(swp_entry_t entry, unsigned int nr)
{
	struct swap_cluster_info *ci = swap_entry_cluster(entry);

	spin_lock(&ci->lock);
	cluster_uncharge(swp_swap_info(entry), ci, swp_offset(entry), nr);
	spin_unlock(&ci->lock);
}

/**
 * swap_cluster_free() - Free slots.
 * @si: The device.
 * @ci: Their cluster.
 * @offset: The first slot.
 * @nr: The number of slots.
 *
 * When no slot is in use any more the cluster becomes free, after a discard if
 * the device wants one.
 *
 * Context: The caller holds the cluster's lock, has seen that nobody refers to
 * the slots, and does not touch the device any more after it has dropped the
 * lock, unless it has a reference on it.
 */
void swap_cluster_free(struct swap_info_struct *si,
		       struct swap_cluster_info *ci,
		       unsigned long offset, unsigned int nr)
{
	const unsigned long discard = SWP_WRITEOK | SWP_PAGE_DISCARD;
	unsigned int i;

	lockdep_assert_held(&ci->lock);
	VM_WARN_ON_ONCE(ci->count < nr);

	if (swap_is_virtual(si))
		vswap_slots_forget(ci, offset, nr);
	swap_slots_forget(si, offset, nr);
	cluster_uncharge(si, ci, offset, nr);
	for (i = 0; i < nr; i++) {
		if (!SWP_TB_ZERO_BITS)
			__swap_slot_set_zero(ci, offset + i, false);
		__swap_table_set(ci, offset + i, SWP_TB_NULL);
	}
	ci->count -= nr;
	if (!ci->count)
		cluster_free_tables(ci);
	if (ci->count) {
		if (ci->state != CLUSTER_NONFULL)
			cluster_move(si, ci, CLUSTER_NONFULL, ci->order);
	} else if ((READ_ONCE(si->flags) & discard) == discard) {
		cluster_move(si, ci, CLUSTER_DISCARD, 0);
		schedule_work(&si->discard_work);
	} else {
		cluster_move(si, ci, CLUSTER_FREE, 0);
	}
	swap_usage_sub(si, nr);
}

/* Does what a cluster says of itself, and what its slots are, agree? */
static bool cluster_consistent(struct swap_info_struct *si,
			       struct swap_cluster_info *ci)
{
	unsigned int i, count = 0, nr_extended = 0;
	unsigned long swp_tb;

	lockdep_assert_held(&ci->lock);

	for (i = 0; i < SWAPFILE_CLUSTER; i++) {
		swp_tb = cluster_slot_entry(ci, i);
		if (!swp_tb_is_null(swp_tb))
			count++;
		else if (__swap_slot_memcg_id(ci, i) || swap_slot_is_zero(ci, i))
			return false;
		/* Who refers to a slot that is not cached keeps it in use */
		if (swp_tb_is_shadow(swp_tb) && !swp_tb_count(swp_tb))
			return false;
		if (swp_tb_is_counted(swp_tb) && swp_tb_count(swp_tb) == SWP_TB_COUNT_MAX) {
			if (!ci->extend || ci->extend[i] < SWP_TB_COUNT_MAX)
				return false;
			nr_extended++;
		}
	}
	for (i = 0; ci->extend && i < SWAPFILE_CLUSTER; i++)
		if (ci->extend[i] && !nr_extended--)
			return false;
	if ((ci->state == CLUSTER_FREE || ci->state == CLUSTER_DISCARD) != !count)
		return false;
	if (!backing_consistent(si, ci))
		return false;
	return ci->count == count &&
	       (ci->state == CLUSTER_FULL) == (count == SWAPFILE_CLUSTER);
}

static unsigned long list_consistent(struct swap_info_struct *si,
				     enum swap_cluster_state state,
				     unsigned int order, bool *consistent)
{
	struct list_head *list = cluster_list(si, state, order);
	struct swap_cluster_info *ci;
	unsigned long nr = 0;

	list_for_each_entry(ci, list, list) {
		if (cluster_list(si, ci->state, ci->order) != list)
			*consistent = false;
		nr++;
	}
	if (state == CLUSTER_FRAG && nr != si->frag_cluster_nr[order])
		*consistent = false;
	return nr;
}

/*
 * Is each cluster on the list that goes with its state, unless it is being
 * discarded? Clusters change their state under si->lock, which is held.
 */
static bool lists_consistent(struct swap_info_struct *si)
{
	unsigned long i, nr;
	unsigned int order;
	bool ret = true;

	nr = list_consistent(si, CLUSTER_FREE, 0, &ret) +
	     list_consistent(si, CLUSTER_FULL, 0, &ret) +
	     list_consistent(si, CLUSTER_DISCARD, 0, &ret);
	for (order = 0; order < SWAP_NR_ORDERS; order++)
		nr += list_consistent(si, CLUSTER_NONFULL, order, &ret) +
		      list_consistent(si, CLUSTER_FRAG, order, &ret);
	for (i = 0; i < clusters_nr(si); i++) {
		if (!list_empty(&si->cluster_info[i].list))
			continue;
		if (si->cluster_info[i].state != CLUSTER_DISCARD)
			ret = false;
		nr++;
	}
	return ret && nr == clusters_nr(si);
}

/*
 * Look through all that clusters, tables and lists say, where kernels are
 * debugged. Called without a lock; nobody adds clusters.
 */
static void clusters_check(struct swap_info_struct *si)
{
	struct swap_cluster_info *ci;
	unsigned long i;
	bool good;

	if (!IS_ENABLED(CONFIG_DEBUG_VM))
		return;

	for (i = 0; i < clusters_nr(si); i++) {
		ci = si->cluster_info + i;
		spin_lock(&ci->lock);
		good = cluster_consistent(si, ci);
		spin_unlock(&ci->lock);
		WARN_ONCE(!good, "swap cluster %lu: %u slots, state %u, order %u",
			  i, ci->count, ci->state, ci->order);
		cond_resched();
	}

	spin_lock(&si->lock);
	good = lists_consistent(si);
	spin_unlock(&si->lock);
	WARN_ONCE(!good, "lists of swap clusters");
}

/**
 * swap_clusters_quiesce() - Pass through the lock of every cluster of a device.
 * @si: The device. SWP_WRITEOK has been cleared.
 *
 * Who saw SWP_WRITEOK set under the lock of a cluster has taken his slots when
 * that lock is free again, and who gets the lock later sees it cleared: nobody
 * allocates from the device any more.
 *
 * Context: May sleep.
 */
void swap_clusters_quiesce(struct swap_info_struct *si)
{
	unsigned long i, nr_clusters;

	/* Whoever gets the mutex later adds no clusters any more */
	mutex_lock(&cluster_grow_mutex);
	nr_clusters = clusters_nr(si);
	mutex_unlock(&cluster_grow_mutex);

	for (i = 0; i < nr_clusters; i++) {
		swap_cluster_unlock(swap_cluster_lock(si, i * SWAPFILE_CLUSTER));
		cond_resched();
	}
	clusters_check(si);
	if (vswap_exists()) {
		/* That is in use: no clusters may come meanwhile */
		mutex_lock(&cluster_grow_mutex);
		clusters_check(vswap_si);
		mutex_unlock(&cluster_grow_mutex);
	}
}

#ifdef CONFIG_VSWAP
/**
 * swap_clusters_have_room() - Are there slots in a row?
 * @si: The device.
 *
 * Context: Any. The answer is a hint: the list is looked at without a lock, and
 * stays where it is, whatever becomes of the device.
 * Return: Whether a cluster is free, or does not exist yet. What is free of others
 * need not be in a row.
 */
bool swap_clusters_have_room(struct swap_info_struct *si)
{
	return !list_empty(&si->free_clusters) || READ_ONCE(si->slots_end) != si->max;
}

/**
 * swap_clusters_bytes() - How much memory the clusters of a device take.
 * @si: The device.
 *
 * Context: May sleep. The caller keeps the device from being swapped off.
 * Return: The size of their array, their tables, and all that goes with those.
 */
unsigned long swap_clusters_bytes(struct swap_info_struct *si)
{
	unsigned long i, nr = clusters_nr(si), bytes;
	struct swap_cluster_info *ci;

	bytes = READ_ONCE(si->cluster_mem_end) - (unsigned long)si->cluster_info;
	for (i = 0; i < nr; i++) {
		ci = si->cluster_info + i;
		spin_lock(&ci->lock);
		if (rcu_access_pointer(ci->table))
			bytes += sizeof(struct swap_table);
		if (rcu_access_pointer(ci->backing))
			bytes += sizeof(struct swap_table);
		if (ci->memcg_ids)
			bytes += SWAPFILE_CLUSTER * sizeof(*ci->memcg_ids);
		if (ci->extend)
			bytes += SWAP_EXTEND_SIZE;
		spin_unlock(&ci->lock);
		cond_resched();
	}
	return bytes;
}
#endif

static int current_clusters_init(struct swap_info_struct *si)
{
	int cpu;

	/* Zeroed memory: SWAP_NEXT_INVALID for every order */
	si->percpu_cluster = alloc_percpu(struct swap_current_cluster);
	if (!si->percpu_cluster)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		local_lock_init(&per_cpu_ptr(si->percpu_cluster, cpu)->lock);

	spin_lock_init(&si->shared_lock);
	memset(si->shared_next, 0, sizeof(si->shared_next));
	return 0;
}

/**
 * swap_clusters_init() - Set up the clusters of a device.
 * @si: The device, being swapped on; si->max and the list of bad slots are set.
 *
 * Context: May sleep.
 * Return: 0, or -ENOMEM; swap_clusters_exit() is to be called in either case.
 */
int swap_clusters_init(struct swap_info_struct *si)
{
	unsigned int i;

	INIT_WORK(&si->discard_work, swap_discard_work);
	INIT_DELAYED_WORK(&si->reclaim_work, swap_reclaim_work);

	INIT_LIST_HEAD(&si->free_clusters);
	INIT_LIST_HEAD(&si->full_clusters);
	INIT_LIST_HEAD(&si->discard_clusters);
	for (i = 0; i < SWAP_NR_ORDERS; i++) {
		INIT_LIST_HEAD(&si->nonfull_clusters[i]);
		INIT_LIST_HEAD(&si->frag_clusters[i]);
		si->frag_cluster_nr[i] = 0;
	}

	if (current_clusters_init(si))
		return -ENOMEM;

	INIT_LIST_HEAD(&si->cluster_pages);
	si->cluster_area = get_vm_area(clusters_max(si) *
				       sizeof(*si->cluster_info), VM_SPARSE);
	if (!si->cluster_area)
		return -ENOMEM;
	si->cluster_info = si->cluster_area->addr;
	si->cluster_mem_end = (unsigned long)si->cluster_info;

	/* Nobody else knows the device: no mutex, and it may reclaim memory */
	return clusters_add(si) ? 0 : -ENOMEM;
}

/**
 * swap_clusters_exit() - Free the clusters of a device.
 * @si: The device, swapped off or failing to be swapped on.
 *
 * Context: May sleep. Nobody has a reference on the device.
 */
void swap_clusters_exit(struct swap_info_struct *si)
{
	struct swap_cluster_info *ci;
	unsigned long i;

	if (si->cluster_info)
		clusters_check(si);
	for (i = 0; i < clusters_nr(si); i++) {
		ci = si->cluster_info + i;
		swap_table_free(rcu_dereference_protected(ci->table, true));
		kfree(ci->memcg_ids);
		kfree(ci->extend);
	}
	kfree(si->bad_slots);
	si->bad_slots = NULL;
	si->nr_bad_slots = 0;
	free_percpu(si->percpu_cluster);
	si->percpu_cluster = NULL;

	si->slots_end = 0;
	si->cluster_info = NULL;
	if (si->cluster_area) {
		free_vm_area(si->cluster_area);
		si->cluster_area = NULL;
		put_pages_list(&si->cluster_pages);
	}
}

#include "tests/swap_cluster_kunit.h"
