/* SPDX-License-Identifier: MIT */
/*
 * Building and walking 4-level page tables (SDM vol. 3 §4.5, APM vol. 2 §5.3). The same shape serves
 * CPU page tables, NPT and EPT: 512 entries of 8 bytes a level, bits 51:12 the address, bit 7 a leaf
 * above the lowest level. Where they differ, the caller passes the attribute bits.
 */
#ifndef BSL_TABLES_H
#define BSL_TABLES_H

#include <abi/types.h>

#define PTE_P 0x1
#define PTE_W 0x2
#define PTE_U 0x4
#define PTE_PWT 0x8
#define PTE_PCD 0x10
#define PTE_A 0x20
#define PTE_D 0x40
#define PTE_LEAF 0x80 /* PS: a leaf at level 2 or 3 */
#define PTE_NX 0x8000000000000000
#define PTE_ADDR 0x000FFFFFFFFFF000

#define BSL_TABLE_ENTRIES 512
#define BSL_NO_TABLE 0xFFFFFFFFFFFFFFFF

/* Bytes that one entry of a level spans; level 1 is a PT, 4 is the PML4. */
#define BSL_LEVEL_SIZE(level) ((uint64_t)1 << (12 + 9 * ((level) - 1)))

/* Where tables come from and how they are reached. */
struct bsl_tables {
	uint64_t (*alloc)(void *ctx); /* a zeroed page's physical address, or BSL_NO_TABLE */
	void *(*at)(void *ctx, uint64_t pa); /* the table at pa */
	void *ctx;
	uint64_t branch; /* attribute bits of entries that point to tables */
};

static inline unsigned int bsl_table_index(uint64_t va, unsigned int level)
{
	return (unsigned int)(va >> (12 + 9 * (level - 1))) & (BSL_TABLE_ENTRIES - 1);
}

/*
 * The entry for va at the given level of the tree with the PML4 at root, or NULL when a table above
 * it is missing. With alloc set, missing tables are made; NULL then means that memory ran out or that
 * a larger leaf already maps va.
 */
uint64_t *bsl_table_entry(const struct bsl_tables *t, uint64_t root, uint64_t va,
			  unsigned int level, bool alloc);

/*
 * Maps one page: the leaf entry for va at level (1, 2 or 3) becomes pa | attr. pa and va are aligned
 * to the level's size. Returns false when memory ran out or something is mapped there already.
 */
bool bsl_map(const struct bsl_tables *t, uint64_t root, uint64_t va, uint64_t pa, uint64_t attr,
	     unsigned int level);

/*
 * Walks to the leaf that maps va. Returns its level, or 0 if va is not mapped (present is the bits of
 * which one must be set: PTE_P, or for EPT the rights). *entry is the leaf's value.
 */
unsigned int bsl_walk(const struct bsl_tables *t, uint64_t root, uint64_t va, uint64_t present,
		      uint64_t *entry);

#endif
