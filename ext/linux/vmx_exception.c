// SPDX-License-Identifier: MIT
/* Intel: exceptions that exit for the hooks (SDM vol. 3 §27.9.2, §27.8.3, §30.2). */
#include <ext/linux/exception.h>
#include <ext/linux/step.h>
#include <ext/linux/vmx.h>

#define BLOCKING_OF_ONE (VMX_BLOCKING_BY_STI | VMX_BLOCKING_BY_MOV_SS)

static void set_state(uint64_t vsid, uint64_t set, uint64_t clear)
{
	vs_set(vsid, MK1_INTEL_interruptibility_state,
	       (vs_get(vsid, MK1_INTEL_interruptibility_state) & ~clear) | set);
}

void vmx_inject(uint64_t vsid, const struct ext_exception *x)
{
	uint64_t event = VMX_EVENT_VALID | VMX_EVENT_TYPE_EXCEPTION | x->vector;

	if (x->vector == VECTOR_PF)
		vs_set(vsid, MK1_INTEL_cr2, x->address);
	if (x->has_error_code)
		event |= VMX_EVENT_ERROR_CODE;
	/* As a fault pushes it; and its delivery ends a shadow. */
	if (x->vector != VECTOR_DB)
		vs_set(vsid, MK1_INTEL_rflags, vs_get(vsid, MK1_INTEL_rflags) | RFLAGS_RF);
	set_state(vsid, 0, BLOCKING_OF_ONE);
	vs_set(vsid, MK1_INTEL_vmentry_exception_error_code, x->error_code);
	vs_set(vsid, MK1_INTEL_vmentry_interrupt_information_field, event);
}

static __noreturn void deliver(uint64_t vsid, const struct ext_exception *x)
{
	static const struct ext_exception df = { .vector = VECTOR_DF, .has_error_code = true };
	uint64_t first = vs_get(vsid, MK1_INTEL_idt_vectoring_information_field);
	enum exception_pair pair = EXCEPTION_SECOND;

	if (first & VMX_EVENT_VALID && (first & VMX_EVENT_TYPE) == VMX_EVENT_TYPE_EXCEPTION)
		pair = exception_combine(first & VMX_EVENT_VECTOR, x->vector);
	if (x->vector == VECTOR_PF)
		vs_set(vsid, MK1_INTEL_cr2, x->address);
	if (pair == EXCEPTION_SHUTDOWN)
		give_up("the guest shut down (triple fault); RIP", vsid,
			vs_get(vsid, MK1_INTEL_rip));
	vmx_inject(vsid, pair == EXCEPTION_DOUBLE_FAULT ? &df : x);
	resume(vsid);
}

bool vmx_exception(struct ext_exit *e)
{
	uint64_t event = vs_get(e->vsid, MK1_INTEL_vmexit_interruption_information);
	struct ext_exception x = { .vector = (uint8_t)(event & VMX_EVENT_VECTOR) };
	bool delivering = vs_get(e->vsid, MK1_INTEL_idt_vectoring_information_field) &
			  VMX_EVENT_VALID;

	if ((event & VMX_EVENT_TYPE) != VMX_EVENT_TYPE_EXCEPTION || !exception_is_watched(x.vector))
		return false;
	x.has_error_code = event & VMX_EVENT_ERROR_CODE;
	if (x.has_error_code)
		x.error_code = (uint32_t)vs_get(e->vsid, MK1_INTEL_vmexit_interruption_error_code);
	if (x.vector == VECTOR_PF)
		x.address = vs_get(e->vsid, MK1_INTEL_exit_qualification);
	if (!exception_is_answered(e, &x, delivering))
		deliver(e->vsid, &x);
	if (delivering)
		vmx_redeliver(e->vsid);
	else if (event & VMX_EVENT_IRET) /* it is executed again: §30.2.3 */
		set_state(e->vsid, VMX_BLOCKING_BY_NMI, 0);
	return true;
}
