// SPDX-License-Identifier: GPL-2.0-only
/* The VMCB of a VS. */
#include <bsl/bits.h>

#include "arch/intrinsics.h"
#include "debug.h"
#include "mem/mem.h"
#include "mk.h"
#include "svm/apic.h"
#include "svm/asid.h"
#include "svm/fetch.h"
#include "svm/nested.h"
#include "svm/svm.h"
#include "svm/vs.h"

bool svm_vs_init(struct vs *vs)
{
	uint64_t spa = pool_alloc();
	struct vmcb *vmcb;

	if (spa == MK_NO_PAGE)
		return false;
	vmcb = phys_to_virt(spa);
	/* What comes for Linux is not for others, and none of them holds it back. */
	vmcb->instruction1 = SVM_INSTR1_INTR | SVM_INSTR1_NMI;
	vmcb->exceptions = EXCEPTION_BIT(VECTOR_MC);
	vmcb->virtual_interrupt = SVM_V_INTR_MASKING;
	vmcb->instruction2 = SVM_INSTR2_VMRUN | SVM_INSTR2_VMMCALL;
	vmcb->asid = 1;
	vmcb->tlb_control = SVM_TLB_FLUSH_ALL;
	vmcb->iopm = svm.passthrough_bitmaps;
	vmcb->msrpm = svm.passthrough_bitmaps;
	vmcb->efer = EFER_SVME;
	vmcb->pat = PAT_RESET;
	vs->block = vmcb;
	vs->block_spa = spa;
	svm_drop_translations(vs);
	return true;
}

void svm_vs_fini(struct vs *vs)
{
	pool_free(vs->block_spa);
	if (vs->svm.nested_top)
		pool_free(vs->svm.nested_top);
	vs->block = NULL;
}

/* What was not written, or before this VS was Linux's, follows what was. */
static void take_root_asid(struct vs *vs)
{
	struct vmcb *vmcb = vmcb_of(vs);

	if (svm_claim_root_asid(vmcb->asid))
		return;
	vmcb->asid = svm.root_asid;
	svm_drop_translations(vs);
}

/* Members that struct vmcb and struct bf_cpu_state both have, and alike. */
// clang-format off: a list
#define DIRECT_FIELDS(X) \
	X(es) X(cs) X(ss) X(ds) X(fs) X(gs) X(ldtr) X(tr) X(gdtr.base) X(idtr.base) \
	X(cr0) X(cr2) X(cr3) X(cr4) X(dr6) X(dr7) X(rflags) X(rip) X(rsp) \
	X(efer) X(star) X(lstar) X(cstar) X(fmask) X(kernel_gs_base) \
	X(sysenter_cs) X(sysenter_esp) X(sysenter_eip) X(pat) \
	X(spec_ctrl) X(s_cet) X(ssp) X(isst_addr)
// clang-format on

enum bf_error svm_vs_init_as_root(struct vs *vs, const struct bf_cpu_state *state)
{
	struct vmcb *vmcb = vmcb_of(vs);

#define LOAD_FIELD(member) vmcb->member = state->member;
	DIRECT_FIELDS(LOAD_FIELD)
	vmcb->gdtr.limit = state->gdtr.limit;
	vmcb->idtr.limit = state->idtr.limit;
	vmcb->cpl = (uint8_t)bsl_field_get(state->ss.attrib, 5, 2);
	vmcb->efer |= EFER_SVME;
	vmcb->debugctl = svm_debugctl();
	vmcb->np_control = svm_root_np_control();
	vmcb->n_cr3 = mk.root_npt;
	vs->view = 0;
	if (!vs->nmi_exiting)
		vmcb->instruction1 &= ~(uint32_t)SVM_INSTR1_NMI;
	if (!vs->intr_exiting)
		vmcb->instruction1 &= ~(uint32_t)SVM_INSTR1_INTR;
	vmcb->instruction1 = svm_root_intercepts(vmcb->instruction1);
	vmcb->msrpm = svm_root_msrpm(vmcb->msrpm);
	if (!vs->mc_exiting)
		vmcb->exceptions &= ~(uint32_t)EXCEPTION_BIT(VECTOR_MC);
	if (!vs->svm.intr_masking)
		vmcb->virtual_interrupt &= ~(uint64_t)SVM_V_INTR_MASKING;
	if (this_pp()->vs == vs)
		this_pp()->guest_active = false;
	vmcb->eventinj = 0;
	vmcb->exitintinfo = vs->svm.interrupted; /* a VMRUN that was refused may have spoilt it */
	vmcb->exceptions |= EXCEPTION_BIT(VECTOR_GP); /* see gp.c */
	vmcb->clean = 0;
	if (svm.root_asid || this_pp()->vs == vs)
		take_root_asid(vs);
	svm_drop_translations(vs);
	return BF_ERR_OK;
}

void svm_vs_capture(struct vs *vs, struct bf_cpu_state *state)
{
	const struct vmcb *vmcb = vmcb_of(vs);

#define SAVE_FIELD(member) state->member = vmcb->member;
	DIRECT_FIELDS(SAVE_FIELD)
	state->gdtr.limit = (uint16_t)vmcb->gdtr.limit;
	state->idtr.limit = (uint16_t)vmcb->idtr.limit;
	state->ss.attrib = (uint16_t)bsl_field_set(vmcb->ss.attrib, 5, 2, vmcb->cpl);
	state->efer &= ~(uint64_t)EFER_SVME;
	/* Without nested paging, PAT is the CPU's own all the time. */
	if (!(vmcb->np_control & SVM_NP_ENABLE))
		state->pat = rdmsr(MSR_PAT);
	vs->svm.interrupted = vmcb->exitintinfo;
}

void svm_vs_xsetbv_exits(struct vs *vs)
{
	vmcb_of(vs)->instruction2 |= SVM_INSTR2_XSETBV;
	vmcb_of(vs)->clean = 0;
}

void svm_vs_clear(struct vs *vs)
{
	vmcb_of(vs)->clean = 0;
	svm_drop_translations(vs);
}

bool svm_vs_load(struct vs *vs)
{
	struct pp *pp = this_pp();

	if (vs->root) {
		take_root_asid(vs);
		vmcb_of(vs)->instruction1 = svm_root_intercepts(vmcb_of(vs)->instruction1);
	}
	/* Written while it was not active, CR3 leaves nothing older behind, as by MOV to CR3. */
	if (vmcb_of(vs)->cr3 != vs->svm.cr3)
		svm_drop_translations(vs);
	svm_own_asid(pp, vs);
	pp->guest_active = !vs->root;
	return true;
}

void svm_vs_unload(struct vs *vs)
{
	vs->svm.cr3 = vmcb_of(vs)->cr3;
	svm_forget_code(this_pp());
}

unsigned int svm_vs_cpl(const struct vs *vs)
{
	return vmcb_of(vs)->cpl;
}

void svm_vs_dump(struct vs *vs)
{
	const struct vmcb *v = vmcb_of(vs);

	mk_print("  exitcode 0x%llx info1 0x%llx info2 0x%llx intinfo 0x%llx\n",
		 (unsigned long long)v->exitcode, (unsigned long long)v->exitinfo1,
		 (unsigned long long)v->exitinfo2, (unsigned long long)v->exitintinfo);
	mk_print("  rip 0x%llx rsp 0x%llx rflags 0x%llx rax 0x%llx cpl %u\n",
		 (unsigned long long)v->rip, (unsigned long long)v->rsp,
		 (unsigned long long)v->rflags, (unsigned long long)v->rax, v->cpl);
	mk_print("  cr0 0x%llx cr2 0x%llx cr3 0x%llx cr4 0x%llx efer 0x%llx\n",
		 (unsigned long long)v->cr0, (unsigned long long)v->cr2, (unsigned long long)v->cr3,
		 (unsigned long long)v->cr4, (unsigned long long)v->efer);
	mk_print("  intercepts 0x%x 0x%x exceptions 0x%x asid %u np 0x%llx n_cr3 0x%llx\n",
		 v->instruction1, v->instruction2, v->exceptions, v->asid,
		 (unsigned long long)v->np_control, (unsigned long long)v->n_cr3);
}
