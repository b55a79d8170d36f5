/* SPDX-License-Identifier: GPL-2.0-only */
/* Global state. */
#ifndef MK_MK_H
#define MK_MK_H

#include <abi/handoff.h>
#include <abi/hw/x86.h>
#include <abi/types.h>

#include "arch/phys.h"

/* PAT of root mode: that after reset has entry 0 write-back and entry 3 uncacheable (Mk#1). */
#define HOST_PAT PAT_RESET

struct ext;
struct vendor_ops;

struct mk {
	const struct bf_handoff *handoff;
	const struct vendor_ops *vendor;
	struct ext *bootstrap_ext; /* who registered for the bootstrap of the PPs */
	struct ext *vmexit_ext; /* who registered for the exits */
	bool vm_handlers; /* some VM has had a handler of its own: vm_set_handler */
	uint64_t host_cr4; /* CR4 in root mode, without the vendor's bit */
	uint64_t root_npt; /* SPA of the root VM's nested page table, 0: none */
	unsigned int levels; /* of page tables in root mode: 5 with CR4.LA57, else 4 */
	unsigned int nested_levels; /* of the root VM's nested page table */
	bool has_smap;
	bool keep_cpus; /* BF_HANDOFF_KEEP_CPUS */
	uint64_t apic_page; /* SPA of the page that the root VM cannot write to; 0: none */
	uint8_t limited; /* by extension: it may not use the VMs of others, policy.h */
};

extern struct mk mk;

static inline struct bf_pp_status *pp_status(uint32_t ppid)
{
	return (struct bf_pp_status *)phys_to_virt(mk.handoff->status.spa) + ppid;
}

/* Of the extension with this id: abi/handoff.h. */
static inline struct bf_ended *ext_ended(uint16_t extid)
{
	return (struct bf_ended *)phys_to_virt(mk.handoff->ended.spa) + extid;
}

/* ns in ticks of the TSC. */
static inline uint64_t tsc_ticks(uint64_t ns)
{
	return ns / 1000 * mk.handoff->tsc_khz / 1000;
}

#endif
