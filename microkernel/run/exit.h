/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The common part of the exit path. It is inline because every instruction here is paid on every
 * exit; what is rare is a function of its own, so that the path need not save registers for it.
 */
#ifndef MK_EXIT_H
#define MK_EXIT_H

#include <abi/mk1.h>
#include <abi/types.h>
#include <bsl/compiler.h>

#include "arch/trap.h"
#include "mem/tlb.h"
#include "obj/ext.h"
#include "obj/objects.h"
#include "pp.h"
#include "run/stall.h"

/* The first exit of a launch, where pp->launched is not set yet: the PP is in. */
void exit_first(struct pp *pp);

/* Another extension's address space is loaded than that of the one for exits. */
__cold noinline __noreturn void exit_find_ext(struct pp *pp, const struct vs *vs, uint64_t reason);

/*
 * The end of an exit that the microkernel has had a look at: to the extension for it, which may
 * have ended, or be that of a route.
 */
__cold noinline __noreturn void exit_looked_at(struct pp *pp, const struct vs *vs, uint64_t reason);

/*
 * Whether a hypercall of vs is for the extension of a route, to which the exit goes then
 * (exit_looked_at), or has been answered, as that has ended.
 */
enum exit_route { EXIT_NO_ROUTE, EXIT_ROUTE, EXIT_ANSWERED };
enum exit_route exit_find_route(struct pp *pp, struct vs *vs);

/* The hypercall that no extension can block, from CPL 0 of the root VM. */
__noreturn void exit_stop(struct vs *vs);

/* BF_HYPERCALL_TABLE, at this privilege level. false: it is not that one. */
bool exit_table(struct vs *vs, unsigned int cpl);

/*
 * The hypercall that provokes a fault, in the test build (make faults); no other one has it.
 * Returns whether this is it, and the guest is to go on.
 */
#ifdef BF_FAULTS
bool fault_hypercall(struct vs *vs);
#else
#define fault_hypercall(vs) false
#endif

/*
 * A hypercall that nobody is there for any more: a module of Linux that knows nothing of the
 * extension's failure is told so. false: it comes from user mode, which has #UD.
 */
bool exit_call_unanswered(const struct vs *vs);

/* Whether RAX is the leaf of CPUID by which a kernel talks to the extension. */
static __always_inline bool exit_has_leaf(void)
{
	return (uint32_t)abi_gprs()[BF_RAX] == MK1_CPUID_LEAF;
}

/*
 * A CPUID. Any process can execute it: with that leaf it is the extension's from CPL 0 only, and
 * for all others one of the leaves that the CPU lacks, which is answered here. Returns whether the
 * guest is to go on; else the exit is the extension's.
 */
bool exit_cpuid(struct vs *vs);

/* Counts and logs an exit; slot is the index in bf_pp_status.exit_count. */
static __always_inline void exit_count(struct pp *pp, const struct vs *vs, unsigned int slot,
				       uint64_t reason, uint64_t rip)
{
	struct bf_pp_status *status = pp->status;
	uint64_t exits = ++pp->exits;
	struct exit_log_entry *e = &pp->log[exits % MK_EXIT_LOG_ENTRIES];

	if (unlikely(!(exits % STALL_SAMPLE)))
		pp->watched = true;
	status->exits = exits;
	status->exit_count[slot]++;
	e->reason = reason;
	e->rip = rip;
	e->vsid = vs->id;
}

/* Up to the extension for the exits of the active VS, whose address space is loaded. */
static __always_inline __noreturn void exit_call(struct pp *pp, const struct vs *vs,
						 uint64_t reason)
{
	pp->status->ext_exits[pp->exit_ext->id]++;
	pp->phase = PHASE_VMEXIT;
	enter_ring3(vs->id, reason, pp->stack_top, pp->exit_fn);
}

static __always_inline __noreturn void exit_to_ext(struct pp *pp, const struct vs *vs,
						   uint64_t reason)
{
	if (unlikely(pp->ext != pp->exit_ext))
		exit_find_ext(pp, vs, reason);
	exit_call(pp, vs, reason);
}

#endif
