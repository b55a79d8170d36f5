// SPDX-License-Identifier: GPL-2.0-only
/* Out of the guest: exits before an extension sees them, and entries that failed. */
#include <abi/mk2.h>
#include <bsl/bits.h>
#include <bsl/string.h>

#include "arch/apic.h"
#include "arch/barrier.h"
#include "arch/intrinsics.h"
#include "arch/trap.h"
#include "debug.h"
#include "mem/nested.h"
#include "mem/view.h"
#include "mk.h"
#include "obj/outer.h"
#include "run/bind.h"
#include "run/exit.h"
#include "run/fail.h"
#include "run/leave.h"
#include "run/trace.h"
#include "vmx/advance.h"
#include "vmx/checks.h"
#include "vmx/cr8.h"
#include "vmx/entry.h"
#include "vmx/event.h"
#include "vmx/fallback.h"
#include "vmx/run.h"
#include "vmx/stall.h"
#include "vmx/vmx.h"
#include "vmx/vs.h"

/* Whether the entry was VMLAUNCH or VMRESUME, and whatever the CPU made of it: VMLAUNCH is next. */
static __noreturn void vm_entry_fatal(struct vs *vs, uint64_t detail)
{
	vmx_vs_dump(vs);
	vmx_vs_clear(vs);
	pp_fail(BF_ERR_VS_INVALID, detail, 0, 0);
}

/*
 * A refused entry is an exit like others to the extension. If it is Linux that does not run, or
 * nothing has been changed since the last time, the PP has failed.
 */
static void hand_back(struct pp *pp, struct vs *vs, uint64_t reason, uint64_t detail)
{
	uint64_t rip = vmcs_read(VMCS_rip);

	if (vs->root || vs->refused)
		vm_entry_fatal(vs, detail);
	vmx_vs_clear(vs);
	vs->refused = true;
	bsl_memcpy(pp->exit_gpr, abi_gprs(), sizeof(pp->exit_gpr));
	exit_count(pp, vs, reason & VMX_EXIT_BASIC, reason, rip);
}

__noreturn void vmx_entry_failed(uint64_t rflags)
{
	struct pp *pp = this_pp();
	struct vs *vs = pp->vs;
	uint64_t number = 0;

	if (!tlb_leave_guest(pp))
		tlb_catch_up(pp);
	/* CF: there is no current VMCS; ZF: it has the reason (§33.2). */
	if (!(rflags & 1) && !vmcs_try_read(VMCS_vm_instruction_error, &number))
		number = 0;
	mk_print("vs %u: VM entry failed: %s (%llu)\n", vs->id, vmx_error_name(number),
		 (unsigned long long)number);
	if (!number)
		pp_fail(BF_ERR_MK_VMCS, 0, 0, 0);
	if (number != VMX_ERROR_CONTROL_FIELDS)
		vm_entry_fatal(vs, number);
	vmx_print_control_checks();
	hand_back(pp, vs, VMX_EXIT_ENTRY_FAILED | VMX_EXIT_ENTRY_GUEST_STATE, number);
	vmx_tell(pp, vs, VMX_EXIT_ENTRY_FAILED | VMX_EXIT_ENTRY_GUEST_STATE);
	exit_to_ext(pp, vs, vs->vmx.told);
}

/*
 * A machine check in the middle of a VM entry (§29.9): Linux's, as one of root mode is (trap.c).
 * The guest has not run, nor is an event gone that was to be injected: the same entry is made
 * again, unless what was interrupted cannot go on.
 */
static __noreturn void machine_check_of_entry(struct pp *pp, struct vs *vs)
{
	uint64_t status;

	pp->mc_pending = true;
	vmx_vs_clear(vs); /* whether the entry was VMLAUNCH or VMRESUME */
	if (!rdmsr_safe(MSR_MCG_STATUS, &status) || !(status & MCG_STATUS_RIPV))
		pp_fail(BF_ERR_MK_FAULT, VECTOR_MC, 0, 0);
	vmx_vs_run(vs);
}

/* VM entry began and met guest state or MSRs that it does not take, or a machine check (§29.8). */
static __cold noinline __noreturn void entry_failed_invalid_state(struct pp *pp, struct vs *vs,
								  uint64_t reason)
{
	if ((reason & VMX_EXIT_BASIC) == VMX_EXIT_ENTRY_MACHINE_CHECK)
		machine_check_of_entry(pp, vs);
	mk_print("vs %u: VM entry failed: exit reason 0x%llx, qualification 0x%llx\n", vs->id,
		 (unsigned long long)reason,
		 (unsigned long long)vmcs_read(VMCS_exit_qualification));
	if ((reason & VMX_EXIT_BASIC) == VMX_EXIT_ENTRY_GUEST_STATE)
		vmx_print_checks();
	hand_back(pp, vs, reason, reason & VMX_EXIT_BASIC);
	exit_to_ext(pp, vs, reason);
}

/* A machine check is Linux's, whatever guest it hit. */
static void machine_check(struct pp *pp, struct vs *vs)
{
	if (vs->root)
		return;
	pp->mc_pending = true;
	pp->entry_dirty = true;
	if (!vs->mc_exiting)
		vmx_tell_interrupt(pp, vs);
}

/*
 * The handlers of the exits that may concern the microkernel itself. They return whether the exit
 * is handled, and the guest to go on; else it is the extension's.
 */

/*
 * Whether the NMI, or one that has become one with it, is the driver's, for a CPU that Linux is
 * about to start: see bf_ready_parked.
 */
static bool is_to_wait(struct pp *pp, const struct vs *vs)
{
	return vs->root && mk.keep_cpus &&
	       __atomic_exchange_n(&pp->status->starting, 0, __ATOMIC_ACQUIRE);
}

/* The extension's are exceptions, and NMIs that it asked for itself. */
static bool handle_exception_or_nmi(struct vs *vs)
{
	struct pp *pp = this_pp();
	bool waits;
	uint64_t event = vmcs_read(VMCS_vmexit_interruption_information);

	if ((event & (VMX_EVENT_TYPE | VMX_EVENT_VECTOR)) == (VMX_EVENT_TYPE_EXCEPTION | VECTOR_MC))
		machine_check(pp, vs);
	if ((event & VMX_EVENT_TYPE) != VMX_EVENT_TYPE_NMI)
		return false;
	unblock_nmis(); /* the exit leaves them blocked: §30.2.3 */
	waits = is_to_wait(pp, vs);
	if (waits)
		vmx_await_startup(pp);
	if (tlb_kicked(pp)) { /* Linux's guest gets one where it is parked, or recalled */
		if (tlb_is_recalled(pp)) {
			pp->fetched = true;
			pp->entry_dirty = true;
		}
		if (vs->root || !pp->end_run)
			return true;
		pp->end_run = false;
		vmx_tell_interrupt(pp, vs);
		return false;
	}
	if (waits)
		return true;
	if (vs->nmi_exiting)
		return false;
	pp->nmi_pending = true;
	pp->entry_dirty = true;
	if (!vs->root)
		vmx_tell_interrupt(pp, vs);
	return vs->root;
}

/* The guest can take an NMI. It may be only the extension that waited for this. */
static bool handle_nmi_window(struct vs *vs)
{
	struct pp *pp = this_pp();
	bool ours = pp->nmi_pending && vs->root;

	if (!ours && !(pp->mc_pending && vs->root) && vs->vmx.nmi_window)
		return false;
	if (ours) {
		/* In this order: another one from here on sets both again. */
		__atomic_store_n(&pp->nmi_pending, false, __ATOMIC_RELAXED);
		vmx_unblock_for_nmi();
		vmx_inject(VMX_EVENT_TYPE_NMI | VECTOR_NMI);
	}
	if (!vs->vmx.nmi_window)
		vmx_set_nmi_window(false);
	if (!pp->no_guest || vs->root)
		return true;
	pp->end_run = false;
	vmx_tell_interrupt(pp, vs);
	return false;
}

/*
 * Whether an INIT came while the CPU waited for its start-up IPI: it was blocked until now, when
 * the guest that the IPI has started has executed nothing yet. To a CPU that waits it is nothing
 * new.
 */
static bool is_late(const struct pp *pp)
{
	return pp->exits == pp->vmx.started_at + 1 && !vmcs_read(VMCS_rip);
}

/*
 * INIT sends an application processor to wait for its start-up IPI, but the boot processor to the
 * reset vector (SDM vol. 3 §11.4, §12.1): it comes from the chipset as Linux reboots by the
 * keyboard controller, and firmware cannot start anew in a guest.
 *
 * The extension is told of it: that is Mk#1. Where CPUs are kept, it comes with each start of one,
 * and the IPI that follows within microseconds is lost in root mode: so Linux waits for it as it
 * is, and the extension sees to the rest then. While another guest runs, whoever runs that is told
 * all the same, and Linux waits as soon as it is to run.
 */
static bool handle_init(struct vs *vs)
{
	struct pp *pp = this_pp();

	if (rdmsr(MSR_APIC_BASE) & APIC_BASE_BSP)
		reset_machine(pp, "INIT of the boot processor");
	if (!mk.keep_cpus)
		return false;
	if (pp->status->leaving)
		leave_offline(pp);
	if (!vs->root) {
		pp->vmx.init = true;
		pp->fetched = true;
		pp->entry_dirty = true;
		return false;
	}
	if (!is_late(pp))
		vmx_await_startup(pp);
	return true;
}

/* INIT resets the local APIC, too, but not if it exits. Nobody has used it since. */
static bool handle_startup(struct vs *vs)
{
	struct pp *pp = this_pp();

	if (!vs->root || !mk.keep_cpus)
		return false;
	if (pp->status->leaving)
		leave_offline(pp);
	apic_reset();
	/* Nor is an NMI pending behind INIT, should one have come while it waited. */
	pp->owed = 0;
	vmx_set_nmi_window(false);
	pp->vmx.started_at = pp->exits;
	if (tlb_is_recalled(pp)) /* nothing was sent to a CPU that waits */
		pp->fetched = true;
	pp->entry_dirty = true; /* that it waits is looked at again */
	return false;
}

/*
 * VMCALL from the root VM: with the driver's word the way out that nobody can block, or Linux's to
 * an outer hypervisor. VMX has no control by which the extension could claim all.
 */
static bool handle_vmcall(struct vs *vs)
{
	unsigned int cpl = (unsigned int)bsl_field_get(vmcs_read(VMCS_ss_attrib), 5, 2);
	enum exit_route route;

	if (vs->root && abi_gprs()[BF_RAX] == BF_HYPERCALL_STOP && !cpl && may_leave(this_pp()) &&
	    vmx_vs_advance_ip(vs) == ADVANCE_DONE)
		exit_stop(vs);
	if (trace_hypercall(vs, cpl) || exit_table(vs, cpl) || bind_hypercall(vs, cpl) ||
	    fault_hypercall(vs))
		return true;
	route = exit_find_route(this_pp(), vs);
	if (route != EXIT_NO_ROUTE)
		return route == EXIT_ANSWERED;
	switch (outer_hypercall(vs, cpl, false)) {
	case OUTER_DONE:
		(void)vmx_vs_advance_ip(vs);
		return true;
	case OUTER_REFUSED:
		vmx_inject_ud();
		return true;
	case OUTER_NOT_ITS:
		break;
	}
	return false;
}

/* Two ranges of 0x2000 MSRs have bits in an MSR bitmap (SDM vol. 3 §27.6.9). */
static bool has_bitmap_bits(uint32_t msr)
{
	return msr < 0x2000 || msr - 0xC0000000 < 0x2000;
}

/*
 * An MSR that has no bits there exits always: no extension has asked for that. Linux gets what the
 * CPU, or an outer hypervisor, says to it.
 */
static bool handle_msr(struct vs *vs, bool (*access)(uint32_t msr))
{
	uint32_t number = (uint32_t)abi_gprs()[BF_RCX];

	if (!vs->root || has_bitmap_bits(number))
		return false;
	if (access(number))
		(void)vmx_vs_advance_ip(vs);
	else
		vmx_inject_gp();
	return true;
}

static bool handle_rdmsr(struct vs *vs)
{
	return handle_msr(vs, outer_rdmsr);
}

static bool handle_wrmsr(struct vs *vs)
{
	return handle_msr(vs, outer_wrmsr);
}

static bool handle_ept_violation(struct vs *vs)
{
	uint64_t gpa = vmcs_read(VMCS_physical_address);
	bool again;

	/* Bits 2:0 of the qualification are R, W and X, as those of Mk#2 (§28.2.1). */
	if (vs->view)
		again = view_fault(vs->view, gpa,
				   vmcs_read(VMCS_exit_qualification) & MK2_NESTED_RWX);
	else
		again = vs->vmx.own_ept && nested_fault(gpa);
	if (again)
		vmx_reinject();
	return again;
}

/* The exits that concern the microkernel itself, each before it can be the extension's. */
#define INTERNAL_EXITS(X) \
	X(VMX_EXIT_EXCEPTION_NMI, handle_exception_or_nmi) \
	X(VMX_EXIT_INIT, handle_init) \
	X(VMX_EXIT_SIPI, handle_startup) \
	X(VMX_EXIT_NMI_WINDOW, handle_nmi_window) \
	X(VMX_EXIT_VMCALL, handle_vmcall) \
	X(VMX_EXIT_CR_ACCESS, vmx_handle_cr8) \
	X(VMX_EXIT_RDMSR, handle_rdmsr) \
	X(VMX_EXIT_WRMSR, handle_wrmsr) \
	X(VMX_EXIT_EPT_VIOLATION, handle_ept_violation)

/*
 * One test for all of them. Reasons from 64 on fall onto some of these bits, too: they take the
 * longer way, and nobody handles them there.
 */
static __always_inline bool may_be_internal(uint64_t basic)
{
#define INTERNAL_BIT(reason, handler) | BSL_BIT(reason)
	return (0 INTERNAL_EXITS(INTERNAL_BIT)) >> (basic % 64) & 1;
}

static bool dispatch(struct vs *vs, uint64_t basic)
{
	switch (basic) {
#define INTERNAL_CASE(reason, handler) \
	case (reason): \
		return handler(vs);
		INTERNAL_EXITS(INTERNAL_CASE)
		INTERNAL_CASE(VMX_EXIT_CPUID, exit_cpuid)
	default:
		return false;
	}
}

/* apart: the barrier behind the guest has been. */
static __cold noinline __noreturn void handle_internal_exit(struct pp *pp, struct vs *vs,
							    uint64_t reason, bool apart)
{
	uint64_t basic = reason & VMX_EXIT_BASIC;

	if (pp->barriers) {
		if (!apart)
			barrier_from_guest(pp->barriers);
		pp->entry_dirty = true; /* there is one before the next entry, too */
	}
	if (!pp->launched)
		exit_first(pp);
	if (pp->traced)
		trace_exit(pp, vs, basic % BF_NR_EXIT_SLOTS, vmcs_read(VMCS_rip));
	if (!dispatch(vs, basic)) {
		uint64_t told = vs->vmx.told ? vs->vmx.told : reason;

		if (pp->fallback) {
			vmx_fallback_exit(vs, basic);
			vmx_run(pp, vs);
		}
		if (pp->watched)
			vmx_watch_exit(pp, vs, told);
		exit_looked_at(pp, vs, told);
	}
	vmx_run(pp, vs);
}

static __always_inline __noreturn void handle_exit(struct pp *pp, bool apart)
{
	struct vs *vs = pp->vs;
	uint64_t reason, basic;

	vs->vmx.cr2 = read_cr2();
	vs->vmx.dr6 = read_dr6();
	reason = vmcs_read(VMCS_exit_reason);
	if (unlikely(reason & VMX_EXIT_ENTRY_FAILED))
		entry_failed_invalid_state(pp, vs, reason);
	basic = reason & VMX_EXIT_BASIC;
	exit_count(pp, vs, basic % BF_NR_EXIT_SLOTS, reason, vmcs_read(VMCS_rip));
	if (unlikely(may_be_internal(basic) || exit_has_leaf() || pp->exit_slow || !pp->launched))
		handle_internal_exit(pp, vs, reason, apart);
	exit_to_ext(pp, vs, reason);
}

static __cold noinline __noreturn void handle_exit_flushed(struct pp *pp)
{
	if (pp->barriers)
		barrier_from_guest(pp->barriers);
	tlb_catch_up(pp);
	handle_exit(pp, true);
}

__noreturn void vmx_exit(void)
{
	struct pp *pp = this_pp();

	if (unlikely(!tlb_leave_guest(pp)))
		handle_exit_flushed(pp);
	handle_exit(pp, false);
}
