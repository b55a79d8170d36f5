// SPDX-License-Identifier: MIT
/* AMD: exceptions that exit for the hooks (APM vol. 2 §15.12, §15.20). */
#include <abi/hw/svm.h>
#include <abi/mk1_regs_amd.h>
#include <ext/linux/exception.h>
#include <ext/linux/linux.h>
#include <ext/linux/step.h>

void svm_inject(uint64_t vsid, const struct ext_exception *x)
{
	uint64_t event = SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCEPTION | x->vector;

	if (x->vector == VECTOR_PF)
		vs_set(vsid, MK1_AMD_cr2, x->address);
	if (x->has_error_code)
		event |= (uint64_t)x->error_code << 32 | SVM_EVENT_ERROR_CODE;
	/* As a fault pushes it; and its delivery ends a shadow. */
	if (x->vector != VECTOR_DB)
		vs_set(vsid, MK1_AMD_rflags, vs_get(vsid, MK1_AMD_rflags) | RFLAGS_RF);
	vs_set(vsid, MK1_AMD_virtual_interrupt_b,
	       vs_get(vsid, MK1_AMD_virtual_interrupt_b) & ~(uint64_t)SVM_INTERRUPT_SHADOW);
	vs_set(vsid, MK1_AMD_eventinj, event);
}

static __noreturn void deliver(uint64_t vsid, const struct ext_exception *x)
{
	static const struct ext_exception df = { .vector = VECTOR_DF, .has_error_code = true };
	uint64_t first = vs_get(vsid, MK1_AMD_exitininfo);
	enum exception_pair pair = EXCEPTION_SECOND;

	if (first & SVM_EVENT_VALID && (first & SVM_EVENT_TYPE) == SVM_EVENT_TYPE_EXCEPTION)
		pair = exception_combine(first & SVM_EVENT_VECTOR, x->vector);
	if (x->vector == VECTOR_PF)
		vs_set(vsid, MK1_AMD_cr2, x->address);
	if (pair == EXCEPTION_SHUTDOWN)
		give_up("the guest shut down (triple fault); RIP", vsid, vs_get(vsid, MK1_AMD_rip));
	svm_inject(vsid, pair == EXCEPTION_DOUBLE_FAULT ? &df : x);
	resume(vsid);
}

struct ext_exception svm_exception_of(uint64_t vsid, uint8_t vector)
{
	struct ext_exception x = { .vector = vector };

	x.has_error_code = VECTOR_HAS_ERROR_CODE(vector) && vs_get(vsid, MK1_AMD_cr0) & CR0_PE;
	if (x.has_error_code)
		x.error_code = (uint32_t)vs_get(vsid, MK1_AMD_exitinfo1);
	if (vector == VECTOR_PF)
		x.address = vs_get(vsid, MK1_AMD_exitinfo2);
	return x;
}

bool svm_exception(struct ext_exit *e)
{
	bool delivering = vs_get(e->vsid, MK1_AMD_exitininfo) & SVM_EVENT_VALID;
	struct ext_exception x =
		svm_exception_of(e->vsid, (uint8_t)(e->reason - SVM_EXIT_EXCEPTION));

	if (!exception_is_watched(x.vector))
		return false;
	if (!exception_is_answered(e, &x, delivering))
		deliver(e->vsid, &x);
	if (delivering)
		svm_redeliver(e->vsid);
	return true;
}
