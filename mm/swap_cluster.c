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
 *   the current cluster (a local lock, or si->shared_lock where CPUs share one)
 *     the cluster (ci->lock)
 *       the lists (si->lock), the available devices (swap_avail_lock)
 *
 * A cluster is always on the list that goes with its state, but for the time
 * in which it is being discarded: "current" is only where a CPU looks first.
 * Whoever gets at a cluster by a remembered offset, from the head of a list or
 * after having dropped its lock must therefore look at its state under its
 * lock: it may have been filled, freed, discarded or taken for another order.
 * The cluster itself stays valid as long as there is a reference on the device.
 *
 * swapoff clears SWP_WRITEOK and passes through the lock of every cluster.
 * Slots are allocated only after SWP_WRITEOK was seen set under the cluster's
 * lock, so none is allocated after that.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/swap.h>

#include "swap.h"
#include "swap_cluster.h"

static unsigned long cluster_offset(struct swap_info_struct *si,
				    struct swap_cluster_info *ci)
{
	return (ci - si->cluster_info) * (unsigned long)SWAPFILE_CLUSTER;
}

/* The first slot behind a slot's cluster, or behind the device's last */
static unsigned long cluster_end(struct swap_info_struct *si,
				 unsigned long offset)
{
	return min_t(unsigned long, ALIGN(offset + 1, SWAPFILE_CLUSTER), si->max);
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
	 * Wear a solid state device evenly. On a rotating one stay near the
	 * front, and go through neighbours in the order in which they lie on
	 * the disk. The first cluster, with the header, is never free.
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

/* May slots of this order be allocated from the cluster? */
static bool cluster_usable(struct swap_info_struct *si,
			   struct swap_cluster_info *ci, unsigned int order)
{
	lockdep_assert_held(&ci->lock);

	if (!swap_writeok(si))
		return false;
	if (ci->state == CLUSTER_FREE)
		return true;
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
		unsigned char ent = READ_ONCE(si->swap_map[offset]);

		if (!ent)
			continue;
		if (ent != SWAP_HAS_CACHE ||
		    swap_try_to_reclaim(si, offset, TTRS_ANYWAY) <= 0)
			break;
	}
	spin_lock(&ci->lock);
}

/*
 * Are the slots of a range free, but perhaps for some that only the swap cache
 * holds on to?
 */
static bool cluster_range_free(struct swap_info_struct *si,
			       unsigned long start, unsigned int nr,
			       bool *cached)
{
	const unsigned char *map = si->swap_map + start;
	unsigned int i;

	*cached = false;
	for (i = 0; i < nr; i++) {
		if (!map[i])
			continue;
		if (map[i] != SWAP_HAS_CACHE)
			return false;
		*cached = true;
	}
	return true;
}

/* Take free slots of a cluster into use. */
static void cluster_claim(struct swap_info_struct *si,
			  struct swap_cluster_info *ci, unsigned long offset,
			  unsigned char usage, unsigned int order)
{
	unsigned int nr = 1 << order;

	memset(si->swap_map + offset, usage, nr);
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
				  unsigned long offset, unsigned char usage,
				  unsigned int order, bool reclaim)
{
	unsigned long end = cluster_end(si, offset);
	unsigned int nr = 1 << order;
	bool cached;

	if (!cluster_usable(si, ci, order))
		return 0;

	for (; offset + nr <= end; offset += nr) {
		if (!cluster_range_free(si, offset, nr, &cached))
			continue;
		if (cached) {
			if (!reclaim)
				continue;
			cluster_reclaim_range(si, ci, offset, nr);
			if (!cluster_usable(si, ci, order))
				return 0;
			if (!cluster_range_free(si, offset, nr, &cached) || cached)
				continue;
		}
		cluster_claim(si, ci, offset, usage, order);
		return offset;
	}

	return 0;
}

/*
 * Allocate from the cluster at the head of a list. Returns false when there is
 * none.
 */
static bool cluster_alloc_first(struct swap_info_struct *si,
				struct list_head *list, unsigned long *found,
				unsigned char usage, unsigned int order,
				bool reclaim)
{
	struct swap_cluster_info *ci = cluster_first(si, list);

	if (!ci)
		return false;

	spin_lock(&ci->lock);
	if (cluster_on_list(si, ci, list)) {
		/* Ours now, or of no use: others had better look elsewhere */
		if (ci->state == CLUSTER_NONFULL)
			cluster_move(si, ci, CLUSTER_FRAG, order);
		*found = cluster_scan(si, ci, cluster_offset(si, ci), usage,
				      order, reclaim);
	}
	spin_unlock(&ci->lock);
	return true;
}

/* Allocate from one of the first @nr clusters of a list. */
static unsigned long cluster_alloc_list(struct swap_info_struct *si,
					struct list_head *list, unsigned long nr,
					unsigned char usage, unsigned int order)
{
	bool reclaim = vm_swap_full();
	unsigned long found = 0;

	while (!found && nr-- && swap_writeok(si) &&
	       cluster_alloc_first(si, list, &found, usage, order, reclaim))
		cond_resched();

	return found;
}

/*
 * Turn a cluster in which another order has left room into one of order 0, and
 * allocate from it.
 */
static unsigned long cluster_steal(struct swap_info_struct *si,
				   unsigned char usage)
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
					     usage, 0, false);
		}
		spin_unlock(&ci->lock);
	}

	return found;
}

/* Where to look next after @found was allocated: in the same cluster. */
static unsigned int current_next(unsigned long found, unsigned int order)
{
	unsigned long next = found + (1 << order);

	return next % SWAPFILE_CLUSTER ? next : SWAP_NEXT_INVALID;
}

/*
 * Allocate from the current cluster, or make a free one current. Nothing here
 * sleeps, or drops a lock to reclaim.
 */
static unsigned long cluster_alloc_next(struct swap_info_struct *si,
					struct swap_current_cluster *cur,
					unsigned char usage, unsigned int order)
{
	unsigned long next = cur->next[order];
	struct swap_cluster_info *ci;
	unsigned long found = 0;

	if (next != SWAP_NEXT_INVALID) {
		ci = swap_cluster_lock(si, next);
		found = cluster_scan(si, ci, next, usage, order, false);
		swap_cluster_unlock(ci);
	}

	/* A free cluster has room, unless somebody else is first to lock it */
	while (!found && swap_writeok(si) &&
	       cluster_alloc_first(si, &si->free_clusters, &found, usage, order,
				   false))
		;

	cur->next[order] = found ? current_next(found, order) : SWAP_NEXT_INVALID;
	return found;
}

static unsigned long cluster_alloc_current(struct swap_info_struct *si,
					   unsigned char usage,
					   unsigned int order)
{
	unsigned long found;

	if (si->flags & SWP_SOLIDSTATE) {
		local_lock(&si->percpu_cluster->lock);
		found = cluster_alloc_next(si, this_cpu_ptr(si->percpu_cluster),
					   usage, order);
		local_unlock(&si->percpu_cluster->lock);
	} else {
		spin_lock(&si->shared_lock);
		found = cluster_alloc_next(si, si->shared_cluster, usage, order);
		spin_unlock(&si->shared_lock);
	}

	return found;
}

/* Make the cluster that @found was allocated from the current one. */
static void cluster_set_current(struct swap_info_struct *si,
				unsigned long found, unsigned int order)
{
	unsigned int next = current_next(found, order);

	if (si->flags & SWP_SOLIDSTATE) {
		local_lock(&si->percpu_cluster->lock);
		this_cpu_write(si->percpu_cluster->next[order], next);
		local_unlock(&si->percpu_cluster->lock);
	} else {
		spin_lock(&si->shared_lock);
		si->shared_cluster->next[order] = next;
		spin_unlock(&si->shared_lock);
	}
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
			if (READ_ONCE(si->swap_map[offset]) == SWAP_HAS_CACHE)
				nr = abs(swap_try_to_reclaim(si, offset, TTRS_ANYWAY));
			/* On to the end of the folio; folios are aligned in swap */
			offset = nr ? ALIGN(offset + 1, nr) : offset + 1;
		}
		cond_resched();
	}
}

/*
 * There is no free cluster: reclaim and search those that have some room.
 * Called, and returns, without a lock.
 */
static unsigned long cluster_alloc_scarce(struct swap_info_struct *si,
					  unsigned char usage,
					  unsigned int order)
{
	unsigned long nr_clusters = DIV_ROUND_UP(si->max, SWAPFILE_CLUSTER);
	unsigned long nr_frag, found = 0;

	if (vm_swap_full()) {
		cluster_reclaim_full(si, 1);
		found = cluster_alloc_list(si, &si->free_clusters, 1, usage, order);
	}
	/* An order that fills a cluster finds room only in a free one */
	if ((1 << order) == SWAPFILE_CLUSTER)
		return found;
	/* Nonfull clusters that fail go to the end of the list: not once more */
	nr_frag = READ_ONCE(si->frag_cluster_nr[order]);
	if (!found)
		found = cluster_alloc_list(si, &si->nonfull_clusters[order],
					   nr_clusters, usage, order);
	if (!found)
		found = cluster_alloc_list(si, &si->frag_clusters[order],
					   nr_frag, usage, order);
	return found;
}

/*
 * Is there a cluster with room for one slot? The lists are searched one after
 * the other, and a cluster can move past that from one not yet searched to one
 * that was: after a failure only this tells that the device has no room.
 */
static bool cluster_has_room(struct swap_info_struct *si)
{
	unsigned int order;
	bool room;

	spin_lock(&si->lock);
	room = !list_empty(&si->free_clusters);
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
 * @usage: What to set the slots' swap_map entries to.
 * @order: Allocate 1 << @order contiguous, naturally aligned slots. They never
 *         cross a cluster. Only block devices have large orders.
 *
 * Context: May sleep. The caller has a reference on the device.
 * Return: The offset of the first slot, 0 when there is no room.
 */
unsigned long swap_cluster_alloc(struct swap_info_struct *si,
				 unsigned char usage, unsigned int order)
{
	unsigned long found;

	/* Without CONFIG_THP_SWAP large folios have been split beforehand */
	if (WARN_ON_ONCE(order >= SWAP_NR_ORDERS))
		return 0;
	/*
	 * What is contiguous in a swapfile need not be contiguous on the
	 * device below it: no large entries there.
	 */
	if (order && !(si->flags & SWP_BLKDEV))
		return 0;

retry:
	do {
		found = cluster_alloc_current(si, usage, order);
		if (found)
			return found;
		found = cluster_alloc_scarce(si, usage, order);
	} while (!found && cluster_discard_one(si));

	if (!found && !order) {
		found = cluster_steal(si, usage);
		/* Somebody else moved what has room: there is progress */
		if (!found && swap_writeok(si) && cluster_has_room(si))
			goto retry;
	}

	if (found)
		cluster_set_current(si, found, order);
	return found;
}

/**
 * swap_cluster_free() - Free slots.
 * @si: The device.
 * @ci: Their cluster.
 * @offset: The first slot.
 * @nr: The number of slots. All were charged to the same memory cgroup.
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

	lockdep_assert_held(&ci->lock);
	VM_WARN_ON_ONCE(ci->count < nr);

	swap_slots_forget(si, offset, nr);
	memset(si->swap_map + offset, 0, nr);
	ci->count -= nr;
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
	unsigned long offset;

	for (offset = 0; offset < si->max; offset += SWAPFILE_CLUSTER) {
		swap_cluster_unlock(swap_cluster_lock(si, offset));
		cond_resched();
	}
}

#define SWAP_CLUSTER_INFO_COLS						\
	DIV_ROUND_UP(L1_CACHE_BYTES, sizeof(struct swap_cluster_info))
#define SWAP_CLUSTER_SPACE_COLS						\
	DIV_ROUND_UP(SWAP_ADDRESS_SPACE_PAGES, SWAPFILE_CLUSTER)
#define SWAP_CLUSTER_COLS						\
	max_t(unsigned int, SWAP_CLUSTER_INFO_COLS, SWAP_CLUSTER_SPACE_COLS)

static int current_clusters_init(struct swap_info_struct *si)
{
	int cpu;

	spin_lock_init(&si->shared_lock);
	/* Zeroed memory: SWAP_NEXT_INVALID for every order */
	if (!(si->flags & SWP_SOLIDSTATE)) {
		si->shared_cluster = kzalloc(sizeof(*si->shared_cluster), GFP_KERNEL);
		return si->shared_cluster ? 0 : -ENOMEM;
	}

	si->percpu_cluster = alloc_percpu(struct swap_current_cluster);
	if (!si->percpu_cluster)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		local_lock_init(&per_cpu_ptr(si->percpu_cluster, cpu)->lock);
	return 0;
}

/*
 * Count the slots of a cluster that can never be allocated: the header, bad
 * pages, and what lies behind the end of the device.
 */
static void cluster_count_unusable(struct swap_info_struct *si,
				   const unsigned char *swap_map,
				   unsigned long maxpages, unsigned long page_nr)
{
	struct swap_cluster_info *ci = si->cluster_info + page_nr / SWAPFILE_CLUSTER;
	unsigned long start = cluster_offset(si, ci);
	unsigned long offset;

	ci->count = 0;
	for (offset = start; offset < start + SWAPFILE_CLUSTER; offset++)
		if (offset >= maxpages || swap_map[offset] == SWAP_MAP_BAD)
			ci->count++;
}

static void cluster_list_add(struct swap_info_struct *si,
			     struct swap_cluster_info *ci)
{
	if (!ci->count)
		ci->state = CLUSTER_FREE;
	else if (ci->count < SWAPFILE_CLUSTER)
		ci->state = CLUSTER_NONFULL;
	else
		ci->state = CLUSTER_FULL;
	list_add_tail(&ci->list, cluster_list(si, ci->state, 0));
}

/**
 * swap_clusters_init() - Set up the clusters of a device.
 * @si: The device, being swapped on.
 * @swap_header: Its header, for the list of bad pages.
 * @swap_map: Where unusable slots are marked SWAP_MAP_BAD.
 * @maxpages: The number of slots, unusable ones included.
 *
 * Context: May sleep.
 * Return: 0, or -ENOMEM; swap_clusters_exit() is to be called in either case.
 */
int swap_clusters_init(struct swap_info_struct *si,
		       union swap_header *swap_header,
		       const unsigned char *swap_map, unsigned long maxpages)
{
	unsigned long nr_clusters = DIV_ROUND_UP(maxpages, SWAPFILE_CLUSTER);
	unsigned long cols = si->flags & SWP_SOLIDSTATE ? SWAP_CLUSTER_COLS : 1;
	unsigned long i, j;

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
	si->cluster_info = kvcalloc(nr_clusters, sizeof(*si->cluster_info),
				    GFP_KERNEL);
	if (!si->cluster_info)
		return -ENOMEM;

	for (i = 0; i < nr_clusters; i++)
		spin_lock_init(&si->cluster_info[i].lock);

	cluster_count_unusable(si, swap_map, maxpages, 0);
	cluster_count_unusable(si, swap_map, maxpages, maxpages - 1);
	for (i = 0; i < swap_header->info.nr_badpages; i++)
		if (swap_header->info.badpages[i] < maxpages)
			cluster_count_unusable(si, swap_map, maxpages,
					       swap_header->info.badpages[i]);

	/*
	 * Keep the CPUs that fill clusters at the same time from sharing cache
	 * lines of cluster_info and swap address spaces. Clusters of a rotating
	 * device are used in the order in which they lie on it.
	 */
	for (j = 0; j < cols; j++)
		for (i = j; i < nr_clusters; i += cols)
			cluster_list_add(si, si->cluster_info + i);

	return 0;
}

/**
 * swap_clusters_exit() - Free the clusters of a device.
 * @si: The device, swapped off or failing to be swapped on.
 *
 * Context: May sleep. Nobody has a reference on the device.
 */
void swap_clusters_exit(struct swap_info_struct *si)
{
	free_percpu(si->percpu_cluster);
	si->percpu_cluster = NULL;
	kfree(si->shared_cluster);
	si->shared_cluster = NULL;
	kvfree(si->cluster_info);
	si->cluster_info = NULL;
}
