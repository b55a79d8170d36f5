// SPDX-License-Identifier: GPL-2.0-only
#include "exit.h"

#include "fail.h"

void exit_first(struct pp *pp)
{
	pp->launched = true;
	pp->status->error = BF_ERR_OK;
	__atomic_store_n(&pp->status->state, BF_PP_GUEST, __ATOMIC_RELEASE);
}

void exit_find_ext(struct pp *pp, uint64_t reason)
{
	if (!mk.vmexit_ext)
		fail(BF_ERR_EXT_NO_VMEXIT, reason, 0, 0);
	ext_switch(pp, mk.vmexit_ext);
}

void exit_stop(struct vs *vs)
{
	abi_gprs()[BF_RAX] = 0;
	promote(vs);
}
