// SPDX-License-Identifier: GPL-2.0-only
/*
 * Into the guest.
 *
 * NMIs: the CPU takes one at any time in root mode, and one that arrives in the guest exits. Both
 * are noted in pp->nmi_pending (and machine checks of root mode in pp->mc_pending). The root VS
 * then runs with NMI-window exiting, which exits when the guest can take the NMI (SDM vol. 3
 * §28.2). The handler opens the window itself, so that an NMI between the look at nmi_pending in
 * vmx_run_slow and the VM entry is not late. Another VS does not run then: its run ends with
 * an exit for Linux.
 */
#include <bsl/string.h>

#include "arch/barrier.h"
#include "arch/intrinsics.h"
#include "mk.h"
#include "run/exit.h"
#include "run/trace.h"
#include "vmx/cr.h"
#include "vmx/entry.h"
#include "vmx/event.h"
#include "vmx/run.h"
#include "vmx/stall.h"
#include "vmx/vmx.h"

/* An exit without an entry before it. */
static __noreturn void exit_at_once(struct pp *pp, struct vs *vs)
{
	bool starts = pp->exits == pp->vmx.started_at; /* an INIT that is late is so still */

	pp->end_run = false;
	if (!tlb_leave_guest(pp))
		tlb_catch_up(pp);
	bsl_memcpy(pp->exit_gpr, abi_gprs(), sizeof(pp->exit_gpr));
	exit_count(pp, vs, VMX_EXIT_EXTERNAL_INTERRUPT, VMX_EXIT_EXTERNAL_INTERRUPT,
		   vmcs_read(VMCS_rip));
	if (starts)
		pp->vmx.started_at = pp->exits;
	vmx_tell_interrupt(pp, vs);
	if (pp->traced)
		trace_exit(pp, vs, VMX_EXIT_EXTERNAL_INTERRUPT, vmcs_read(VMCS_rip));
	if (pp->watched)
		vmx_watch_exit(pp, vs, vs->vmx.told);
	exit_looked_at(pp, vs, vs->vmx.told);
}

/*
 * What Linux is owed does not wait for another guest, nor does who wants that to exit. Should it be
 * about to take an event, it takes it first: the NMI window ends its run then.
 */
static void do_not_run(struct pp *pp, struct vs *vs)
{
	if (vmcs_read(VMCS_vmentry_interrupt_information_field) & VMX_EVENT_VALID) {
		pp->entry_dirty = true;
		vmx_set_nmi_window(true);
		return;
	}
	exit_at_once(pp, vs);
}

/* What nothing but that ends: NMIs and INIT are blocked (SDM vol. 3 §28.2, §29.7.2). */
static bool awaits_ipi(const struct vs *vs)
{
	return mk.keep_cpus && vs->root &&
	       vmcs_read(VMCS_activity_state) == VMX_ACTIVITY_WAIT_FOR_SIPI;
}

/*
 * Of Linux. An event that it is about to take stays where it is, and goes in with the next entry.
 * Without an extension there is nobody to be told. A CPU that waits is told once its start-up IPI
 * has come, which would be lost in root mode.
 */
static void do_what_others_want(struct pp *pp, struct vs *vs)
{
	pp->fetched = false; /* first: whoever asks from now on sets it again */
	if (pp->vmx.init)
		vmx_await_startup(pp);
	if (!awaits_ipi(vs) && tlb_take_recall(pp) && !pp->fallback)
		exit_at_once(pp, vs);
}

/* false: Linux has been recalled since do_what_others_want, by who saw this PP in root mode. */
static bool take_place(struct pp *pp, const struct vs *vs)
{
	bool waits = awaits_ipi(vs);

	pp->status->awaits_ipi = waits;
	while (!tlb_enter_guest(pp) || (waits && !tlb_enter_place(pp, TLB_AWAITS_IPI)))
		tlb_await_kick(pp);
	return !vs->root || !__atomic_load_n(&pp->fetched, __ATOMIC_RELAXED);
}

void vmx_run_slow(struct pp *pp, struct vs *vs)
{
	bool launched = vs->vmx.launched;

	vmx_current(vs);
	pp->entry_dirty = false;
	vs->vmx.told = 0;
	if (vs->vmx.host_cr3 != pp->vmx.host_cr3) {
		vmcs_write(VMCS_HOST_CR3, pp->vmx.host_cr3);
		vmcs_write(VMCS_HOST_FS_BASE, pp->vmx.host_fs_base);
		vs->vmx.host_cr3 = pp->vmx.host_cr3;
	}
	if (vs->vmx.raw_crs)
		vmx_complete_crs(vs);
	if (pp->entry_watched) {
		vmx_watch_entry(pp, vs);
		trace_entry(pp);
	}
	if (read_cr2() != vs->vmx.cr2)
		write_cr2(vs->vmx.cr2);
	if (read_dr6() != vs->vmx.dr6)
		write_dr6(vs->vmx.dr6);
	if (pp->mc_pending && vs->root)
		vmx_take_machine_check(pp);
	if (vs->root)
		pp->end_run = false;
	do {
		if (vs->root && pp->fetched)
			do_what_others_want(pp, vs);
		else if (!vs->root && pp->no_guest)
			do_not_run(pp, vs);
		/* Last of all: from here on the handler does it. */
		if (__atomic_load_n(&pp->nmi_pending, __ATOMIC_RELAXED) && vs->root)
			vmx_set_nmi_window(true);
	} while (!take_place(pp, vs));
	if (pp->barriers)
		barrier_to_guest(pp->barriers, &pp->last_guest, vs->vmid);
	/* Only now: whoever fails before the entry still has a VMCS to launch. */
	vs->vmx.launched = true; /* or vm_entry_fatal takes it back */
	vmx_enter(launched);
}

void vmx_run_kicked(struct pp *pp, struct vs *vs)
{
	tlb_await_kick(pp);
	vmx_run_slow(pp, vs);
}

void vmx_vs_run(struct vs *vs)
{
	vmx_run(this_pp(), vs);
}
