/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RAM that Linux had and finds the decoy in place of now: given to the hypervisor (donation.h), or
 * a VM's own (own.h). owner.h knows whose it is.
 */
#ifndef MK_HIDDEN_H
#define MK_HIDDEN_H

#include <abi/types.h>

/* One change of it at a time. */
void hidden_lock(void);
void hidden_unlock(void);

/* Whether all of [spa, spa + size) is RAM that Linux has, and has for itself, or a VM of it. */
bool hidden_is_linux(uint64_t spa, uint64_t size);

/*
 * Hides it; behind *generation, no PP has a translation of it from before (tlb.h). false: no
 * memory, and Linux has it still. With the lock held.
 */
bool hidden_hide(uint64_t spa, uint64_t size, uint64_t *generation);

/* Shows it again; a PP that is in Linux may find the decoy until it has come out once. The same. */
bool hidden_show(uint64_t spa, uint64_t size);

/* Zeroes what is not in the window. */
void hidden_scrub(uint64_t spa, uint64_t size);

/* Whether the page at spa is the hypervisor's, or a VM's own: nobody else is to see it. */
bool hidden_has(uint64_t spa);

#endif
