// SPDX-License-Identifier: MIT
/* Intel: one instruction, by the monitor trap flag (SDM vol. 3 §28.5.2). */
#include <ext/linux/hook.h>
#include <ext/linux/step.h>
#include <ext/linux/vmx.h>
#include <ext/linux/watched.h>

static __thread bool stepping;
static __thread bool holding; /* interrupts, as behind STI */

static void set_trap(uint64_t vsid, bool on)
{
	uint64_t primary = vs_get(vsid, MK1_INTEL_primary_proc_based_vm_execution_ctls);

	vs_set(vsid, MK1_INTEL_primary_proc_based_vm_execution_ctls,
	       on ? primary | VMX_PRIMARY_MONITOR_TRAP :
		    primary & ~(uint64_t)VMX_PRIMARY_MONITOR_TRAP);
}

bool vmx_can_step(uint64_t vsid)
{
	return vmx_capability(vsid, MSR_VMX_PROCBASED_CTLS) >> 32 & VMX_PRIMARY_MONITOR_TRAP;
}

void vmx_redeliver(uint64_t vsid)
{
	uint64_t event = vs_get(vsid, MK1_INTEL_idt_vectoring_information_field);

	if (!(event & VMX_EVENT_VALID)) {
		/* IRET is executed again, and is to find NMIs blocked as it did (§30.2.3). */
		if (vs_get(vsid, MK1_INTEL_exit_qualification) & VMX_QUAL_EPT_IRET)
			vs_set(vsid, MK1_INTEL_interruptibility_state,
			       vs_get(vsid, MK1_INTEL_interruptibility_state) |
				       VMX_BLOCKING_BY_NMI);
		return;
	}
	if ((event & VMX_EVENT_TYPE) == VMX_EVENT_TYPE_NMI)
		vs_set(vsid, MK1_INTEL_interruptibility_state,
		       vs_get(vsid, MK1_INTEL_interruptibility_state) &
			       ~(uint64_t)VMX_BLOCKING_BY_NMI);
	if (event & VMX_EVENT_ERROR_CODE)
		vs_set(vsid, MK1_INTEL_vmentry_exception_error_code,
		       vs_get(vsid, MK1_INTEL_idt_vectoring_error_code));
	if ((event & VMX_EVENT_TYPE) >= VMX_EVENT_TYPE_SOFTWARE)
		vs_set(vsid, MK1_INTEL_vmentry_instruction_length,
		       vs_get(vsid, MK1_INTEL_vmexit_instruction_length));
	vs_set(vsid, MK1_INTEL_vmentry_interrupt_information_field, event & VMX_EVENT_DEFINED);
}

/*
 * An interrupt that is pending would come before the instruction, which would then exit once more:
 * it waits, as behind STI (§27.4.2). What is delivered again does not. With a trap flag of Linux's
 * own, VM entry would want its trap to be pending there (§29.3.1.5): one exit more does no harm.
 */
static void hold_interrupts(uint64_t vsid)
{
	uint64_t state = vs_get(vsid, MK1_INTEL_interruptibility_state);
	uint64_t flags = vs_get(vsid, MK1_INTEL_rflags);

	if (vs_get(vsid, MK1_INTEL_vmentry_interrupt_information_field) & VMX_EVENT_VALID ||
	    (flags & (RFLAGS_IF | RFLAGS_TF)) != RFLAGS_IF ||
	    state & (VMX_BLOCKING_BY_STI | VMX_BLOCKING_BY_MOV_SS))
		return;
	vs_set(vsid, MK1_INTEL_interruptibility_state, state | VMX_BLOCKING_BY_STI);
	holding = true;
}

/* The CPU has let go of them if it has executed the instruction. */
static void let_interrupts_go(uint64_t vsid)
{
	if (holding)
		vs_set(vsid, MK1_INTEL_interruptibility_state,
		       vs_get(vsid, MK1_INTEL_interruptibility_state) &
			       ~(uint64_t)VMX_BLOCKING_BY_STI);
	holding = false;
}

/* An event that is delivered first counts as the instruction: then Linux comes here again. */
__noreturn void vmx_step(uint64_t vsid)
{
	hold_interrupts(vsid);
	watch_lift(vsid);
	set_trap(vsid, true);
	stepping = true;
	resume(vsid);
}

void vmx_step_end(uint64_t vsid, uint64_t reason)
{
	if (!stepping)
		return;
	stepping = false;
	let_interrupts_go(vsid);
	set_trap(vsid, false);
	watch_again(vsid);
	hooked_stepped();
	if (reason == VMX_EXIT_MONITOR_TRAP_FLAG)
		resume(vsid);
}

void vmx_step_reset(void)
{
	stepping = false;
	holding = false;
}
