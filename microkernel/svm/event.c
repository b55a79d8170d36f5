// SPDX-License-Identifier: GPL-2.0-only
/* Events for the guest, and what is owed to Linux: NMIs and machine checks. */
#include "arch/apic.h"
#include "arch/intrinsics.h"
#include "arch/trap.h"
#include "mem/tlb.h"
#include "svm/event.h"
#include "svm/svm.h"

void svm_inject(struct vmcb *vmcb, uint64_t event)
{
	vmcb->eventinj = SVM_EVENT_VALID | event;
}

void svm_inject_ud(struct vmcb *vmcb)
{
	svm_inject(vmcb, SVM_EVENT_TYPE_EXCEPTION | VECTOR_UD);
}

/* Exceptions push no error code in real mode. */
void svm_inject_gp(struct vmcb *vmcb)
{
	uint64_t error_code = vmcb->cr0 & CR0_PE ? SVM_EVENT_ERROR_CODE : 0;

	svm_inject(vmcb, SVM_EVENT_TYPE_EXCEPTION | error_code | VECTOR_GP);
}

/* By an INT n, INT3 or INTO. A breakpoint that exits has been injected, behind the instruction. */
static bool is_of_instruction(const struct vmcb *vmcb)
{
	uint64_t vector = vmcb->exitintinfo & SVM_EVENT_VECTOR;

	switch (vmcb->exitintinfo & SVM_EVENT_TYPE) {
	case SVM_EVENT_TYPE_SOFTWARE:
		return true;
	case SVM_EVENT_TYPE_EXCEPTION:
		return (vector == VECTOR_BP || vector == VECTOR_OF) &&
		       !(vmcb->exceptions & EXCEPTION_BIT(vector));
	default:
		return false;
	}
}

void svm_reinject(struct vmcb *vmcb)
{
	if (vmcb->exitintinfo & SVM_EVENT_VALID && !(vmcb->eventinj & SVM_EVENT_VALID) &&
	    !is_of_instruction(vmcb))
		vmcb->eventinj = vmcb->exitintinfo;
}

void svm_mend_interrupted(struct vmcb *vmcb)
{
	uint64_t event = vmcb->exitintinfo & ~(uint64_t)(SVM_EVENT_TYPE | SVM_EVENT_ERROR_CODE);
	uint64_t vector = event & SVM_EVENT_VECTOR;

	if ((vmcb->exitintinfo & SVM_EVENT_TYPE) != SVM_EVENT_TYPE_EXCEPTION)
		return;
	if (vector == VECTOR_NMI)
		vmcb->exitintinfo = event | SVM_EVENT_TYPE_NMI;
	else if (vector > VECTOR_LAST_EXCEPTION)
		vmcb->exitintinfo = event | SVM_EVENT_TYPE_INTR;
}

/*
 * The CPU took the NMI from the guest, so it gets another one for it, which waits for GIF, and then
 * for the end of the NMI handler that the guest may be in, unless that has had an exit: then only
 * for the end of the handler's first instructions (nmi.h). A machine
 * check goes in at once, but not instead of another event: then it waits for the next entry.
 */
void svm_take_owed(struct pp *pp, const struct vs *vs)
{
	struct vmcb *vmcb = vmcb_of(vs);

	if (pp->mc_pending && !(vmcb->eventinj & SVM_EVENT_VALID)) {
		pp->mc_pending = false;
		svm_inject(vmcb, SVM_EVENT_TYPE_EXCEPTION | VECTOR_MC);
	}
	if (!pp->nmi_pending)
		return;
	pp->nmi_pending = false;
	if (!apic_send_nmi(pp->tlb->apic_id))
		svm_inject(vmcb, SVM_EVENT_TYPE_NMI | VECTOR_NMI);
}

/*
 * Something is owed to Linux: to the extension the exit is one by a physical interrupt, after which
 * Linux is to run, as after every other.
 */
void svm_tell_interrupt(struct vmcb *vmcb)
{
	vmcb->exitcode = SVM_EXIT_INTR;
	vmcb->exitinfo1 = 0;
	vmcb->exitinfo2 = 0;
}

void svm_owe(struct pp *pp)
{
	(void)pp; /* svm_before_entry looks at it */
}
