// SPDX-License-Identifier: GPL-2.0-only
/*
 * Into the guest and out of it.
 *
 * NMIs: the CPU takes one at any time in root mode, and one that arrives in the guest exits. Both
 * are noted in pp->nmi_pending (and machine checks of root mode in pp->mc_pending). The root VS
 * then runs with NMI-window exiting, which exits when the guest can take the NMI (SDM vol. 3
 * §26.2). The handler opens the window itself, so that an NMI between the look at nmi_pending in
 * vmx_run_slow and the VM entry is not late. Another VS does not run then: its run ends with
 * an exit for Linux.
 */
#include <bsl/bits.h>
#include <bsl/string.h>

#include "arch/intrinsics.h"
#include "arch/trap.h"
#include "debug.h"
#include "mem/nested.h"
#include "obj/outer.h"
#include "run/fail.h"
#include "vmx/vmx.h"

void vmx_owe(struct pp *pp)
{
	const struct vs *vs = __atomic_load_n(&pp->vmcs, __ATOMIC_RELAXED);
	uint64_t primary;

	/* What was just being done to the controls may undo this: vmx_run_slow looks again. */
	pp->entry_dirty = true;
	/* No printing and no giving up here; should either fail, vmx_vs_run meets the same. */
	if (vs && vmcs_try_read(VMCS_primary_proc_based_vm_execution_ctls, &primary))
		(void)vmcs_try_write(VMCS_primary_proc_based_vm_execution_ctls,
				     primary | VMX_PRIMARY_NMI_WINDOW);
}

static void set_nmi_window(bool open)
{
	uint64_t primary = vmcs_read(VMCS_primary_proc_based_vm_execution_ctls);

	vmcs_write(VMCS_primary_proc_based_vm_execution_ctls,
		   open ? primary | VMX_PRIMARY_NMI_WINDOW :
			  primary & ~(uint64_t)VMX_PRIMARY_NMI_WINDOW);
}

/* Not instead of another event: then the NMI window makes the guest exit soon. */
static void take_machine_check(struct pp *pp)
{
	if (vmcs_read(VMCS_vmentry_interrupt_information_field) & VMX_EVENT_VALID) {
		pp->entry_dirty = true;
		set_nmi_window(true);
		return;
	}
	pp->mc_pending = false;
	vmx_inject(VMX_EVENT_TYPE_EXCEPTION | VECTOR_MC);
}

/* An exit with another reason than the CPU's, or without one of the CPU's: it reads like this. */
static __noreturn void tell(struct pp *pp, struct vs *vs, uint64_t reason)
{
	area_of(vs)->told = reason;
	pp->entry_dirty = true; /* until the next entry */
	exit_to_ext(pp, vs, reason);
}

/*
 * An exit for something that Linux is owed: to the extension it is one by an external interrupt,
 * after which Linux is to run, as after every other.
 */
static __noreturn void exit_for_linux(struct pp *pp, struct vs *vs)
{
	tell(pp, vs, VMX_EXIT_EXTERNAL_INTERRUPT);
}

/*
 * What Linux is owed does not wait for another guest. Should that be about to take an event, it
 * takes it first: the NMI window ends its run then.
 */
static void leave_to_linux(struct pp *pp, struct vs *vs)
{
	if (vmcs_read(VMCS_vmentry_interrupt_information_field) & VMX_EVENT_VALID) {
		pp->entry_dirty = true;
		set_nmi_window(true);
		return;
	}
	bsl_memcpy(pp->exit_gpr, abi_gprs(), sizeof(pp->exit_gpr));
	exit_count(pp, vs, VMX_EXIT_EXTERNAL_INTERRUPT, VMX_EXIT_EXTERNAL_INTERRUPT,
		   vmcs_read(VMCS_rip));
	exit_for_linux(pp, vs);
}

void vmx_run_slow(struct pp *pp, struct vs *vs)
{
	struct vmx_area *area = area_of(vs);
	bool launched = vs->launched;

	vmx_current(vs);
	pp->entry_dirty = false;
	area->told = 0;
	if (area->host_cr3 != pp->host_cr3) {
		vmcs_write(VMCS_HOST_CR3, pp->host_cr3);
		vmcs_write(VMCS_HOST_FS_BASE, pp->host_fs_base);
		area->host_cr3 = pp->host_cr3;
	}
	if (area->raw_crs)
		vmx_complete_crs(area);
	if (read_cr2() != vs->guest_cr2)
		write_cr2(vs->guest_cr2);
	if (read_dr6() != area->dr6)
		write_dr6(area->dr6);
	if (pp->mc_pending && vs->root)
		take_machine_check(pp);
	if (pp->owed && !vs->root)
		leave_to_linux(pp, vs);
	/* Last of all: from here on the handler does it. */
	if (__atomic_load_n(&pp->nmi_pending, __ATOMIC_RELAXED) && vs->root)
		set_nmi_window(true);
	while (!tlb_enter_guest(pp))
		tlb_await_kick(pp);
	/* Only now: whoever fails before the entry still has a VMCS to launch. */
	vs->launched = true; /* or give_up takes it back */
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

/* Whether the entry was VMLAUNCH or VMRESUME, and whatever the CPU made of it: VMLAUNCH is next. */
static __noreturn void give_up(struct vs *vs, uint64_t detail)
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
		give_up(vs, detail);
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
	/* CF: there is no current VMCS; ZF: it has the reason (§31.2). */
	if (!(rflags & 1) && !vmcs_try_read(VMCS_vm_instruction_error, &number))
		number = 0;
	mk_print("vs %u: VM entry failed: %s (%llu)\n", vs->id, vmx_error_name(number),
		 (unsigned long long)number);
	if (!number)
		pp_fail(BF_ERR_MK_VMCS, 0, 0, 0);
	if (number != VMX_ERROR_CONTROL_FIELDS)
		give_up(vs, number);
	vmx_print_control_checks();
	hand_back(pp, vs, VMX_EXIT_ENTRY_FAILED | VMX_EXIT_ENTRY_GUEST_STATE, number);
	tell(pp, vs, VMX_EXIT_ENTRY_FAILED | VMX_EXIT_ENTRY_GUEST_STATE);
}

/*
 * A machine check in the middle of a VM entry (§27.9): Linux's, as one of root mode is (trap.c).
 * The guest has not run, nor is an event gone that was to be injected: the same entry is made
 * again.
 */
static __noreturn void machine_check_of_entry(struct pp *pp, struct vs *vs)
{
	uint64_t status;

	pp->mc_pending = true;
	if (!rdmsr_safe(MSR_MCG_STATUS, &status) || !(status & MCG_STATUS_RIPV))
		reset_machine(pp, "a machine check ended the microkernel");
	vmx_vs_clear(vs); /* whether the entry was VMLAUNCH or VMRESUME */
	vmx_vs_run(vs);
}

/* VM entry began and met guest state or MSRs that it does not take, or a machine check (§27.8). */
static __cold noinline __noreturn void refused(struct pp *pp, struct vs *vs, uint64_t reason)
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

void vmx_inject(uint64_t event)
{
	vmcs_write(VMCS_vmentry_interrupt_information_field, VMX_EVENT_VALID | event);
}

/*
 * What blocks events while an NMI goes in: not an NMI, and not STI, with which some CPUs refuse the
 * entry (SDM vol. 3 §27.3.1.5), and which delivers the NMI on a bare CPU too. MOV SS closes the
 * window.
 */
static void unblock_for_nmi(void)
{
	uint64_t state = vmcs_read(VMCS_interruptibility_state);

	vmcs_write(VMCS_interruptibility_state,
		   state & ~(uint64_t)(VMX_BLOCKING_BY_NMI | VMX_BLOCKING_BY_STI));
}

/* The event goes in again; software interrupts need the length of their instruction (§25.8.3). */
void vmx_reinject(void)
{
	uint64_t event = vmcs_read(VMCS_idt_vectoring_information_field);

	if (!(event & VMX_EVENT_VALID)) {
		/* IRET is executed again, and is to find NMIs blocked as it did (§28.2.3). */
		if (vmcs_read(VMCS_exit_qualification) & VMX_QUAL_EPT_IRET)
			vmcs_write(VMCS_interruptibility_state,
				   vmcs_read(VMCS_interruptibility_state) | VMX_BLOCKING_BY_NMI);
		return;
	}
	if ((event & VMX_EVENT_TYPE) == VMX_EVENT_TYPE_NMI)
		unblock_for_nmi();
	if (event & VMX_EVENT_ERROR_CODE)
		vmcs_write(VMCS_vmentry_exception_error_code,
			   vmcs_read(VMCS_idt_vectoring_error_code));
	if ((event & VMX_EVENT_TYPE) >= VMX_EVENT_TYPE_SOFTWARE)
		vmcs_write(VMCS_vmentry_instruction_length,
			   vmcs_read(VMCS_vmexit_instruction_length));
	vmx_inject(event & VMX_EVENT_DEFINED);
}

static void machine_check(struct pp *pp, struct vs *vs)
{
	if (vs->root)
		return;
	pp->mc_pending = true;
	pp->entry_dirty = true;
	if (!vs->mc_exiting)
		exit_for_linux(pp, vs);
}

/*
 * Returns when the exit is the extension's: exceptions, and NMIs that it asked for itself. A
 * machine check is Linux's, whatever guest it hit.
 */
static void exception_or_nmi(struct pp *pp, struct vs *vs)
{
	uint64_t event = vmcs_read(VMCS_vmexit_interruption_information);

	if ((event & (VMX_EVENT_TYPE | VMX_EVENT_VECTOR)) == (VMX_EVENT_TYPE_EXCEPTION | VECTOR_MC))
		machine_check(pp, vs);
	if ((event & VMX_EVENT_TYPE) != VMX_EVENT_TYPE_NMI)
		return;
	unblock_nmis(); /* the exit leaves them blocked: §28.2.3 */
	if (vs->nmi_exiting)
		return;
	pp->nmi_pending = true;
	pp->entry_dirty = true;
	if (!vs->root)
		exit_for_linux(pp, vs);
	vmx_vs_run(vs);
}

/* The guest can take an NMI. Returns when it is only the extension that waited for this. */
static void nmi_window(struct pp *pp, struct vs *vs)
{
	const struct vmx_area *area = area_of(vs);
	bool ours = pp->nmi_pending && vs->root;

	if (!ours && !(pp->mc_pending && vs->root) && area->nmi_window)
		return;
	if (ours) {
		/* In this order: another one from here on sets both again. */
		__atomic_store_n(&pp->nmi_pending, false, __ATOMIC_RELAXED);
		unblock_for_nmi();
		vmx_inject(VMX_EVENT_TYPE_NMI | VECTOR_NMI);
	}
	if (!area->nmi_window)
		set_nmi_window(false);
	if (pp->owed && !vs->root)
		exit_for_linux(pp, vs);
	vmx_vs_run(vs);
}

/*
 * INIT sends an application processor to wait for its start-up IPI, which is the extension's to
 * carry out, but the boot processor to the reset vector (SDM vol. 3 §9.4, §10.1): it comes from the
 * chipset as Linux reboots by the keyboard controller, and firmware cannot start anew in a guest.
 */
static void init_signal(struct pp *pp, const struct vs *vs)
{
	if (vs->root && rdmsr(MSR_APIC_BASE) & APIC_BASE_BSP)
		reset_machine(pp, "INIT of the boot processor");
}

void vmx_inject_ud(struct vs *vs)
{
	vmx_inject(VMX_EVENT_TYPE_EXCEPTION | VECTOR_UD);
	vmx_vs_run(vs);
}

/* Exceptions push no error code in real mode, and VM entry refuses one there (§27.2.1.3). */
void vmx_inject_gp(struct vs *vs)
{
	uint64_t error_code = vmcs_read(VMCS_cr0) & CR0_PE ? VMX_EVENT_ERROR_CODE : 0;

	vmcs_write(VMCS_vmentry_exception_error_code, 0);
	vmx_inject(VMX_EVENT_TYPE_EXCEPTION | VECTOR_GP | error_code);
	vmx_vs_run(vs);
}

static __noreturn void run_next(struct vs *vs)
{
	(void)vmx_vs_advance_ip(vs);
	vmx_vs_run(vs);
}

/*
 * VMCALL from the root VM: with the driver's word the way out that nobody can block, or Linux's to
 * an outer hypervisor. Returns when it is the extension's: VMX has no control by which it could
 * claim all.
 */
static void vmcall(struct vs *vs)
{
	unsigned int cpl = (unsigned int)bsl_field_get(vmcs_read(VMCS_ss_attrib), 5, 2);

	if (vs->root && abi_gprs()[BF_RAX] == BF_HYPERCALL_STOP && !cpl &&
	    vmx_vs_advance_ip(vs) == ADVANCE_DONE)
		exit_stop(vs);
	switch (outer_hypercall(vs, cpl, false)) {
	case OUTER_DONE:
		run_next(vs);
	case OUTER_REFUSED:
		vmx_inject_ud(vs);
	case OUTER_NOT_ITS:
		break;
	}
}

/* Two ranges of 0x2000 MSRs have bits in an MSR bitmap (SDM vol. 3 §25.6.9). */
static bool has_bitmap_bits(uint32_t msr)
{
	return msr < 0x2000 || msr - 0xC0000000 < 0x2000;
}

/*
 * An MSR that has no bits there exits always: no extension has asked for that. Linux gets what the
 * CPU, or an outer hypervisor, says to it.
 */
static void msr(struct vs *vs, bool write)
{
	uint32_t number = (uint32_t)abi_gprs()[BF_RCX];

	if (!vs->root || has_bitmap_bits(number))
		return;
	if (write ? outer_wrmsr(number) : outer_rdmsr(number))
		run_next(vs);
	vmx_inject_gp(vs);
}

static void ept_violation(struct vs *vs)
{
	if (area_of(vs)->own_ept && nested_fault(vmcs_read(VMCS_physical_address))) {
		vmx_reinject();
		vmx_vs_run(vs);
	}
}

/* The exits that concern the microkernel itself, each before it can be the extension's. */
#define OUR_EXITS \
	(BSL_BIT(VMX_EXIT_EXCEPTION_NMI) | BSL_BIT(VMX_EXIT_INIT) | BSL_BIT(VMX_EXIT_NMI_WINDOW) | \
	 BSL_BIT(VMX_EXIT_VMCALL) | BSL_BIT(VMX_EXIT_CR_ACCESS) | BSL_BIT(VMX_EXIT_RDMSR) | \
	 BSL_BIT(VMX_EXIT_WRMSR) | BSL_BIT(VMX_EXIT_EPT_VIOLATION))

static __cold noinline __noreturn void our_exit(struct pp *pp, struct vs *vs, uint64_t reason)
{
	if (!pp->launched)
		exit_first(pp);
	switch (reason & VMX_EXIT_BASIC) {
	case VMX_EXIT_EXCEPTION_NMI:
		exception_or_nmi(pp, vs);
		break;
	case VMX_EXIT_INIT:
		init_signal(pp, vs);
		break;
	case VMX_EXIT_NMI_WINDOW:
		nmi_window(pp, vs);
		break;
	case VMX_EXIT_CPUID:
		exit_cpuid(vs);
		break;
	case VMX_EXIT_VMCALL:
		vmcall(vs);
		break;
	case VMX_EXIT_CR_ACCESS:
		vmx_cr8_exit(vs);
		break;
	case VMX_EXIT_EPT_VIOLATION:
		ept_violation(vs);
		break;
	case VMX_EXIT_RDMSR:
	case VMX_EXIT_WRMSR:
		msr(vs, (reason & VMX_EXIT_BASIC) == VMX_EXIT_WRMSR);
		break;
	default:
		break;
	}
	if (pp->fallback)
		vmx_fallback_exit(vs, reason & VMX_EXIT_BASIC);
	exit_to_ext(pp, vs, reason);
}

static __always_inline __noreturn void handle_exit(struct pp *pp)
{
	struct vs *vs = pp->vs;
	uint64_t reason, basic;

	vs->guest_cr2 = read_cr2();
	area_of(vs)->dr6 = read_dr6();
	reason = vmcs_read(VMCS_exit_reason);
	if (unlikely(reason & VMX_EXIT_ENTRY_FAILED))
		refused(pp, vs, reason);
	basic = reason & VMX_EXIT_BASIC;
	exit_count(pp, vs, basic % BF_NR_EXIT_SLOTS, reason, vmcs_read(VMCS_rip));
	/* Reasons from 64 on fall onto some of these, too, which does them no harm. */
	if (unlikely(OUR_EXITS >> (basic & 63) & 1 || exit_has_leaf() || pp->fallback ||
		     !pp->launched))
		our_exit(pp, vs, reason);
	exit_to_ext(pp, vs, reason);
}

static __cold noinline __noreturn void handle_exit_flushed(struct pp *pp)
{
	tlb_catch_up(pp);
	handle_exit(pp);
}

__noreturn void vmx_exit(void)
{
	struct pp *pp = this_pp();

	if (unlikely(!tlb_leave_guest(pp)))
		handle_exit_flushed(pp);
	handle_exit(pp);
}
