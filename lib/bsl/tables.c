// SPDX-License-Identifier: MIT
#include <bsl/tables.h>

uint64_t *bsl_table_entry(const struct bsl_tables *t, uint64_t root, uint64_t va,
			  unsigned int level, bool alloc)
{
	uint64_t table = root;

	for (unsigned int l = 4; l > level; l--) {
		uint64_t *entry = (uint64_t *)t->at(t->ctx, table) + bsl_table_index(va, l);

		if (!*entry) {
			uint64_t fresh = alloc ? t->alloc(t->ctx) : BSL_NO_TABLE;

			if (fresh == BSL_NO_TABLE)
				return NULL;
			*entry = fresh | t->branch;
		} else if (l < 4 && *entry & PTE_LEAF) {
			return NULL;
		}
		table = *entry & PTE_ADDR;
	}
	return (uint64_t *)t->at(t->ctx, table) + bsl_table_index(va, level);
}

bool bsl_map(const struct bsl_tables *t, uint64_t root, uint64_t va, uint64_t pa, uint64_t attr,
	     unsigned int level)
{
	uint64_t *entry = bsl_table_entry(t, root, va, level, true);

	if (!entry || *entry)
		return false;
	*entry = pa | attr | (level > 1 ? PTE_LEAF : 0);
	return true;
}

unsigned int bsl_walk(const struct bsl_tables *t, uint64_t root, uint64_t va, uint64_t present,
		      uint64_t *entry)
{
	uint64_t table = root;

	for (unsigned int l = 4; l > 0; l--) {
		*entry = ((const uint64_t *)t->at(t->ctx, table))[bsl_table_index(va, l)];
		if (!(*entry & present))
			return 0;
		if (l == 1 || (l < 4 && *entry & PTE_LEAF))
			return l;
		table = *entry & PTE_ADDR;
	}
	return 0;
}
