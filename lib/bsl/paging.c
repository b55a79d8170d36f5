/* SPDX-License-Identifier: MIT */
#include <bsl/bits.h>
#include <bsl/paging.h>

#define SMALL_PAGE 0x1000ULL
#define SPA_LIMIT 0x0010000000000000ULL
#define LARGE_SPA 0x000FFFFFFFE00000ULL

static bool canonical(uint64_t va)
{
	return va < 0x0000800000000000ULL || va >= 0xFFFF800000000000ULL;
}

/* The table below *entry, made if there is none. */
static uint64_t *descend(const struct bsl_paging *paging, uint64_t *entry, bool user)
{
	uint64_t *table;
	uint64_t spa;

	if (*entry & BSL_PTE_P) {
		if (*entry & BSL_PTE_PS)
			return NULL;
		if (user)
			*entry |= BSL_PTE_U;
		return paging->table(paging->ctx, *entry & BSL_PTE_SPA);
	}
	table = paging->alloc(paging->ctx, &spa);
	if (!table)
		return NULL;
	*entry = spa | BSL_PTE_P | BSL_PTE_W | BSL_PTE_A | (user ? BSL_PTE_U : 0);
	return table;
}

uint64_t *bsl_pt_entry(const struct bsl_paging *paging, uint64_t va, unsigned int level, bool user)
{
	uint64_t *table = paging->root;
	unsigned int at;

	for (at = 4; at > level; at--) {
		table = descend(paging, &table[bsl_pt_index(va, at)], user);
		if (!table)
			return NULL;
	}
	return &table[bsl_pt_index(va, level)];
}

/* Whether nothing is mapped at va yet: tells a conflict from a lack of memory. */
static bool is_free(const struct bsl_paging *paging, uint64_t va, unsigned int level)
{
	const uint64_t *table = paging->root;
	unsigned int at;

	for (at = 4; at >= level; at--) {
		uint64_t entry = table[bsl_pt_index(va, at)];

		if (!(entry & BSL_PTE_P))
			return true;
		if (at == level || (entry & BSL_PTE_PS))
			return false;
		table = paging->table(paging->ctx, entry & BSL_PTE_SPA);
	}
	return false;
}

enum bf_error bsl_pt_map(const struct bsl_paging *paging, uint64_t va, uint64_t spa, uint64_t size,
			 uint64_t flags)
{
	flags &= BSL_PTE_W | BSL_PTE_U | BSL_PTE_NX;
	if (!size || !bsl_is_aligned(va | spa | size, SMALL_PAGE) ||
	    !bsl_range_within(spa, size, 0, SPA_LIMIT) || ~va < size - 1 || !canonical(va) ||
	    !canonical(va + size - 1) || va >> 63 != (va + size - 1) >> 63)
		return BF_ERR_BAD_REQUEST;
	while (size) {
		bool large = bsl_is_aligned(va | spa, BSL_LARGE_PAGE) && size >= BSL_LARGE_PAGE;
		unsigned int level = large ? 2 : 1;
		uint64_t step = large ? BSL_LARGE_PAGE : SMALL_PAGE;
		uint64_t *entry;

		if (!is_free(paging, va, level))
			return BF_ERR_BAD_REQUEST;
		entry = bsl_pt_entry(paging, va, level, flags & BSL_PTE_U);
		if (!entry)
			return BF_ERR_NO_MEMORY;
		*entry = spa | flags | BSL_PTE_P | BSL_PTE_A | BSL_PTE_D | (large ? BSL_PTE_PS : 0);
		va += step;
		spa += step;
		size -= step;
	}
	return BF_ERR_OK;
}

bool bsl_pt_translate(const struct bsl_paging *paging, uint64_t va, uint64_t *spa, uint64_t *flags)
{
	const uint64_t *table = paging->root;
	uint64_t granted = BSL_PTE_W | BSL_PTE_U;
	uint64_t denied = 0;
	unsigned int level;

	if (!canonical(va))
		return false;
	for (level = 4; level > 0; level--) {
		uint64_t entry = table[bsl_pt_index(va, level)];

		if (!(entry & BSL_PTE_P))
			return false;
		granted &= entry;
		denied |= entry & BSL_PTE_NX;
		if (level == 2 && (entry & BSL_PTE_PS)) {
			*spa = (entry & LARGE_SPA) | (va & (BSL_LARGE_PAGE - 1));
			break;
		}
		if (level == 1) {
			*spa = (entry & BSL_PTE_SPA) | (va & (SMALL_PAGE - 1));
			break;
		}
		table = paging->table(paging->ctx, entry & BSL_PTE_SPA);
	}
	*flags = granted | denied;
	return true;
}
