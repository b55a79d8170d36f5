// SPDX-License-Identifier: GPL-2.0-only
/* Why VMRUN refused a VMCB: the conditions of APM vol. 2 §15.5.1, in its order. */
#include <bsl/bits.h>

#include "arch/intrinsics.h"
#include "debug.h"
#include "svm/checks.h"
#include "svm/svm.h"

static void report(bool broken, const char *what)
{
	if (broken)
		mk_print("  broken: %s\n", what);
}

void svm_print_checks(const struct vmcb *v)
{
	bool long_mode = v->efer & EFER_LME && v->cr0 & CR0_PG;

	report(!(v->efer & EFER_SVME), "EFER.SVME is clear");
	report(!(v->cr0 & CR0_CD) && v->cr0 & CR0_NW, "CR0.CD is clear and CR0.NW set");
	report(v->cr0 >> 32, "CR0[63:32] is not zero");
	report(v->cr3 & 0xFFF0000000000000, "CR3 has reserved bits set");
	report(v->cr4 >> 32, "CR4 has reserved bits set");
	report(v->dr6 >> 32, "DR6[63:32] is not zero");
	report(v->dr7 >> 32, "DR7[63:32] is not zero");
	report(v->efer & ~(uint64_t)0x3FFFFF, "EFER has reserved bits set");
	report(long_mode && !(v->cr4 & CR4_PAE), "long mode and CR4.PAE is clear");
	report(long_mode && !(v->cr0 & CR0_PE), "long mode and CR0.PE is clear");
	report(long_mode && v->cr4 & CR4_PAE && v->cs.attrib & SEG_ATTRIB_L &&
		       v->cs.attrib & SEG_ATTRIB_DB,
	       "long mode and both CS.L and CS.D are set");
	report(!(v->instruction2 & SVM_INSTR2_VMRUN), "the VMRUN intercept is clear");
	report(!v->asid, "the ASID is zero");
	report(v->iopm & BF_PAGE_MASK || v->msrpm & BF_PAGE_MASK,
	       "a permission map is not page aligned");
	report(v->eventinj & SVM_EVENT_VALID && (bsl_field_get(v->eventinj, 8, 3) == 1 ||
						 bsl_field_get(v->eventinj, 8, 3) > 4),
	       "EVENTINJ has a reserved type");
	report(v->eventinj & SVM_EVENT_VALID &&
		       (v->eventinj & SVM_EVENT_TYPE) == SVM_EVENT_TYPE_EXCEPTION &&
		       ((v->eventinj & 0xFF) == 2 || (v->eventinj & 0xFF) > 31),
	       "EVENTINJ injects an exception with a vector that is none");
}
