// SPDX-License-Identifier: GPL-2.0-only
#include "mem/nested.h"

#include <bsl/bits.h>
#include <bsl/paging.h>

#include "arch/intrinsics.h"
#include "debug.h"
#include "lock.h"
#include "mem/mem.h"
#include "mk.h"
#include "vendor.h"

/* Read, write, execute for EPT; present, write, user for NPT: the same bits. */
#define ALL_RIGHTS 0x7

#define SIZE_1G BSL_LEVEL_SIZE(3)

static struct mk_lock lock = MK_LOCK(LOCK_TABLES);
static uint64_t decoy; /* SPA of the decoy page */
static uint64_t decoy_table; /* SPA of a page table full of it */

static struct bsl_tables tables = {
	.alloc = pool_table_alloc,
	.at = pool_table_at,
	.branch = ALL_RIGHTS,
};

static bool wholly_owned(uint64_t spa, uint64_t size)
{
	for (uint64_t off = 0; off < size; off += BF_PAGE_SIZE) {
		if (!mem_is_owned(spa + off))
			return false;
	}
	return true;
}

static bool map_range(uint64_t spa, unsigned int level);

static bool split(uint64_t spa, unsigned int level)
{
	uint64_t size = BSL_LEVEL_SIZE(level - 1);

	for (unsigned int i = 0; i < BSL_PT_ENTRIES; i++) {
		if (!map_range(spa + i * size, level - 1))
			return false;
	}
	return true;
}

/* Maps the naturally aligned range of one entry at level, one to one or with the decoy. */
static bool map_range(uint64_t spa, unsigned int level)
{
	uint64_t size = BSL_LEVEL_SIZE(level);
	bool owned = region_overlaps(&mk.handoff->owned, spa, size);
	uint64_t attr;

	if (owned && level == 2 && wholly_owned(spa, size)) {
		uint64_t *entry = bsl_pt_entry(&tables, mk.root_npt, spa, 2, true);

		if (!entry)
			return false;
		*entry = decoy_table | ALL_RIGHTS;
		return true;
	}
	if (owned && level > 1)
		return split(spa, level);
	if (!mk.vendor->nested_leaf(spa, size, &attr))
		return split(spa, level);
	return bsl_pt_map(&tables, mk.root_npt, spa, owned ? decoy : spa, attr | ALL_RIGHTS, level);
}

static bool make_decoy(void)
{
	uint64_t *pt, attr;

	decoy = pool_alloc();
	decoy_table = pool_alloc();
	if (decoy == MK_NO_PAGE || decoy_table == MK_NO_PAGE ||
	    !mk.vendor->nested_leaf(decoy, BF_PAGE_SIZE, &attr))
		return false;
	pt = phys_to_virt(decoy_table);
	for (unsigned int i = 0; i < BSL_PT_ENTRIES; i++)
		pt[i] = decoy | attr | ALL_RIGHTS;
	return true;
}

enum bf_error nested_init(void)
{
	const struct bf_region *ram = phys_to_virt(mk.handoff->ram.spa);
	uint64_t top = 4 * SIZE_1G;

	mk.nested_levels = mk.vendor->nested_like_host ? mk.levels : 4;
	tables.levels = mk.nested_levels;
	if (!mk.vendor->has_nested())
		return BF_ERR_OK;
	for (uint64_t i = 0; i < mk.handoff->ram.count; i++) {
		if (ram[i].spa + ram[i].size > top)
			top = ram[i].spa + ram[i].size;
	}
	mk.root_npt = pool_alloc();
	if (mk.root_npt == MK_NO_PAGE || !make_decoy())
		return BF_ERR_MK_POOL;
	for (uint64_t spa = 0; spa < top; spa += SIZE_1G) {
		if (!map_range(spa, 3))
			return BF_ERR_MK_POOL;
	}
	return BF_ERR_OK;
}

bool nested_fault(uint64_t gpa)
{
	uint64_t entry;
	bool ok;

	if (!mk.root_npt || gpa >> (12 + 9 * mk.nested_levels))
		return false;
	mk_lock(&lock);
	/* Another PP may have been faster. */
	ok = bsl_pt_walk(&tables, mk.root_npt, gpa, ALL_RIGHTS, &entry) ||
	     map_range(bsl_align_down(gpa, SIZE_1G), 3);
	mk_unlock(&lock);
	return ok;
}

static bool retype(uint64_t table, unsigned int level);

/* A leaf that is of more than one type now becomes a table of leaves that are as it was. */
static bool split_leaf(uint64_t *entry, unsigned int level)
{
	uint64_t first = *entry, spa = pool_alloc();
	uint64_t *child;

	if (spa == MK_NO_PAGE)
		return false;
	child = phys_to_virt(spa);
	if (level == 2)
		first &= ~BSL_PTE_PS;
	for (unsigned int i = 0; i < BSL_PT_ENTRIES; i++)
		child[i] = first + i * BSL_LEVEL_SIZE(level - 1);
	__atomic_store_n(entry, spa | ALL_RIGHTS, __ATOMIC_RELEASE);
	return retype(spa, level - 1);
}

/* Other PPs use the table meanwhile: each entry is right at any time, but for its type. */
static bool retype_leaf(uint64_t *entry, unsigned int level)
{
	uint64_t spa = *entry & BSL_PTE_SPA, attr;

	if (!mk.vendor->nested_leaf(spa, BSL_LEVEL_SIZE(level), &attr))
		return split_leaf(entry, level);
	__atomic_store_n(entry, spa | attr | ALL_RIGHTS | (level > 1 ? BSL_PTE_PS : 0),
			 __ATOMIC_RELAXED);
	return true;
}

/* All that is mapped below a table; false: memory ran out, and some of it has the type it had. */
static bool retype(uint64_t table, unsigned int level)
{
	uint64_t *entries = phys_to_virt(table);
	bool ok = true;

	ASSERT_LOCKED(&lock);
	for (unsigned int i = 0; i < BSL_PT_ENTRIES; i++) {
		bool leaf = level == 1 || (level < 4 && entries[i] & BSL_PTE_PS);

		if (leaf && entries[i])
			ok &= retype_leaf(&entries[i], level);
		else if (entries[i])
			ok &= retype(entries[i] & BSL_PTE_SPA, level - 1);
	}
	return ok;
}

void nested_follow_mtrrs(void)
{
	bool changed, ok = true;

	if (!mk.root_npt || !mk.vendor->nested_types_changed)
		return;
	mk_lock(&lock);
	changed = mk.vendor->nested_types_changed();
	if (changed)
		ok = retype(mk.root_npt, 4);
	mk_unlock(&lock);
	/* Linux writes the MTRRs of every CPU, so every PP comes here (SDM vol. 3 §14.11.8). */
	mk.vendor->nested_flush();
	if (changed)
		mk_print("pp %u: MTRRs have changed%s\n", this_pp()->handoff.ppid,
			 ok ? "" : ", and no memory is left to follow them everywhere");
}
