// SPDX-License-Identifier: GPL-2.0-only
#include "mem/window.h"

#include <bsl/bits.h>
#include <bsl/paging.h>

#include "mem/mem.h"
#include "mem/prune.h"
#include "mk.h"
#include "pp.h"

static const struct bsl_tables tables = {
	.alloc = pool_table_alloc,
	.at = pool_table_at,
	.branch = BSL_PTE_P | BSL_PTE_W | BSL_PTE_A,
	.levels = 4, /* also where root mode has 5: below the first entry of a PML5 */
};

static uint64_t pml4(void)
{
	uint64_t root = this_pp()->handoff.cr3;

	return mk.levels == 5 ? *(const uint64_t *)phys_to_virt(root) & BSL_PTE_SPA : root;
}

static uint64_t *entry_of(uint64_t spa, unsigned int level)
{
	return bsl_pt_entry(&tables, pml4(), BF_WINDOW_BASE + spa, level, false);
}

bool window_reaches(uint64_t spa, uint64_t size)
{
	return *entry_of(spa, 4) && *entry_of(spa + size - 1, 4);
}

/* The part of [at, end) that one entry of level 2 spans ends there. */
static uint64_t block_end(uint64_t at, uint64_t end)
{
	uint64_t next = bsl_align_down(at, BSL_LEVEL_SIZE(2)) + BSL_LEVEL_SIZE(2);

	return next < end ? next : end;
}

static bool block_shows(uint64_t at, uint64_t end)
{
	const uint64_t *entry = entry_of(at, 2);
	bool shown = false;

	if (!entry || !*entry)
		return false;
	if (*entry & BSL_PTE_PS)
		return true;
	for (; !shown && at < end; at += BF_PAGE_SIZE)
		shown = *entry_of(at, 1);
	return shown;
}

bool window_shows(uint64_t spa, uint64_t size)
{
	uint64_t end = spa + size;
	bool shown = false;

	for (uint64_t at = spa; !shown && at < end; at = block_end(at, end))
		shown = block_shows(at, block_end(at, end));
	return shown;
}

bool window_map(uint64_t spa, uint64_t size)
{
	return bsl_pt_map_range(&tables, pml4(), BF_WINDOW_BASE + spa, spa, size,
				BSL_PTE_W | BSL_PTE_NX) == BF_ERR_OK;
}

static void unmap_block(uint64_t at, uint64_t end)
{
	uint64_t *entry = entry_of(at, 2);

	if (!entry || !*entry)
		return;
	if (*entry & BSL_PTE_PS) {
		*entry = 0;
		return;
	}
	for (; at < end; at += BF_PAGE_SIZE)
		*entry_of(at, 1) = 0;
}

void window_unmap(uint64_t spa, uint64_t size, uint64_t *pruned)
{
	uint64_t end = spa + size;

	for (uint64_t at = spa; at < end; at = block_end(at, end))
		unmap_block(at, block_end(at, end));
	prune(&tables, pml4(), BF_WINDOW_BASE + spa, size, pruned);
}
