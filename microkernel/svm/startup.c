// SPDX-License-Identifier: GPL-2.0-only
#include "svm/startup.h"

#include "arch/apic.h"
#include "mem/tlb.h"
#include "run/startup.h"
#include "svm/svm.h"

/* --- what becomes of it ----------------------------------------------------------------------- */

bool svm_carry_out_startup(struct pp *pp, struct vs *vs, uint8_t *vector)
{
	if (pp->fallback)
		startup_forget(pp);
	for (;;) {
		switch (startup_take(pp, vector)) {
		case STARTUP_NONE:
			pp->fetched = false;
			return false;
		case STARTUP_INIT:
			stgi();
			apic_reset();
			clgi();
			break;
		case STARTUP_IPI: /* what an INIT ends, and what has come since, is nobody's */
			pp->fetched = false;
			pp->owed = 0;
			pp->nmis_blocked = false;
			vmcb_of(vs)->eventinj = 0;
			return true;
		case STARTUP_WAIT:
			stgi();
			startup_await(pp);
			clgi();
			break;
		}
	}
}

/* --- Linux's NMIs ----------------------------------------------------------------------------- */

#define WINDOW_ENDS (SVM_INSTR1_IRET | SVM_INSTR1_HLT)

bool svm_open_window(struct pp *pp, struct vs *vs)
{
	struct vmcb *vmcb = vmcb_of(vs);

	pp->svm.intercepts = vmcb->instruction1;
	vmcb->instruction1 = (vmcb->instruction1 & ~(uint32_t)SVM_INSTR1_NMI) | WINDOW_ENDS;
	vmcb->clean = 0;
	pp->nmi_window = true;
	return tlb_enter_place(pp, TLB_IN_WINDOW);
}

/*
 * At the IRET the first instructions of the handler are over, and in one that halts, too: nothing
 * has to keep another NMI from there.
 */
bool svm_close_window(struct pp *pp, struct vs *vs)
{
	struct vmcb *vmcb = vmcb_of(vs);
	uint64_t code = vmcb->exitcode;
	uint32_t bit = code == SVM_EXIT_IRET ? SVM_INSTR1_IRET :
		       code == SVM_EXIT_HLT  ? SVM_INSTR1_HLT :
					       0;

	vmcb->instruction1 = pp->svm.intercepts;
	vmcb->clean = 0;
	pp->nmi_window = false;
	if (startup_is_pending(pp) || tlb_is_recalled(pp))
		pp->fetched = true;
	if (!bit)
		return false;
	pp->nmis_blocked = false;
	return !(vmcb->instruction1 & bit);
}
