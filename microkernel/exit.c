// SPDX-License-Identifier: GPL-2.0-only
/* The common part of the exit path: every instruction here is paid on every exit. */
#include "ext.h"
#include "fail.h"
#include "mk.h"
#include "objects.h"
#include "pp.h"
#include "trap.h"
#include "vendor.h"

static void first_exit(struct pp *pp)
{
	pp->launched = true;
	pp->status->error = BF_ERR_OK;
	__atomic_store_n(&pp->status->state, BF_PP_GUEST, __ATOMIC_RELEASE);
}

void exit_count(struct pp *pp, const struct vs *vs, unsigned int slot, uint64_t reason, uint64_t rip)
{
	struct exit_log_entry *e = &pp->log[pp->log_next++ % MK_EXIT_LOG_ENTRIES];

	e->reason = reason;
	e->rip = rip;
	e->vsid = vs->id;
	pp->status->exit_count[slot]++;
	pp->status->exits++;
	if (!pp->launched)
		first_exit(pp);
}

void exit_to_ext(struct vs *vs, uint64_t reason)
{
	struct pp *pp = this_pp();
	struct ext *ext = mk.vmexit_ext;

	if (!ext)
		fail(BF_ERR_EXT_NO_VMEXIT, reason, 0, 0);
	if (pp->ext != ext)
		ext_switch(pp, ext);
	pp->phase = PHASE_VMEXIT;
	enter_ring3(ext->vmexit, pp->stack_top, vs->id, reason);
}

void exit_stop(struct vs *vs)
{
	abi_gprs()[BF_RAX] = 0;
	promote(vs);
}
