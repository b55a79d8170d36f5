// SPDX-License-Identifier: GPL-2.0-only
#include "run/fail.h"

#include <abi/mk1.h>
#include <bsl/string.h>

#include "arch/intrinsics.h"
#include "arch/restore.h"
#include "arch/trap.h"
#include "debug.h"
#include "lock.h"
#include "mem/tlb.h"
#include "mk.h"
#include "obj/ext.h"
#include "obj/objects.h"
#include "pp.h"
#include "vendor.h"

/* The reset control register of PC chipsets (Intel PCH data sheets, "Reset Control Register"). */
#define RESET_PORT 0xCF9
#define RESET_HARD 0x2
#define RESET_CPU 0x4 /* set after the former, it resets */

/* Everything that this PP's run made; a later launch of the same CPU starts afresh. */
static void pp_reset(struct pp *pp)
{
	struct vs *vs = pp->root_vs;

	vs_activate(NULL);
	pp->root_vs = NULL;
	pp->launched = false;
	pp->fallback = false;
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
	mk.vendor->cpu_disable(pp);
	restore_cpu(pp->linux_gdt, &sp->cpu);
	switch_leave(sp);
}

static __noreturn void leave_on_switch_stack(struct pp *pp)
{
	tlb_part(pp);
	for (;;)
		__asm__ volatile("mov %0, %%rsp\n\t"
				 "call *%1\n\t"
				 "ud2"
				 :
				 : "r"(pp->handoff.switch_page + BF_SWITCH_STACK_TOP), "r"(leave),
				   "D"(pp->switch_page)
				 : "memory");
}

/* The number by which the loader knows the active extension, if the error is one of its own. */
static uint64_t image_at_fault(const struct pp *pp, enum bf_error error)
{
	bool nobody = error < BF_ERR_EXT_EXIT || error == BF_ERR_EXT_NO_BOOTSTRAP ||
		      error == BF_ERR_EXT_NO_VMEXIT;

	return nobody ? 0 : pp->ext->id + 1;
}

void promote(struct vs *vs)
{
	struct pp *pp = this_pp();
	struct bf_cpu_state *state = &pp->switch_page->cpu;

	mk_print("pp %u: CPU %u leaves\n", pp->handoff.ppid, pp->handoff.cpu);
	vs_activate(vs);
	bsl_memcpy(state->gpr, abi_gprs(), sizeof(state->gpr));
	mk.vendor->vs_capture(vs, state);
	if (pp->status->state == BF_PP_FAILED) {
		__atomic_store_n(&pp->status->fallback, 0, __ATOMIC_RELEASE);
	} else {
		/* Should nobody have asked for it: who did it. */
		pp->status->image = image_at_fault(pp, BF_ERR_EXT_PROMOTED);
		__atomic_store_n(&pp->status->state, BF_PP_BARE, __ATOMIC_RELEASE);
	}
	pp_reset(pp);
	leave_on_switch_stack(pp);
}

/* The launch failed: Linux finds itself where it called, with the error as result. */
static __noreturn void return_to_loader(struct pp *pp, enum bf_error error)
{
	pp->switch_page->cpu.gpr[BF_RAX] = (uint64_t)error;
	if (pp->ext) {
		pp_reset(pp);
		/* Another VS may have been active. */
		unswitched_restore(&pp->switch_page->cpu);
	}
	leave_on_switch_stack(pp);
}

/* Whether Linux has not run since the backup was taken. */
static bool backup_is_good(const struct pp *pp)
{
	return pp->vs == pp->root_vs ? pp->backup_exit == pp->log->next : pp->backup_kept;
}

void fail_remember(struct vs *vs)
{
	struct pp *pp = this_pp();

	if (vs != pp->root_vs || !pp->launched || backup_is_good(pp))
		return;
	mk.vendor->vs_capture(vs, &pp->backup);
	pp->backup_exit = pp->log->next;
	pp->backup_kept = true;
}

void fail_follow(struct pp *pp, const struct vs *next)
{
	if (pp->vs == pp->root_vs)
		pp->backup_kept = backup_is_good(pp);
	else if (next == pp->root_vs && pp->backup_kept)
		pp->backup_exit = pp->log->next;
}

/*
 * The state that Linux was launched with is long past: on a stack that others use by now, Linux
 * would destroy more than it has lost. A machine that stands still helps nobody either. So it is
 * reset, by the chipset, or else by a triple fault, as Linux itself does it. INIT, to which
 * chipsets may turn that, waits for VMXOFF or GIF.
 */
void reset_machine(struct pp *pp, const char *why)
{
	static const struct bf_table no_idt;

	mk_print("pp %u: %s: the machine is reset\n", pp->handoff.ppid, why);
	lidt(&no_idt);
	mk.vendor->cpu_disable(pp);
	outb(RESET_PORT, RESET_HARD);
	outb(RESET_PORT, RESET_HARD | RESET_CPU);
	__builtin_trap();
}

static __noreturn void enter_fallback(struct pp *pp)
{
	pp->phase = PHASE_IDLE;
	pp->fallback = true;
	vs_activate(pp->root_vs);
	if (exit_was_last(pp, pp->root_vs))
		bsl_memcpy(abi_gprs(), pp->exit_gpr, sizeof(pp->exit_gpr));
	if (backup_is_good(pp))
		(void)mk.vendor->vs_init_as_root(pp->root_vs, &pp->backup);
	mk.vendor->fallback_init(pp->root_vs);
	pp->status->fallback = 1;
	__atomic_store_n(&pp->status->state, BF_PP_FAILED, __ATOMIC_RELEASE);
	mk.vendor->vs_run(pp->root_vs);
}

void pp_fail(enum bf_error error, uint64_t detail, uint64_t rip, uint64_t address)
{
	struct pp *pp = this_pp();
	bool first = pp->status->state != BF_PP_FAILED && !pp->fallback;

	locks_abandon();
	if (first) {
		pp->status->error = error;
		pp->status->image = image_at_fault(pp, error);
		pp->status->detail = detail;
		pp->status->rip = rip;
		pp->status->address = address;
	}
	mk_print("pp %u failed: error %u, detail 0x%llx, rip 0x%llx, address 0x%llx\n",
		 pp->handoff.ppid, error, (unsigned long long)detail, (unsigned long long)rip,
		 (unsigned long long)address);
	if (pp->fallback)
		reset_machine(pp, "nothing is left to run");
	if (pp->launched && pp->root_vs)
		enter_fallback(pp);
	pp->status->fallback = 0;
	__atomic_store_n(&pp->status->state, BF_PP_FAILED, __ATOMIC_RELEASE);
	return_to_loader(pp, error);
}

void ext_fault(const struct trap_frame *frame)
{
	struct pp *pp = this_pp();
	uint64_t cr2 = read_cr2();
	uint64_t address = frame->vector == VECTOR_PF ? cr2 : 0;
	struct ext *ext = pp->ext;

	mk_print("ext %u, pp %u: exception %llu, error code 0x%llx at rip 0x%llx, rsp 0x%llx, "
		 "address 0x%llx\n",
		 ext->id, pp->handoff.ppid, (unsigned long long)frame->vector,
		 (unsigned long long)frame->error_code, (unsigned long long)frame->rip,
		 (unsigned long long)frame->rsp, (unsigned long long)address);
	if (pp->phase == PHASE_FAIL)
		pp_fail(BF_ERR_EXT_FAIL_FAULT, frame->vector, frame->rip, address);
	if (!ext->fail)
		pp_fail(BF_ERR_EXT_FAULT, frame->vector, frame->rip, address);

	bsl_memcpy(pp->fail.gpr, frame->gpr, sizeof(pp->fail.gpr));
	pp->fail.rip = frame->rip;
	pp->fail.rflags = frame->rflags;
	pp->fail.rsp = frame->rsp;
	pp->fail.vector = frame->vector;
	pp->fail.address = address;
	pp->fail.phase = pp->phase;
	ext_call(pp, ext, PHASE_FAIL, ext->fail, frame->error_code << 32 | frame->vector, cr2);
}
