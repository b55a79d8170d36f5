// SPDX-License-Identifier: GPL-2.0-only
/* What the CPUs offer, and SVM on and off (APM vol. 2 §15.4). */
#include <bsl/bits.h>
#include <bsl/fault.h>

#include "arch/intrinsics.h"
#include "mem/mem.h"
#include "mk.h"
#include "obj/outer.h"
#include "svm/asid.h"
#include "svm/cpu.h"
#include "svm/fetch.h"
#include "svm/svm.h"

struct svm svm;

/* What turns SVM on has no result, but may raise #GP or #UD. */
#define FAULT_OF_SVM() (FAULT_POINT(vmcs) ? __builtin_trap() : (void)0)

static void vmsave(uint64_t spa)
{
	FAULT_OF_SVM();
	__asm__ volatile("vmsave %%rax" : : "a"(spa) : "memory");
}

#define COMMON_CR4_BITS \
	(CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | \
	 CR4_OSFXSR | CR4_OSXMMEXCPT)

/* The bits of CR4 that a guest may set (APM vol. 2 §3.1.3): a reserved one is not worth a VMRUN. */
static uint64_t known_cr4_bits(void)
{
	struct cpuid_regs leaf1 = cpuid(1, 0), leaf7 = { 0, 0, 0, 0 };

	if (cpuid(0, 0).eax >= 7)
		leaf7 = cpuid(7, 0);
	return COMMON_CR4_BITS | (leaf7.ecx & CPUID_7_ECX_UMIP ? CR4_UMIP : 0) |
	       (leaf7.ecx & CPUID_7_ECX_LA57 ? CR4_LA57 : 0) |
	       (leaf7.ebx & CPUID_7_EBX_FSGSBASE ? CR4_FSGSBASE : 0) |
	       (leaf1.ecx & CPUID_1_ECX_PCID ? CR4_PCIDE : 0) |
	       (leaf1.ecx & CPUID_1_ECX_XSAVE ? CR4_OSXSAVE : 0) |
	       (leaf7.ebx & CPUID_7_EBX_SMEP ? CR4_SMEP : 0) |
	       (leaf7.ebx & CPUID_7_EBX_SMAP ? CR4_SMAP : 0) |
	       (leaf7.ecx & CPUID_7_ECX_PKU ? CR4_PKE : 0) |
	       (leaf7.ecx & CPUID_7_ECX_CET_SS ? CR4_CET : 0);
}

/*
 * What this CPU has of the features that no guest gets, by the field that would enable them (APM
 * vol. 2, appendix B). On a CPU that lacks one its bit means nothing.
 */
static void find_refused(uint32_t features)
{
	uint32_t encryption = cpuid(0x80000000, 0).eax >= 0x8000001F ? cpuid(0x8000001F, 0).eax : 0;

	svm.refused_np = (encryption & CPUID_8000001F_EAX_SEV ? SVM_SEV_ENABLE : 0) |
			 (encryption & CPUID_8000001F_EAX_SEV_ES ? SVM_SEV_ES_ENABLE : 0) |
			 (features & CPUID_8000000A_EDX_GMET ? SVM_GMET_ENABLE : 0) |
			 (features & CPUID_8000000A_EDX_SSS_CHECK ? SVM_SSS_CHECK_ENABLE : 0) |
			 (encryption & CPUID_8000001F_EAX_VTE ? SVM_VTE_ENABLE : 0) |
			 (features & CPUID_8000000A_EDX_ROGPT ? SVM_ROGPT_ENABLE : 0);
	svm.refused_virt_ext =
		(features & CPUID_8000000A_EDX_LBR_VIRT ? SVM_LBR_VIRT_ENABLE : 0) |
		(features & CPUID_8000000A_EDX_VMSAVE_VIRT ? SVM_VMSAVE_VIRT_ENABLE : 0) |
		(features & CPUID_8000000A_EDX_IBS_VIRT ? SVM_IBS_VIRT_ENABLE : 0);
	svm.refused_interrupt = features & CPUID_8000000A_EDX_AVIC ? SVM_AVIC_ENABLE : 0;
}

void svm_probe(void)
{
	struct cpuid_regs features = cpuid(0x8000000A, 0);

	svm.has_np = features.edx & CPUID_8000000A_EDX_NP;
	svm.has_decode_assists = features.edx & CPUID_8000000A_EDX_DECODE_ASSISTS;
	svm.has_nrip = features.edx & CPUID_8000000A_EDX_NRIPS;
	svm.has_v_spec_ctrl = features.edx & CPUID_8000000A_EDX_SPEC_CTRL;
	svm.has_1g_pages = cpuid(0x80000001, 0).edx & CPUID_80000001_EDX_PAGE_1G;
	svm.has_invlpgb = cpuid(0x80000008, 0).ebx & CPUID_80000008_EBX_INVLPGB &&
			  features.edx & CPUID_8000000A_EDX_TLBI_CTL;
	svm.has_cet = cpuid(0, 0).eax >= 7 && cpuid(7, 0).ecx & CPUID_7_ECX_CET_SS;
	svm.asids = features.ebx;
	svm.idle_flush = outer_flushes() ? SVM_TLB_FLUSH_ALL : 0;
	svm.cr4_bits = known_cr4_bits();
	find_refused(features.edx);
}

static enum bf_error usable(void)
{
	uint64_t vm_cr;

	if (!(cpuid(0x80000001, 0).ecx & CPUID_80000001_ECX_SVM))
		return BF_ERR_NO_VIRT;
	if (rdmsr_safe(MSR_VM_CR, &vm_cr) && vm_cr & VM_CR_SVMDIS)
		return BF_ERR_FW_DISABLED;
	return rdmsr(MSR_EFER) & EFER_SVME ? BF_ERR_VIRT_BUSY : BF_ERR_OK;
}

/* Once; it may be tried again. */
static bool alloc_map(uint64_t *map, unsigned int pages)
{
	uint64_t spa = *map ? *map : huge_alloc(pages * BF_PAGE_SIZE);

	if (spa == MK_NO_PAGE)
		return false;
	*map = spa;
	return true;
}

/* 3 pages are an IOPM (§15.10.1), 2 of them an MSRPM (§15.11), of which apic.h has its own. */
static bool alloc_maps(void)
{
	return alloc_map(&svm.passthrough_bitmaps, 3) &&
	       (!mk.keep_cpus || alloc_map(&svm.root_msrpm, 2));
}

/* A page that the PP keeps from its first launch on; false, and to be tried again: no memory. */
static bool take_page(uint64_t *page)
{
	uint64_t spa = *page ? *page : pool_alloc();

	if (spa == MK_NO_PAGE)
		return false;
	*page = spa;
	return true;
}

/*
 * MSRs of which VMRUN and #VMEXIT exchange Linux's value, where the CPU has them. With SPEC_CTRL
 * virtualisation a guest runs with what is set in either of its own and the host's, so the host's
 * is 0: Linux must be able to clear what it had set at the launch.
 */
static void take_msrs(struct bf_cpu_state *state)
{
	if (svm.has_v_spec_ctrl) {
		state->spec_ctrl = rdmsr(MSR_SPEC_CTRL);
		wrmsr(MSR_SPEC_CTRL, 0);
	}
	if (svm.has_cet) {
		state->s_cet = rdmsr(MSR_S_CET);
		state->isst_addr = rdmsr(MSR_ISST_ADDR);
	}
}

static void give_msrs_back(const struct bf_cpu_state *state)
{
	if (svm.has_v_spec_ctrl)
		wrmsr(MSR_SPEC_CTRL, state->spec_ctrl);
	if (svm.has_cet) {
		wrmsr(MSR_S_CET, state->s_cet);
		wrmsr(MSR_ISST_ADDR, state->isst_addr);
	}
}

enum bf_error svm_cpu_enable(struct pp *pp)
{
	enum bf_error error = usable();

	if (error)
		return error;
	if (!alloc_maps() || !take_page(&pp->svm.hsave) || !take_page(&pp->svm.host_vmcb) ||
	    !take_page(&pp->svm.entry_page))
		return BF_ERR_MK_POOL;
	(void)rdmsr_safe(MSR_VM_HSAVE_PA, &pp->svm.saved_hsave);
	FAULT_OF_SVM();
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	take_msrs(&pp->switch_page->cpu);
	/* From here on a fault is undone. */
	pp->virt_on = true;
	FAULT_OF_SVM();
	wrmsr(MSR_VM_HSAVE_PA, pp->svm.hsave);
	svm_forget_code(pp);
	svm_disown_asids(pp); /* what ran here meanwhile may have used any, and any VMCB */
	vmsave(pp->svm.host_vmcb);
	return BF_ERR_OK;
}

void svm_cpu_disable(struct pp *pp)
{
	if (!pp->virt_on)
		return;
	pp->virt_on = false;
	stgi(); /* it may have been on its way into the guest */
	wrmsr(MSR_VM_HSAVE_PA, pp->svm.saved_hsave);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~(uint64_t)EFER_SVME);
	give_msrs_back(&pp->switch_page->cpu);
}

void svm_set_host(struct pp *pp, uint64_t cr3, uint64_t fs_base)
{
	struct vmcb *host = phys_to_virt(pp->svm.host_vmcb);

	(void)cr3; /* VMRUN saves the CR3 in force */
	host->fs.base = fs_base;
}
