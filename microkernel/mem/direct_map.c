// SPDX-License-Identifier: GPL-2.0-only
#include "mem/direct_map.h"

#include <abi/mk1.h>
#include <bsl/bits.h>
#include <bsl/paging.h>

#include "arch/intrinsics.h"
#include "lock.h"
#include "mem/hidden.h"
#include "mem/mem.h"
#include "mk.h"

static struct mk_lock lock = MK_LOCK(LOCK_TABLES);

static bool in_direct_map(uint64_t va)
{
	return bsl_range_within(va, 1, MK1_DIRECT_MAP_BASE, MK1_DIRECT_MAP_SIZE);
}

static unsigned int slot_of(uint64_t va)
{
	return (unsigned int)((va - MK1_DIRECT_MAP_BASE) >> 39);
}

/* The tables hang below the slots: 3 levels of a tree without a PML4. */
static uint64_t *leaf_entry(uint64_t *slots, uint64_t va, bool alloc)
{
	uint64_t *entry = &slots[slot_of(va)];

	ASSERT_LOCKED(&lock);
	for (unsigned int level = 3; level > 0; level--) {
		if (!*entry) {
			uint64_t fresh = alloc ? pool_alloc() : MK_NO_PAGE;

			if (fresh == MK_NO_PAGE)
				return NULL;
			*entry = fresh | USER_TABLE;
		}
		entry = (uint64_t *)phys_to_virt(*entry & BSL_PTE_SPA) + bsl_pt_index(va, level);
	}
	return entry;
}

uint64_t direct_map_page(struct direct_maps *maps, uint16_t extid, uint64_t spa)
{
	uint64_t *entry = NULL;
	uint64_t va = MK1_DIRECT_MAP_BASE + spa;
	uint64_t status = MK1_FAILURE_UNKNOWN;

	mk_lock(&lock);
	if (hidden_has(spa))
		status = MK1_INVALID_INPUT_REG(2);
	else if (maps->open)
		entry = leaf_entry(maps->slots[extid], va, true);
	if (entry && !*entry) {
		*entry = spa | USER_RW;
		status = MK1_SUCCESS;
	}
	if (entry && maps->used[extid] <= slot_of(va))
		__atomic_store_n(&maps->used[extid], (uint8_t)(slot_of(va) + 1), __ATOMIC_RELEASE);
	mk_unlock(&lock);
	return status;
}

bool direct_maps_show(struct direct_maps *maps, uint64_t spa, uint64_t size)
{
	bool shown = false;

	mk_lock(&lock);
	for (unsigned int e = 0; e < mk.handoff->nr_exts; e++) {
		for (uint64_t at = spa; !shown && at < spa + size;) {
			const uint64_t *entry =
				leaf_entry(maps->slots[e], MK1_DIRECT_MAP_BASE + at, false);

			shown = entry && *entry;
			/* Where there is no table, there is none for all that it would span. */
			at = entry ? at + BF_PAGE_SIZE :
				     bsl_align_down(at, BSL_LEVEL_SIZE(2)) + BSL_LEVEL_SIZE(2);
		}
	}
	mk_unlock(&lock);
	return shown;
}

bool direct_unmap_page(struct direct_maps *maps, uint16_t extid, uint64_t va)
{
	uint64_t *entry;
	bool done = false;

	if (!in_direct_map(va))
		return false;
	mk_lock(&lock);
	entry = leaf_entry(maps->slots[extid], va, false);
	if (entry && *entry) {
		*entry = 0;
		done = true;
	}
	mk_unlock(&lock);
	if (done)
		invlpg(va);
	return done;
}

static void free_tables(uint64_t entry, unsigned int level)
{
	uint64_t *table = phys_to_virt(entry & BSL_PTE_SPA);

	for (unsigned int i = 0; level > 1 && i < BSL_PT_ENTRIES; i++) {
		if (table[i])
			free_tables(table[i], level - 1);
	}
	pool_free(entry & BSL_PTE_SPA);
}

void direct_maps_close(struct direct_maps *maps)
{
	mk_lock(&lock);
	maps->open = false;
	for (unsigned int e = 0; e < BF_MAX_EXTS; e++) {
		for (unsigned int i = 0; i < DIRECT_MAP_SLOTS; i++) {
			if (maps->slots[e][i])
				free_tables(maps->slots[e][i], 3);
			maps->slots[e][i] = 0;
		}
		maps->used[e] = 0;
	}
	mk_unlock(&lock);
}

void direct_map_load(uint64_t *pml4, uint8_t *loaded, const struct direct_maps *maps,
		     uint16_t extid)
{
	uint64_t *entry = &pml4[bsl_pt_index(MK1_DIRECT_MAP_BASE, 4)];
	uint8_t used = maps ? __atomic_load_n(&maps->used[extid], __ATOMIC_ACQUIRE) : 0;
	uint8_t old = *loaded;

	*loaded = used;
	for (unsigned int i = 0; i < used; i++)
		entry[i] = maps->slots[extid][i];
	for (unsigned int i = used; i < old; i++)
		entry[i] = 0;
	/* What appears needs no flush. */
	if (old)
		write_cr3(read_cr3());
}

bool direct_map_fault(uint64_t *pml4, uint8_t *loaded, const struct direct_maps *maps,
		      uint16_t extid, uint64_t va)
{
	uint64_t *entry, table;

	if (!maps || !in_direct_map(va))
		return false;
	entry = &pml4[bsl_pt_index(va, 4)];
	table = maps->slots[extid][slot_of(va)]; /* once: another PP may be making it */
	if (*entry || !table)
		return false;
	*entry = table;
	if (*loaded <= slot_of(va))
		*loaded = (uint8_t)(slot_of(va) + 1);
	return true;
}
