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

/*
 * The other way to have memory: [spa, spa + size), pages of 4 KiB, is vmid's alone, mapped or not,
 * and hidden from all others (hidden.h). The hypervisor is MK1_INVALID_ID. MK1_SUCCESS, or nothing
 * has changed: MK1_INVALID_PERM_DENIED, somebody, or this VM, has a page of it; _NO_MEMORY.
 */
uint64_t owner_take(uint64_t spa, uint64_t size, uint16_t vmid);

/*
 * All of it becomes another's. MK1_SUCCESS, or nothing has changed: MK1_INVALID_PERM_DENIED, some
 * of it has not been taken by from; MK2_FAILURE_BUSY, a page is mapped; MK2_FAILURE_NO_MEMORY, but
 * not for a range that this has been called with before.
 */
uint64_t owner_pass(uint64_t spa, uint64_t size, uint16_t from, uint16_t to);

/* What has been taken, or passed, as a whole is nobody's. */
void owner_free(uint64_t spa, uint64_t size);

/* Whether any of it has been taken. */
bool owner_has_taken(uint64_t spa, uint64_t size);

/* From at on, what a VM has taken in one piece; false: nothing. */
bool owner_next(uint16_t vmid, uint64_t at, uint64_t *spa, uint64_t *size);

/* From now on, nothing is taken by VMs, and what is cannot be mapped. */
void owner_close(void);

#endif
