/* SPDX-License-Identifier: GPL-2.0-only */
/* register_bootstrap: what is registered is called, once on every PP. */
#define CALL callback_register_bootstrap
#include "call.h"

#include "register.h"

static uint64_t called;

static void ours(uint64_t ppid)
{
	called++;
	around_bootstrap(ppid);
}

static void started(void)
{
	registers_once((uint64_t)ours);
	VERIFY_STATUS(mk1_callback_register_vmexit(MK1_HANDLE, (uint64_t)around_vmexit),
		      MK1_SUCCESS);
}

static void test(void)
{
	VERIFY(called == mk1_tls_online_pps());
	refuses_what_is_no_code();
	GIVES(MK1_FAILURE_UNKNOWN, MK1_HANDLE, (uint64_t)around_bootstrap);
}

static const struct hooks hooks = {
	.own_callbacks = true,
	.started = started,
	.exit = test,
};
