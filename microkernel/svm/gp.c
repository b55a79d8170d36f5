// SPDX-License-Identifier: GPL-2.0-only
/* #GP, which exits on SVM to be turned into what a CPU without a hypervisor raises. */
#include "arch/intrinsics.h"
#include "arch/trap.h"
#include "run/leave.h"
#include "svm/event.h"
#include "svm/fetch.h"
#include "svm/gp.h"
#include "svm/svm.h"

/* VMRUN, VMMCALL, VMLOAD, VMSAVE, STGI, CLGI, SKINIT, INVLPGA: 0F 01 D8 to DF (APM vol. 3). */
static bool is_svm_instruction(const struct vmcb *vmcb)
{
	uint8_t bytes[DECODE_MAX_LENGTH];
	size_t n = svm_fetch(vmcb, bytes);
	size_t i = decode_prefixes(bytes, n, svm_decode_mode(vmcb));

	return n - i >= 3 && bytes[i] == 0x0F && bytes[i + 1] == 0x01 && bytes[i + 2] >= 0xD8 &&
	       bytes[i + 2] <= 0xDF;
}

/* The vector that the instruction at RIP asks for; -1: it is no INT n, INT3 or INTO. */
static int vector_of_int(const struct vmcb *vmcb)
{
	uint8_t bytes[DECODE_MAX_LENGTH];
	size_t n = svm_fetch(vmcb, bytes);
	size_t i = decode_prefixes(bytes, n, svm_decode_mode(vmcb));

	if (i >= n)
		return -1;
	switch (bytes[i]) {
	case 0xCC:
		return VECTOR_BP;
	case 0xCD:
		return i + 1 < n ? bytes[i + 1] : -1;
	case 0xCE:
		return VECTOR_OF;
	default:
		return -1;
	}
}

/*
 * The exception whose delivery the #GP ended, or -1. EXITINTINFO alone does not tell: after an INT
 * n that may not use its gate, Bochs has left in it the last exception that was delivered.
 */
static int exception_in_delivery(const struct vmcb *vmcb)
{
	uint64_t event = vmcb->exitintinfo, code = vmcb->exitinfo1;

	if (!(event & SVM_EVENT_VALID) || (event & SVM_EVENT_TYPE) != SVM_EVENT_TYPE_EXCEPTION)
		return -1;
	if ((code & (ERROR_CODE_EXT | ERROR_CODE_IDT)) == ERROR_CODE_IDT &&
	    (int)(code >> 3) == vector_of_int(vmcb))
		return -1;
	return (int)(event & SVM_EVENT_VECTOR);
}

/* #DE, #TS, #NP, #SS, #GP, #CP; and #PF, which is no better here (APM vol. 2 §8.2.9). */
static bool makes_double_fault(int vector)
{
	return vector == VECTOR_DE || (vector >= VECTOR_TS && vector <= VECTOR_PF) ||
	       vector == VECTOR_CP;
}

/*
 * A bare CPU shuts down, and the machine is reset, unless the extension wants to see to it: without
 * one nothing is intercepted.
 */
static void triple_fault(struct vmcb *vmcb)
{
	if (!(vmcb->instruction1 & SVM_INSTR1_SHUTDOWN))
		reset_machine(this_pp(), "triple fault");
	vmcb->exitcode = SVM_EXIT_SHUTDOWN;
}

/*
 * With EFER.SVME set, as it must be here, SVM's instructions meet privilege checks, and those of
 * RAX, before they are intercepted (§15.7), so they give #GP where the CPU that Linux knows gives
 * #UD. So that nobody can tell, #GP exits and is turned back into what it should have been.
 */
bool svm_handle_gp(struct vs *vs)
{
	struct vmcb *vmcb = vmcb_of(vs);
	int interrupted;

	if (vs->svm.gp_exiting)
		return false;
	interrupted = exception_in_delivery(vmcb);
	if (interrupted == VECTOR_DF) {
		triple_fault(vmcb);
		return false;
	}
	if (!(vmcb->exitintinfo & SVM_EVENT_VALID) && !vmcb->exitinfo1 && is_svm_instruction(vmcb))
		svm_inject_ud(vmcb);
	else if (makes_double_fault(interrupted))
		svm_inject(vmcb, SVM_EVENT_TYPE_EXCEPTION | SVM_EVENT_ERROR_CODE | VECTOR_DF);
	else
		svm_inject(vmcb, vmcb->exitinfo1 << 32 | SVM_EVENT_TYPE_EXCEPTION |
					 SVM_EVENT_ERROR_CODE | VECTOR_GP);
	return true;
}
