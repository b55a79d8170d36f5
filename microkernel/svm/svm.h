/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of svm/ share. */
#ifndef MK_SVM_SVM_H
#define MK_SVM_SVM_H

#include <abi/hw/svm.h>
#include <abi/types.h>
#include <bsl/compiler.h>

#include "arch/intrinsics.h"
#include "obj/active.h"
#include "pp.h"

/* What svm_probe found. */
struct svm {
	bool has_nrip;
	bool has_np;
	bool has_decode_assists;
	bool has_1g_pages;
	bool has_invlpgb; /* and a guest can be given it */
	bool has_v_spec_ctrl; /* a SPEC_CTRL of the guest's own */
	bool has_cet; /* S_CET, SSP and ISST_ADDR are exchanged */
	uint32_t asids; /* ASIDs are 0 (host) to this - 1 */
	uint32_t root_asid; /* with INVLPGB: that of Linux on all PPs; 0: not chosen yet */
	uint32_t idle_flush; /* TLB_CONTROL where nothing is to be flushed */
	uint64_t cr4_bits; /* that the CPU knows */
	/* Bits of 060h, 090h and 0B8h: features that the CPU has, but no guest gets. */
	uint64_t refused_interrupt, refused_np, refused_virt_ext;
	uint64_t passthrough_bitmaps; /* SPA of permission maps that intercept nothing */
	uint64_t root_msrpm; /* SPA of that of Linux where it has no other: apic.h */
};

extern struct svm svm;

static inline struct vmcb *vmcb_of(const struct vs *vs)
{
	return vs->block;
}

/* bf_pp_status.exit_count: see BF_NR_EXIT_SLOTS in abi/handoff.h. */
static inline unsigned int svm_exit_slot(uint64_t code)
{
	if (code <= SVM_EXIT_EFER_WRITE_TRAP)
		return (unsigned int)code;
	if (code - SVM_EXIT_NPF <= SVM_EXIT_VMGEXIT - SVM_EXIT_NPF)
		return BF_EXIT_SLOT_NPF + (unsigned int)(code - SVM_EXIT_NPF);
	return BF_EXIT_SLOT_OTHER;
}

/* The CPU's own all the time: it is not virtualised, and the VMCB only shows it. */
static inline uint64_t svm_debugctl(void)
{
	uint64_t value;

	return rdmsr_safe(MSR_DEBUGCTL, &value) ? value : 0;
}

/* With GIF clear, NMI, SMI, INIT and #MC wait (APM vol. 2 §15.17). */
static inline void clgi(void)
{
	__asm__ volatile("clgi" : : : "memory");
}

static inline void stgi(void)
{
	__asm__ volatile("stgi" : : : "memory");
}

#endif
