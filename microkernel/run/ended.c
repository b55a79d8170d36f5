// SPDX-License-Identifier: GPL-2.0-only
#include "run/ended.h"

#include <abi/loader.h>
#include <abi/mk1.h>
#include <bsl/string.h>

#include "debug.h"
#include "mem/tlb.h"
#include "mk.h"
#include "obj/active.h"
#include "obj/ext.h"
#include "obj/objects.h"
#include "obj/policy.h"
#include "pp.h"
#include "run/report.h"
#include "vendor.h"

/* That the CPU refuses Linux's own VS is nothing that another extension could go on with. */
bool ended_alone(enum bf_error error)
{
	const struct pp *pp = this_pp();

	return BF_ERROR_IS_EXTENSION(error) && pp->launched && pp->root_vs && !pp->fallback &&
	       !(pp->ext->rights & BF_RIGHT_linux) &&
	       !(error == BF_ERR_VS_INVALID && pp->vs == pp->root_vs);
}

void ended_note(enum bf_error error, uint64_t detail, const struct place *place)
{
	struct pp *pp = this_pp();
	struct bf_ended *ended = ext_ended(pp->ext->id);

	if (__atomic_exchange_n(&pp->ext->noted, true, __ATOMIC_RELAXED))
		return;
	ended->detail = detail;
	report_save(pp, &ended->report, error, pp->ext->id + 1, place);
}

/*
 * Linux is where it was, or waits for the answer to a hypercall. Who has changed its general
 * registers for that has not finished. Behind the hypercall it gets an answer here; at it, it calls
 * once more, and gets one then: exit_find_route.
 */
void ended_answer(struct pp *pp)
{
	uint64_t rip;

	if (!pp->answering)
		return;
	bsl_memcpy(abi_gprs(), exit_was_last(pp, pp->root_vs) ? pp->exit_gpr : pp->backup.gpr,
		   sizeof(pp->exit_gpr));
	if (mk.vendor->vs_read(pp->root_vs, mk.vendor->rip, &rip) == MK1_SUCCESS &&
	    rip != pp->asked_at)
		abi_gprs()[BF_RAX] = MK1_FAILURE_UNSUPPORTED;
	pp->answering = false;
}

/* Whether a PP is in a guest that has no extension any more. */
static bool runs_for_nobody(uint16_t vmid, uint32_t ppid)
{
	bool found = false;

	(void)vmid;
	for (uint16_t id = 0; !found && id < MK_MAX_VMS; id++) {
		const struct vm *vm = vm_find(id);

		found = vm && vm->handler && vm->handler->ended && guest_is_active(id, ppid);
	}
	return found;
}

void ended_spread(void)
{
	const struct pp *pp = this_pp();
	struct ext *ext = pp->ext;

	policy_end(ext);
	mk_print("ext %u has ended, and its guests\n", ext->id);
	for (uint32_t ppid = 0; ppid < mk.handoff->nr_pps; ppid++) {
		if (ppid != pp->handoff.ppid && !tlb_end_run(ppid, runs_for_nobody))
			mk_print("pp %u does not answer\n", ppid);
	}
}
