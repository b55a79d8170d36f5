// SPDX-License-Identifier: MIT
/* Where the default extension begins; a test that wraps its callbacks begins elsewhere. */
#include <ext/default/default.h>

int ext_start(uint64_t specs)
{
	if (!default_start(specs))
		return 1;
	if (mk1_register_bootstrap(MK1_HANDLE, default_bootstrap) != MK1_SUCCESS ||
	    mk1_register_vmexit(MK1_HANDLE, default_vmexit()) != MK1_SUCCESS ||
	    mk1_register_fail(MK1_HANDLE, default_fail) != MK1_SUCCESS) {
		ext_print("default: the microkernel refuses the callbacks\n");
		return 1;
	}
	return 0;
}
