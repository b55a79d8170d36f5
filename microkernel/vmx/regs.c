// SPDX-License-Identifier: GPL-2.0-only
/* The registers of a VS by their Mk#1 numbers. */
#include <abi/mk1.h>
#include <bsl/bits.h>
#include <bsl/paging.h>

#include "arch/intrinsics.h"
#include "mk.h"
#include "obj/ext.h"
#include "vmx/controls.h"
#include "vmx/cr.h"
#include "vmx/nested.h"
#include "vmx/regs.h"
#include "vmx/vmx.h"

enum access { ACCESS_NONE, ACCESS_RW, ACCESS_RO, ACCESS_GPR, ACCESS_LIVE };

struct reg {
	uint16_t field;
	uint8_t bytes;
	uint8_t access; /* enum access */
};

#define REG_ENTRY(number, name, field, bytes, access) [number] = { field, bytes, ACCESS_##access },
static const struct reg regs[MK1_INTEL_NR_REGS] = { MK1_INTEL_REGS(REG_ENTRY) };

static const struct reg *find(uint64_t number)
{
	return number < MK1_INTEL_NR_REGS && regs[number].access != ACCESS_NONE ? &regs[number] :
										  NULL;
}

static bool is_active(const struct vs *vs)
{
	return this_pp()->vs == vs;
}

static uint64_t live_msr(const struct vs *vs, uint32_t msr, uint64_t stored)
{
	return is_active(vs) ? rdmsr(msr) : stored;
}

static uint64_t read_live(const struct vs *vs, uint64_t number)
{
	const struct vmx_msr_lists *lists = vmx_lists(vs);

	switch (number) {
	case MK1_INTEL_cr2:
		return vs->vmx.cr2;
	case MK1_INTEL_dr6:
		return vs->vmx.dr6;
	case MK1_INTEL_star:
		return lists->guest[VMX_STAR].value;
	case MK1_INTEL_lstar:
		return lists->guest[VMX_LSTAR].value;
	case MK1_INTEL_fmask:
		return lists->guest[VMX_FMASK].value;
	case MK1_INTEL_cstar:
		return live_msr(vs, MSR_CSTAR, vs->vmx.cstar);
	case MK1_INTEL_kernel_gs_base:
		return live_msr(vs, MSR_KERNEL_GS_BASE, vs->vmx.kernel_gs_base);
	default:
		return unswitched_read(vs, (enum unswitched_reg)(number - MK1_INTEL_cr8));
	}
}

/*
 * A value that is not canonical would fault, here or in VM entry: with as many bits as the CPU has,
 * also in an MSR, whatever CR4.LA57 is (SDM vol. 3, "Canonicality Checking").
 */
static bool set_canonical(uint64_t *to, uint64_t value)
{
	if (!bsl_is_canonical(value, vmx.cr4_fixed1 & CR4_LA57 ? 5 : 4))
		return false;
	*to = value;
	return true;
}

static bool set_live_msr(const struct vs *vs, uint32_t msr, uint64_t *stored, uint64_t value)
{
	if (!set_canonical(stored, value))
		return false;
	if (is_active(vs))
		wrmsr(msr, value);
	return true;
}

static bool write_live(struct vs *vs, uint64_t number, uint64_t value)
{
	struct vmx_msr_lists *lists = vmx_lists(vs);

	switch (number) {
	case MK1_INTEL_cr2:
		vs->vmx.cr2 = value;
		this_pp()->entry_dirty = true;
		return true;
	case MK1_INTEL_dr6:
		if (value >> 32)
			return false;
		vs->vmx.dr6 = value;
		this_pp()->entry_dirty = true;
		return true;
	case MK1_INTEL_star:
		lists->guest[VMX_STAR].value = value;
		return true;
	case MK1_INTEL_lstar:
		return set_canonical(&lists->guest[VMX_LSTAR].value, value);
	case MK1_INTEL_fmask:
		if (value >> 32)
			return false;
		lists->guest[VMX_FMASK].value = value;
		return true;
	case MK1_INTEL_cstar:
		return set_live_msr(vs, MSR_CSTAR, &vs->vmx.cstar, value);
	case MK1_INTEL_kernel_gs_base:
		return set_live_msr(vs, MSR_KERNEL_GS_BASE, &vs->vmx.kernel_gs_base, value);
	default:
		return unswitched_write(vs, (enum unswitched_reg)(number - MK1_INTEL_cr8), value);
	}
}

/* The MSR lists are the microkernel's; to an extension they look unused. */
static bool is_msr_list(uint64_t number)
{
	return (number >= MK1_INTEL_vmexit_msr_store_address &&
		number <= MK1_INTEL_vmentry_msr_load_address) ||
	       number == MK1_INTEL_vmexit_msr_store_count ||
	       number == MK1_INTEL_vmexit_msr_load_count ||
	       number == MK1_INTEL_vmentry_msr_load_count;
}

/*
 * What exits only for the microkernel's own purposes is not shown, nor what it has told otherwise.
 */
static uint64_t as_asked(const struct vs *vs, uint64_t number, uint64_t content)
{
	switch (number) {
	case MK1_INTEL_pin_based_vm_execution_ctls:
		return content & ~(uint64_t)((vs->nmi_exiting ? 0 : VMX_PIN_NMI_EXITING) |
					     (vs->intr_exiting ? 0 : VMX_PIN_INTERRUPT_EXITING));
	case MK1_INTEL_primary_proc_based_vm_execution_ctls:
		return (content & ~(uint64_t)(VMX_PRIMARY_CR8_LOAD | VMX_PRIMARY_CR8_STORE |
					      (vs->vmx.nmi_window ? 0 : VMX_PRIMARY_NMI_WINDOW))) |
		       vs->vmx.cr8_exiting;
	case MK1_INTEL_vmexit_ctls:
		return vs->vmx.acknowledge ? content | VMX_EXIT_CTL_ACKNOWLEDGE : content;
	case MK1_INTEL_exception_bitmap:
		return vs->mc_exiting ? content : content & ~(uint64_t)EXCEPTION_BIT(VECTOR_MC);
	case MK1_INTEL_ept_pointer: /* the table is the microkernel's */
		return vs->nested ? 0 : content;
	case MK1_INTEL_exit_reason:
		return vs->vmx.told ? vs->vmx.told : content;
	case MK1_INTEL_exit_qualification:
	case MK1_INTEL_vmexit_interruption_information:
		return vs->vmx.told ? 0 : content;
	default:
		return content;
	}
}

uint64_t vmx_vs_read(struct vs *vs, uint64_t number, uint64_t *value)
{
	const struct reg *reg = find(number);
	uint64_t content;

	if (!reg)
		return MK1_INVALID_INPUT_REG(2);
	if (reg->access == ACCESS_GPR) {
		*value = *gpr_of(vs, reg->field);
		return MK1_SUCCESS;
	}
	if (reg->access == ACCESS_LIVE) {
		*value = read_live(vs, number);
		return MK1_SUCCESS;
	}
	vmx_current(vs);
	if (!vmcs_try_read(reg->field, &content))
		return MK1_INVALID_INPUT_REG(2); /* a field that this CPU does not have */
	content &= bsl_mask(reg->bytes * 8U);
	if (is_msr_list(number))
		content = 0;
	*value = as_asked(vs, number, content);
	return MK1_SUCCESS;
}

static bool is_control(uint64_t number)
{
	return number == MK1_INTEL_pin_based_vm_execution_ctls ||
	       number == MK1_INTEL_primary_proc_based_vm_execution_ctls ||
	       number == MK1_INTEL_secondary_proc_based_vm_execution_ctls ||
	       number == MK1_INTEL_vmexit_ctls || number == MK1_INTEL_vmentry_ctls;
}

/* Validates and adjusts a value for a field in which not every value is safe for the host. */
static bool sanitize(struct vs *vs, uint64_t number, uint64_t field, uint64_t *value)
{
	if (is_msr_list(number))
		return *value == 0;
	if (is_control(number))
		return vmx_sanitize_controls(vs, field, value);
	switch (number) {
	case MK1_INTEL_exception_bitmap:
		if (!vs->root)
			*value |= EXCEPTION_BIT(VECTOR_MC);
		return true;
	case MK1_INTEL_address_of_io_bitmap_a:
	case MK1_INTEL_address_of_io_bitmap_b:
	case MK1_INTEL_address_of_msr_bitmaps:
		/*
		 * The CPU reads them at many an access. The value of a new VS is no extension's
		 * page.
		 */
		return *value == vmx.passthrough_bitmaps || ext_has_page(this_pp(), *value);
	case MK1_INTEL_vmcs_link_pointer:
		return *value == ~(uint64_t)0;
	case MK1_INTEL_ept_pointer:
		return !vs->nested && *value < MK1_SPA_LIMIT;
	case MK1_INTEL_executive_vmcs_pointer:
	case MK1_INTEL_pml_address:
	case MK1_INTEL_virtual_apic_address:
	case MK1_INTEL_apic_access_address:
	case MK1_INTEL_posted_interrupt_descriptor_address:
	case MK1_INTEL_vm_function_controls:
	case MK1_INTEL_eptp_list_address:
	case MK1_INTEL_vmread_bitmap_address:
	case MK1_INTEL_vmwrite_bitmap_address:
	case MK1_INTEL_virt_exception_information_address:
	case MK1_INTEL_sub_page_permission_table_pointer:
		return *value == 0; /* features that are never on */
	case MK1_INTEL_cr0: /* a guest's are completed when it runs */
		*value |= vs->root ? vmx_cr0_forced() : 0;
		return true;
	case MK1_INTEL_cr4:
		*value |= vs->root ? vmx.cr4_fixed0 : 0;
		return true;
	default:
		return true;
	}
}

/* A control field as it is to be now that something else has changed, and with these bits more. */
static void sanitize_again(const struct vs *vs, uint64_t field, uint64_t more)
{
	uint64_t value = vmcs_read(field) | more;

	if (vmx_sanitize_controls(vs, field, &value))
		vmcs_write(field, value);
}

/* What follows from a value once it, with what completes it, is in the VMCS. */
static void take_notice(struct vs *vs, uint64_t number, uint64_t value)
{
	switch (number) {
	case MK1_INTEL_pin_based_vm_execution_ctls:
		vs->nmi_exiting = value & VMX_PIN_NMI_EXITING;
		vs->intr_exiting = value & VMX_PIN_INTERRUPT_EXITING;
		sanitize_again(vs, VMCS_vmexit_ctls,
			       vs->vmx.acknowledge ? VMX_EXIT_CTL_ACKNOWLEDGE : 0);
		break;
	case MK1_INTEL_primary_proc_based_vm_execution_ctls:
		vs->vmx.nmi_window = value & VMX_PRIMARY_NMI_WINDOW;
		vs->vmx.cr8_exiting = (uint32_t)value &
				      (VMX_PRIMARY_CR8_LOAD | VMX_PRIMARY_CR8_STORE);
		/* The window may have been open for an NMI of ours. */
		this_pp()->entry_dirty = true;
		break;
	case MK1_INTEL_vmexit_ctls:
		vs->vmx.acknowledge = value & VMX_EXIT_CTL_ACKNOWLEDGE;
		break;
	case MK1_INTEL_exception_bitmap:
		vs->mc_exiting = value & EXCEPTION_BIT(VECTOR_MC);
		break;
	case MK1_INTEL_efer: /* the entry controls follow EFER.LMA */
		sanitize_again(vs, VMCS_vmentry_ctls, 0);
		break;
	case MK1_INTEL_virtual_processor_identifier:
		/* A tag that is new to this VS may have been another's. */
		if (value)
			vmx_flush_vpid(value);
		break;
	case MK1_INTEL_ept_pointer:
		vs->vmx.own_ept = mk.root_npt && value == vmx_root_eptp();
		vs->view = 0;
		vmx_flush_everything();
		break;
	case MK1_INTEL_cr0:
	case MK1_INTEL_cr4:
		vs->vmx.raw_crs = true;
		this_pp()->entry_dirty = true;
		break;
	default:
		break;
	}
}

static bool write_field(struct vs *vs, uint64_t number, const struct reg *reg, uint64_t value)
{
	uint64_t wanted = value;

	vmx_current(vs);
	/* What a control field has no room for, the CPU lacks: sanitize drops it. */
	if (value & ~bsl_mask(reg->bytes * 8U) && !is_control(number))
		return false;
	if (!sanitize(vs, number, reg->field, &value))
		return false;
	if (is_msr_list(number))
		return true;
	if (!vmcs_try_write(reg->field, value))
		return false;
	take_notice(vs, number, wanted);
	return true;
}

uint64_t vmx_vs_write(struct vs *vs, uint64_t number, uint64_t value)
{
	const struct reg *reg = find(number);
	bool done = false;

	if (!reg)
		return MK1_INVALID_INPUT_REG(2);
	switch (reg->access) {
	case ACCESS_GPR:
		*gpr_of(vs, reg->field) = value;
		done = true;
		break;
	case ACCESS_LIVE:
		done = write_live(vs, number, value);
		break;
	case ACCESS_RW:
		done = write_field(vs, number, reg, value);
		break;
	default:
		break;
	}
	return done ? MK1_SUCCESS : MK1_INVALID_INPUT_REG(3);
}
