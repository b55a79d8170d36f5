// SPDX-License-Identifier: GPL-2.0-only
/* The VMCS of a VS. */
#include <abi/mk1_regs_intel.h>
#include <bsl/bits.h>

#include "arch/intrinsics.h"
#include "debug.h"
#include "mk.h"
#include "vmx/controls.h"
#include "vmx/cr.h"
#include "vmx/entry.h"
#include "vmx/exchange.h"
#include "vmx/nested.h"
#include "vmx/vmx.h"
#include "vmx/vs.h"

/* Fields of a segment register: this plus twice its number in the order of the VMCS. */
#define SEG_SELECTOR(i) (VMCS_es_selector + 2 * (i))
#define SEG_LIMIT(i) (VMCS_es_limit + 2 * (i))
#define SEG_ATTRIB(i) (VMCS_es_attrib + 2 * (i))
#define SEG_BASE(i) (VMCS_es_base + 2 * (i))

/* The order of the VMCS. */
static const uint16_t segments[] = {
	offsetof(struct bf_cpu_state, es),   offsetof(struct bf_cpu_state, cs),
	offsetof(struct bf_cpu_state, ss),   offsetof(struct bf_cpu_state, ds),
	offsetof(struct bf_cpu_state, fs),   offsetof(struct bf_cpu_state, gs),
	offsetof(struct bf_cpu_state, ldtr), offsetof(struct bf_cpu_state, tr)
};
#define NR_SEGMENTS (sizeof(segments) / sizeof(segments[0]))
#define SEG_TR 7

/* Fields that are a member of bf_cpu_state as it is. */
static const struct {
	uint16_t field;
	uint16_t offset;
} direct_fields[] = { { VMCS_rsp, offsetof(struct bf_cpu_state, rsp) },
		      { VMCS_rip, offsetof(struct bf_cpu_state, rip) },
		      { VMCS_rflags, offsetof(struct bf_cpu_state, rflags) },
		      { VMCS_cr3, offsetof(struct bf_cpu_state, cr3) },
		      { VMCS_dr7, offsetof(struct bf_cpu_state, dr7) },
		      { VMCS_gdtr_base, offsetof(struct bf_cpu_state, gdtr.base) },
		      { VMCS_idtr_base, offsetof(struct bf_cpu_state, idtr.base) },
		      { VMCS_efer, offsetof(struct bf_cpu_state, efer) },
		      { VMCS_sysenter_cs, offsetof(struct bf_cpu_state, sysenter_cs) },
		      { VMCS_sysenter_esp, offsetof(struct bf_cpu_state, sysenter_esp) },
		      { VMCS_sysenter_eip, offsetof(struct bf_cpu_state, sysenter_eip) },
		      { VMCS_pat, offsetof(struct bf_cpu_state, pat) } };

/* What VM entry checks beside the former; 0 in the state that the loader captured. */
static const uint16_t extra_fields[VMX_NR_EXTRA_FIELDS] = {
	VMCS_activity_state,
	VMCS_interruptibility_state,
	VMCS_pending_debug_exceptions,
};

static bool write_host(void)
{
	struct pp *pp = this_pp();
	const struct {
		uint32_t field;
		uint64_t value;
	} host[] = {
		{ VMCS_HOST_CR0, read_cr0() },
		{ VMCS_HOST_CR4, read_cr4() },
		{ VMCS_HOST_CR3, 0 }, /* with the first run */
		{ VMCS_HOST_FS_BASE, 0 },
		{ VMCS_HOST_CS, BF_SEL_KERNEL_CS },
		{ VMCS_HOST_SS, BF_SEL_KERNEL_SS },
		{ VMCS_HOST_DS, 0 },
		{ VMCS_HOST_ES, 0 },
		{ VMCS_HOST_FS, 0 },
		{ VMCS_HOST_GS, 0 },
		{ VMCS_HOST_TR, BF_SEL_TSS },
		{ VMCS_HOST_GS_BASE, 0 },
		{ VMCS_HOST_TR_BASE, (uint64_t)&pp->tss },
		{ VMCS_HOST_GDTR_BASE, (uint64_t)pp_gdt(pp) },
		{ VMCS_HOST_IDTR_BASE, (uint64_t)pp->idt },
		{ VMCS_HOST_SYSENTER_CS, 0 },
		{ VMCS_HOST_SYSENTER_ESP, 0 },
		{ VMCS_HOST_SYSENTER_EIP, 0 },
		{ VMCS_HOST_PAT, HOST_PAT },
		{ VMCS_HOST_EFER, rdmsr(MSR_EFER) },
		{ VMCS_HOST_RSP, BF_PP_STACK_TOP },
		{ VMCS_HOST_RIP, (uint64_t)vmx_exit_entry },
	};
	bool ok = true;

	for (unsigned int i = 0; i < sizeof(host) / sizeof(host[0]); i++)
		ok &= vmcs_try_write(host[i].field, host[i].value);
	return ok;
}

/*
 * Fields beyond those of Mk#1 and of exchange.c that a CPU looks at, whether or not a control asks
 * it to.
 */
static const uint16_t unnamed_fields[] = { VMCS_GUEST_UINV, VMCS_PCONFIG_EXITING_BITMAP };

/* The CPU does not initialise a VMCS: all fields are 0 first, but those that this CPU lacks. */
static bool write_guest(void)
{
	for (unsigned int i = 0; i < sizeof(unnamed_fields) / sizeof(unnamed_fields[0]); i++)
		(void)vmcs_try_write(unnamed_fields[i], 0);
#define ZERO_RW(encoding) (void)vmcs_try_write(encoding, 0);
#define ZERO_RO(encoding)
#define ZERO_GPR(encoding)
#define ZERO_LIVE(encoding)
#define ZERO(number, name, encoding, bytes, access) ZERO_##access(encoding)
	MK1_INTEL_REGS(ZERO)
	return vmcs_try_write(VMCS_vmcs_link_pointer, VMX_NO_LINKED_VMCS) &&
	       vmcs_try_write(VMCS_exception_bitmap, EXCEPTION_BIT(VECTOR_MC)) &&
	       vmcs_try_write(VMCS_address_of_msr_bitmaps, vmx.passthrough_bitmaps) &&
	       vmcs_try_write(VMCS_address_of_io_bitmap_a, vmx.passthrough_bitmaps) &&
	       vmcs_try_write(VMCS_address_of_io_bitmap_b, vmx.passthrough_bitmaps) &&
	       vmcs_try_write(VMCS_cr0, vmx.cr0_fixed0) &&
	       vmcs_try_write(VMCS_cr4, vmx.cr4_fixed0) && vmcs_try_write(VMCS_dr7, DR7_RESET) &&
	       vmcs_try_write(VMCS_rflags, RFLAGS_FIXED) && vmcs_try_write(VMCS_pat, PAT_RESET);
}

void vmx_vs_fini(struct vs *vs)
{
	/* An NMI that the extension wanted to inject is owed as one of ours is. */
	if (vs->root && vs->nmi_exiting && vs->vmx.nmi_window)
		this_pp()->nmi_pending = true;
	/* A VMCS that the CPU may still write to stays out of the pool. */
	if (vmx_try_clear(vs))
		pool_free(vs->block_spa);
	pool_free(vs->vmx.msr_lists);
	vs->block = NULL;
}

bool vmx_vs_init(struct vs *vs)
{
	if (!vmx.passthrough_bitmaps) {
		uint64_t spa = pool_alloc();

		if (spa == MK_NO_PAGE)
			return false;
		vmx.passthrough_bitmaps = spa;
	}
	vs->block_spa = pool_alloc();
	if (vs->block_spa == MK_NO_PAGE)
		return false;
	vs->vmx.msr_lists = pool_alloc();
	if (vs->vmx.msr_lists == MK_NO_PAGE) {
		pool_free(vs->block_spa);
		return false;
	}
	vs->block = phys_to_virt(vs->block_spa);
	*(uint32_t *)vs->block = vmx.revision;
	vs->vmx.dr6 = DR6_RESET;
	/* It may be meant for another PP, which cannot have it before it is cleared here. */
	if (vmx_try_clear(vs) && vmx_try_current(vs) && write_guest() && write_host() &&
	    vmx_exchange_init(vs) && vmx_init_controls(vs) && vmx_try_clear(vs))
		return true;
	mk_print("vs %u: the CPU refuses its VMCS\n", vs->id);
	vmx_vs_fini(vs);
	return false;
}

/* Packed attributes (11:8 are AVL, L, D/B, G) to access rights (15:12); no segment: unusable. */
static uint64_t to_rights(unsigned int i, uint16_t attrib)
{
	uint64_t rights = bsl_field_get(attrib, 0, 8) | bsl_field_get(attrib, 8, 4) << 12;

	if (!(rights & VMX_AR_PRESENT))
		return VMX_AR_UNUSABLE;
	if (i == SEG_TR)
		return rights | VMX_AR_BUSY;
	return rights & VMX_AR_CODE_OR_DATA ? rights | VMX_AR_ACCESSED : rights;
}

static uint16_t to_attrib(uint64_t rights)
{
	if (rights & VMX_AR_UNUSABLE)
		return 0;
	return (uint16_t)(bsl_field_get(rights, 0, 8) | bsl_field_get(rights, 12, 4) << 8);
}

enum bf_error vmx_vs_init_as_root(struct vs *vs, const struct bf_cpu_state *state)
{
	struct vmx_msr_lists *lists = vmx_lists(vs);
	const uint8_t *bytes = (const uint8_t *)state;
	bool was_root = vs->root;
	bool ok;

	vmx_current(vs);
	for (unsigned int i = 0; i < NR_SEGMENTS; i++) {
		const struct bf_segment *seg = (const struct bf_segment *)(bytes + segments[i]);

		vmcs_write(SEG_SELECTOR(i), seg->selector);
		vmcs_write(SEG_LIMIT(i), seg->limit);
		vmcs_write(SEG_ATTRIB(i), to_rights(i, seg->attrib));
		vmcs_write(SEG_BASE(i), seg->base);
	}
	for (unsigned int i = 0; i < sizeof(direct_fields) / sizeof(direct_fields[0]); i++)
		vmcs_write(direct_fields[i].field,
			   *(const uint64_t *)(bytes + direct_fields[i].offset));
	vmcs_write(VMCS_gdtr_limit, state->gdtr.limit);
	vmcs_write(VMCS_idtr_limit, state->idtr.limit);
	vmcs_write(VMCS_vmentry_interrupt_information_field, 0);
	if (!vs->mc_exiting)
		vmcs_write(VMCS_exception_bitmap,
			   vmcs_read(VMCS_exception_bitmap) & ~(uint64_t)EXCEPTION_BIT(VECTOR_MC));
	for (unsigned int i = 0; i < VMX_NR_EXTRA_FIELDS; i++)
		vmcs_write(extra_fields[i], vs->vmx.extra_fields[i]);

	vs->root = true; /* it decides about the controls */
	ok = vmx_init_controls(vs);
	vs->root = was_root;
	if (!ok)
		return BF_ERR_VMX_CONTROLS;
	if (mk.root_npt) {
		vmcs_write(VMCS_ept_pointer, vmx_root_eptp());
		vs->vmx.own_ept = true;
		vs->view = 0;
	}
	vmx_set_guest_cr0(state->cr0);
	vmx_set_guest_cr4(state->cr4);

	vmx_exchange_load(vs, state);
	lists->guest[VMX_STAR].value = state->star;
	lists->guest[VMX_LSTAR].value = state->lstar;
	lists->guest[VMX_FMASK].value = state->fmask;
	vs->vmx.dr6 = state->dr6;
	vs->vmx.cstar = state->cstar;
	vs->vmx.kernel_gs_base = state->kernel_gs_base;
	vs->vmx.cr2 = state->cr2;
	this_pp()->entry_dirty = true;
	if (this_pp()->vs == vs) {
		wrmsr(MSR_CSTAR, state->cstar);
		wrmsr(MSR_KERNEL_GS_BASE, state->kernel_gs_base);
	}
	return BF_ERR_OK;
}

void vmx_vs_capture(struct vs *vs, struct bf_cpu_state *state)
{
	struct vmx_msr_lists *lists = vmx_lists(vs);
	bool active = this_pp()->vs == vs;
	uint8_t *bytes = (uint8_t *)state;

	vmx_current(vs);
	for (unsigned int i = 0; i < NR_SEGMENTS; i++) {
		struct bf_segment *seg = (struct bf_segment *)(bytes + segments[i]);

		seg->selector = (uint16_t)vmcs_read(SEG_SELECTOR(i));
		seg->limit = (uint32_t)vmcs_read(SEG_LIMIT(i));
		seg->attrib = to_attrib(vmcs_read(SEG_ATTRIB(i)));
		seg->base = vmcs_read(SEG_BASE(i));
	}
	for (unsigned int i = 0; i < sizeof(direct_fields) / sizeof(direct_fields[0]); i++)
		*(uint64_t *)(bytes + direct_fields[i].offset) = vmcs_read(direct_fields[i].field);
	state->gdtr.limit = (uint16_t)vmcs_read(VMCS_gdtr_limit);
	state->idtr.limit = (uint16_t)vmcs_read(VMCS_idtr_limit);
	state->cr0 = vmx_guest_cr0();
	state->cr4 = vmx_guest_cr4();
	vmx_exchange_save(vs, state);
	state->star = lists->guest[VMX_STAR].value;
	state->lstar = lists->guest[VMX_LSTAR].value;
	state->fmask = lists->guest[VMX_FMASK].value;
	state->cstar = active ? rdmsr(MSR_CSTAR) : vs->vmx.cstar;
	state->kernel_gs_base = active ? rdmsr(MSR_KERNEL_GS_BASE) : vs->vmx.kernel_gs_base;
	for (unsigned int i = 0; i < VMX_NR_EXTRA_FIELDS; i++)
		vs->vmx.extra_fields[i] = vmcs_read(extra_fields[i]);
	state->dr6 = vs->vmx.dr6;
	state->cr2 = vs->vmx.cr2;
}

void vmx_note_msrs(struct pp *pp)
{
	pp->vmx.cstar = rdmsr(MSR_CSTAR);
	pp->vmx.kernel_gs_base = rdmsr(MSR_KERNEL_GS_BASE);
}

bool vmx_vs_load(struct vs *vs)
{
	const struct pp *pp = this_pp();

	if (!vmx_try_current(vs))
		return false;
	/* Each of the two was in a CPU before, or sanitized when it was written. */
	if (pp->vmx.cstar != vs->vmx.cstar)
		wrmsr(MSR_CSTAR, vs->vmx.cstar);
	if (pp->vmx.kernel_gs_base != vs->vmx.kernel_gs_base)
		wrmsr(MSR_KERNEL_GS_BASE, vs->vmx.kernel_gs_base);
	/*
	 * On a PP that it comes to, its tags may stand for translations of somebody else's, or of
	 * its own that it has changed elsewhere since (SDM vol. 3 §31.4.3.3).
	 */
	if (vs->vmx.new_here)
		vmx_tlb_flush_all(vs);
	vs->vmx.new_here = false;
	return true;
}

void vmx_vs_unload(struct vs *vs)
{
	struct pp *pp = this_pp();

	vmx_note_msrs(pp);
	vs->vmx.cstar = pp->vmx.cstar;
	vs->vmx.kernel_gs_base = pp->vmx.kernel_gs_base;
}

unsigned int vmx_vs_cpl(const struct vs *vs)
{
	vmx_current(vs_find(vs->id));
	return (unsigned int)bsl_field_get(vmcs_read(VMCS_ss_attrib), 5, 2);
}

void vmx_vs_dump(struct vs *vs)
{
	static const struct {
		const char *name;
		uint16_t field;
	} fields[] = {
		{ "exit reason", VMCS_exit_reason },
		{ "qualification", VMCS_exit_qualification },
		{ "event", VMCS_vmexit_interruption_information },
		{ "vectoring", VMCS_idt_vectoring_information_field },
		{ "rip", VMCS_rip },
		{ "rsp", VMCS_rsp },
		{ "rflags", VMCS_rflags },
		{ "cs", VMCS_cs_selector },
		{ "cs rights", VMCS_cs_attrib },
		{ "ss rights", VMCS_ss_attrib },
		{ "cr0", VMCS_cr0 },
		{ "cr3", VMCS_cr3 },
		{ "cr4", VMCS_cr4 },
		{ "efer", VMCS_efer },
		{ "interruptibility", VMCS_interruptibility_state },
		{ "activity", VMCS_activity_state },
		{ "pin", VMCS_pin_based_vm_execution_ctls },
		{ "primary", VMCS_primary_proc_based_vm_execution_ctls },
		{ "secondary", VMCS_secondary_proc_based_vm_execution_ctls },
		{ "exit", VMCS_vmexit_ctls },
		{ "entry", VMCS_vmentry_ctls },
		{ "entry event", VMCS_vmentry_interrupt_information_field },
		{ "ept", VMCS_ept_pointer },
		{ "vpid", VMCS_virtual_processor_identifier },
	};

	vmx_current(vs);
	for (unsigned int i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		uint64_t value;

		if (vmcs_try_read(fields[i].field, &value))
			mk_print("  %s 0x%llx\n", fields[i].name, (unsigned long long)value);
	}
}
