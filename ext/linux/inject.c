// SPDX-License-Identifier: MIT
/* Exceptions and interrupts for Linux, and a trap after an instruction: ext/libext/inject.h. */
#include <abi/hw/svm.h>
#include <abi/mk1_regs_amd.h>
#include <ext/libext/inject.h>
#include <ext/linux/exception.h>
#include <ext/linux/vmx.h>

#define INJECTABLE \
	(1u << VECTOR_DE | 1u << VECTOR_DB | 1u << VECTOR_BR | 1u << VECTOR_UD | 1u << VECTOR_NM | \
	 1u << VECTOR_TS | 1u << VECTOR_NP | 1u << VECTOR_SS | 1u << VECTOR_GP | 1u << VECTOR_PF | \
	 1u << VECTOR_MF | 1u << VECTOR_AC | 1u << VECTOR_XM)

bool inject_is_busy(uint64_t vsid)
{
	if (linux_is_on_amd())
		return (vs_get(vsid, MK1_AMD_exitininfo) | vs_get(vsid, MK1_AMD_eventinj)) &
		       SVM_EVENT_VALID;
	return (vs_get(vsid, MK1_INTEL_idt_vectoring_information_field) |
		vs_get(vsid, MK1_INTEL_vmentry_interrupt_information_field)) &
	       VMX_EVENT_VALID;
}

const char *ext_inject_exception(struct ext_exit *e, const struct ext_exception *exception)
{
	struct ext_exception x = *exception;

	if (x.vector >= 32 || !(INJECTABLE >> x.vector & 1))
		return "it is no exception that can be injected";
	if (x.error_code >> 16)
		return "an error code has 16 bits";
	if (inject_is_busy(e->vsid))
		return "another event is to be delivered";
	/* Exceptions push none in real mode. */
	x.has_error_code = VECTOR_HAS_ERROR_CODE(x.vector) &&
			   ext_reg_read(e->vsid, EXT_REG_cr0) & CR0_PE;
	if (linux_is_on_amd())
		svm_inject(e->vsid, &x);
	else
		vmx_inject(e->vsid, &x);
	e->again = true;
	return NULL;
}

/* SDM vol. 3 §28.3.1.5 demands it of an entry; SVM injects in any state. */
static bool takes_interrupts(uint64_t vsid)
{
	uint64_t held;

	if (linux_is_on_amd())
		held = vs_get(vsid, MK1_AMD_virtual_interrupt_b) & SVM_INTERRUPT_SHADOW;
	else
		held = vs_get(vsid, MK1_INTEL_interruptibility_state) &
		       (VMX_BLOCKING_BY_STI | VMX_BLOCKING_BY_MOV_SS);
	return !held && ext_reg_read(vsid, EXT_REG_rflags) & RFLAGS_IF;
}

/*
 * A debug trap comes before an interrupt, and is lost where one is injected: SDM vol. 3 §28.7.3;
 * microkernel/svm/advance.c. That of a single step is not there yet if the instruction is to be
 * skipped.
 */
static bool may_trap(uint64_t vsid)
{
	return ext_reg_read(vsid, EXT_REG_rflags) & RFLAGS_TF ||
	       (!linux_is_on_amd() && vs_get(vsid, MK1_INTEL_pending_debug_exceptions));
}

const char *ext_inject_interrupt(struct ext_exit *e, uint8_t vector)
{
	if (vector < 32)
		return "vectors below 32 are those of exceptions";
	if (inject_is_busy(e->vsid))
		return "another event is to be delivered";
	if (!takes_interrupts(e->vsid))
		return "Linux takes no interrupts here";
	if (may_trap(e->vsid))
		return "a debug trap may come first";
	if (linux_is_on_amd())
		vs_set(e->vsid, MK1_AMD_eventinj, SVM_EVENT_VALID | SVM_EVENT_TYPE_INTR | vector);
	else
		vs_set(e->vsid, MK1_INTEL_vmentry_interrupt_information_field,
		       VMX_EVENT_VALID | VMX_EVENT_TYPE_INTR | vector);
	return NULL;
}

/* None of the instructions is a branch, for which alone TF can be: APM vol. 2 §13.1.1, BTF. */
static bool is_single_stepped(uint64_t vsid)
{
	uint64_t debugctl;

	return ext_reg_read(vsid, EXT_REG_rflags) & RFLAGS_TF &&
	       !(ext_msr_read(vsid, MSR_DEBUGCTL, &debugctl) && debugctl & DEBUGCTL_BTF);
}

void inject_after_insn(uint64_t vsid)
{
	const struct ext_exception db = { .vector = VECTOR_DB };
	bool trap = is_single_stepped(vsid);

	if (!linux_is_on_amd()) {
		vs_set(vsid, MK1_INTEL_interruptibility_state,
		       vs_get(vsid, MK1_INTEL_interruptibility_state) &
			       ~(uint64_t)(VMX_BLOCKING_BY_STI | VMX_BLOCKING_BY_MOV_SS));
		if (trap)
			vs_set(vsid, MK1_INTEL_pending_debug_exceptions,
			       vs_get(vsid, MK1_INTEL_pending_debug_exceptions) |
				       VMX_PENDING_DEBUG_BS);
		return;
	}
	vs_set(vsid, MK1_AMD_virtual_interrupt_b,
	       vs_get(vsid, MK1_AMD_virtual_interrupt_b) & ~(uint64_t)SVM_INTERRUPT_SHADOW);
	if (!trap)
		return;
	vs_set(vsid, MK1_AMD_dr6, vs_get(vsid, MK1_AMD_dr6) | DR6_BS);
	svm_inject(vsid, &db);
}
