// SPDX-License-Identifier: GPL-2.0-only
#include "run/exit.h"

#include "arch/intrinsics.h"
#include "debug.h"
#include "mk.h"
#include "obj/route.h"
#include "run/fail.h"
#include "run/leave.h"
#include "run/trace.h"
#include "vendor.h"

void exit_first(struct pp *pp)
{
	pp->launched = true;
	pp->status->error = BF_ERR_OK;
	__atomic_store_n(&pp->status->state, BF_PP_GUEST, __ATOMIC_RELEASE);
	mk_print("pp %u: CPU %u is a guest\n", pp->handoff.ppid, pp->handoff.cpu);
}

void exit_find_ext(struct pp *pp, const struct vs *vs, uint64_t reason)
{
	if (pp->exit_ext->ended)
		leave_ended();
	ext_switch(pp, pp->exit_ext);
	exit_call(pp, vs, reason);
}

void exit_looked_at(struct pp *pp, const struct vs *vs, uint64_t reason)
{
	const struct route *route = pp->route;

	pp->route = NULL;
	if (pp->traced)
		trace_asked(pp, route ? route->ext : pp->exit_ext);
	if (route) {
		pp->answering = true;
		pp->status->ext_exits[route->ext->id]++;
		(void)mk.vendor->vs_read(pp->root_vs, mk.vendor->rip, &pp->asked_at);
		ext_call(pp, route->ext, PHASE_VMEXIT, route->fn, vs->id, reason);
	}
	if (pp->exit_ext->ended)
		leave_ended();
	exit_to_ext(pp, vs, reason);
}

enum exit_route exit_find_route(struct pp *pp, struct vs *vs)
{
	const struct route *route = NULL;

	if (vs == pp->root_vs && !pp->fallback && mk.vendor->vs_cpl(vs) == 0)
		route = route_find(abi_gprs()[BF_RAX]);
	if (!route)
		return EXIT_NO_ROUTE;
	if (!route->ext->ended) {
		pp->route = route;
		return EXIT_ROUTE;
	}
	if (mk.vendor->vs_advance_ip(vs) == ADVANCE_DONE)
		abi_gprs()[BF_RAX] = MK1_FAILURE_UNSUPPORTED;
	return EXIT_ANSWERED;
}

bool exit_cpuid(struct vs *vs)
{
	uint64_t *gpr = abi_gprs();
	struct cpuid_regs r;

	if (!exit_has_leaf() || mk.vendor->vs_cpl(vs) == 0)
		return false;
	if (mk.vendor->vs_advance_ip(vs) == ADVANCE_DONE) {
		r = cpuid((uint32_t)gpr[BF_RAX], (uint32_t)gpr[BF_RCX]);
		gpr[BF_RAX] = r.eax;
		gpr[BF_RBX] = r.ebx;
		gpr[BF_RCX] = r.ecx;
		gpr[BF_RDX] = r.edx;
	}
	return true;
}

bool exit_call_unanswered(const struct vs *vs)
{
	if (mk.vendor->vs_cpl(vs) != 0)
		return false;
	abi_gprs()[BF_RAX] = MK1_FAILURE_UNSUPPORTED;
	return true;
}

bool exit_table(struct vs *vs, unsigned int cpl)
{
	if (!vs->root || cpl || abi_gprs()[BF_RAX] != BF_HYPERCALL_TABLE)
		return false;
	if (mk.vendor->vs_advance_ip(vs) == ADVANCE_DONE)
		abi_gprs()[BF_RAX] = mk.handoff->table;
	return true;
}

void exit_stop(struct vs *vs)
{
	abi_gprs()[BF_RAX] = BF_HYPERCALL_STOPPED;
	promote(vs);
}
