// SPDX-License-Identifier: GPL-2.0-only
#include "run/cross.h"

#include <bsl/string.h>

#include "arch/intrinsics.h"
#include "arch/trap.h"
#include "obj/ext.h"
#include "pp.h"

/* The arguments are those of a function in C, behind the number of the caller. */
static void set_arguments(uint64_t *gpr, const struct ext *caller, const uint64_t *args)
{
	gpr[BF_RDI] = caller->id;
	gpr[BF_RSI] = args[0];
	gpr[BF_RDX] = args[1];
	gpr[BF_RCX] = args[2];
	gpr[BF_R8] = args[3];
}

uint64_t cross_call(struct pp *pp, struct ext *callee, const uint64_t *args)
{
	struct crossing *c = &pp->crossing;
	uint64_t gpr[BF_NR_GPRS] = { 0 };

	set_arguments(gpr, pp->ext, args);
	c->caller = pp->ext;
	c->phase = pp->phase;
	c->gs_base = rdmsr(MSR_GS_BASE);
	bsl_memcpy(c->gpr, abi_gprs(), sizeof(c->gpr));
	ext_switch(pp, callee);
	bsl_memset(abi_gprs(), 0, sizeof(c->gpr));
	ext_load_fs(pp);
	wrmsr(MSR_GS_BASE, 0);
	pp->phase = PHASE_ENTRY;
	return call_ring3(&c->kept, gpr, callee->entry, pp->stack_top);
}

__noreturn void cross_return(struct pp *pp, uint64_t status)
{
	struct crossing *c = &pp->crossing;

	pp->watch = c->time;
	ext_switch(pp, c->caller);
	bsl_memcpy(abi_gprs(), c->gpr, sizeof(c->gpr));
	ext_load_fs(pp);
	wrmsr(MSR_GS_BASE, c->gs_base);
	pp->phase = c->phase;
	c->caller = NULL;
	return_to_kept(&c->kept, status);
}
