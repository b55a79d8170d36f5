/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a page table leads, as the CPU sees it: independent of the walk that is under test. */
#ifndef TEST_TRANSLATE_H
#define TEST_TRANSLATE_H

#include <bsl/paging.h>

/* *spa (of the byte) and *flags (W, U, NX) of va. False: not mapped. */
static inline bool translate_va(const struct bsl_tables *t, uint64_t root, uint64_t va,
				uint64_t *spa, uint64_t *flags)
{
	uint64_t granted = BSL_PTE_W | BSL_PTE_U, denied = 0, table = root;

	if ((va + (1ULL << (11 + 9 * t->levels))) >> (12 + 9 * t->levels))
		return false;
	for (unsigned int level = t->levels; level > 0; level--) {
		uint64_t size = 1ULL << (12 + 9 * (level - 1));
		uint64_t entry = t->at(t->ctx, table)[va / size % 512];

		if (!(entry & BSL_PTE_P))
			return false;
		granted &= entry;
		denied |= entry & BSL_PTE_NX;
		table = entry & BSL_PTE_SPA;
		if (level == 1 || (level == 2 && entry & BSL_PTE_PS)) {
			*spa = (table & ~(size - 1)) + va % size;
			*flags = granted | denied;
			return true;
		}
	}
	return false;
}

#endif
