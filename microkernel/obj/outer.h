/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hypervisor below this machine. Linux calls it by the same instruction by which it calls us,
 * and uses MSRs of its: both are carried out for the root VM as if we were not there.
 */
#ifndef MK_OUTER_H
#define MK_OUTER_H

#include <abi/types.h>

struct vs;

/* What became of a hypercall of the guest's. */
enum outer_answer {
	OUTER_NOT_ITS, /* not one of the outer hypervisor's */
	OUTER_DONE, /* the general registers have the answer */
	OUTER_REFUSED /* #UD */
};

/*
 * VMCALL or VMMCALL in vs, at this privilege level. claimed: the extension has asked for all that
 * the outer hypervisor's interface does not mark as its own.
 */
enum outer_answer outer_hypercall(struct vs *vs, unsigned int cpl, bool claimed);

/*
 * RDMSR and WRMSR of an MSR that no permission map covers, for the root VM: the CPU's own answer,
 * or the outer hypervisor's, into or from EDX:EAX of the guest. false: #GP.
 */
bool outer_rdmsr(uint32_t msr);
bool outer_wrmsr(uint32_t msr);

/* Whether the outer hypervisor flushes TLBs for Linux: see outer.c. */
bool outer_flushes(void);

#endif
