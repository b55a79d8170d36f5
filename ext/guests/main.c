// SPDX-License-Identifier: MIT
/* The callbacks: Linux's exits are those of ext/linux, but for the calls of the module. */
#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>
#include <ext/guests/call.h>

const char ext_name[] = "guests";

bool is_svm;
const struct vendor *vendor;

static mk1_vmexit_fn *linux_handler;

static bool is_call(uint64_t vsid, uint64_t reason)
{
	uint64_t cpl;

	if ((mk1_rax() & GUESTS_CALL_MASK) != GUESTS_CALL)
		return false;
	if (is_svm ? (uint32_t)reason != SVM_EXIT_VMMCALL : reason != VMX_EXIT_VMCALL)
		return false;
	cpl = is_svm ? vs_get(vsid, MK1_AMD_cpl) :
		       vs_get(vsid, MK1_INTEL_ss_attrib) >> SEG_ATTRIB_DPL_SHIFT & 3;
	return cpl == 0;
}

/* On AMD, VMMCALL exits because of us: without a call it is what it is without us. */
static __noreturn void refuse_vmmcall(uint64_t vsid)
{
	vs_set(vsid, MK1_AMD_eventinj, SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCEPTION | VECTOR_UD);
	resume(vsid);
}

static void on_vmexit(uint64_t vsid, uint64_t reason)
{
	struct vcpu *v = current_vcpu();

	if (v) {
		v->exit.exits++;
		vendor->exit(v, reason);
	}
	if (is_call(vsid, reason))
		answer_call(vsid);
	if (is_svm && (uint32_t)reason == SVM_EXIT_VMMCALL)
		refuse_vmmcall(vsid);
	linux_handler(vsid, reason);
}

static void on_bootstrap(uint64_t ppid)
{
	uint64_t vsid = linux_prepare(ppid);

	if (vendor)
		vendor->setup_linux(vsid);
	xstate_limit(vs_get(vsid, REG(cr4)), vs_get(vsid, REG(xcr0)));
	resume(vsid);
}

static void on_fail(uint64_t error_and_vector, uint64_t address)
{
	linux_after_fault();
	linux_fail(error_and_vector, address);
}

int ext_start(uint64_t specs)
{
	if (!linux_start(specs))
		return 1;
	linux_handler = linux_vmexit();
	is_svm = cpu_is_amd();
	vendor = is_svm ? &svm_vendor : &vmx_vendor;
	/* Without guests Linux can still run. */
	if (!nested_start(specs)) {
		ext_print("%s: no guests: the microkernel does not speak Mk#2\n", ext_name);
		vendor = NULL;
	} else if (!xstate_start()) {
		ext_print("%s: no guests: their registers cannot be exchanged\n", ext_name);
		vendor = NULL;
	} else if (!vendor->start()) {
		vendor = NULL;
	}
	calls_begin();
	if (mk1_register_bootstrap(MK1_HANDLE, on_bootstrap) != MK1_SUCCESS ||
	    mk1_register_vmexit(MK1_HANDLE, on_vmexit) != MK1_SUCCESS ||
	    mk1_register_fail(MK1_HANDLE, on_fail) != MK1_SUCCESS) {
		ext_print("%s: the microkernel refuses the callbacks\n", ext_name);
		return 1;
	}
	return 0;
}
