// SPDX-License-Identifier: GPL-2.0-only
#include "mem/prune.h"

#include <bsl/bits.h>
#include <bsl/paging.h>

#include "mem/mem.h"

/* The table that the entry of the level points to, if it is empty. */
static void unlink_empty(const struct bsl_tables *t, uint64_t root, uint64_t va, unsigned int level,
			 uint64_t *list)
{
	uint64_t *entry = bsl_pt_entry(t, root, va, level, false), *table;
	bool empty = true;

	if (!entry || !*entry || *entry & BSL_PTE_PS)
		return;
	table = phys_to_virt(*entry & BSL_PTE_SPA);
	for (unsigned int i = 0; empty && i < BSL_PT_ENTRIES; i++)
		empty = !table[i];
	if (!empty)
		return;
	/* The link is an entry that is not present. */
	table[0] = *list;
	*list = *entry & BSL_PTE_SPA;
	*entry = 0;
}

void prune(const struct bsl_tables *t, uint64_t root, uint64_t va, uint64_t size, uint64_t *list)
{
	for (unsigned int level = 2; level <= 3; level++) {
		uint64_t step = BSL_LEVEL_SIZE(level);

		for (uint64_t at = bsl_align_down(va, step); at < va + size; at += step)
			unlink_empty(t, root, at, level, list);
	}
}

void prune_free(uint64_t list)
{
	while (list) {
		uint64_t spa = list;

		list = *(const uint64_t *)phys_to_virt(spa);
		pool_free(spa);
	}
}
