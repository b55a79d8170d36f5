/* SPDX-License-Identifier: MIT */
/*
 * Building and walking page tables of 4 or 5 levels (SDM vol. 3 §5.5, APM vol. 2 §5.3), in memory
 * that the caller provides. The same shape serves CPU page tables, NPT and EPT: 512 entries of 8
 * bytes a level, bits 51:12 the address, bit 7 a leaf above the lowest level. Where they differ,
 * the caller passes the attribute bits.
 */
#ifndef BSL_PAGING_H
#define BSL_PAGING_H

#include <abi/errors.h>
#include <abi/types.h>

#define BSL_PTE_P 0x1ULL
#define BSL_PTE_W 0x2ULL
#define BSL_PTE_U 0x4ULL
#define BSL_PTE_UC 0x18ULL /* PWT and PCD: index 3 of the PAT, which is uncacheable */
#define BSL_PTE_A 0x20ULL
#define BSL_PTE_D 0x40ULL
#define BSL_PTE_PS 0x80ULL
#define BSL_PTE_NX 0x8000000000000000ULL
#define BSL_PTE_SPA 0x000FFFFFFFFFF000ULL /* of a table or a 4 KiB page */

#define BSL_PT_ENTRIES 512
#define BSL_NO_TABLE 0xFFFFFFFFFFFFFFFFULL

/* Bytes that one entry of a level spans; level 1 is a PT, 4 is the PML4, 5 the PML5. */
#define BSL_LEVEL_SIZE(level) ((uint64_t)1 << (12 + 9 * ((level) - 1)))

/* Where tables come from and how they are reached. */
struct bsl_tables {
	uint64_t (*alloc)(void *ctx); /* a zeroed page's SPA, or BSL_NO_TABLE */
	uint64_t *(*at)(void *ctx, uint64_t spa); /* the table at spa */
	void *ctx;
	uint64_t branch; /* attribute bits of entries that point to tables */
	unsigned int levels; /* 4 or 5: that of the table at root */
};

/* The index into the table of a level (1: page table … 4: PML4, 5: PML5) for va. */
static inline unsigned int bsl_pt_index(uint64_t va, unsigned int level)
{
	return (unsigned int)(va >> (12 + 9 * (level - 1)) & (BSL_PT_ENTRIES - 1));
}

/*
 * Whether the bits above those that so many levels translate repeat the highest of them (SDM vol. 1
 * §3.3.7.1).
 */
static inline bool bsl_is_canonical(uint64_t va, unsigned int levels)
{
	int64_t above = (int64_t)va >> (11 + 9 * levels);

	return above == 0 || above == -1;
}

/*
 * The entry for va at the given level of the tree whose uppermost table is at root, or NULL when a
 * table above it is missing. With alloc set, missing tables are made; NULL then means that memory
 * ran out or that a larger leaf already maps va.
 */
uint64_t *bsl_pt_entry(const struct bsl_tables *t, uint64_t root, uint64_t va, unsigned int level,
		       bool alloc);

/*
 * Walks to the leaf that maps va. Returns its level, or 0 if va is not mapped (present is the bits
 * of which one must be set: BSL_PTE_P, or for EPT the rights). *entry is the last entry that was
 * read.
 */
unsigned int bsl_pt_walk(const struct bsl_tables *t, uint64_t root, uint64_t va, uint64_t present,
			 uint64_t *entry);

/*
 * Maps one page: the leaf entry for va at level (1, 2 or 3) becomes spa | attr. spa and va are
 * aligned to the level's size. Returns false when memory ran out or something is mapped there
 * already.
 */
bool bsl_pt_map(const struct bsl_tables *t, uint64_t root, uint64_t va, uint64_t spa, uint64_t attr,
		unsigned int level);

/*
 * Maps size bytes at va to spa in a CPU's page table, with 2 MiB pages where both are aligned.
 * flags: BSL_PTE_W, _U, _NX. Accessed and dirty are set at once, so that the CPU never writes them.
 * BAD_REQUEST: not page aligned, not canonical, out of range, or something is mapped there.
 * NO_MEMORY: part of the range may be mapped.
 */
enum bf_error bsl_pt_map_range(const struct bsl_tables *t, uint64_t root, uint64_t va, uint64_t spa,
			       uint64_t size, uint64_t flags);

#endif
