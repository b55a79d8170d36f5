/* SPDX-License-Identifier: GPL-2.0-only */
/* The hypervisor's own memory: the page pool and the huge pool. */
#ifndef MK_MEM_H
#define MK_MEM_H

#include <abi/handoff.h>
#include <abi/types.h>
#include <bsl/paging.h>

#include "arch/phys.h"

#define MK_NO_PAGE 0xFFFFFFFFFFFFFFFF
BF_STATIC_ASSERT(MK_NO_PAGE == BSL_NO_TABLE, "one word for none");

/* Entries of page tables for ring 3. */
#define USER_TABLE (BSL_PTE_P | BSL_PTE_W | BSL_PTE_U | BSL_PTE_A)
#define USER_RX (BSL_PTE_P | BSL_PTE_U | BSL_PTE_A)
#define USER_R (BSL_PTE_P | BSL_PTE_U | BSL_PTE_A | BSL_PTE_NX)
#define USER_RW (BSL_PTE_P | BSL_PTE_U | BSL_PTE_A | BSL_PTE_D | BSL_PTE_W | BSL_PTE_NX)

/* Takes over the regions of the handoff. Called once, on PP 0. */
void pool_init(const struct bf_region *regions, uint64_t count, const struct bf_region *huge);

/* A zeroed page: its SPA, or MK_NO_PAGE. */
uint64_t pool_alloc(void);

/* Gives a page back; it must come from pool_alloc. */
void pool_free(uint64_t spa);

/*
 * Parts of the pool that Linux gives while the hypervisor runs (donation.h). From pool_add on its
 * pages count as the hypervisor's; false: there are too many. Nothing is allocated of it until it
 * is open, and no PP that is in the hypervisor knows anything older than generation (tlb.h).
 */
bool pool_add(uint64_t spa, uint64_t size);
void pool_open(uint64_t spa, uint64_t generation);

/*
 * false: a page of it is in use. Else nothing is allocated of it any more, and *generation is as in
 * pool_open.
 */
bool pool_close(uint64_t spa, uint64_t *generation);
/* It is closed, or has not been opened. */
void pool_remove(uint64_t spa);

/* Bytes of the part that begins at spa; 0: there is none. */
uint64_t pool_part_size(uint64_t spa);

/* Whether any of them has a page of [spa, spa + size). */
bool pool_overlaps(uint64_t spa, uint64_t size);

/* For struct bsl_tables: page tables in pages of the pool. */
uint64_t pool_table_alloc(void *ctx);
uint64_t *pool_table_at(void *ctx, uint64_t spa);

/*
 * Physically contiguous zeroed memory of size bytes (rounded up to pages): its SPA, or MK_NO_PAGE.
 * It is claimed.
 */
uint64_t huge_alloc(uint64_t size);

/*
 * Who has claimed an allocation is the only one to give it back: between finding out its size and
 * giving it back, nobody else does. Returns the size in bytes of the one that begins at spa; 0:
 * there is none, or it is claimed.
 */
uint64_t huge_claim(uint64_t spa);
void huge_unclaim(uint64_t spa);

/* Gives a claimed allocation of the huge pool back. */
void huge_free(uint64_t spa);

/* Whether spa lies in the huge pool rather than the page pool. */
bool huge_owns(uint64_t spa);

void pool_dump(void);
void huge_dump(void);

/* Whether any byte of the page at spa belongs to the hypervisor: handoff.owned, or given. */
bool mem_is_owned(uint64_t spa);

/* Whether the page at spa is RAM (handoff.ram), so that reading it has no side effect. */
bool mem_is_ram(uint64_t spa);

/* The first range of RAM that ends behind spa, or NULL. */
const struct bf_region *mem_ram_behind(uint64_t spa);

/* Whether one of the sorted regions overlaps [spa, spa + size). */
bool region_overlaps(const struct bf_list *list, uint64_t spa, uint64_t size);

/* Whether they cover all of it; size is not 0, and there is no overflow. */
bool region_covers(const struct bf_list *list, uint64_t spa, uint64_t size);

#endif
