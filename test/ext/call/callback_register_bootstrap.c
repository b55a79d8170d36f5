// SPDX-License-Identifier: GPL-2.0-only
/* register_bootstrap: what is registered is called, once on every PP. */
#include "test/ext/lib/call.h"

#include "register.h"

static uint64_t called;

static void ours(uint64_t ppid)
{
	called++;
	hooked_bootstrap(ppid);
}

static void started(void)
{
	registers_once((uint64_t)ours);
	VERIFY_STATUS(mk1_callback_register_vmexit(MK1_HANDLE, (uint64_t)hooked_vmexit),
		      MK1_SUCCESS);
}

static void test(void)
{
	VERIFY(called == mk1_tls_online_pps());
	refuses_what_is_no_code();
	GIVES(MK1_FAILURE_UNKNOWN, MK1_HANDLE, (uint64_t)hooked_bootstrap);
}

const struct call_test call_test = {
	.call = CALL_callback_register_bootstrap,
	.own_callbacks = true,
	.started = started,
	.exit = test,
};
