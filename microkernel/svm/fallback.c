// SPDX-License-Identifier: GPL-2.0-only
/* The guest that has no extension any more: it runs on as on the bare CPU until Linux stops it. */
#include "arch/intrinsics.h"
#include "mk.h"
#include "run/exit.h"
#include "run/leave.h"
#include "svm/apic.h"
#include "svm/advance.h"
#include "svm/event.h"
#include "svm/fallback.h"
#include "svm/nested.h"
#include "svm/svm.h"

/* Nothing exits but what SVM forces to and the driver's call; Linux sees the bare CPU meanwhile. */
void svm_fallback_init(struct vs *vs)
{
	struct vmcb *vmcb = vmcb_of(vs);

	/* What a shutdown leaves in a VMCB is undefined (§15.14.3). */
	if (vmcb->exitcode == SVM_EXIT_SHUTDOWN)
		reset_machine(this_pp(), "triple fault");
	svm_reinject(vmcb); /* which asks what is intercepted */
	vmcb->cr_read = 0;
	vmcb->cr_write = 0;
	vmcb->dr_read = 0;
	vmcb->dr_write = 0;
	vmcb->exceptions = EXCEPTION_BIT(VECTOR_GP);
	vs->svm.gp_exiting = false;
	vs->nmi_exiting = false;
	this_pp()->nmi_window = false;
	vmcb->instruction1 = svm_root_intercepts(0);
	/* With that, MSRs may exit: not those that the extension wanted, nor by its map. */
	vmcb->msrpm = svm_root_msrpm(svm.passthrough_bitmaps);
	vmcb->instruction2 = SVM_INSTR2_VMRUN | SVM_INSTR2_VMMCALL;
	vmcb->instruction3 = 0;
	vmcb->virtual_interrupt = 0;
	vmcb->tsc_offset = 0;
	vmcb->efer |= EFER_SVME;
	vmcb->clean = 0;
	vmcb->tlb_control = SVM_TLB_FLUSH_ALL;
	vmcb->np_control = svm_root_np_control();
	vmcb->n_cr3 = mk.root_npt;
	vs->view = 0;
}

/* VMRUN and the like are #UD; a VMMCALL to the extension is told that it is gone. */
void svm_fallback_exit(struct vs *vs)
{
	struct vmcb *vmcb = vmcb_of(vs);

	if (vmcb->exitcode == SVM_EXIT_SHUTDOWN) /* QEMU reports it unasked */
		reset_machine(this_pp(), "triple fault");
	if (vmcb->exitcode == SVM_EXIT_VMMCALL && exit_call_unanswered(vs))
		(void)svm_vs_advance_ip(vs);
	else
		svm_inject_ud(vmcb);
}
