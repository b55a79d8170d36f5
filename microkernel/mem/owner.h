/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which VM maps which page of Linux's memory by Mk#2: a page is one VM's only, or that of several
 * that have all said that they share it. Mappings are counted, as a VM may have a page at several
 * addresses; what nobody maps takes no memory here.
 */
#ifndef MK_OWNER_H
#define MK_OWNER_H

#include <abi/types.h>

/*
 * Counts one more mapping of the page at spa of the given level (1: 4 KiB, 2: 2 MiB, 3: 1 GiB).
 * MK1_SUCCESS, or nothing has changed: MK1_INVALID_PERM_DENIED, it is another VM's or the other
 * kind; MK2_FAILURE_NO_MEMORY.
 */
uint64_t owner_add(uint64_t spa, unsigned int level, uint16_t vmid, bool shared);

/* One less, after an owner_add with the same spa and level. */
void owner_remove(uint64_t spa, unsigned int level);

#endif
