// SPDX-License-Identifier: GPL-2.0-only
/* register_vmexit: what is registered is called, for every exit. */
#include "test/ext/lib/call.h"

#include "register.h"

static uint64_t called;

static void ours(uint64_t vsid, uint64_t reason)
{
	called++;
	hooked_vmexit(vsid, reason);
}

static void started(void)
{
	registers_once((uint64_t)ours);
	VERIFY_STATUS(mk1_callback_register_bootstrap(MK1_HANDLE, (uint64_t)hooked_bootstrap),
		      MK1_SUCCESS);
}

static void test(void)
{
	VERIFY(called);
	refuses_what_is_no_code();
	GIVES(MK1_FAILURE_UNKNOWN, MK1_HANDLE, (uint64_t)hooked_vmexit);
}

const struct call_test call_test = {
	.call = CALL_callback_register_vmexit,
	.own_callbacks = true,
	.started = started,
	.exit = test,
};
