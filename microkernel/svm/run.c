// SPDX-License-Identifier: GPL-2.0-only
/* Into the guest. */
#include <bsl/string.h>

#include "arch/apic.h"
#include "arch/barrier.h"
#include "mem/mem.h"
#include "mk.h"
#include "run/exit.h"
#include "run/startup.h"
#include "run/trace.h"
#include "svm/entry.h"
#include "svm/event.h"
#include "svm/nmi.h"
#include "svm/run.h"
#include "svm/stall.h"
#include "svm/startup.h"
#include "svm/svm.h"

__noreturn void svm_exit_at_once(struct pp *pp, struct vs *vs, uint64_t code, uint64_t info)
{
	struct vmcb *vmcb = vmcb_of(vs);

	pp->end_run = false;
	stgi();
	if (!tlb_leave_guest(pp))
		tlb_catch_up(pp);
	vmcb->exitcode = code;
	vmcb->exitinfo1 = info;
	vmcb->exitinfo2 = 0;
	vmcb->exitintinfo = 0;
	bsl_memcpy(pp->exit_gpr, abi_gprs(), sizeof(pp->exit_gpr));
	exit_count(pp, vs, svm_exit_slot(code), code, vmcb->rip);
	if (pp->traced)
		trace_exit(pp, vs, svm_exit_slot(code), vmcb->rip);
	if (pp->watched)
		svm_watch_exit(pp, vs);
	exit_looked_at(pp, vs, code);
}

/*
 * What Linux is owed does not wait for another guest, nor does who wants that to exit. Should it be
 * about to take an event, it takes it first: an NMI ends its run then, and a machine check, for
 * which there is no such thing, waits for the next exit.
 */
static void do_not_run(struct pp *pp, struct vs *vs)
{
	if (!(vmcb_of(vs)->eventinj & SVM_EVENT_VALID))
		svm_exit_at_once(pp, vs, SVM_EXIT_INTR, 0);
	/* It is owed again as soon as it arrives. */
	if (pp->nmi_pending && apic_send_nmi(pp->tlb->apic_id))
		pp->nmi_pending = false;
	else if (pp->end_run || pp->fetched)
		tlb_end_own_run(pp);
}

/*
 * What an exit changes of a VMCB. CPUs differ in what a VMRUN that they refuse leaves there: it may
 * be values of root mode.
 */
#define CONTROL_AREA_END offsetof(struct vmcb, pad2)
#define SAVE_AREA_END offsetof(struct vmcb, pad8)

void svm_copy_vmcb(void *to, const void *from)
{
	bsl_memcpy(to, from, CONTROL_AREA_END);
	bsl_memcpy((uint8_t *)to + VMCB_SAVE_AREA, (const uint8_t *)from + VMCB_SAVE_AREA,
		   SAVE_AREA_END - VMCB_SAVE_AREA);
}

/* The CPU does not refuse what has been in it before, so a copy is due after writes only. */
static void prepare_guest(struct pp *pp, struct vs *vs)
{
	if (pp->no_guest)
		do_not_run(pp, vs);
	pp->svm.entry_kept = vmcb_of(vs)->clean != SVM_CLEAN_ALL;
	if (pp->svm.entry_kept)
		svm_copy_vmcb(phys_to_virt(pp->svm.entry_page), vs->block);
	if (pp->barriers)
		barrier_to_guest(pp->barriers, &pp->last_guest, vs->vmid);
}

/*
 * A kick that became one with the NMI that this takes would be awaited in vain. In a window none is
 * sent; what has been noted meanwhile is looked at again if Linux is entered without.
 */
static void enter_nmi_handler(struct pp *pp)
{
	if (tlb_enter_place(pp, TLB_IN_WINDOW))
		svm_enter_nmi_handler(pp);
	if (startup_is_pending(pp) || tlb_is_recalled(pp))
		pp->fetched = true;
}

/* What Linux's NMIs need before it is entered. false: that has to begin again. */
static bool prepare_nmis(struct pp *pp, struct vs *vs)
{
	if (pp->nmis_blocked) {
		enter_nmi_handler(pp);
		return false;
	}
	if (pp->nmi_pending && pp->tlb->recallable && !svm_open_window(pp, vs)) {
		(void)svm_close_window(pp, vs);
		return false;
	}
	return true;
}

/*
 * Of Linux. An event that it is about to take stays where it is, and goes in with the next entry.
 * Without an extension there is nobody to be told.
 */
static void do_what_others_want(struct pp *pp, struct vs *vs)
{
	uint8_t vector;

	if (svm_carry_out_startup(pp, vs, &vector)) {
		pp->fetched = tlb_is_recalled(pp);
		svm_exit_at_once(pp, vs, SVM_EXIT_INIT, vector);
	}
	if (tlb_take_recall(pp) && !pp->fallback)
		svm_exit_at_once(pp, vs, SVM_EXIT_INTR, 0);
}

/*
 * Its extension has Linux execute one instruction, which an exit ends, and nobody sees the trap
 * flag. An NMI before that would save it, and the IRET of Linux's handler set it again, whatever
 * exits meanwhile. So it comes with the next entry.
 */
static bool is_stepped(const struct vmcb *vmcb)
{
	return vmcb->rflags & RFLAGS_TF && vmcb->interrupt_shadow & SVM_INTERRUPT_SHADOW &&
	       vmcb->exceptions & (1U << VECTOR_DB) && !(vmcb->eventinj & SVM_EVENT_VALID);
}

void svm_before_entry(struct pp *pp, struct vs *vs)
{
	if (pp->entry_watched) {
		svm_watch_entry(pp, vs);
		trace_entry(pp);
	}
	if (!vs->root)
		prepare_guest(pp, vs);
	/* Behind the copy: the extension has not asked for it. */
	if (pp->flush_due)
		vmcb_of(vs)->tlb_control = SVM_TLB_FLUSH_ALL;
	pp->flush_due = false;
	if (!vs->root)
		return;
	pp->end_run = false;
	if (pp->fetched)
		do_what_others_want(pp, vs);
	if (!pp->nmis_blocked && is_stepped(vmcb_of(vs)))
		return;
	if (!prepare_nmis(pp, vs))
		svm_run_kicked(pp, vs);
	svm_take_owed(pp, vs);
}

void svm_run_kicked(struct pp *pp, struct vs *vs)
{
	do {
		stgi();
		tlb_await_kick(pp);
		clgi();
	} while (!tlb_enter_guest(pp));
	if (pp->before_entry)
		svm_before_entry(pp, vs);
	svm_enter(vs->block_spa);
}

void svm_vs_run(struct vs *vs)
{
	svm_run(this_pp(), vs);
}
