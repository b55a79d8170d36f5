/* SPDX-License-Identifier: MIT */
/* 4-level page tables of x86-64 (SDM vol. 3 §4.5, APM vol. 2 §5.3); the caller has the memory. */
#ifndef BSL_PAGING_H
#define BSL_PAGING_H

#include <abi/errors.h>
#include <abi/types.h>

#define BSL_PTE_P 0x1ULL
#define BSL_PTE_W 0x2ULL
#define BSL_PTE_U 0x4ULL
#define BSL_PTE_A 0x20ULL
#define BSL_PTE_D 0x40ULL
#define BSL_PTE_PS 0x80ULL
#define BSL_PTE_NX 0x8000000000000000ULL
#define BSL_PTE_SPA 0x000FFFFFFFFFF000ULL /* of a page table or a 4 KiB page */

#define BSL_PT_ENTRIES 512
#define BSL_LARGE_PAGE 0x200000ULL

struct bsl_paging {
	uint64_t *(*alloc)(void *ctx, uint64_t *spa); /* a zeroed page for a table, or NULL */
	uint64_t *(*table)(void *ctx, uint64_t spa); /* where to see a table */
	void *ctx;
	uint64_t *root; /* the PML4 */
};

/* The index into the table of a level (1: page table … 4: PML4) for va. */
static inline unsigned int bsl_pt_index(uint64_t va, unsigned int level)
{
	return (unsigned int)(va >> (12 + 9 * (level - 1)) & (BSL_PT_ENTRIES - 1));
}

/*
 * The entry for va in the table of a level (1..4), tables on the way made where they are missing.
 * NULL: no memory, or a large page lies there. Tables above level 1 grant W always, and U if user.
 */
uint64_t *bsl_pt_entry(const struct bsl_paging *paging, uint64_t va, unsigned int level, bool user);

/*
 * Maps size bytes at va to spa, with 2 MiB pages where both are aligned. flags: BSL_PTE_W, _U, _NX.
 * Accessed and dirty are set at once, so that the CPU never writes the tables.
 * BAD_REQUEST: not page aligned, not canonical, out of range, or something is mapped there.
 * NO_MEMORY: part of the range may be mapped.
 */
enum bf_error bsl_pt_map(const struct bsl_paging *paging, uint64_t va, uint64_t spa, uint64_t size,
			 uint64_t flags);

/* Where va leads, as the CPU sees it: *spa (of the byte), *flags (W, U, NX). False: not mapped. */
bool bsl_pt_translate(const struct bsl_paging *paging, uint64_t va, uint64_t *spa, uint64_t *flags);

#endif
