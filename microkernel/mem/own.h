/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that is a VM's own, by Mk#2: RAM that Linux had, and finds the decoy in place of; no
 * direct map and no other VM gets it. What comes back to Linux is zeroed before. A VM is known by
 * its nested table here.
 */
#ifndef MK_OWN_H
#define MK_OWN_H

#include <abi/types.h>

struct guest_nested;

/*
 * The status of vm_own, with arguments that have been checked; only with MK1_SUCCESS anything has
 * changed. show: whether a direct map shows a page of [spa, spa + size); from before it is called
 * on, none gets a new one.
 */
uint64_t own_take(struct guest_nested *g, uint64_t spa, uint64_t size,
		  bool (*show)(uint64_t spa, uint64_t size));

/* The same of vm_disown. */
uint64_t own_give_back(struct guest_nested *g, uint64_t spa, uint64_t size);

/* All that a VM owns, whose table has been closed. false: no memory, and it still owns some. */
bool own_give_all_back(struct guest_nested *g);

/*
 * A PP is about to leave the hypervisor, and will see all memory: from now on there is nothing of
 * the VMs' in what they own, nor will there be. nth: the tables, from 0 on, then NULL. runs: as in
 * guest_nested_flush.
 */
void own_scrub(struct guest_nested *(*nth)(uint16_t n), bool (*runs)(uint16_t vmid, uint32_t ppid));

#endif
