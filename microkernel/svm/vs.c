// SPDX-License-Identifier: GPL-2.0-only
/* The VMCB of a VS. */
#include <abi/mk1_regs_amd.h>
#include <bsl/bits.h>
#include <bsl/string.h>

#include "arch/intrinsics.h"
#include "debug.h"
#include "mem/mem.h"
#include "mk.h"
#include "svm/svm.h"

/* The CPU's own all the time: it is not virtualised, and the VMCB only shows it. */
static uint64_t debugctl(void)
{
	uint64_t value;

	return rdmsr_safe(MSR_DEBUGCTL, &value) ? value : 0;
}

static bool svm_vs_init(struct vs *vs)
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
	vmcb->iopm = svm.open_maps;
	vmcb->msrpm = svm.open_maps;
	vmcb->efer = EFER_SVME;
	vmcb->pat = PAT_RESET;
	vs->block = vmcb;
	vs->block_spa = spa;
	return true;
}

static void svm_vs_fini(struct vs *vs)
{
	pool_free(vs->block_spa);
	if (vs->nested_top)
		pool_free(vs->nested_top);
	vs->block = NULL;
}

/* What was not written, or before this VS was Linux's, follows what was. */
static void take_root_asid(struct vs *vs)
{
	struct vmcb *vmcb = vmcb_of(vs);

	if (svm_claim_root_asid(vmcb->asid))
		return;
	vmcb->asid = svm.root_asid;
	vmcb->tlb_control = SVM_TLB_FLUSH_ALL;
	vmcb->clean = 0;
}

static enum bf_error svm_vs_init_as_root(struct vs *vs, const struct bf_cpu_state *state)
{
	struct vmcb *vmcb = vmcb_of(vs);

	vmcb->es = state->es;
	vmcb->cs = state->cs;
	vmcb->ss = state->ss;
	vmcb->ds = state->ds;
	vmcb->fs = state->fs;
	vmcb->gs = state->gs;
	vmcb->ldtr = state->ldtr;
	vmcb->tr = state->tr;
	vmcb->gdtr.limit = state->gdtr.limit;
	vmcb->gdtr.base = state->gdtr.base;
	vmcb->idtr.limit = state->idtr.limit;
	vmcb->idtr.base = state->idtr.base;
	vmcb->cpl = (uint8_t)bsl_field_get(state->ss.attrib, 5, 2);
	vmcb->efer = state->efer | EFER_SVME;
	vmcb->cr0 = state->cr0;
	vmcb->cr2 = state->cr2;
	vmcb->cr3 = state->cr3;
	vmcb->cr4 = state->cr4;
	vmcb->dr6 = state->dr6;
	vmcb->dr7 = state->dr7;
	vmcb->rflags = state->rflags;
	vmcb->rip = state->rip;
	vmcb->rsp = state->rsp;
	vmcb->star = state->star;
	vmcb->lstar = state->lstar;
	vmcb->cstar = state->cstar;
	vmcb->fmask = state->fmask;
	vmcb->kernel_gs_base = state->kernel_gs_base;
	vmcb->sysenter_cs = state->sysenter_cs;
	vmcb->sysenter_esp = state->sysenter_esp;
	vmcb->sysenter_eip = state->sysenter_eip;
	vmcb->pat = state->pat;
	vmcb->debugctl = debugctl();
	vmcb->spec_ctrl = state->spec_ctrl;
	vmcb->s_cet = state->s_cet;
	vmcb->ssp = state->ssp;
	vmcb->isst_addr = state->isst_addr;
	vmcb->np_control = svm_root_np_control();
	vmcb->n_cr3 = mk.root_npt;
	if (!vs->nmi_exiting)
		vmcb->instruction1 &= ~(uint32_t)SVM_INSTR1_NMI;
	if (!vs->intr_exiting)
		vmcb->instruction1 &= ~(uint32_t)SVM_INSTR1_INTR;
	if (!vs->mc_exiting)
		vmcb->exceptions &= ~(uint32_t)EXCEPTION_BIT(VECTOR_MC);
	if (!vs->intr_masking)
		vmcb->virtual_interrupt &= ~(uint64_t)SVM_V_INTR_MASKING;
	if (this_pp()->vs == vs)
		this_pp()->guest_active = false;
	vmcb->eventinj = 0;
	vmcb->exitintinfo = vs->interrupted; /* a VMRUN that was refused may have spoilt it */
	vmcb->exceptions |= EXCEPTION_BIT(VECTOR_GP); /* see general_protection in exit.c */
	vmcb->clean = 0;
	if (svm.root_asid || this_pp()->vs == vs)
		take_root_asid(vs);
	return BF_ERR_OK;
}

static void svm_vs_capture(struct vs *vs, struct bf_cpu_state *state)
{
	const struct vmcb *vmcb = vmcb_of(vs);

	state->es = vmcb->es;
	state->cs = vmcb->cs;
	state->ss = vmcb->ss;
	state->ss.attrib = (uint16_t)bsl_field_set(vmcb->ss.attrib, 5, 2, vmcb->cpl);
	state->ds = vmcb->ds;
	state->fs = vmcb->fs;
	state->gs = vmcb->gs;
	state->ldtr = vmcb->ldtr;
	state->tr = vmcb->tr;
	state->gdtr.limit = (uint16_t)vmcb->gdtr.limit;
	state->gdtr.base = vmcb->gdtr.base;
	state->idtr.limit = (uint16_t)vmcb->idtr.limit;
	state->idtr.base = vmcb->idtr.base;
	state->efer = vmcb->efer & ~(uint64_t)EFER_SVME;
	state->cr0 = vmcb->cr0;
	state->cr2 = vmcb->cr2;
	state->cr3 = vmcb->cr3;
	state->cr4 = vmcb->cr4;
	state->dr6 = vmcb->dr6;
	state->dr7 = vmcb->dr7;
	state->rflags = vmcb->rflags;
	state->rip = vmcb->rip;
	state->rsp = vmcb->rsp;
	state->star = vmcb->star;
	state->lstar = vmcb->lstar;
	state->cstar = vmcb->cstar;
	state->fmask = vmcb->fmask;
	state->kernel_gs_base = vmcb->kernel_gs_base;
	state->sysenter_cs = vmcb->sysenter_cs;
	state->sysenter_esp = vmcb->sysenter_esp;
	state->sysenter_eip = vmcb->sysenter_eip;
	vs->interrupted = vmcb->exitintinfo;
	/* Without nested paging, PAT is the CPU's own all the time. */
	state->pat = vmcb->np_control & SVM_NP_ENABLE ? vmcb->pat : rdmsr(MSR_PAT);
	state->spec_ctrl = vmcb->spec_ctrl;
	state->s_cet = vmcb->s_cet;
	state->ssp = vmcb->ssp;
	state->isst_addr = vmcb->isst_addr;
}

static void svm_vs_clear(struct vs *vs)
{
	vmcb_of(vs)->clean = 0;
}

static bool svm_vs_load(struct vs *vs)
{
	if (vs->root)
		take_root_asid(vs);
	this_pp()->guest_active = !vs->root;
	return true;
}

static void svm_vs_unload(struct vs *vs)
{
	/* The next VS to use this ASID on this PP must not meet our translations. */
	vmcb_of(vs)->clean = 0;
	vmcb_of(vs)->tlb_control = SVM_TLB_FLUSH_ALL;
	this_pp()->code.page = ~(uint64_t)0;
}

static unsigned int svm_vs_cpl(const struct vs *vs)
{
	return vmcb_of(vs)->cpl;
}

#define CPUID_OPCODE 0xA20F /* little-endian */

typedef uint16_t __attribute__((aligned(1))) opcode16; /* instructions lie anywhere */

/* Whether a CPUID without prefixes stands at rip, in the page that svm_fetch read last. */
static __always_inline bool is_plain_cpuid(const struct pp *pp, const struct vmcb *vmcb,
					   uint64_t rip)
{
	const struct code_window *w = &pp->code;
	uint64_t offset = rip & BF_PAGE_MASK;

	if (w->page != rip >> BF_PAGE_SHIFT || w->cr3 != vmcb->cr3 || w->efer != vmcb->efer ||
	    w->cs_attrib != vmcb->cs.attrib || offset > BF_PAGE_SIZE - 2)
		return false;
	for (unsigned int i = 0; i < w->levels; i++) {
		if (*w->entry[i] != w->value[i])
			return false;
	}
	return *(const volatile opcode16 *)(BF_PP_TEMP + offset) == CPUID_OPCODE;
}

/*
 * Another CPU has changed or unmapped the instruction since it exited, which it may at any time.
 * The guest goes on at what stands there now: whatever the extension made of the registers that
 * instructions give their results in is taken back.
 */
static __cold noinline void execute_again(const struct pp *pp, const struct vs *vs)
{
	if (exit_was_last(pp, vs))
		bsl_memcpy(abi_gprs(), pp->exit_gpr, sizeof(pp->exit_gpr));
}

/*
 * An instruction that is skipped ends the interrupt shadow and, with TF set, traps (§15.7.1),
 * unless TF is for branches only (§13.1.1, DebugCtl). false: it is to be executed again.
 */
static __always_inline bool advance_ip(struct vs *vs)
{
	struct vmcb *vmcb = vmcb_of(vs);

	if (svm.has_nrip && vmcb->nrip) {
		vmcb->rip = vmcb->nrip;
	} else if (vmcb->exitcode == SVM_EXIT_CPUID && is_plain_cpuid(this_pp(), vmcb, vmcb->rip)) {
		vmcb->rip += 2;
	} else if (vmcb->exitcode == SVM_EXIT_IOIO) {
		vmcb->rip = vmcb->exitinfo2;
	} else if (!svm_next_rip(vmcb, &vmcb->rip)) {
		execute_again(this_pp(), vs);
		return false;
	}
	vmcb->interrupt_shadow &= ~(uint64_t)SVM_INTERRUPT_SHADOW;
	if (vmcb->rflags & (RFLAGS_TF | RFLAGS_RF)) {
		vmcb->rflags &= ~(uint64_t)RFLAGS_RF;
		if (vmcb->rflags & RFLAGS_TF && !(vmcb->eventinj & SVM_EVENT_VALID) &&
		    !(debugctl() & DEBUGCTL_BTF)) {
			vmcb->dr6 |= DR6_BS;
			vmcb->eventinj = SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCEPTION | VECTOR_DB;
			vmcb->clean = 0;
		}
	}
	return true;
}

static enum advance svm_vs_advance_ip(struct vs *vs)
{
	return advance_ip(vs) ? ADVANCE_DONE : ADVANCE_AGAIN;
}

static void svm_vs_advance_ip_and_run(struct vs *vs)
{
	(void)advance_ip(vs);
	svm_run(this_pp(), vs);
}

static void svm_tlb_flush_gla(struct vs *vs, uint64_t gla)
{
	__asm__ volatile("invlpga %%rax, %%ecx" : : "a"(gla), "c"(vmcb_of(vs)->asid) : "memory");
}

static void svm_tlb_flush_all(struct vs *vs)
{
	if (vs)
		vmcb_of(vs)->tlb_control = SVM_TLB_FLUSH_ALL;
}

static void svm_vs_dump(struct vs *vs)
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

static void svm_owe(struct pp *pp)
{
	(void)pp; /* svm_before_entry looks at it */
}

const struct vendor_ops svm_ops = {
	.name = "AMD-V",
	.cr3 = MK1_AMD_cr3,
	.cr4 = MK1_AMD_cr4,
	.cpu_enable = svm_cpu_enable,
	.cpu_disable = svm_cpu_disable,
	.set_host = svm_set_host,
	.has_nested = svm_has_nested,
	.nested_like_host = true, /* APM vol. 2 §15.25.3: in the paging mode of the host */
	.nested_leaf = svm_nested_leaf,
	.vs_init = svm_vs_init,
	.vs_fini = svm_vs_fini,
	.vs_init_as_root = svm_vs_init_as_root,
	.vs_capture = svm_vs_capture,
	.vs_clear = svm_vs_clear,
	.vs_load = svm_vs_load,
	.vs_unload = svm_vs_unload,
	.vs_read = svm_vs_read,
	.vs_write = svm_vs_write,
	.vs_cpl = svm_vs_cpl,
	.vs_advance_ip = svm_vs_advance_ip,
	.vs_advance_ip_and_run = svm_vs_advance_ip_and_run,
	.vs_run = svm_vs_run,
	.tlb_flush_gla = svm_tlb_flush_gla,
	.tlb_flush_all = svm_tlb_flush_all,
	.vs_dump = svm_vs_dump,
	.owe = svm_owe,
	.fallback_init = svm_fallback_init,
};
