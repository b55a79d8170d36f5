/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Nested paging of the other VMs by Mk#2 (NPT: APM vol. 2 §15.25, EPT: SDM vol. 3 §31.3): a table
 * for each VM, in pages of the pool, that shows it what its extension maps of Linux's memory, and
 * never the hypervisor's.
 *
 * CPUs use the table at any time. What is taken out of it is gone for certain behind a flush only:
 * until then a page counts as the VM's, and a table that is not used any more stays as it is.
 */
#ifndef MK_GUEST_NESTED_H
#define MK_GUEST_NESTED_H

#include <abi/mk2.h>
#include <abi/types.h>

#include "lock.h"

struct guest_nested {
	struct mk_lock lock;
	uint16_t vmid;
	bool open; /* the VM exists */
	bool attached; /* a VS has been given the table: CPUs may know it */
	uint64_t root; /* SPA of the uppermost table, 0: none yet */
	uint64_t unlinked; /* SPA of a table that a flush frees, which has the next one's; or 0 */
	uint64_t changed; /* generation: counts what has been taken away */
	uint64_t flushed; /* the generation that no CPU knows anything older than */
	uint64_t awaited; /* of tlb.h, until which nothing of the VM's own is mapped; or 0 */
	uint64_t owned; /* bytes of memory that are its own: own.h */
};

/* Once for each VM's slot; when a VM is made. */
void guest_nested_init(struct guest_nested *g, uint16_t vmid);
void guest_nested_open(struct guest_nested *g);

/*
 * The VM goes, which no VS belongs to any more, and with it all of this. false: a PP did not answer
 * and may still use the table.
 */
bool guest_nested_close(struct guest_nested *g);

/*
 * What has been hidden for the VM alone is not mapped before every PP has seen the generation
 * (tlb.h). false: the VM is gone.
 */
#define GUEST_NESTED_NEVER 0xFFFFFFFFFFFFFFFF
bool guest_nested_await(struct guest_nested *g, uint64_t generation, uint64_t *before);

/*
 * The status of making a VS use the table, *root: MK1_SUCCESS, MK1_INVALID_INPUT_REG(1) (the VM is
 * gone) or MK2_FAILURE_NO_MEMORY.
 */
uint64_t guest_nested_attach(struct guest_nested *g, uint64_t *root);

/*
 * The calls, with arguments that have been checked; statuses are theirs. Addresses and sizes are
 * multiples of the page that flags name, or of 4 KiB. map changes all of the range or nothing.
 */
uint64_t guest_nested_map(struct guest_nested *g, uint64_t gpa, uint64_t spa, uint64_t size,
			  uint64_t flags);
uint64_t guest_nested_unmap(struct guest_nested *g, uint64_t gpa, uint64_t size,
			    uint64_t *generation);
uint64_t guest_nested_protect(struct guest_nested *g, uint64_t gpa, uint64_t size, uint64_t flags,
			      uint64_t *generation);
/* The page at gpa, wherever in it that is. */
uint64_t guest_nested_query(struct guest_nested *g, uint64_t gpa, uint64_t *spa, uint64_t *flags);

/*
 * put gets the words of the bitmap in their order; what it returns false for is
 * MK1_INVALID_INPUT_REG(4).
 */
uint64_t guest_nested_dirty(struct guest_nested *g, uint64_t gpa, uint64_t size,
			    bool (*put)(uint64_t va, uint64_t word), uint64_t va,
			    uint64_t *generation);

/*
 * Once it has succeeded, no PP uses a translation that had been taken away at generation.
 * runs: whether the PP is in a guest of this VM. MK1_INVALID_INPUT_REG(2): there is no such
 * generation yet; MK1_FAILURE_UNKNOWN: a PP did not answer for a second.
 */
uint64_t guest_nested_flush(struct guest_nested *g, bool (*runs)(uint16_t vmid, uint32_t ppid),
			    uint64_t generation, uint64_t *flushed);

/* Where gpa is, for reading what the guest would find there; false: nowhere. */
bool guest_nested_walk(struct guest_nested *g, uint64_t gpa, uint64_t *spa);

#endif
