/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of vmx/ share. */
#ifndef MK_VMX_VMX_H
#define MK_VMX_VMX_H

#include <abi/types.h>
#include <bsl/compiler.h>

#include "arch/mtrr.h"
#include "mem/mem.h"
#include "obj/active.h"
#include "pp.h"
#include "vmx/vmcs.h"

/* Which bits of a control field must and may be 1 (SDM vol. 3, A.2 to A.5). */
struct vmx_ctl {
	uint32_t must;
	uint32_t may;
};

#define VMX_MAX_LISTED 3

/* What vmx_probe found: what all CPUs offer. */
struct vmx {
	bool present;
	uint32_t revision; /* of the VMCS */
	struct vmx_ctl pin, primary, secondary, exit, entry;
	uint64_t cr0_fixed0, cr0_fixed1; /* bits that must be 1, bits that may be 1 */
	uint64_t cr4_fixed0, cr4_fixed1;
	uint64_t ept_vpid; /* IA32_VMX_EPT_VPID_CAP, 0 without EPT and VPID */
	struct mtrrs mtrrs; /* as nested leaves have them by now */
	uint64_t passthrough_bitmaps; /* SPA of a page of zeroes: bitmaps that make nothing exit */
	/* exchange.c: controls that every VS has, and its items in the MSR lists */
	bool exchange_chosen;
	uint32_t entry_exchange, exit_exchange;
	unsigned int nr_listed;
	uint8_t listed[VMX_MAX_LISTED];
};

extern struct vmx vmx;

/* An entry of an MSR list, SDM vol. 3 §27.7.2. */
struct vmx_msr {
	uint32_t index;
	uint32_t reserved;
	uint64_t value;
};

/* MSRs of the guest that root mode uses for itself: lists let the CPU exchange them. */
enum { VMX_STAR, VMX_LSTAR, VMX_FMASK, VMX_NR_MSRS };

/* The page at vs->vmx.msr_lists. */
struct vmx_msr_lists {
	/* stored by an exit, loaded by an entry */
	struct vmx_msr guest[VMX_NR_MSRS + VMX_MAX_LISTED];
	/* loaded by an exit */
	struct vmx_msr host[VMX_NR_MSRS + VMX_MAX_LISTED];
};

static inline struct vmx_msr_lists *vmx_lists(const struct vs *vs)
{
	return phys_to_virt(vs->vmx.msr_lists);
}

#endif
