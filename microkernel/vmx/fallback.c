// SPDX-License-Identifier: GPL-2.0-only
/* The guest that has no extension any more: it runs on as on the bare CPU until Linux stops it. */
#include "arch/intrinsics.h"
#include "arch/trap.h"
#include "debug.h"
#include "mk.h"
#include "run/fail.h"
#include "run/exit.h"
#include "run/leave.h"
#include "vmx/advance.h"
#include "vmx/controls.h"
#include "vmx/cr.h"
#include "vmx/cr8.h"
#include "vmx/event.h"
#include "vmx/fallback.h"
#include "vmx/nested.h"
#include "vmx/vmx.h"
#include "vmx/vs.h"

/* Instructions that are #UD in a guest without their control. */
#define SECONDARY_INSTRUCTIONS \
	(VMX_SECONDARY_RDTSCP | VMX_SECONDARY_INVPCID | VMX_SECONDARY_XSAVES | \
	 VMX_SECONDARY_USER_WAIT | VMX_SECONDARY_PCONFIG)

static void set_controls(const struct vs *vs, uint64_t field, uint64_t value)
{
	if (!vmx_sanitize_controls(vs, field, &value))
		pp_fail(BF_ERR_VMX_CONTROLS, field, 0, 0);
	vmcs_write(field, value);
}

/* Nothing exits but what VMX forces to. An event that the exit interrupted goes in again. */
void vmx_fallback_init(struct vs *vs)
{
	uint64_t cr0, cr4, secondary = 0;

	vmx_current(vs);
	cr0 = vmx_guest_cr0();
	cr4 = vmx_guest_cr4();
	if (vs->vmx.nmi_window && vs->nmi_exiting)
		this_pp()->nmi_pending = true;
	vs->vmx.nmi_window = false;
	vs->nmi_exiting = false;
	this_pp()->entry_dirty = true;
	set_controls(vs, VMCS_pin_based_vm_execution_ctls, 0);
	set_controls(vs, VMCS_primary_proc_based_vm_execution_ctls,
		     (VMX_PRIMARY_MSR_BITMAPS | VMX_PRIMARY_SECONDARY) & vmx.primary.may);
	if (vmx.primary.may & VMX_PRIMARY_SECONDARY) {
		secondary = vmcs_read(VMCS_secondary_proc_based_vm_execution_ctls) &
			    VMX_SECONDARY_VPID;
		/* VM entry refuses this tag (§29.2.1.1). */
		if (secondary && !vmcs_read(VMCS_virtual_processor_identifier))
			secondary = 0;
		set_controls(vs, VMCS_secondary_proc_based_vm_execution_ctls,
			     secondary | (SECONDARY_INSTRUCTIONS & vmx.secondary.may));
	}
	set_controls(vs, VMCS_vmexit_ctls, 0);
	set_controls(vs, VMCS_vmentry_ctls, 0);
	vmcs_write(VMCS_address_of_msr_bitmaps, vmx.passthrough_bitmaps);
	vmcs_write(VMCS_exception_bitmap, 0);
	vmcs_write(VMCS_cr3_target_count, 0);
	if (vmx.secondary.may & VMX_SECONDARY_XSAVES)
		vmcs_write(VMCS_xss_exiting_bitmap, 0);
	vmx_set_guest_cr0(cr0);
	vmx_set_guest_cr4(cr4);
	if (mk.root_npt) {
		vmcs_write(VMCS_ept_pointer, vmx_root_eptp());
		vs->vmx.own_ept = true;
		vs->view = 0;
	}
	vmx_flush_everything();
	if (!(vmcs_read(VMCS_vmentry_interrupt_information_field) & VMX_EVENT_VALID))
		vmx_reinject();
}

/* The CPU's own answer, but for what it shows of CR4: here the host's (SDM vol. 2, CPUID). */
static void do_cpuid(void)
{
	uint64_t *gpr = abi_gprs();
	uint32_t leaf = (uint32_t)gpr[BF_RAX], subleaf = (uint32_t)gpr[BF_RCX];
	struct cpuid_regs r = cpuid(leaf, subleaf);
	uint64_t cr4 = vmcs_read(VMCS_cr4);

	if (leaf == 1)
		r.ecx = (r.ecx & ~(uint32_t)CPUID_1_ECX_OSXSAVE) |
			(cr4 & CR4_OSXSAVE ? CPUID_1_ECX_OSXSAVE : 0);
	if (leaf == 7 && !subleaf)
		r.ecx = (r.ecx & ~(uint32_t)CPUID_7_ECX_OSPKE) |
			(cr4 & CR4_PKE ? CPUID_7_ECX_OSPKE : 0);
	gpr[BF_RAX] = r.eax;
	gpr[BF_RBX] = r.ebx;
	gpr[BF_RCX] = r.ecx;
	gpr[BF_RDX] = r.edx;
}

/* Not every CPU looks at the privilege level before it exits. */
static bool is_kernel(const struct vs *vs)
{
	return vmx_vs_cpl(vs) == 0;
}

static bool do_xsetbv(void)
{
	const uint64_t *gpr = abi_gprs();

	return !(uint32_t)gpr[BF_RCX] && xsetbv0_safe(gpr[BF_RDX] << 32 | (uint32_t)gpr[BF_RAX]);
}

/*
 * MOV to CR0 or CR4 that changes a bit on which VMX insists (qualification: §30.2.1, table 30-3). A
 * change of mode together with it is more than Linux ever does, and refused.
 */
static bool do_cr_access(void)
{
	uint64_t qualification = vmcs_read(VMCS_exit_qualification);
	uint64_t value = vmx_cr_operand(qualification);
	uint64_t old;

	if ((qualification & VMX_QUAL_CR_ACCESS) != VMX_QUAL_CR_TO)
		return false;
	switch (qualification & VMX_QUAL_CR) {
	case 0:
		old = vmx_guest_cr0();
		if (value >> 32 || (value ^ old) & (CR0_PE | CR0_PG) ||
		    (value & CR0_NW && !(value & CR0_CD)))
			return false;
		vmx_set_guest_cr0(value);
		break;
	case 4:
		old = vmx_guest_cr4();
		if (value & ~vmx.cr4_fixed1 || (value ^ old) & (CR4_PAE | CR4_LA57))
			return false;
		vmx_set_guest_cr4(value);
		break;
	default:
		return false;
	}
	/* Most of the other bits, if changed too, flush the TLB. */
	vmx_flush_vpid(0);
	return true;
}

void vmx_fallback_exit(struct vs *vs, uint64_t reason)
{
	bool done = true;

	switch (reason) {
	case VMX_EXIT_CPUID:
		do_cpuid();
		break;
	case VMX_EXIT_TRIPLE_FAULT:
		reset_machine(this_pp(), "triple fault");
	case VMX_EXIT_INVD: /* skipped: it would throw away what other CPUs wrote */
		done = is_kernel(vs);
		break;
	case VMX_EXIT_XSETBV:
		done = is_kernel(vs) && do_xsetbv();
		break;
	case VMX_EXIT_CR_ACCESS:
		done = do_cr_access();
		break;
	case VMX_EXIT_RDMSR: /* only without MSR bitmaps: the others are answered already */
	case VMX_EXIT_WRMSR:
		done = false;
		break;
	case VMX_EXIT_VMCALL:
		if (exit_call_unanswered(vs))
			break;
		vmx_inject_ud();
		return;
	case VMX_EXIT_GETSEC:
	case VMX_EXIT_VMCLEAR ... VMX_EXIT_VMXON: /* the VMX instructions from A to Z */
	case VMX_EXIT_INVEPT:
	case VMX_EXIT_INVVPID:
	case VMX_EXIT_VMFUNC:
	case VMX_EXIT_SEAMCALL:
	case VMX_EXIT_TDCALL:
		vmx_inject_ud();
		return;
	default:
		mk_print("vs %u: exit %llu, and no extension\n", vs->id,
			 (unsigned long long)reason);
		vmx_vs_dump(vs);
		pp_fail(BF_ERR_VS_INVALID, reason, 0, 0);
	}
	if (!done)
		vmx_inject_gp();
	else if (vmx_vs_advance_ip(vs) != ADVANCE_DONE)
		pp_fail(BF_ERR_VS_INVALID, reason, 0, 0);
}
