// SPDX-License-Identifier: GPL-2.0-only
/* register_fail: what is registered is called for a fault of the extension, and may end it. */
#include "test/ext/lib/call.h"

#include "register.h"

static bool called;

/* The instruction of the guest is executed again, and asks for the next step. */
static void ours(uint64_t error_and_vector, uint64_t address)
{
	uint64_t stack = MK1_EXT_FAIL_STACK_BASE + mk1_tls_ppid() * (uint64_t)MK1_EXT_STACK_STRIDE;
	uint64_t here = (uint64_t)__builtin_frame_address(0);

	called = true;
	VERIFY(error_and_vector == VECTOR_DE);
	(void)address; /* what an earlier page fault left */
	VERIFY(here >= stack && here < stack + MK1_EXT_STACK_SIZE);
	GIVES(MK1_FAILURE_UNKNOWN, MK1_HANDLE, (uint64_t)ours);
	mk1_set_rcx(1);
	mk1_vs_run_current(MK1_HANDLE);
	ext_exit();
}

static void started(void)
{
	registers_once((uint64_t)ours);
	VERIFY_STATUS(mk1_callback_register_bootstrap(MK1_HANDLE, (uint64_t)hooked_bootstrap),
		      MK1_SUCCESS);
	VERIFY_STATUS(mk1_callback_register_vmexit(MK1_HANDLE, (uint64_t)hooked_vmexit),
		      MK1_SUCCESS);
}

static void test(void)
{
	if (mk1_rcx() == 1) {
		VERIFY(called);
		return;
	}
	called = false;
	refuses_what_is_no_code();
	__asm__ volatile("xor %%edx, %%edx\n\tmov $1, %%eax\n\tdivl %%edx"
			 :
			 :
			 : "eax", "edx", "cc");
	UNREACHED("a division by 0 came back");
}

const struct call_test call_test = {
	.call = CALL_callback_register_fail,
	.own_callbacks = true,
	.started = started,
	.exit = test,
};
