// SPDX-License-Identifier: GPL-2.0-only
/* Events for the guest, and what is owed to Linux: NMIs and machine checks. */
#include "arch/intrinsics.h"
#include "arch/trap.h"
#include "pp.h"
#include "vmx/event.h"
#include "vmx/vmx.h"

void vmx_inject(uint64_t event)
{
	vmcs_write(VMCS_vmentry_interrupt_information_field, VMX_EVENT_VALID | event);
}

/*
 * A fault of the instruction that has exited. Its delivery ends the shadow of STI or MOV SS, with
 * which VM entry may want a trap to be pending (§29.3.1.5).
 */
static void inject_fault(uint64_t fault)
{
	const uint64_t shadow = VMX_BLOCKING_BY_STI | VMX_BLOCKING_BY_MOV_SS;

	vmcs_write(VMCS_interruptibility_state, vmcs_read(VMCS_interruptibility_state) & ~shadow);
	vmx_inject(VMX_EVENT_TYPE_EXCEPTION | fault);
}

void vmx_inject_ud(void)
{
	inject_fault(VECTOR_UD);
}

/* Exceptions push no error code in real mode, and VM entry refuses one there (§29.2.1.3). */
void vmx_inject_gp(void)
{
	uint64_t error_code = vmcs_read(VMCS_cr0) & CR0_PE ? VMX_EVENT_ERROR_CODE : 0;

	vmcs_write(VMCS_vmentry_exception_error_code, 0);
	inject_fault(VECTOR_GP | error_code);
}

/*
 * What blocks events while an NMI goes in: not an NMI, and not STI, with which some CPUs refuse the
 * entry (SDM vol. 3 §29.3.1.5), and which delivers the NMI on a bare CPU too. MOV SS closes the
 * window.
 */
void vmx_unblock_for_nmi(void)
{
	uint64_t state = vmcs_read(VMCS_interruptibility_state);

	vmcs_write(VMCS_interruptibility_state,
		   state & ~(uint64_t)(VMX_BLOCKING_BY_NMI | VMX_BLOCKING_BY_STI));
}

/* Whether an IRET had unblocked NMIs when it exited: only some exits say so (§30.2.3). */
static bool was_iret(void)
{
	switch (vmcs_read(VMCS_exit_reason) & VMX_EXIT_BASIC) {
	case VMX_EXIT_EPT_VIOLATION:
		return vmcs_read(VMCS_exit_qualification) & VMX_QUAL_EPT_IRET;
	case VMX_EXIT_EXCEPTION_NMI:
		return vmcs_read(VMCS_vmexit_interruption_information) & VMX_EVENT_IRET;
	default:
		return false;
	}
}

/* The event goes in again; software interrupts need the length of their instruction (§27.8.3). */
void vmx_reinject(void)
{
	uint64_t event = vmcs_read(VMCS_idt_vectoring_information_field);

	if (!(event & VMX_EVENT_VALID)) {
		/* IRET is executed again, and is to find NMIs blocked as it did (§30.2.3). */
		if (was_iret())
			vmcs_write(VMCS_interruptibility_state,
				   vmcs_read(VMCS_interruptibility_state) | VMX_BLOCKING_BY_NMI);
		return;
	}
	if ((event & VMX_EVENT_TYPE) == VMX_EVENT_TYPE_NMI)
		vmx_unblock_for_nmi();
	if (event & VMX_EVENT_ERROR_CODE)
		vmcs_write(VMCS_vmentry_exception_error_code,
			   vmcs_read(VMCS_idt_vectoring_error_code));
	if ((event & VMX_EVENT_TYPE) >= VMX_EVENT_TYPE_SOFTWARE)
		vmcs_write(VMCS_vmentry_instruction_length,
			   vmcs_read(VMCS_vmexit_instruction_length));
	vmx_inject(event & VMX_EVENT_DEFINED);
}

void vmx_set_nmi_window(bool open)
{
	uint64_t primary = vmcs_read(VMCS_primary_proc_based_vm_execution_ctls);

	vmcs_write(VMCS_primary_proc_based_vm_execution_ctls,
		   open ? primary | VMX_PRIMARY_NMI_WINDOW :
			  primary & ~(uint64_t)VMX_PRIMARY_NMI_WINDOW);
}

void vmx_owe(struct pp *pp)
{
	const struct vs *vs = __atomic_load_n(&pp->vmx.vmcs, __ATOMIC_RELAXED);
	uint64_t primary;

	/* What was just being done to the controls may undo this: vmx_run_slow looks again. */
	pp->entry_dirty = true;
	/* No printing and no giving up here; should either fail, vmx_vs_run meets the same. */
	if (vs && vmcs_try_read(VMCS_primary_proc_based_vm_execution_ctls, &primary))
		(void)vmcs_try_write(VMCS_primary_proc_based_vm_execution_ctls,
				     primary | VMX_PRIMARY_NMI_WINDOW);
}

/* Not instead of another event: then the NMI window makes the guest exit soon. */
void vmx_take_machine_check(struct pp *pp)
{
	if (vmcs_read(VMCS_vmentry_interrupt_information_field) & VMX_EVENT_VALID) {
		pp->entry_dirty = true;
		vmx_set_nmi_window(true);
		return;
	}
	pp->mc_pending = false;
	vmx_inject(VMX_EVENT_TYPE_EXCEPTION | VECTOR_MC);
}

/* Without an extension, there is nobody who could start it: Linux goes on. */
void vmx_await_startup(struct pp *pp)
{
	pp->vmx.init = false;
	if (pp->fallback)
		return;
	pp->owed = 0;
	vmx_set_nmi_window(false);
	vmcs_write(VMCS_vmentry_interrupt_information_field, 0);
	vmcs_write(VMCS_interruptibility_state, 0);
	vmcs_write(VMCS_pending_debug_exceptions, 0);
	vmcs_write(VMCS_activity_state, VMX_ACTIVITY_WAIT_FOR_SIPI);
	pp->entry_dirty = true;
}

/* The exit has another reason than the CPU's, or none of the CPU's: it reads like this. */
void vmx_tell(struct pp *pp, struct vs *vs, uint64_t reason)
{
	vs->vmx.told = reason;
	pp->entry_dirty = true; /* until the next entry */
}

/*
 * Something is owed to Linux: to the extension the exit is one by an external interrupt, after
 * which Linux is to run, as after every other.
 */
void vmx_tell_interrupt(struct pp *pp, struct vs *vs)
{
	vmx_tell(pp, vs, VMX_EXIT_EXTERNAL_INTERRUPT);
}
