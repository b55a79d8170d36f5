// SPDX-License-Identifier: GPL-2.0-only
#include "run/leave.h"

#include <bsl/string.h>

#include "arch/intrinsics.h"
#include "arch/restore.h"
#include "arch/trap.h"
#include "debug.h"
#include "mem/tlb.h"
#include "mk.h"
#include "obj/active.h"
#include "obj/ext.h"
#include "obj/objects.h"
#include "pp.h"
#include "run/bind.h"
#include "vendor.h"

/* The reset control register of PC chipsets (Intel PCH data sheets, "Reset Control Register"). */
#define RESET_PORT 0xCF9
#define RESET_HARD 0x2
#define RESET_CPU 0x4 /* set after the former, it resets */

/* Everything that this PP's run made; a later launch of the same CPU starts afresh. */
static void pp_reset(struct pp *pp)
{
	struct vs *vs = pp->root_vs;

	(void)vs_activate(NULL);
	pp->root_vs = NULL;
	pp->launched = false;
	pp->fallback = false;
	pp->reporting = false;
	pp->phase = PHASE_IDLE;
	if (vs) {
		uint16_t vpid = vs->vpid;

		(void)vs_destroy(vs->id);
		(void)vp_destroy(vpid); /* stays if the extension gave it more VSs */
	}
}

/*
 * On the switch page's own stack, because with Linux's TSS the microkernel's stacks are out of
 * reach for an NMI: from here on it meets the switch page's IDT, which only takes note of it.
 */
static __noreturn void leave(struct bf_switch_page *sp)
{
	struct pp *pp = this_pp();
	void (*switch_leave)(struct bf_switch_page *) __noreturn = (void *)pp->handoff.switch_leave;

	lidt(&sp->idtr);
	lgdt(&sp->gdtr);
	if (pp->nmi_pending)
		sp->nmi_pending = 1;
	if (pp->mc_pending)
		sp->mc_pending = 1;
	pp->owed = 0;
	pp->fetched = false;
	pp->nmis_blocked = false;
	mk.vendor->cpu_disable(pp);
	restore_cpu(pp->linux_gdt, &sp->cpu);
	switch_leave(sp);
}

static __noreturn void leave_on_switch_stack(struct pp *pp)
{
	tlb_part(pp);
	bind_use(pp);
	for (;;)
		__asm__ volatile("mov %0, %%rsp\n\t"
				 "call *%1\n\t"
				 "ud2"
				 :
				 : "r"(pp->handoff.switch_page + BF_SWITCH_STACK_TOP), "r"(leave),
				   "D"(pp->switch_page)
				 : "memory");
}

/*
 * During the start all CPUs are in a rendezvous until each has entered or left. Who is bound may be
 * so to a system that another one has replaced since: the driver of this one says so before.
 */
bool may_leave(const struct pp *pp)
{
	if (!(mk.handoff->flags & BF_HANDOFF_STAYS))
		return true;
	return pp->bind.page ? pp->status->leaving : pp->status->together;
}

void promote(struct vs *vs)
{
	struct pp *pp = this_pp();
	struct bf_cpu_state *state = &pp->switch_page->cpu;

	mk_print("pp %u: CPU %u leaves\n", pp->handoff.ppid, pp->handoff.cpu);
	vms_scrub();
	bsl_memcpy(state->gpr, abi_gprs(), sizeof(state->gpr));
	mk.vendor->vs_capture(vs, state);
	if (pp->status->state == BF_PP_FAILED) {
		__atomic_store_n(&pp->status->fallback, 0, __ATOMIC_RELEASE);
	} else {
		/* Should nobody have asked for it: who did it. */
		pp->status->image = pp->ext->id + 1;
		__atomic_store_n(&pp->status->state, BF_PP_BARE, __ATOMIC_RELEASE);
	}
	pp_reset(pp);
	leave_on_switch_stack(pp);
}

void leave_offline(struct pp *pp)
{
	mk_print("pp %u: CPU %u leaves, offline\n", pp->handoff.ppid, pp->handoff.cpu);
	vms_scrub();
	pp_reset(pp);
	tlb_part(pp);
	/* Before: an INIT that VMX has blocked so far resets the CPU then. */
	__atomic_store_n(&pp->status->state, BF_PP_BARE, __ATOMIC_RELEASE);
	mk.vendor->cpu_disable(pp);
	halt();
}

void return_to_loader(struct pp *pp, enum bf_error error)
{
	pp->switch_page->cpu.gpr[BF_RAX] = (uint64_t)error;
	vms_scrub();
	if (pp->ext) {
		pp_reset(pp);
		/* Another VS may have been active. */
		unswitched_restore(&pp->switch_page->cpu);
	}
	leave_on_switch_stack(pp);
}

/*
 * By the chipset, or else by a triple fault, as Linux itself does it. INIT, to which chipsets may
 * turn that, waits for VMXOFF or GIF.
 */
void reset_machine(struct pp *pp, const char *why)
{
	static const struct bf_table no_idt;

	if (!pp->reporting) {
		pp->reporting = true;
		mk_print("pp %u: %s: the machine is reset\n", pp->handoff.ppid, why);
	}
	lidt(&no_idt);
	mk.vendor->cpu_disable(pp);
	outb(RESET_PORT, RESET_HARD);
	outb(RESET_PORT, RESET_HARD | RESET_CPU);
	__builtin_trap();
}

/*
 * The state that Linux was launched with is long past: on a stack that others use by now, Linux
 * would destroy more than it has lost.
 */
void halt_cpu(struct pp *pp)
{
	if (pp->status->together)
		reset_machine(pp, "nothing is left to run, and all CPUs wait for it");
	if (!pp->reporting) {
		pp->reporting = true;
		mk_print("pp %u: nothing is left to run: CPU %u is halted\n", pp->handoff.ppid,
			 pp->handoff.cpu);
	}
	pp->phase = PHASE_IDLE;
	pp->fallback = true;
	__atomic_store_n(&pp->status->state, BF_PP_HALTED, __ATOMIC_RELEASE);
	tlb_part(pp);
	halt();
}
