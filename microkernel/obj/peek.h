/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Looking at physical memory that is not mapped here: a page at a time, in the slots of BF_PP_TEMP.
 */
#ifndef MK_PEEK_H
#define MK_PEEK_H

#include <abi/types.h>

/*
 * The page of physical memory at spa, in a slot; NULL when reading could do harm. What the
 * extension was given of the hypervisor's memory may be a guest's.
 */
const void *peek_page(unsigned int slot, uint64_t spa);

/*
 * Whether the long-mode page table of these registers maps va, as a CPU without nested paging walks
 * it, and where.
 */
bool peek_is_mapped(uint64_t cr3, uint64_t cr4, uint64_t va, uint64_t *spa);

#endif
