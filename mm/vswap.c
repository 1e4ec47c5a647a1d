// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtual swap device
 *
 * What page tables and shmem mappings refer to need not be a place on a disk. The
 * slots of the virtual device are numbers: where the data of one are says a word
 * of its cluster's virtual table (see mm/swap_table.h), and that can change while
 * nobody who refers to the slot takes notice. There are data in zswap, which so
 * needs no swapfile; in a slot of another device, which is allocated when it is
 * written to; or nowhere, of a page of zeroes or one in the swap cache only.
 *
 * A word changes
 * (a) under the lock of the folio in the swap cache at the slot, which is not under
 *     writeback. If the data are nowhere else then, the folio is dirty, or becomes
 *     that or under writeback before it is unlocked, unless nobody could read them;
 * (b) when a slot is freed, which is not cached, or about to leave the swap cache.
 * In both cases the cluster's lock is held, too. Without any lock a word is a hint.
 *
 * A slot behind one of the virtual device has, in the table of its own cluster, the
 * way back (Rmap). It was true when it was read: whoever follows it locks the folio
 * that he finds there, and then looks at the word. With the word, and either of
 * the locks, the slot stays in use, and its device cannot be swapped off.
 *
 * The cluster's lock of a virtual slot is the outer one, that of the slot behind it
 * the inner one.
 */
#include <linux/blkdev.h>
#include <linux/debugfs.h>
#include <linux/memcontrol.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sizes.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/vmalloc.h>
#include <linux/zswap.h>

#include "swap.h"
#include "swap_cluster.h"
#include "vswap.h"

/* NULL without one */
struct swap_info_struct *vswap_si __ro_after_init;

/* Slots of other devices that are in use for slots of this one */
static atomic_long_t vswap_physical;
/* Folios that could not have slots */
static atomic_long_t vswap_alloc_reject;

static struct swap_cluster_info *vswap_cluster(unsigned long offset)
{
	return vswap_si->cluster_info + offset / SWAPFILE_CLUSTER;
}

static unsigned long vswap_word(swp_entry_t entry)
{
	struct swap_cluster_info *ci = swap_slot_cluster(vswap_si, swp_offset(entry));

	return ci ? swap_backing_get(ci, swp_offset(entry)) : SWP_VT_NONE;
}

static swp_entry_t swp_vt_slot(unsigned long swp_vt)
{
	return swp_entry(swp_vt_phys_type(swp_vt), swp_vt_phys_offset(swp_vt));
}

static unsigned long swp_vt_mk_slot(swp_entry_t slot)
{
	return swp_vt_mk_phys(swp_type(slot), swp_offset(slot));
}

/*
 * Reclaim would go on and on with pages that do not compress where there is no other
 * place for them. As many of them in a row as there are anonymous pages say that
 * nothing can go, for a second at a time.
 */
static struct vswap_refusals vswap_refusals;

/* What is on the lists: statistics of cgroups can be two seconds old */
static unsigned long anon_pages(struct mem_cgroup *memcg)
{
	struct lruvec *lruvec;
	unsigned long nr = 0;
	int nid, zone;

	if (!memcg)
		return global_node_page_state(NR_INACTIVE_ANON) +
		       global_node_page_state(NR_ACTIVE_ANON);

	for_each_node_state(nid, N_MEMORY) {
		lruvec = mem_cgroup_lruvec(memcg, NODE_DATA(nid));
		for (zone = 0; zone < MAX_NR_ZONES; zone++)
			nr += mem_cgroup_get_zone_lru_size(lruvec, LRU_INACTIVE_ANON, zone) +
			      mem_cgroup_get_zone_lru_size(lruvec, LRU_ACTIVE_ANON, zone);
	}
	return nr;
}

static bool vswap_refuses_all(struct mem_cgroup *memcg)
{
	struct vswap_refusals *r = mem_cgroup_vswap_refusals(memcg) ?: &vswap_refusals;
	unsigned long nr = atomic_long_read(&r->nr);

	return nr >= 1024 && time_before(jiffies, READ_ONCE(r->until)) &&
	       nr > anon_pages(memcg);
}

static void note_refusal(struct vswap_refusals *r, bool refused,
			 unsigned int nr_pages)
{
	if (refused) {
		WRITE_ONCE(r->until, jiffies + HZ);
		atomic_long_add(nr_pages, &r->nr);
	} else if (atomic_long_read(&r->nr)) {
		atomic_long_set(&r->nr, 0);
	}
}

/**
 * __vswap_note_writeout() - vswap_note_writeout() for a folio at virtual slots.
 * @folio: The folio.
 * @refused: As for vswap_note_writeout().
 *
 * Context: As for vswap_note_writeout().
 */
void __vswap_note_writeout(struct folio *folio, bool refused)
{
	struct vswap_refusals *r = mem_cgroup_vswap_refusals(folio_memcg(folio));

	note_refusal(&vswap_refusals, refused, folio_nr_pages(folio));
	if (r)
		note_refusal(r, refused, folio_nr_pages(folio));
}

/**
 * vswap_can_store() - Can a page go to the virtual device?
 * @memcg: The cgroup of the page, NULL if any will do.
 *
 * Context: Any.
 * Return: Whether there is such a device, and zswap takes pages, as far as it knows.
 */
bool vswap_can_store(struct mem_cgroup *memcg)
{
	return vswap_exists() && !vswap_refuses_all(memcg) && zswap_can_store(memcg);
}
EXPORT_SYMBOL_GPL(vswap_can_store);

/**
 * vswap_commit_pages() - What the virtual device adds to the memory there is.
 *
 * For the heuristic of overcommit: nobody knows how well pages are going to
 * compress. Strict accounting can count on nothing.
 *
 * Context: Any.
 * Return: A number of pages, twice the RAM as long as zswap is enabled.
 */
unsigned long vswap_commit_pages(void)
{
	return vswap_exists() && zswap_is_enabled() ? 2 * totalram_pages() : 0;
}

/**
 * vswap_used_pages() - What is swapped out to the virtual device alone.
 *
 * That much is there besides RAM and the other devices.
 *
 * Context: Any.
 * Return: The number of its slots in use that no slot of another device is behind.
 */
unsigned long vswap_used_pages(void)
{
	long used;

	if (!vswap_exists())
		return 0;
	/* Read one after the other: they need not fit */
	used = atomic_long_read(&vswap_si->inuse_pages) -
	       atomic_long_read(&vswap_physical);
	return max(used, 0L);
}

/**
 * vswap_note_flags() - A device comes that may get what is in the virtual one.
 * @flags: The flags of the device.
 *
 * Once a device writes through a file system, so may the virtual one.
 *
 * Context: The caller holds swap_lock, which protects the flags of all devices.
 */
void vswap_note_flags(unsigned long flags)
{
	if (vswap_exists())
		vswap_si->flags |= flags & SWP_FS_OPS;
}

/**
 * vswap_alloc() - Put a folio into the swap cache at slots of the virtual device.
 * @folio: The folio.
 *
 * Context: May sleep. The caller holds the folio lock.
 * Return: Whether there was memory for it.
 */
bool vswap_alloc(struct folio *folio)
{
	if (swap_cluster_alloc(vswap_si, folio, folio_order(folio)))
		return true;
	atomic_long_inc(&vswap_alloc_reject);
	return false;
}

/**
 * vswap_slot_only_cached() - Does only the swap cache hold on to a slot?
 * @offset: The slot, of the virtual device.
 *
 * Context: Any. The answer is a hint.
 * Return: Whether that is so.
 */
bool vswap_slot_only_cached(unsigned long offset)
{
	unsigned long swp_tb = swap_table_get(vswap_cluster(offset), offset);

	return swp_tb_is_pfn(swp_tb) && !swp_tb_count(swp_tb);
}

/**
 * vswap_slot_is_empty() - Are there no data in a slot of the virtual device?
 * @ci: Its cluster.
 * @offset: The slot.
 *
 * Context: The caller holds the cluster's lock.
 * Return: Whether there are none, not even zeroes.
 */
bool vswap_slot_is_empty(struct swap_cluster_info *ci, unsigned long offset)
{
	return !swap_backing_get(ci, offset) && !swap_slot_is_zero(ci, offset);
}

/**
 * vswap_slots_alike() - Can slots be read together?
 * @ci: Their cluster.
 * @offset: The first slot.
 * @nr: The number of slots.
 *
 * Context: The caller holds the cluster's lock. The slots are in use and not cached.
 * Return: Whether all are on a device, in a row, or all are nowhere.
 */
bool vswap_slots_alike(struct swap_cluster_info *ci, unsigned long offset,
		       unsigned int nr)
{
	unsigned long first = swap_backing_get(ci, offset);
	unsigned int i;

	if (first)
		return swap_backing_run(ci, offset, nr) == nr &&
		       swp_swap_info(swp_vt_slot(first))->flags & SWP_BLKDEV;
	for (i = 1; i < nr; i++)
		if (swap_backing_get(ci, offset + i))
			return false;
	return true;
}

/* Free slots that lie in a row on a device, of virtual ones of the same owner. */
static void vswap_free_slots(struct swap_cluster_info *ci, unsigned long offset,
			     swp_entry_t slot, unsigned int nr)
{
	/* As long as the slots are in use it is there */
	struct swap_info_struct *si = swp_swap_info(slot);
	struct swap_cluster_info *behind;

	mem_cgroup_uncharge_backing(__swap_slot_memcg_id(ci, offset), nr);
	atomic_long_sub(nr, &vswap_physical);
	behind = swap_cluster_lock(si, swp_offset(slot));
	swap_cluster_free(si, behind, swp_offset(slot), nr);
	swap_cluster_unlock(behind);
}

/* What a word said is not true any more. */
static void vswap_free_word(struct swap_cluster_info *ci, unsigned long offset,
			    unsigned long swp_vt)
{
	switch (swp_vt_kind(swp_vt)) {
	case SWP_VT_PHYS:
		vswap_free_slots(ci, offset, swp_vt_slot(swp_vt), 1);
		break;
	case SWP_VT_ZSWAP:
		zswap_entry_free(swp_vt_zswap(swp_vt));
		break;
	default:
		break;
	}
}

/**
 * vswap_slots_forget() - Drop all data of slots of the virtual device.
 * @ci: Their cluster.
 * @offset: The first slot.
 * @nr: The number of slots.
 *
 * Context: The caller holds the cluster's lock. The slots are about to be freed,
 * or he holds the lock of a folio that is in the swap cache there.
 */
void vswap_slots_forget(struct swap_cluster_info *ci, unsigned long offset,
			unsigned int nr)
{
	for (; nr-- && rcu_access_pointer(ci->backing); offset++)
		vswap_free_word(ci, offset,
				__swap_backing_set(ci, offset, SWP_VT_NONE));
}

/**
 * __vswap_behind() - vswap_behind() for an entry of the virtual device.
 * @entry: The entry.
 *
 * Context: As for vswap_behind().
 * Return: As for vswap_behind().
 */
swp_entry_t __vswap_behind(swp_entry_t entry)
{
	unsigned long swp_vt = vswap_word(entry);

	return swp_vt_kind(swp_vt) == SWP_VT_PHYS ? swp_vt_slot(swp_vt) :
						    (swp_entry_t){0};
}

/**
 * vswap_is_synchronous() - Are the data of a slot there as soon as they are read?
 * @entry: The slot.
 *
 * Context: Any. The answer is a hint.
 * Return: Whether that is so: because they are in memory, in one way or another.
 */
bool vswap_is_synchronous(swp_entry_t entry)
{
	swp_entry_t slot = __vswap_behind(entry);

	/* What describes a device stays, whatever becomes of the device */
	return !slot.val || swp_swap_info(slot)->flags & SWP_SYNCHRONOUS_IO;
}

/**
 * vswap_in_zswap() - Are the data of a slot in zswap?
 * @entry: The slot.
 *
 * Context: Any. The answer is a hint.
 * Return: Whether that is so.
 */
bool vswap_in_zswap(swp_entry_t entry)
{
	return swp_vt_kind(vswap_word(entry)) == SWP_VT_ZSWAP;
}

/**
 * vswap_in_front() - The entry that the data in a slot belong to.
 * @si: The device.
 * @offset: The slot.
 *
 * Context: Any. The answer is a hint.
 * Return: The virtual slot that it is behind, or the slot itself.
 */
swp_entry_t vswap_in_front(struct swap_info_struct *si, unsigned long offset)
{
	unsigned long swp_tb = swap_table_get(swap_slot_cluster(si, offset), offset);

	if (swp_tb_is_rmap(swp_tb))
		return swp_entry(vswap_si->type, swp_tb_rmap(swp_tb));
	return swp_entry(si->type, offset);
}

/**
 * vswap_has_slots() - Does a folio have slots of a device, in a row?
 * @folio: The folio, in the swap cache at virtual slots.
 *
 * Context: The caller holds the folio lock.
 * Return: Whether it has.
 */
bool vswap_has_slots(struct folio *folio)
{
	unsigned long offset = swp_offset(folio->swap);
	unsigned int nr = folio_nr_pages(folio);

	return swap_backing_run(vswap_cluster(offset), offset, nr) == nr;
}

/**
 * vswap_reserve_slots() - Allocate slots of a device for a folio's virtual ones.
 * @folio: The folio, in the swap cache.
 *
 * Context: May sleep. The caller holds the folio lock.
 * Return: The first of slots in a row, charged to the owner of the virtual ones,
 * which know nothing of it yet; the folio's own if those are not virtual; an entry
 * whose val is 0 if there is no room, or the owner may not have them.
 */
swp_entry_t vswap_reserve_slots(struct folio *folio)
{
	unsigned int nr = folio_nr_pages(folio);
	swp_entry_t slot = {0};
	unsigned short id;

	if (!swap_entry_is_virtual(folio->swap))
		return folio->swap;

	/* Before it is charged for nothing */
	if (get_nr_swap_pages() < nr) {
		mem_cgroup_swap_fail(folio);
		return slot;
	}
	id = swap_memcg_id(folio->swap);
	if (mem_cgroup_charge_backing(id, nr))
		return slot;
	slot = swap_alloc_slots(folio);
	if (slot.val) {
		atomic_long_add(nr, &vswap_physical);
	} else {
		mem_cgroup_swap_fail(folio);
		mem_cgroup_uncharge_backing(id, nr);
	}
	return slot;
}

/**
 * vswap_cancel_slots() - Undo vswap_reserve_slots().
 * @folio: The folio.
 * @slot: What vswap_reserve_slots() returned.
 *
 * Context: As for vswap_reserve_slots().
 */
void vswap_cancel_slots(struct folio *folio, swp_entry_t slot)
{
	unsigned long offset = swp_offset(folio->swap);
	struct swap_cluster_info *ci;

	if (!swap_entry_is_virtual(folio->swap))
		return;

	ci = swap_cluster_lock(vswap_si, offset);
	vswap_free_slots(ci, offset, slot, folio_nr_pages(folio));
	swap_cluster_unlock(ci);
}

/**
 * vswap_set_slots() - Say that slots of a device are behind a folio's virtual ones.
 * @folio: The folio, in the swap cache, with nothing behind its slots.
 * @slot: The first one, from vswap_reserve_slots() or vswap_take_slots(). It is
 *	  given back when there is no memory.
 *
 * Context: May sleep. The caller holds the folio lock, the folio is not under
 * writeback.
 * Return: 0 or -ENOMEM.
 */
int vswap_set_slots(struct folio *folio, swp_entry_t slot)
{
	unsigned long offset = swp_offset(folio->swap);
	int err;

	err = swap_backing_set(vswap_cluster(offset), offset, folio_nr_pages(folio),
			       swp_vt_mk_slot(slot));
	if (err)
		vswap_cancel_slots(folio, slot);
	return err;
}

/**
 * vswap_take_slots() - Put aside what is behind a large folio's slots.
 * @folio: The folio, in the swap cache.
 *
 * While its pages are stored elsewhere one by one: should the last not be, then the
 * folio has its slots again.
 *
 * Context: The caller holds the folio lock; the folio is dirty, or written now, and
 * not under writeback.
 * Return: The first of slots in a row, for vswap_set_slots() or vswap_cancel_slots();
 * an entry whose val is 0 if it has none, or only one page.
 */
swp_entry_t vswap_take_slots(struct folio *folio)
{
	unsigned long offset = swp_offset(folio->swap);
	unsigned int i, nr = folio_nr_pages(folio);
	struct swap_cluster_info *ci;
	swp_entry_t slot = {0};

	if (nr == 1 || !swap_entry_is_virtual(folio->swap) || !vswap_has_slots(folio))
		return slot;

	slot = __vswap_behind(folio->swap);
	ci = swap_cluster_lock(vswap_si, offset);
	for (i = 0; i < nr; i++)
		__swap_backing_set(ci, offset + i, SWP_VT_NONE);
	swap_cluster_unlock(ci);
	return slot;
}

/**
 * __vswap_get_slots() - vswap_get_slots() for a folio at virtual slots.
 * @folio: The folio.
 *
 * What the folio had on a device is used again if it lies in a row.
 *
 * Context: As for vswap_get_slots().
 * Return: As for vswap_get_slots().
 */
int __vswap_get_slots(struct folio *folio)
{
	swp_entry_t slot;

	if (vswap_has_slots(folio))
		return 0;

	vswap_drop_backing(folio);
	slot = vswap_reserve_slots(folio);
	return slot.val ? vswap_set_slots(folio, slot) : -ENOMEM;
}

/**
 * vswap_drop_backing() - Have a folio's data in the swap cache only.
 * @folio: The folio, in the swap cache.
 *
 * Context: The caller holds the folio lock; the folio is dirty, or written now, or
 * zero, and not under writeback.
 */
void vswap_drop_backing(struct folio *folio)
{
	unsigned long offset = swp_offset(folio->swap);
	struct swap_cluster_info *ci;

	if (!swap_entry_is_virtual(folio->swap))
		return;

	VM_WARN_ON_ONCE_FOLIO(!folio_test_locked(folio), folio);
	VM_WARN_ON_ONCE_FOLIO(folio_test_writeback(folio), folio);
	ci = swap_cluster_lock(vswap_si, offset);
	vswap_slots_forget(ci, offset, folio_nr_pages(folio));
	swap_cluster_unlock(ci);
}

/**
 * vswap_load_object() - The object that zswap has for a slot.
 * @entry: The slot.
 *
 * Context: The caller holds the lock of the folio in the swap cache there.
 * Return: The object, NULL if there is none.
 */
struct zswap_entry *vswap_load_object(swp_entry_t entry)
{
	unsigned long swp_vt = vswap_word(entry);

	return swp_vt_kind(swp_vt) == SWP_VT_ZSWAP ? swp_vt_zswap(swp_vt) : NULL;
}

/**
 * vswap_store_object() - Keep an object of zswap for a slot.
 * @entry: The slot.
 * @object: The object.
 *
 * A slot of a device that had the data is freed.
 *
 * Context: May sleep. The caller holds the lock of the folio in the swap cache
 * there, which is not under writeback.
 * Return: The object that was there before, NULL if there was none; -ENOMEM.
 */
struct zswap_entry *vswap_store_object(swp_entry_t entry, struct zswap_entry *object)
{
	unsigned long offset = swp_offset(entry);
	struct swap_cluster_info *ci = vswap_cluster(offset);
	unsigned long old = swap_backing_get(ci, offset);

	if (swap_backing_set(ci, offset, 1, swp_vt_mk_zswap(object)))
		return ERR_PTR(-ENOMEM);
	/* No word leads there any more, but it is still of the same owner */
	if (swp_vt_kind(old) == SWP_VT_PHYS) {
		spin_lock(&ci->lock);
		vswap_free_slots(ci, offset, swp_vt_slot(old), 1);
		spin_unlock(&ci->lock);
	}

	return swp_vt_kind(old) == SWP_VT_ZSWAP ? swp_vt_zswap(old) : NULL;
}

/**
 * vswap_erase_object() - Keep an object of zswap for a slot no longer.
 * @entry: The slot.
 *
 * Context: The caller holds the lock of the folio in the swap cache there, which has
 * the data.
 * Return: The object, NULL if there was none.
 */
struct zswap_entry *vswap_erase_object(swp_entry_t entry)
{
	struct zswap_entry *object = vswap_load_object(entry);
	unsigned long offset = swp_offset(entry);
	struct swap_cluster_info *ci;

	if (!object)
		return NULL;
	ci = swap_cluster_lock(vswap_si, offset);
	__swap_backing_set(ci, offset, SWP_VT_NONE);
	swap_cluster_unlock(ci);
	return object;
}

/**
 * vswap_replace_object() - Say that the data of a page are on a device from now on.
 * @folio: The folio, of one page, whose data are in zswap.
 * @slot: What vswap_reserve_slots() returned.
 *
 * Context: The caller holds the folio lock.
 * Return: The object.
 */
struct zswap_entry *vswap_replace_object(struct folio *folio, swp_entry_t slot)
{
	unsigned long offset = swp_offset(folio->swap), old;
	struct swap_cluster_info *ci;

	ci = swap_cluster_lock(vswap_si, offset);
	old = __swap_backing_set(ci, offset, swp_vt_mk_slot(slot));
	swap_cluster_unlock(ci);
	return swp_vt_zswap(old);
}

/*
 * Read what is in a slot that is behind a virtual one, unless it is in the swap
 * cache. Returns the folio, NULL when nobody wants it any more, or -ENOMEM.
 */
static struct folio *vswap_read(swp_entry_t entry)
{
	struct mempolicy *mpol = get_task_policy(current);
	struct folio *folio;

	do {
		folio = swap_cache_get_folio(entry);
		if (folio)
			return folio;
		folio = swap_cache_alloc_folio(entry, GFP_HIGHUSER_MOVABLE, 0, NULL,
					       mpol, NO_INTERLEAVE_INDEX);
	} while (PTR_ERR(folio) == -EEXIST);
	if (PTR_ERR(folio) == -ENOENT)
		return NULL;
	if (!IS_ERR(folio))
		swap_read_folio(folio, NULL);
	return folio;
}

/* The next slot from @offset on that is behind a virtual one, 0 if there is none. */
static unsigned long vswap_next_behind(struct swap_info_struct *si,
				       unsigned long offset)
{
	unsigned long end = swap_slots_end(si);
	struct swap_cluster_info *ci;

	for (; offset < end; offset++) {
		ci = swap_slot_cluster(si, offset);
		if (!rcu_access_pointer(ci->table))
			offset = ALIGN(offset + 1, SWAPFILE_CLUSTER) - 1;
		else if (swp_tb_is_rmap(swap_table_get(ci, offset)))
			return offset;
		cond_resched();
	}
	return 0;
}

/* Give up what could not be read: whoever needs it gets SIGBUS. */
static void vswap_poison(swp_entry_t entry)
{
	unsigned long offset = swp_offset(entry);
	struct swap_cluster_info *ci = swap_cluster_lock(vswap_si, offset);

	vswap_free_word(ci, offset, __swap_backing_set(ci, offset, SWP_VT_POISON));
	swap_cluster_unlock(ci);
}

/* Have nothing in the slot any more. Returns 0 or -ENOMEM. */
static int vswap_unuse_slot(struct swap_info_struct *si, unsigned long offset)
{
	swp_entry_t behind, entry = vswap_in_front(si, offset);
	struct folio *folio;

	if (!swap_entry_is_virtual(entry))
		return 0;
	folio = vswap_read(entry);
	if (IS_ERR_OR_NULL(folio))
		return PTR_ERR_OR_ZERO(folio);

	swap_delay();
	folio_lock(folio);
	folio_wait_writeback(folio);
	/* A large one that was read for a fault but not mapped is read anew */
	if (!swap_cache_drop_large(folio) && folio_test_swapcache(folio) &&
	    swp_type(folio->swap) == swp_type(entry) &&
	    swp_offset(entry) - swp_offset(folio->swap) < folio_nr_pages(folio)) {
		behind = vswap_behind(entry);
		if (swp_type(behind) != si->type || swp_offset(behind) != offset) {
			/* What is there now is of others */
		} else if (folio_test_uptodate(folio)) {
			folio_mark_dirty(folio);
			vswap_drop_backing(folio);
			folio_free_swap(folio);
		} else {
			vswap_poison(entry);
		}
	}
	folio_unlock(folio);
	folio_put(folio);
	return 0;
}

/* Have the next slots read, so that their data come while others are waited for. */
static void vswap_read_ahead(struct swap_info_struct *si, unsigned long offset)
{
	unsigned long end = offset + SWAP_CLUSTER_MAX;
	struct folio *folio;
	swp_entry_t entry;
	struct blk_plug plug;

	blk_start_plug(&plug);
	while ((offset = vswap_next_behind(si, offset)) && offset < end) {
		entry = vswap_in_front(si, offset++);
		folio = swap_entry_is_virtual(entry) ? vswap_read(entry) : NULL;
		if (!IS_ERR_OR_NULL(folio))
			folio_put(folio);
	}
	blk_finish_plug(&plug);
}

/**
 * vswap_unuse() - Have nothing on a device that is behind the virtual one.
 * @si: The device, from which nothing is allocated any more.
 *
 * Whatever is there is read into the swap cache, where its users find it. No page
 * table is looked at. What cannot be read is given up.
 *
 * Context: May sleep. The device is being swapped off.
 * Return: 0, -ENOMEM, or -EINTR when a signal came. Whatever is not in the swap cache
 * then is on the device.
 */
int vswap_unuse(struct swap_info_struct *si)
{
	unsigned long offset, ahead;
	int err;

	if (!vswap_exists())
		return 0;

	/* Once more when all are done: readers put slots back if they cannot go on */
	while ((offset = vswap_next_behind(si, 1))) {
		for (ahead = 0; offset; offset = vswap_next_behind(si, offset + 1)) {
			if (signal_pending(current))
				return -EINTR;
			if (offset >= ahead) {
				vswap_read_ahead(si, offset);
				ahead = offset + SWAP_CLUSTER_MAX;
			}
			err = vswap_unuse_slot(si, offset);
			if (err)
				return err;
		}
	}
	return 0;
}

#ifdef CONFIG_DEBUG_FS
static int vswap_used_get(void *data, u64 *val)
{
	*val = atomic_long_read(&vswap_si->inuse_pages);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(vswap_used_fops, vswap_used_get, NULL, "%llu\n");

static int vswap_alloc_reject_get(void *data, u64 *val)
{
	*val = atomic_long_read(&vswap_alloc_reject);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(vswap_alloc_reject_fops, vswap_alloc_reject_get, NULL, "%llu\n");

static int vswap_physical_get(void *data, u64 *val)
{
	*val = atomic_long_read(&vswap_physical);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(vswap_physical_fops, vswap_physical_get, NULL, "%llu\n");

static int vswap_table_bytes_get(void *data, u64 *val)
{
	*val = swap_clusters_bytes(vswap_si);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(vswap_table_bytes_fops, vswap_table_bytes_get, NULL, "%llu\n");

static void __init vswap_debugfs_init(void)
{
	struct dentry *dir = debugfs_create_dir("vswap", NULL);

	debugfs_create_file("used", 0444, dir, NULL, &vswap_used_fops);
	debugfs_create_file("alloc_reject", 0444, dir, NULL, &vswap_alloc_reject_fops);
	debugfs_create_file("physical", 0444, dir, NULL, &vswap_physical_fops);
	debugfs_create_file("table_bytes", 0444, dir, NULL, &vswap_table_bytes_fops);
}
#else
static void __init vswap_debugfs_init(void)
{
}
#endif

static bool vswap_wanted __initdata = true;

static int __init vswap_setup(char *str)
{
	return kstrtobool(str, &vswap_wanted);
}
early_param("vswap", vswap_setup);

static unsigned long __init vswap_max_slots(void)
{
	unsigned long max = min(SWAP_CLUSTERS_MAX_SLOTS, swapfile_maximum_size);

	/* KASAN has memory for a shadow of all of the array */
	if (IS_ENABLED(CONFIG_KASAN_VMALLOC))
		max = min(max, SZ_256G >> PAGE_SHIFT);
	return round_down(max, SWAPFILE_CLUSTER);
}

static int __init vswap_init(void)
{
	if (!vswap_wanted)
		return 0;

	vswap_si = swap_create_virtual(vswap_max_slots());
	if (!vswap_si) {
		pr_warn("vswap: no memory for a virtual swap device: zswap needs another one\n");
		return 0;
	}
	vswap_debugfs_init();
	pr_info("vswap: virtual swap device of %lu GiB\n",
		vswap_si->max >> (30 - PAGE_SHIFT));
	return 0;
}

/* When the devices are ready: subsys_initcall() */
subsys_initcall_sync(vswap_init);
