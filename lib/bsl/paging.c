// SPDX-License-Identifier: MIT
/* Page tables: see paging.h. */
#include <bsl/bits.h>
#include <bsl/fault.h>
#include <bsl/paging.h>

#define SMALL_PAGE 0x1000ULL
#define SPA_LIMIT 0x0010000000000000ULL

uint64_t *bsl_pt_entry(const struct bsl_tables *t, uint64_t root, uint64_t va, unsigned int level,
		       bool alloc)
{
	uint64_t table = root;
	unsigned int l;

	for (l = t->levels; l > level; l--) {
		uint64_t *entry = t->at(t->ctx, table) + bsl_pt_index(va, l);

		if (!*entry) {
			uint64_t fresh = alloc && !FAULT_POINT(table) ? t->alloc(t->ctx) :
									BSL_NO_TABLE;

			if (fresh == BSL_NO_TABLE)
				return NULL;
			*entry = fresh | t->branch;
		} else if (l < 4 && *entry & BSL_PTE_PS) {
			return NULL;
		}
		table = *entry & BSL_PTE_SPA;
	}
	return t->at(t->ctx, table) + bsl_pt_index(va, level);
}

unsigned int bsl_pt_walk(const struct bsl_tables *t, uint64_t root, uint64_t va, uint64_t present,
			 uint64_t *entry)
{
	uint64_t table = root;
	unsigned int l;

	for (l = t->levels; l > 0; l--) {
		*entry = t->at(t->ctx, table)[bsl_pt_index(va, l)];
		if (!(*entry & present))
			return 0;
		if (l == 1 || (l < 4 && *entry & BSL_PTE_PS))
			return l;
		table = *entry & BSL_PTE_SPA;
	}
	return 0;
}

bool bsl_pt_map(const struct bsl_tables *t, uint64_t root, uint64_t va, uint64_t spa, uint64_t attr,
		unsigned int level)
{
	uint64_t *entry = bsl_pt_entry(t, root, va, level, true);

	if (!entry || *entry)
		return false;
	*entry = spa | attr | (level > 1 ? BSL_PTE_PS : 0);
	return true;
}

/* Whether something is mapped at va, or there is a table where a leaf of this level would be. */
static bool is_taken(const struct bsl_tables *t, uint64_t root, uint64_t va, unsigned int level)
{
	const uint64_t *at_level = bsl_pt_entry(t, root, va, level, false);
	uint64_t entry;

	return (at_level && *at_level) || bsl_pt_walk(t, root, va, BSL_PTE_P, &entry);
}

enum bf_error bsl_pt_map_range(const struct bsl_tables *t, uint64_t root, uint64_t va, uint64_t spa,
			       uint64_t size, uint64_t flags)
{
	flags &= BSL_PTE_W | BSL_PTE_U | BSL_PTE_NX;
	if (!size || !bsl_is_aligned(va | spa | size, SMALL_PAGE) ||
	    !bsl_range_within(spa, size, 0, SPA_LIMIT) || ~va < size - 1 ||
	    !bsl_is_canonical(va, t->levels) || !bsl_is_canonical(va + size - 1, t->levels) ||
	    va >> 63 != (va + size - 1) >> 63)
		return BF_ERR_BAD_REQUEST;
	while (size) {
		bool large = bsl_is_aligned(va | spa, BSL_LEVEL_SIZE(2)) &&
			     size >= BSL_LEVEL_SIZE(2);
		unsigned int level = large ? 2 : 1;
		uint64_t step = BSL_LEVEL_SIZE(level);

		if (is_taken(t, root, va, level))
			return BF_ERR_BAD_REQUEST;
		if (!bsl_pt_map(t, root, va, spa, flags | BSL_PTE_P | BSL_PTE_A | BSL_PTE_D, level))
			return BF_ERR_NO_MEMORY;
		va += step;
		spa += step;
		size -= step;
	}
	return BF_ERR_OK;
}
