/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MM_SWAP_CLUSTER_H
#define _MM_SWAP_CLUSTER_H

#include <linux/local_lock.h>
#include <linux/rcupdate.h>
#include <linux/swap.h>
#include <linux/swapops.h>

#include "swap_table.h"
#include "vswap.h"

#ifdef CONFIG_THP_SWAP
#define SWAPFILE_CLUSTER	HPAGE_PMD_NR
#else
#define SWAPFILE_CLUSTER	256
#endif

/*
 * How much room a cluster has, and with that the list it is on. A cluster with
 * room belongs to the order of the allocations that are made from it.
 */
enum swap_cluster_state {
	CLUSTER_FREE,		/* no slot in use */
	CLUSTER_NONFULL,	/* some slots free */
	CLUSTER_FRAG,		/* the same, but searched before or some CPU's */
	CLUSTER_FULL,		/* no slot free */
	CLUSTER_DISCARD,	/* no slot in use, to be discarded before reuse */
};

/*
 * What the slots of a cluster are used for: see mm/swap_table.h. There is a
 * table as long as the cluster has a slot that is not free.
 *
 * The entries are written under the cluster's lock. Who reads them without it
 * does so in an RCU read-side critical section, and finds what they are, what
 * they were, or, when the last slot was freed meanwhile, all of them NULL.
 */
struct swap_table {
	unsigned long entries[SWAPFILE_CLUSTER];
	/* The zero bits, where entries have no room for them */
	unsigned long zero[SWP_TB_ZERO_BITS ? 0 : BITS_TO_LONGS(SWAPFILE_CLUSTER)];
};

/*
 * SWAPFILE_CLUSTER slots, naturally aligned on the device.
 */
struct swap_cluster_info {
	/*
	 * Protects the fields below, and what they point to. A cluster changes
	 * its state, and its list with it, under this lock and si->lock.
	 */
	spinlock_t lock;
	u16 count;		/* slots in use, unusable ones included */
	u8 state;		/* enum swap_cluster_state */
	u8 order;		/* of the allocations made here */
	struct list_head list;	/* the list that goes with the state */
	struct swap_table __rcu *table;
	/*
	 * The ids of the cgroups that the slots are charged to. There from when
	 * one may be, and as long as there is a table.
	 */
	unsigned short *memcg_ids;
	/*
	 * The counts of references to the slots whose entries say that theirs
	 * is here, 0 for the others. Freed with the last such slot, or, if it was
	 * had for a reference that was not taken, with the table.
	 */
	unsigned int *extend;
#ifdef CONFIG_VSWAP
	/*
	 * Of a virtual device, where the data of its slots are: a virtual table,
	 * as long as the data of any are somewhere. Written and read as @table is.
	 */
	struct swap_table __rcu *backing;
	u16 nr_backed;		/* words that say so */
#endif
};

/*
 * The first page in the swap file is the swap header, which is always marked
 * bad to prevent it from being allocated as an entry. This also prevents the
 * cluster to which it belongs being marked free. Therefore 0 is safe to use as
 * a sentinel to indicate next is not valid in swap_current_cluster.
 */
#define SWAP_NEXT_INVALID	0

/*
 * The cluster that entries are being allocated from. Each CPU has its own, so
 * that it swaps out sequentially and without disturbing the others.
 *
 * A rotating device would have to seek between those. There the CPUs share one,
 * and each fills a run of SWAP_RUN aligned slots before it takes another: what
 * a CPU writes at a time is contiguous, and can be merged into few requests.
 */
struct swap_current_cluster {
	local_lock_t lock;
	unsigned long next[SWAP_NR_ORDERS]; /* Likely next allocation offset */
};

#define SWAP_RUN	64

/*
 * How many slots a device can have without taking more than a sixteenth of the
 * vmalloc space for its array of clusters.
 */
#define SWAP_CLUSTERS_MAX_SLOTS						\
	(VMALLOC_TOTAL / 16 / sizeof(struct swap_cluster_info) * SWAPFILE_CLUSTER)

/**
 * swap_slots_end() - The end of the slots whose clusters exist.
 * @si: The device.
 *
 * No slot at or behind the end has ever been allocated. The clusters of those
 * before it stay valid until swapoff, although the end moves on: no lock is
 * needed, and the acquire makes sure that they are seen set up.
 *
 * Context: The caller keeps the device from being swapped off.
 * Return: The first slot behind them.
 */
static inline unsigned long swap_slots_end(struct swap_info_struct *si)
{
	/* Pairs with the release in clusters_add() */
	return smp_load_acquire(&si->slots_end);
}

/**
 * swap_slot_cluster() - The cluster that a slot belongs to.
 * @si: The device.
 * @offset: The slot, or any other number.
 *
 * Context: The caller keeps the device from being swapped off.
 * Return: The cluster, NULL if none exists that has the slot.
 */
static inline struct swap_cluster_info *
swap_slot_cluster(struct swap_info_struct *si, unsigned long offset)
{
	if (offset >= swap_slots_end(si))
		return NULL;
	return si->cluster_info + offset / SWAPFILE_CLUSTER;
}

/*
 * The cluster of any entry, were it read from a corrupt page table: NULL if the
 * device or the slot does not exist. The caller keeps the device from being
 * swapped off.
 */
static inline struct swap_cluster_info *swap_entry_cluster(swp_entry_t entry)
{
	struct swap_info_struct *si = swp_swap_info(entry);

	return si ? swap_slot_cluster(si, swp_offset(entry)) : NULL;
}

/**
 * swap_cluster_lock() - Lock the cluster that a slot belongs to.
 * @si: The device.
 * @offset: The slot. It is known to have been allocated, or was checked against
 *          swap_slots_end().
 *
 * Context: The caller keeps the device from being swapped off: by a reference,
 * or because the slot is in use and cannot be freed meanwhile.
 * Return: The cluster.
 */
static inline struct swap_cluster_info *
swap_cluster_lock(struct swap_info_struct *si, unsigned long offset)
{
	struct swap_cluster_info *ci = si->cluster_info + offset / SWAPFILE_CLUSTER;

	spin_lock(&ci->lock);
	return ci;
}

static inline void swap_cluster_unlock(struct swap_cluster_info *ci)
{
	spin_unlock(&ci->lock);
}

/* The cluster's lock is held, and a slot of the cluster is in use */
static inline unsigned long __swap_table_get(struct swap_cluster_info *ci,
					     unsigned long offset)
{
	struct swap_table *table;

	table = rcu_dereference_protected(ci->table, lockdep_is_held(&ci->lock));
	return table->entries[offset % SWAPFILE_CLUSTER];
}

/* The same */
static inline void __swap_table_set(struct swap_cluster_info *ci,
				    unsigned long offset, unsigned long swp_tb)
{
	struct swap_table *table;

	table = rcu_dereference_protected(ci->table, lockdep_is_held(&ci->lock));
	/* Whoever finds a folio here finds it set up; a dependency pairs */
	smp_store_release(&table->entries[offset % SWAPFILE_CLUSTER], swp_tb);
}

/*
 * One more reference to a slot that has some, if its count then is still in the
 * entry: what swap_slots_dup() does nearly always, for fork(). The cluster's
 * lock is held. Returns whether it was done.
 */
static inline bool __swap_slot_dup_one(struct swap_cluster_info *ci,
				       unsigned long offset)
{
	unsigned long swp_tb, count;

	if (unlikely(!rcu_access_pointer(ci->table)))
		return false;
	swp_tb = __swap_table_get(ci, offset);
	count = swp_tb_count(swp_tb);
	if (unlikely(!count || count >= SWP_TB_COUNT_MAX - 1 ||
		     !swp_tb_is_counted(swp_tb)))
		return false;
	__swap_table_set(ci, offset, swp_tb_set_count(swp_tb, count + 1));
	return true;
}

/*
 * One reference less to a slot that is cached, if the count is in the entry: what
 * swap_slots_put() does nearly always, for a fault. The cluster's lock is held.
 * Returns whether it was done.
 */
static inline bool __swap_slot_put_one(struct swap_cluster_info *ci,
				       unsigned long offset)
{
	unsigned long swp_tb = __swap_table_get(ci, offset);
	unsigned long count = swp_tb_count(swp_tb);

	if (unlikely(!count || count == SWP_TB_COUNT_MAX || !swp_tb_is_pfn(swp_tb)))
		return false;
	__swap_table_set(ci, offset, swp_tb_set_count(swp_tb, count - 1));
	return true;
}

/* Without the lock, for any slot of a cluster that exists */
static inline unsigned long swap_table_get(struct swap_cluster_info *ci,
					   unsigned long offset)
{
	unsigned long swp_tb = SWP_TB_NULL;
	struct swap_table *table;

	rcu_read_lock();
	table = rcu_dereference(ci->table);
	if (table)
		swp_tb = READ_ONCE(table->entries[offset % SWAPFILE_CLUSTER]);
	rcu_read_unlock();

	return swp_tb;
}

/**
 * swap_slot_is_zero() - Does a slot hold nothing but zeroes?
 * @ci: Its cluster.
 * @offset: The slot.
 *
 * Context: Any. The answer lasts while the caller holds the lock of a folio that
 * is in the swap cache there, or the slot is not cached and the caller holds the
 * cluster's lock.
 * Return: Whether it does; false for a slot that is not in use.
 */
static inline bool swap_slot_is_zero(struct swap_cluster_info *ci,
				     unsigned long offset)
{
	struct swap_table *table;
	bool zero = false;

	offset %= SWAPFILE_CLUSTER;
	rcu_read_lock();
	table = rcu_dereference(ci->table);
	if (table && SWP_TB_ZERO_BITS)
		zero = swp_tb_is_zero(READ_ONCE(table->entries[offset]));
	else if (table)
		zero = test_bit(offset, table->zero);
	rcu_read_unlock();

	return zero;
}

/* For all of the slots, of one cluster, the same answer? */
static inline bool swap_slots_alike_zero(struct swap_cluster_info *ci,
					 unsigned long offset, unsigned int nr)
{
	bool zero = swap_slot_is_zero(ci, offset);

	while (--nr)
		if (swap_slot_is_zero(ci, ++offset) != zero)
			return false;
	return true;
}

/* The same for what a slot's entry in the table says, see swap_slot_only_cached() */
static inline bool swp_tb_only_cached(unsigned long swp_tb)
{
	if (swp_tb_is_rmap(swp_tb))
		return vswap_slot_only_cached(swp_tb_rmap(swp_tb));
	return swp_tb_is_pfn(swp_tb) && !swp_tb_count(swp_tb);
}

/**
 * swap_slot_only_cached() - Does only the swap cache hold on to a slot?
 * @ci: Its cluster.
 * @offset: The slot.
 *
 * Context: The caller keeps the device from being swapped off. Without the
 * cluster's lock the answer is a hint.
 * Return: Whether that is so.
 */
static inline bool swap_slot_only_cached(struct swap_cluster_info *ci,
					 unsigned long offset)
{
	return swp_tb_only_cached(swap_table_get(ci, offset));
}

/* The cluster's lock is held, and a slot of the cluster is in use */
static inline unsigned short __swap_slot_memcg_id(struct swap_cluster_info *ci,
						  unsigned long offset)
{
	return ci->memcg_ids ? ci->memcg_ids[offset % SWAPFILE_CLUSTER] : 0;
}

#ifdef CONFIG_VSWAP
/*
 * The word of the virtual table for a slot of the virtual device. It changes under
 * the cluster's lock, and while the slot is cached only if the folio's lock is
 * held, too: without either it is a hint.
 */
static inline unsigned long swap_backing_get(struct swap_cluster_info *ci,
					     unsigned long offset)
{
	unsigned long swp_vt = SWP_VT_NONE;
	struct swap_table *table;

	rcu_read_lock();
	table = rcu_dereference(ci->backing);
	if (table) {
		swap_delay();
		swp_vt = READ_ONCE(table->entries[offset % SWAPFILE_CLUSTER]);
	}
	rcu_read_unlock();

	return swp_vt;
}

int swap_backing_set(struct swap_cluster_info *ci, unsigned long offset,
		     unsigned int nr, unsigned long swp_vt);
unsigned int swap_backing_run(struct swap_cluster_info *ci, unsigned long offset,
			      unsigned int nr);
unsigned long __swap_backing_set(struct swap_cluster_info *ci,
				 unsigned long offset, unsigned long swp_vt);
#endif /* CONFIG_VSWAP */

/* mm/swap_cluster.c */
void swap_table_init(void);
int swap_clusters_init(struct swap_info_struct *si);
void swap_clusters_exit(struct swap_info_struct *si);
void swap_clusters_quiesce(struct swap_info_struct *si);
unsigned long swap_clusters_bytes(struct swap_info_struct *si);
bool swap_clusters_have_room(struct swap_info_struct *si);
unsigned long swap_cluster_alloc(struct swap_info_struct *si,
				 struct folio *folio, unsigned int order);
int swap_slots_dup(struct swap_cluster_info *ci, unsigned long offset,
		   unsigned int nr);
int swap_slots_put(struct swap_info_struct *si, struct swap_cluster_info *ci,
		   unsigned long offset, unsigned int nr);
unsigned int swap_slot_count(struct swap_cluster_info *ci, unsigned long offset);
int swap_extend_alloc(struct swap_cluster_info *ci, unsigned long offset,
		      gfp_t gfp);
bool swap_slots_unreferenced(struct swap_cluster_info *ci, unsigned long offset,
			     unsigned int nr);
void swap_cluster_set_zero(struct swap_cluster_info *ci, unsigned long offset,
			   unsigned int nr, bool zero);
bool swap_cluster_prepare_memcg(struct swap_cluster_info *ci);
void __swap_cluster_set_memcg(struct swap_cluster_info *ci, unsigned long offset,
			      unsigned int nr, unsigned short id);
void swap_cluster_free(struct swap_info_struct *si,
		       struct swap_cluster_info *ci,
		       unsigned long offset, unsigned int nr);

/* When swap_try_to_reclaim() is to free the slot; any that holds will do */
#define TTRS_ANYWAY		0x1	/* always */
#define TTRS_UNMAPPED		0x2	/* if nobody maps the folio */
#define TTRS_FULL		0x4	/* if swap is getting full */

/* mm/swapfile.c: what clusters ask of the device they belong to */
int swap_try_to_reclaim(struct swap_info_struct *si, unsigned long offset,
			unsigned long flags);
void swap_discard_slots(struct swap_info_struct *si, pgoff_t start_page,
			pgoff_t nr_pages);
void swap_usage_add(struct swap_info_struct *si, unsigned int nr);
void swap_usage_sub(struct swap_info_struct *si, unsigned int nr);
void swap_slots_forget(struct swap_info_struct *si, unsigned long offset,
		       unsigned int nr);

/* mm/swapfile.c: devices */
struct swap_info_struct *swap_create_virtual(unsigned long max);
bool swap_can_take(struct folio *folio);
struct swap_info_struct *swap_type_get(int type);
swp_entry_t swap_alloc_slots(struct folio *folio);
bool folio_swapcache_freeable(struct folio *folio);

#endif /* _MM_SWAP_CLUSTER_H */
