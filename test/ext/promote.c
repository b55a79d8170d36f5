// SPDX-License-Identifier: GPL-2.0-only
/* The default extension, which gives the last PP back before it has become a guest. */
#include "test/ext/lib/hooks.h"

static void in_bootstrap(uint64_t ppid)
{
	uint64_t vpid, vsid;

	if (ppid + 1 != mk1_tls_online_pps())
		return;
	if (mk1_vp_create_vp(MK1_HANDLE, MK1_ROOT_VMID, &vpid) == MK1_SUCCESS &&
	    mk1_vs_create_vs(MK1_HANDLE, vpid, ppid, &vsid) == MK1_SUCCESS &&
	    mk1_vs_init_as_root(MK1_HANDLE, vsid) == MK1_SUCCESS)
		mk1_vs_promote(MK1_HANDLE, vsid);
}

const struct ext_hooks ext_hooks = {
	.bootstrap = in_bootstrap,
};
