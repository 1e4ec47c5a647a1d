/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MM_VSWAP_H
#define _MM_VSWAP_H

#include <linux/swap.h>
#include <linux/swapops.h>

struct swap_cluster_info;
struct zswap_entry;

extern struct swap_info_struct *vswap_si;

#ifdef CONFIG_VSWAP
/* There is a virtual device, or there is none, since boot. */
static inline bool vswap_exists(void)
{
	return vswap_si;
}

static inline bool swap_is_virtual(struct swap_info_struct *si)
{
	return READ_ONCE(si->flags) & SWP_VSWAP;
}

static inline bool swap_entry_is_virtual(swp_entry_t entry)
{
	return vswap_exists() && swp_type(entry) == vswap_si->type;
}

/* Of whatever device a folio that is nowhere yet may be written to */
static inline unsigned long vswap_flags(void)
{
	return READ_ONCE(vswap_si->flags);
}

void vswap_note_flags(unsigned long flags);
bool vswap_alloc(struct folio *folio);
bool vswap_slot_only_cached(unsigned long offset);
bool vswap_slots_alike(struct swap_cluster_info *ci, unsigned long offset,
		       unsigned int nr);
bool vswap_slot_is_empty(struct swap_cluster_info *ci, unsigned long offset);
void vswap_slots_forget(struct swap_cluster_info *ci, unsigned long offset,
			unsigned int nr);
swp_entry_t __vswap_behind(swp_entry_t entry);
bool vswap_is_synchronous(swp_entry_t entry);
bool vswap_in_zswap(swp_entry_t entry);
swp_entry_t vswap_in_front(struct swap_info_struct *si, unsigned long offset);
bool vswap_has_slots(struct folio *folio);
int __vswap_get_slots(struct folio *folio);
void vswap_drop_backing(struct folio *folio);
void __vswap_note_writeout(struct folio *folio, bool refused);
int vswap_unuse(struct swap_info_struct *si);

/**
 * vswap_behind() - The slot of a device that has the data of an entry.
 * @entry: The entry, of the virtual device or another.
 *
 * Context: The answer lasts while the caller holds the lock of a folio that is in
 * the swap cache at @entry.
 * Return: The slot, an entry whose val is 0 if there is none.
 */
static inline swp_entry_t vswap_behind(swp_entry_t entry)
{
	return swap_entry_is_virtual(entry) ? __vswap_behind(entry) : entry;
}

/**
 * vswap_get_slots() - Have somewhere to write a folio to.
 * @folio: The folio, in the swap cache.
 *
 * Context: May sleep. The caller holds the folio lock, the folio is not under
 * writeback. It has nothing in zswap.
 * Return: 0, or -ENOMEM when there is no memory, no room, or the owner may not have
 * it: the folio is nowhere else then.
 */
static inline int vswap_get_slots(struct folio *folio)
{
	return swap_entry_is_virtual(folio->swap) ? __vswap_get_slots(folio) : 0;
}

/**
 * vswap_note_writeout() - Take notice of whether a folio could go anywhere.
 * @folio: The folio.
 * @refused: It could not: neither to zswap nor to a device.
 *
 * Context: The caller holds the folio lock.
 */
static inline void vswap_note_writeout(struct folio *folio, bool refused)
{
	if (swap_entry_is_virtual(folio->swap))
		__vswap_note_writeout(folio, refused);
}

struct zswap_entry *vswap_load_object(swp_entry_t entry);
struct zswap_entry *vswap_store_object(swp_entry_t entry, struct zswap_entry *object);
struct zswap_entry *vswap_erase_object(swp_entry_t entry);
swp_entry_t vswap_reserve_slots(struct folio *folio);
void vswap_cancel_slots(struct folio *folio, swp_entry_t slot);
int vswap_set_slots(struct folio *folio, swp_entry_t slot);
swp_entry_t vswap_take_slots(struct folio *folio);
struct zswap_entry *vswap_replace_object(struct folio *folio, swp_entry_t slot);

#else /* CONFIG_VSWAP */

static inline bool vswap_exists(void)
{
	return false;
}

static inline bool swap_is_virtual(struct swap_info_struct *si)
{
	return false;
}

static inline bool swap_entry_is_virtual(swp_entry_t entry)
{
	return false;
}

static inline unsigned long vswap_flags(void)
{
	return 0;
}

static inline void vswap_note_flags(unsigned long flags)
{
}

static inline bool vswap_alloc(struct folio *folio)
{
	return false;
}

static inline bool vswap_slot_only_cached(unsigned long offset)
{
	return false;
}

static inline bool vswap_slots_alike(struct swap_cluster_info *ci,
				     unsigned long offset, unsigned int nr)
{
	return false;
}

static inline bool vswap_slot_is_empty(struct swap_cluster_info *ci,
				       unsigned long offset)
{
	return false;
}

static inline void vswap_slots_forget(struct swap_cluster_info *ci,
				      unsigned long offset, unsigned int nr)
{
}

static inline swp_entry_t vswap_behind(swp_entry_t entry)
{
	return entry;
}

static inline bool vswap_is_synchronous(swp_entry_t entry)
{
	return false;
}

static inline bool vswap_in_zswap(swp_entry_t entry)
{
	return false;
}

static inline swp_entry_t vswap_in_front(struct swap_info_struct *si,
					 unsigned long offset)
{
	return swp_entry(si->type, offset);
}

static inline bool vswap_has_slots(struct folio *folio)
{
	return true;
}

static inline int vswap_get_slots(struct folio *folio)
{
	return 0;
}

static inline void vswap_drop_backing(struct folio *folio)
{
}

static inline void vswap_note_writeout(struct folio *folio, bool refused)
{
}

static inline int vswap_unuse(struct swap_info_struct *si)
{
	return 0;
}

static inline struct zswap_entry *vswap_load_object(swp_entry_t entry)
{
	return NULL;
}

static inline struct zswap_entry *vswap_store_object(swp_entry_t entry,
						     struct zswap_entry *object)
{
	return NULL;
}

static inline struct zswap_entry *vswap_erase_object(swp_entry_t entry)
{
	return NULL;
}

static inline swp_entry_t vswap_reserve_slots(struct folio *folio)
{
	return folio->swap;
}

static inline void vswap_cancel_slots(struct folio *folio, swp_entry_t slot)
{
}

static inline int vswap_set_slots(struct folio *folio, swp_entry_t slot)
{
	return 0;
}

static inline swp_entry_t vswap_take_slots(struct folio *folio)
{
	return (swp_entry_t){0};
}

static inline struct zswap_entry *vswap_replace_object(struct folio *folio,
						       swp_entry_t slot)
{
	return NULL;
}
#endif /* CONFIG_VSWAP */

#endif /* _MM_VSWAP_H */
