// SPDX-License-Identifier: MIT
/*
 * The callbacks. The module's calls and the exits of guests come here by Mk#2, whoever treats
 * Linux: this extension itself (ext/linux), or, if it has no right to, another one.
 */
#include <abi/hw/x86.h>
#include <ext/guests/call.h>
#include <ext/libext/arg.h>
#include <ext/libext/mk2_sys.h>

const char ext_name[] = "guests";

bool is_svm;
const struct vendor *vendor;

bool treats_linux;

void guest_vmexit(uint64_t vsid, uint64_t reason)
{
	struct vcpu *v = current_vcpu();

	if (!v)
		give_up("an exit of a guest that nobody runs", vsid, reason);
	v->exit.exits++;
	vendor->exit(v, reason);
}

static void on_call(uint64_t vsid, uint64_t reason)
{
	(void)reason;
	answer_call(vsid);
}

static void on_fail(uint64_t error_and_vector, uint64_t address)
{
	linux_after_fault();
	linux_fail(error_and_vector, address);
}

/* Without guests Linux can still run. */
static void start_guests(uint64_t specs)
{
	vendor = cpu_is_amd() ? &svm_vendor : &vmx_vendor;
	if (!nested_start(specs)) {
		ext_print("%s: no guests: the microkernel does not speak Mk#2\n", ext_name);
		vendor = NULL;
		return;
	}
	if (!xstate_start()) {
		ext_print("%s: no guests: their registers cannot be exchanged\n", ext_name);
		vendor = NULL;
	} else if (!vendor->start()) {
		vendor = NULL;
	}
	calls_begin();
	if (mk2_hypercall_route(MK2_HANDLE, GUESTS_CALL, GUESTS_CALL | ~GUESTS_CALL_MASK,
				(uint64_t)on_call) != MK1_SUCCESS)
		ext_print("%s: no guests: the calls of Linux go elsewhere\n", ext_name);
}

int ext_start(uint64_t specs)
{
	static const char *const none[] = { NULL };
	uint64_t status;

	/* It takes no arguments, and says so if there are some. */
	if (specs & MK2_SPEC_MASK && (!ext_args_load() || !ext_args_known(none)))
		return 1;
	if (!linux_start(specs))
		return 1;
	is_svm = cpu_is_amd();
	start_guests(specs);
	status = mk1_register_bootstrap(MK1_HANDLE, linux_bootstrap);
	treats_linux = status == MK1_SUCCESS;
	if (treats_linux)
		status = mk1_register_vmexit(MK1_HANDLE, linux_vmexit());
	if ((status != MK1_SUCCESS && status != MK1_INVALID_PERM_DENIED) ||
	    mk1_register_fail(MK1_HANDLE, on_fail) != MK1_SUCCESS) {
		ext_print("%s: the microkernel refuses the callbacks\n", ext_name);
		return 1;
	}
	return 0;
}
