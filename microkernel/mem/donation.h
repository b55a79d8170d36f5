/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that Linux gives the hypervisor while it runs, and gets back: parts of the page pool, by
 * Mk#2. While it is the hypervisor's, Linux finds the decoy in its place, no direct map and no
 * guest's nested table gets it, and the window shows it.
 */
#ifndef MK_DONATION_H
#define MK_DONATION_H

#include <abi/types.h>

/* What the layers above know of [spa, spa + size). */
struct donation_users {
	/*
	 * Whether a direct map shows a page of it; from before this is called on, none gets a new
	 * one.
	 */
	bool (*show)(uint64_t spa, uint64_t size);
	/*
	 * Makes the tables for extensions that will have pages of it: when these are asked for,
	 * there may be nothing left for tables but they themselves, and Linux could not have them
	 * back. false: no memory. And takes out those that are empty, for prune_free.
	 */
	bool (*make_tables)(uint64_t spa, uint64_t size);
	void (*prune)(uint64_t spa, uint64_t size, uint64_t *pruned);
};

/*
 * The status of mem_donate, with arguments that have been checked: MK1_SUCCESS, or nothing has
 * changed: MK1_INVALID_PERM_DENIED, MK2_FAILURE_NO_MEMORY.
 */
uint64_t donation_take(uint64_t spa, uint64_t size, const struct donation_users *users);

/*
 * The status of mem_return: MK1_SUCCESS, and *size; MK1_INVALID_INPUT_REG(1): no donation begins at
 * spa. With MK2_FAILURE_BUSY, a page of it is in use, and MK2_FAILURE_NO_MEMORY, nothing has
 * changed; with MK1_FAILURE_UNKNOWN, a PP did not answer, and it is nobody's.
 */
uint64_t donation_return(uint64_t spa, uint64_t *size, const struct donation_users *users);

#endif
