/* SPDX-License-Identifier: GPL-2.0-only */
/* Into the guest: VM entry, and what may have to be done before it. */
#ifndef MK_VMX_RUN_H
#define MK_VMX_RUN_H

#include <bsl/compiler.h>

#include "mem/tlb.h"
#include "pp.h"
#include "vmx/entry.h"

__noreturn void vmx_vs_run(struct vs *vs); /* __noreturn is no part of the type */
/* The entries that need more than the general registers. */
__cold noinline __noreturn void vmx_run_slow(struct pp *pp, struct vs *vs);
/* Or an NMI first: tlb.h. */
__cold noinline __noreturn void vmx_run_kicked(struct pp *pp, struct vs *vs);

/*
 * Into the guest. pp->entry_dirty is set by whatever may leave something for the entry to do:
 * another VMCS or none is current, the extension is another one, the guest's CR2 or DR6 is not in
 * the CPU any more, an NMI is owed to the root VS. An NMI behind the look at it sees to everything
 * itself: vmx_owe. But its window opens as Linux's handler of an NMI ends, and who recalls a PP in
 * root mode does not wait: so that is looked at once more.
 */
static __always_inline __noreturn void vmx_run(struct pp *pp, struct vs *vs)
{
	if (unlikely(pp->entry_dirty))
		vmx_run_slow(pp, vs);
	if (unlikely(!tlb_enter_guest(pp) || __atomic_load_n(&pp->fetched, __ATOMIC_RELAXED)))
		vmx_run_kicked(pp, vs);
	vmx_resume();
}

#endif
