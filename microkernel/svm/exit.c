// SPDX-License-Identifier: GPL-2.0-only
/* Out of the guest: exits before an extension sees them, and entries that failed. */
#include <abi/mk2.h>
#include <bsl/bits.h>
#include <bsl/string.h>

#include "arch/barrier.h"
#include "arch/intrinsics.h"
#include "debug.h"
#include "mem/mem.h"
#include "mem/nested.h"
#include "mem/view.h"
#include "mk.h"
#include "obj/outer.h"
#include "run/bind.h"
#include "run/exit.h"
#include "run/fail.h"
#include "run/leave.h"
#include "run/trace.h"
#include "svm/advance.h"
#include "svm/apic.h"
#include "svm/checks.h"
#include "svm/entry.h"
#include "svm/event.h"
#include "svm/fallback.h"
#include "svm/gp.h"
#include "svm/nmi.h"
#include "svm/run.h"
#include "svm/stall.h"
#include "svm/startup.h"
#include "svm/svm.h"
#include "svm/vs.h"

/*
 * The handlers of the exits that may concern the microkernel itself. They return whether the exit
 * is handled, and the guest to go on; else it is the extension's, with the code that the VMCB has
 * by then.
 */

/*
 * The NMI that made the guest exit has been noted since, unless it was a kick, which Linux gets
 * none of. If it is the extension's, this exit was its delivery, but out of another VS than
 * Linux's, which Linux is still owed it.
 */
static bool handle_nmi(struct vs *vs)
{
	struct pp *pp = this_pp();

	if (vs->root && pp->tlb->recallable && !pp->nmi_pending)
		return true; /* another PP has sent it: tlb.h */
	if (!vs->root && !pp->nmi_pending) {
		if (!pp->end_run)
			return true;
		pp->end_run = false;
		svm_tell_interrupt(vmcb_of(vs));
		return false;
	}
	if (vs->nmi_exiting && vs->root)
		pp->nmi_pending = false;
	if (vs->nmi_exiting)
		return false;
	if (vs->root)
		return true;
	svm_tell_interrupt(vmcb_of(vs));
	return false;
}

/* A machine check is Linux's, whatever guest it hit. */
static bool handle_machine_check(struct vs *vs)
{
	if (vs->root)
		return false;
	this_pp()->mc_pending = true;
	if (!vs->mc_exiting)
		svm_tell_interrupt(vmcb_of(vs));
	return false;
}

/* VMMCALL always exits: it is the driver's way out, and that of Linux to an outer hypervisor. */
static bool handle_vmmcall(struct vs *vs)
{
	struct vmcb *vmcb = vmcb_of(vs);
	struct pp *pp = this_pp();
	enum exit_route route;
	bool claimed = vs->svm.vmmcall_exiting && !pp->fallback;

	if (vs->root && !vmcb->cpl && abi_gprs()[BF_RAX] == BF_HYPERCALL_STOP && may_leave(pp)) {
		if (svm_vs_advance_ip(vs) == ADVANCE_DONE)
			exit_stop(vs);
		return true;
	}
	if (trace_hypercall(vs, vmcb->cpl) || exit_table(vs, vmcb->cpl) ||
	    bind_hypercall(vs, vmcb->cpl) || fault_hypercall(vs))
		return true;
	route = exit_find_route(pp, vs);
	if (route != EXIT_NO_ROUTE)
		return route == EXIT_ANSWERED;
	switch (outer_hypercall(vs, vmcb->cpl, claimed)) {
	case OUTER_DONE:
		(void)svm_vs_advance_ip(vs);
		return true;
	case OUTER_NOT_ITS:
		if (claimed || pp->fallback)
			return false;
		break;
	case OUTER_REFUSED:
		break;
	}
	svm_inject_ud(vmcb);
	return true;
}

/* Three ranges of 0x2000 MSRs have bits in a permission map (APM vol. 2 §15.11). */
static bool has_permission_bits(uint32_t msr)
{
	return msr < 0x2000 || msr - 0xC0000000 < 0x2000 || msr - 0xC0010000 < 0x2000;
}

/*
 * With MSR_PROT, an MSR that has no bits there exits always: no extension has asked for that. Linux
 * gets what the CPU, or an outer hypervisor, says to it.
 */
static bool handle_msr(struct vs *vs)
{
	uint32_t number = (uint32_t)abi_gprs()[BF_RCX];
	bool write = vmcb_of(vs)->exitinfo1 & SVM_EXITINFO1_WRITE;

	if (vs->root && svm_write_apic_msr(vs, number))
		return true;
	if (!vs->root || has_permission_bits(number))
		return false;
	if (write ? outer_wrmsr(number) : outer_rdmsr(number))
		(void)svm_vs_advance_ip(vs);
	else
		svm_inject_gp(vmcb_of(vs));
	return true;
}

/* The rights of Mk#2 that an access wanted (§15.25.6). */
static uint64_t wanted_rights(uint64_t exitinfo1)
{
	return MK2_NESTED_R | (exitinfo1 & SVM_NPF_WRITE ? MK2_NESTED_W : 0) |
	       (exitinfo1 & SVM_NPF_FETCH ? MK2_NESTED_X : 0);
}

static bool handle_npf(struct vs *vs)
{
	struct vmcb *vmcb = vmcb_of(vs);
	bool again;

	if (svm_write_apic(vs))
		return true;
	if (vs->view)
		again = view_fault(vs->view, vmcb->exitinfo2, wanted_rights(vmcb->exitinfo1));
	else
		/* That is there: the fault would come again, if another VS uses this table. */
		again = vmcb->n_cr3 == mk.root_npt && !svm_hits_apic(vmcb) &&
			nested_fault(vmcb->exitinfo2);
	if (!again)
		return false;
	/* It may have been a translation that gave fewer rights than the view does by now. */
	if (vs->view)
		this_pp()->flush_due = true;
	svm_reinject(vmcb);
	return true;
}

/*
 * To the extension it is an exit like others, and what it wrote is there to be corrected. If it
 * does not do so, and if this is Linux, the PP has failed.
 *
 * What has not been written since it last ran is none that a CPU could refuse. QEMU says so of a
 * guest that runs and writes reserved bits to CR3; the VMCB is that guest's then, as at any exit.
 */
static __cold noinline __noreturn void entry_failed_invalid_state(struct pp *pp, struct vs *vs)
{
	struct vmcb *vmcb = vmcb_of(vs);
	bool hand_back = !vs->root && !vs->refused;
	uint64_t code = vmcb->exitcode;

	pp->flush_due = true; /* perhaps it was, and has not been done */
	if (hand_back && pp->svm.entry_kept)
		svm_copy_vmcb(vmcb, phys_to_virt(pp->svm.entry_page));
	mk_print("VMRUN refused the state of vs %u\n", vs->id);
	svm_print_checks(vmcb);
	if (!hand_back) {
		svm_vs_dump(vs);
		pp_fail(BF_ERR_VS_INVALID, code, 0, 0);
	}
	vs->refused = true;
	vmcb->exitcode = SVM_EXIT_INVALID;
	vmcb->exitinfo1 = 0;
	vmcb->exitinfo2 = 0;
	vmcb->exitintinfo = 0;
	vmcb->clean = 0;
	bsl_memcpy(pp->exit_gpr, abi_gprs(), sizeof(pp->exit_gpr));
	exit_count(pp, vs, svm_exit_slot(SVM_EXIT_INVALID), SVM_EXIT_INVALID, vmcb->rip);
	exit_to_ext(pp, vs, SVM_EXIT_INVALID);
}

/* The exits that concern the microkernel itself, each before it can be the extension's. */
#define INTERNAL_EXITS(X) \
	X(SVM_EXIT_EXCEPTION + VECTOR_GP, svm_handle_gp) \
	X(SVM_EXIT_EXCEPTION + VECTOR_MC, handle_machine_check) \
	X(SVM_EXIT_NMI, handle_nmi) \
	X(SVM_EXIT_MSR, handle_msr) \
	X(SVM_EXIT_VMMCALL, handle_vmmcall) \
	X(SVM_EXIT_NPF, handle_npf)

/*
 * One test for all of them. Other codes fall onto some of these bits, too: they take the longer
 * way, and nobody handles them there.
 */
static __always_inline bool may_be_internal(uint64_t code)
{
#define INTERNAL_BIT(number, handler) | BSL_BIT((number) % 64)
	return (0 INTERNAL_EXITS(INTERNAL_BIT)) >> (code % 64) & 1;
}

static bool dispatch(struct vs *vs, uint64_t code)
{
	switch (code) {
#define INTERNAL_CASE(number, handler) \
	case (number): \
		return handler(vs);
		INTERNAL_EXITS(INTERNAL_CASE)
		INTERNAL_CASE(SVM_EXIT_CPUID, exit_cpuid)
	default:
		return false;
	}
}

/*
 * What was executed here in the guest's place may trap afterwards, as complete() has it. Who
 * intercepts #DB gets an exit for that, as the CPU gives one, and not an event, which would pass
 * the intercept by.
 */
static bool trap_exits(struct vmcb *vmcb)
{
	if (vmcb->eventinj != (SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCEPTION | VECTOR_DB) ||
	    vmcb->exitintinfo & SVM_EVENT_VALID || !(vmcb->exceptions & EXCEPTION_BIT(VECTOR_DB)))
		return false;
	vmcb->eventinj = 0;
	vmcb->exitcode = SVM_EXIT_EXCEPTION + VECTOR_DB;
	vmcb->exitinfo1 = 0;
	vmcb->exitinfo2 = 0;
	return true;
}

/* apart: the barrier behind the guest has been. */
static __cold noinline __noreturn void handle_internal_exit(struct pp *pp, struct vs *vs,
							    uint64_t code, bool apart)
{
	struct vmcb *vmcb = vmcb_of(vs);

	if (pp->barriers) {
		if (!apart)
			barrier_from_guest(pp->barriers);
		/* Only now: it returns, and how could be the guest's choice. */
		if (!(vmcb->rflags & RFLAGS_IF))
			svm_unblock_nmis(pp, vs);
	}
	if (!pp->launched)
		exit_first(pp);
	if (pp->traced)
		trace_exit(pp, vs, svm_exit_slot(code), vmcb->rip);
	if (pp->nmi_window && svm_close_window(pp, vs))
		svm_run(pp, vs);
	if (pp->fallback)
		vmcb->efer |= EFER_SVME; /* nothing keeps Linux from clearing it */
	if (!dispatch(vs, code) || trap_exits(vmcb)) {
		if (pp->fallback) {
			svm_fallback_exit(vs);
			svm_run(pp, vs);
		}
		if (pp->watched)
			svm_watch_exit(pp, vs);
		exit_looked_at(pp, vs, vmcb->exitcode);
	}
	svm_run(pp, vs);
}

static __always_inline __noreturn void handle_exit(struct pp *pp, bool apart)
{
	struct vs *vs = pp->vs;
	struct vmcb *vmcb = vmcb_of(vs);
	uint64_t code = vmcb->exitcode;

	/* Then the VMCB, RAX included, need not be the guest's any more. */
	if (unlikely((uint32_t)code == (uint32_t)SVM_EXIT_INVALID))
		entry_failed_invalid_state(pp, vs);
	pp->exit_gpr[BF_RAX] = vmcb->rax;
	abi_gprs()[BF_RAX] = vmcb->rax;
	if (unlikely(vmcb->exitintinfo & SVM_EVENT_VALID))
		svm_mend_interrupted(vmcb);
	vmcb->clean = SVM_CLEAN_ALL;
	vmcb->tlb_control = svm.idle_flush;
	exit_count(pp, vs, svm_exit_slot(code), code, vmcb->rip);
	/*
	 * In an NMI handler of Linux's, NMIs are blocked, and an exit leaves them so: nothing would
	 * reach a callback that does not end.
	 */
	if (unlikely(!(vmcb->rflags & RFLAGS_IF)) && !pp->barriers)
		svm_unblock_nmis(pp, vs);
	if (unlikely(may_be_internal(code) || exit_has_leaf() || pp->exit_slow || !pp->launched))
		handle_internal_exit(pp, vs, code, apart);
	exit_to_ext(pp, vs, code);
}

static __cold noinline __noreturn void handle_exit_flushed(struct pp *pp)
{
	if (pp->barriers)
		barrier_from_guest(pp->barriers);
	tlb_catch_up(pp);
	handle_exit(pp, true);
}

__noreturn void svm_exit(void)
{
	struct pp *pp = this_pp();

	if (unlikely(!tlb_leave_guest(pp)))
		handle_exit_flushed(pp);
	handle_exit(pp, false);
}
