// SPDX-License-Identifier: GPL-2.0-only
#include "mem/nested.h"

#include <bsl/bits.h>
#include <bsl/paging.h>
#include <bsl/string.h>

#include "arch/intrinsics.h"
#include "debug.h"
#include "lock.h"
#include "mem/mem.h"
#include "mk.h"
#include "vendor.h"

/* Read, write, execute for EPT; present, write, user for NPT: the same bits. */
#define ALL_RIGHTS 0x7
#define WRITE 0x2ULL

#define SIZE_1G BSL_LEVEL_SIZE(3)

static struct mk_lock lock = MK_LOCK(LOCK_TABLES);
static uint64_t decoy; /* SPA of the decoy page */
static uint64_t decoy_leaf; /* of 4 KiB, with this page */
static uint64_t decoy_table; /* SPA of a page table full of it */

static void (*changed_views)(void); /* NULL: there are none */

static struct bsl_tables tables = {
	.alloc = pool_table_alloc,
	.at = pool_table_at,
	.branch = ALL_RIGHTS,
};

static void tell_views(void)
{
	ASSERT_LOCKED(&lock);
	if (changed_views)
		changed_views();
}

/* Attribute bits of a leaf for [spa, spa + size); false: it has to be split further. */
static bool can_be_leaf(uint64_t spa, uint64_t size, uint64_t *attr)
{
	return mk.vendor->nested_has_page(size) && mk.vendor->nested_type(spa, size, attr);
}

static uint64_t leaf_of(uint64_t spa, unsigned int level, uint64_t attr)
{
	return spa | attr | ALL_RIGHTS | (level > 1 ? BSL_PTE_PS : 0);
}

static uint64_t leaf(uint64_t spa, unsigned int level)
{
	uint64_t attr = 0;

	/* A page of 4 KiB always has one type. */
	(void)mk.vendor->nested_type(spa, BSL_LEVEL_SIZE(level), &attr);
	return leaf_of(spa, level, attr);
}

/* Linux's local APICs, where it cannot write to them. */
static bool has_apic_page(uint64_t spa, uint64_t size)
{
	return mk.apic_page && mk.apic_page - spa < size;
}

/* What an entry that is not empty leads to. */
static bool is_table(uint64_t entry, unsigned int level)
{
	return level > 1 && !(entry & BSL_PTE_PS) && (entry & BSL_PTE_SPA) != decoy_table;
}

/* The table below an entry that is empty or has one; NULL: no memory. */
static uint64_t *table_below(uint64_t *entry)
{
	uint64_t spa = *entry & BSL_PTE_SPA;

	if (!*entry)
		spa = pool_alloc();
	if (spa == MK_NO_PAGE)
		return NULL;
	__atomic_store_n(entry, spa | ALL_RIGHTS, __ATOMIC_RELEASE);
	return phys_to_virt(spa);
}

/*
 * Maps the naturally aligned range of one entry, one to one or with the decoy; what is mapped there
 * already stays. If all of a larger range that it is in has one type, attr has its bits, and
 * typed is true: to ask for each page again would be most of a start.
 */
static bool map_entry(uint64_t *entry, uint64_t spa, unsigned int level, bool typed, uint64_t attr)
{
	uint64_t size = BSL_LEVEL_SIZE(level), step = size / BSL_PT_ENTRIES;
	bool owned = region_overlaps(&mk.handoff->owned, spa, size);
	bool whole = !owned && !has_apic_page(spa, size);
	uint64_t *table;

	if (*entry && !is_table(*entry, level))
		return true;
	if (owned && level == 1) {
		*entry = decoy_leaf;
		return true;
	}
	if (owned && level == 2 && region_covers(&mk.handoff->owned, spa, size)) {
		*entry = decoy_table | ALL_RIGHTS;
		return true;
	}
	if (!typed)
		typed = mk.vendor->nested_type(spa, size, &attr);
	if (level == 1 && !whole) {
		*entry = leaf_of(spa, level, attr) & ~WRITE;
		return true;
	}
	if (!*entry && whole && typed && mk.vendor->nested_has_page(size)) {
		*entry = leaf_of(spa, level, attr);
		return true;
	}
	table = table_below(entry);
	for (unsigned int i = 0; table && i < BSL_PT_ENTRIES; i++) {
		if (!map_entry(&table[i], spa + i * step, level - 1, typed, attr))
			return false;
	}
	return table;
}

static bool map_gib(uint64_t spa)
{
	uint64_t *entry = bsl_pt_entry(&tables, mk.root_npt, spa, 3, true);

	return entry && map_entry(entry, spa, 3, false, 0);
}

static bool make_decoy(void)
{
	uint64_t *pt;

	decoy = pool_alloc();
	decoy_table = pool_alloc();
	if (decoy == MK_NO_PAGE || decoy_table == MK_NO_PAGE)
		return false;
	decoy_leaf = leaf(decoy, 1);
	pt = phys_to_virt(decoy_table);
	for (unsigned int i = 0; i < BSL_PT_ENTRIES; i++)
		pt[i] = decoy_leaf;
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
		if (!map_gib(spa))
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
	ok = bsl_pt_walk(&tables, mk.root_npt, gpa, ALL_RIGHTS, &entry);
	if (!ok) {
		ok = map_gib(bsl_align_down(gpa, SIZE_1G));
		tell_views();
	}
	mk_unlock(&lock);
	return ok;
}

static bool retype(uint64_t table, unsigned int level);

/* A leaf becomes a table of leaves that are as it was; false: no memory. */
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
	return true;
}

/* Other PPs use the table meanwhile: each entry is right at any time, but for its type. */
static bool retype_leaf(uint64_t *entry, unsigned int level)
{
	uint64_t spa = *entry & BSL_PTE_SPA, attr;

	if (!can_be_leaf(spa, BSL_LEVEL_SIZE(level), &attr))
		return split_leaf(entry, level) && retype(*entry & BSL_PTE_SPA, level - 1);
	__atomic_store_n(entry, leaf_of(spa, level, attr), __ATOMIC_RELAXED);
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

		if (!entries[i])
			continue;
		if (leaf)
			ok &= retype_leaf(&entries[i], level);
		else
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
	if (changed) {
		ok = retype(mk.root_npt, 4);
		tell_views();
	}
	mk_unlock(&lock);
	/* Linux writes the MTRRs of every CPU, so every PP comes here (SDM vol. 3 §14.11.8). */
	mk.vendor->nested_flush();
	if (changed)
		mk_print("pp %u: MTRRs have changed%s\n", this_pp()->handoff.ppid,
			 ok ? "" : ", and no memory is left to follow them everywhere");
}

/* --- what Linux gives, and gets back ---------------------------------------------------------- */

#define SIZE_2M BSL_LEVEL_SIZE(2)

static uint64_t *table_of(uint64_t entry)
{
	return phys_to_virt(entry & BSL_PTE_SPA);
}

static void set(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

/* The entry for spa, which is RAM: down to level 3 it has been there since the start. */
static uint64_t *gib_entry(uint64_t spa)
{
	ASSERT_LOCKED(&lock);
	return bsl_pt_entry(&tables, mk.root_npt, spa, 3, false);
}

/* The same of level 2, where the GiB has been split. */
static uint64_t *block_entry(uint64_t spa)
{
	return &table_of(*gib_entry(spa))[bsl_pt_index(spa, 2)];
}

/* The part of [spa, end) that one entry of level 2 spans ends there. */
static uint64_t block_end(uint64_t spa, uint64_t end)
{
	uint64_t next = bsl_align_down(spa, SIZE_2M) + SIZE_2M;

	return next < end ? next : end;
}

static bool is_decoys(uint64_t entry)
{
	return (entry & BSL_PTE_SPA) == decoy_table;
}

/* A table of leaves that a larger one can be instead of is that, if there is room for it. */
static void merge(uint64_t *entry, uint64_t spa, unsigned int level, struct nested_spare *spare)
{
	const uint64_t ignored = mk.vendor->guest_bits->accessed | mk.vendor->guest_bits->dirty;
	uint64_t attr, step = BSL_LEVEL_SIZE(level - 1), old = *entry & BSL_PTE_SPA;
	const uint64_t *table;

	if (*entry & BSL_PTE_PS || spare->count == spare->room ||
	    !can_be_leaf(spa, BSL_LEVEL_SIZE(level), &attr))
		return;
	attr |= ALL_RIGHTS | (level > 2 ? BSL_PTE_PS : 0);
	table = phys_to_virt(old);
	for (unsigned int i = 0; i < BSL_PT_ENTRIES; i++) {
		if ((table[i] & ~ignored) != (spa + i * step) + attr)
			return;
	}
	set(entry, leaf(spa, level));
	spare->spa[spare->count++] = old;
}

static void merge_all(uint64_t spa, uint64_t end, struct nested_spare *spare)
{
	uint64_t gib = bsl_align_down(spa, SIZE_1G);

	/* They may lead to the table that would not be used any more. */
	if (changed_views)
		return;
	for (uint64_t at = bsl_align_down(spa, SIZE_2M); at < end; at += SIZE_2M) {
		if (!(*gib_entry(at) & BSL_PTE_PS))
			merge(block_entry(at), at, 2, spare);
	}
	for (; gib < end; gib += SIZE_1G)
		merge(gib_entry(gib), gib, 3, spare);
}

/* All that can lack memory: whatever is to be an entry of its own is one. */
static bool split_for(uint64_t spa, uint64_t end)
{
	for (uint64_t at = spa, next; at < end; at = next) {
		uint64_t *gib = gib_entry(at), *entry;

		next = block_end(at, end);
		if (*gib & BSL_PTE_PS && !split_leaf(gib, 3))
			return false;
		entry = block_entry(at);
		if (next - at < SIZE_2M && *entry & BSL_PTE_PS && !split_leaf(entry, 2))
			return false;
	}
	return true;
}

bool nested_hide(uint64_t spa, uint64_t size, struct nested_spare *spare)
{
	uint64_t end = spa + size, next;
	bool ok;

	mk_lock(&lock);
	ok = split_for(spa, end);
	if (!ok)
		merge_all(spa, end, spare);
	for (uint64_t at = spa; ok && at < end; at = next) {
		uint64_t *entry = block_entry(at);

		next = block_end(at, end);
		if (*entry & BSL_PTE_PS) {
			set(entry, decoy_table | ALL_RIGHTS);
			continue;
		}
		for (uint64_t page = at; page < next; page += BF_PAGE_SIZE)
			set(&table_of(*entry)[bsl_pt_index(page, 1)], leaf(decoy, 1));
	}
	tell_views();
	mk_unlock(&lock);
	return ok;
}

/*
 * Where a block of decoys cannot be one leaf any more, or is not to be as a whole, it gets a table
 * of its own.
 */
static bool own_tables_for(uint64_t spa, uint64_t end)
{
	for (uint64_t at = spa, next; at < end; at = next) {
		uint64_t *entry = block_entry(at);
		uint64_t attr, table;

		next = block_end(at, end);
		if (!is_decoys(*entry) || (next - at == SIZE_2M && can_be_leaf(at, SIZE_2M, &attr)))
			continue;
		table = pool_alloc();
		if (table == MK_NO_PAGE)
			return false;
		bsl_memcpy(phys_to_virt(table), table_of(*entry), BF_PAGE_SIZE);
		set(entry, table | ALL_RIGHTS);
	}
	return true;
}

bool nested_show(uint64_t spa, uint64_t size, struct nested_spare *spare)
{
	uint64_t end = spa + size, next;
	bool ok;

	mk_lock(&lock);
	ok = own_tables_for(spa, end);
	for (uint64_t at = spa; ok && at < end; at = next) {
		uint64_t *entry = block_entry(at);

		next = block_end(at, end);
		if (is_decoys(*entry)) {
			set(entry, leaf(at, 2));
			continue;
		}
		for (uint64_t page = at; page < next; page += BF_PAGE_SIZE)
			set(&table_of(*entry)[bsl_pt_index(page, 1)], leaf(page, 1));
	}
	if (ok)
		merge_all(spa, end, spare);
	tell_views();
	mk_unlock(&lock);
	return ok;
}

/* --- what views are made from ----------------------------------------------------------------- */

void nested_lock(void)
{
	mk_lock(&lock);
}

void nested_unlock(void)
{
	mk_unlock(&lock);
}

void nested_has_views(void (*changed)(void))
{
	ASSERT_LOCKED(&lock);
	changed_views = changed;
}

/* The part of a leaf that an entry of a lower level at gpa would be. */
static uint64_t cut(uint64_t entry, unsigned int from, uint64_t gpa, unsigned int to)
{
	uint64_t off = bsl_align_down(gpa & (BSL_LEVEL_SIZE(from) - 1), BSL_LEVEL_SIZE(to));

	return (to == 1 ? entry & ~BSL_PTE_PS : entry) + off;
}

uint64_t nested_entry(uint64_t gpa, unsigned int level)
{
	const uint64_t *table = phys_to_virt(mk.root_npt);
	unsigned int at = mk.nested_levels;
	uint64_t entry;

	ASSERT_LOCKED(&lock);
	for (;; at--) {
		entry = table[bsl_pt_index(gpa, at)];
		if (at == level || !entry)
			return entry;
		if (at < 4 && entry & BSL_PTE_PS)
			return cut(entry, at, gpa, level);
		table = table_of(entry);
	}
}

uint64_t nested_page(uint64_t gpa)
{
	uint64_t entry = nested_entry(gpa, 1);

	if (!entry && map_gib(bsl_align_down(gpa, SIZE_1G))) {
		tell_views();
		entry = nested_entry(gpa, 1);
	}
	return entry;
}

uint64_t nested_leaf(uint64_t spa)
{
	return leaf(spa, 1);
}

bool nested_is_decoy(uint64_t entry)
{
	return (entry & BSL_PTE_SPA) == decoy;
}
