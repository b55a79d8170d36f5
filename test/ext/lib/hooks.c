// SPDX-License-Identifier: GPL-2.0-only
#include "test/ext/lib/hooks.h"

const char ext_name[] = "default"; /* whose work is hooked */

bool is_svm;

static mk1_vmexit_fn *default_handler;

void hooked_bootstrap(uint64_t ppid)
{
	if (ext_hooks.bootstrap)
		ext_hooks.bootstrap(ppid);
	linux_bootstrap(ppid);
}

void hooked_vmexit(uint64_t vsid, uint64_t reason)
{
	if (ext_hooks.vmexit)
		ext_hooks.vmexit(vsid, reason);
	default_handler(vsid, reason);
}

static bool registers(char which)
{
	return !ext_hooks.registers || ext_hooks.registers(which);
}

static bool register_callbacks(void)
{
	if (registers('b') && mk1_register_bootstrap(MK1_HANDLE, hooked_bootstrap) != MK1_SUCCESS)
		return false;
	if (registers('v') && mk1_register_vmexit(MK1_HANDLE, hooked_vmexit) != MK1_SUCCESS)
		return false;
	return !ext_hooks.fail || !registers('f') ||
	       mk1_register_fail(MK1_HANDLE, ext_hooks.fail) == MK1_SUCCESS;
}

int ext_start(uint64_t specs)
{
	is_svm = cpu_is_amd();
	if (ext_hooks.start && ext_hooks.start(specs))
		return 1;
	if (!linux_start(specs))
		return 1;
	default_handler = linux_vmexit();
	if (!register_callbacks()) {
		ext_print("hooks: the microkernel refuses the callbacks\n");
		return 1;
	}
	return ext_hooks.started ? ext_hooks.started() : 0;
}
