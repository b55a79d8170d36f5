// SPDX-License-Identifier: GPL-2.0-only
/* Into the guest and out of it, and the guest that has no extension any more. */
#include <bsl/bits.h>
#include <bsl/string.h>

#include "arch/apic.h"
#include "arch/intrinsics.h"
#include "arch/trap.h"
#include "debug.h"
#include "mem/mem.h"
#include "mem/nested.h"
#include "mk.h"
#include "obj/outer.h"
#include "run/fail.h"
#include "svm/svm.h"

static void inject(struct vmcb *vmcb, uint64_t event)
{
	vmcb->eventinj = SVM_EVENT_VALID | event;
}

/*
 * The CPU took the NMI from the guest, so it gets another one for it, which waits for GIF, and then
 * for the end of the NMI handler that the guest may be in. A machine check goes in at once, but not
 * instead of another event: then it waits for the next entry.
 */
static void take_owed(struct pp *pp, const struct vs *vs)
{
	struct vmcb *vmcb = vmcb_of(vs);

	if (pp->mc_pending && !(vmcb->eventinj & SVM_EVENT_VALID)) {
		pp->mc_pending = false;
		inject(vmcb, SVM_EVENT_TYPE_EXCEPTION | VECTOR_MC);
	}
	if (!pp->nmi_pending)
		return;
	pp->nmi_pending = false;
	if (!apic_send_nmi(pp->tlb->apic_id))
		inject(vmcb, SVM_EVENT_TYPE_NMI | VECTOR_NMI);
}

/* bf_pp_status.exit_count: see BF_NR_EXIT_SLOTS in abi/handoff.h. */
static unsigned int slot_of(uint64_t code)
{
	if (code <= SVM_EXIT_EFER_WRITE_TRAP)
		return (unsigned int)code;
	if (code - SVM_EXIT_NPF <= SVM_EXIT_VMGEXIT - SVM_EXIT_NPF)
		return BF_EXIT_SLOT_NPF + (unsigned int)(code - SVM_EXIT_NPF);
	return BF_EXIT_SLOT_OTHER;
}

/*
 * An exit for something that Linux is owed: to the extension it is one by a physical interrupt,
 * after which Linux is to run, as after every other.
 */
static __noreturn void exit_for_linux(struct pp *pp, struct vs *vs)
{
	struct vmcb *vmcb = vmcb_of(vs);

	vmcb->exitcode = SVM_EXIT_INTR;
	vmcb->exitinfo1 = 0;
	vmcb->exitinfo2 = 0;
	exit_to_ext(pp, vs, SVM_EXIT_INTR);
}

/* An exit without an entry before it, with GIF clear. */
static __noreturn void exit_at_once(struct pp *pp, struct vs *vs)
{
	struct vmcb *vmcb = vmcb_of(vs);

	stgi();
	if (!tlb_leave_guest(pp))
		tlb_catch_up(pp);
	vmcb->exitintinfo = 0;
	bsl_memcpy(pp->exit_gpr, abi_gprs(), sizeof(pp->exit_gpr));
	exit_count(pp, vs, slot_of(SVM_EXIT_INTR), SVM_EXIT_INTR, vmcb->rip);
	exit_for_linux(pp, vs);
}

/*
 * What Linux is owed does not wait for another guest. Should that be about to take an event, it
 * takes it first: an NMI ends its run then, and a machine check, for which there is no such thing,
 * waits for the next exit.
 */
static void leave_to_linux(struct pp *pp, struct vs *vs)
{
	if (!(vmcb_of(vs)->eventinj & SVM_EVENT_VALID))
		exit_at_once(pp, vs);
	/* It is owed again as soon as it arrives. */
	if (pp->nmi_pending && apic_send_nmi(pp->tlb->apic_id))
		pp->nmi_pending = false;
}

/*
 * What an exit changes of a VMCB. CPUs differ in what a VMRUN that they refuse leaves there: it may
 * be values of root mode.
 */
#define CONTROL_AREA_END offsetof(struct vmcb, pad2)
#define SAVE_AREA_END offsetof(struct vmcb, pad8)

static void copy_vmcb(void *to, const void *from)
{
	bsl_memcpy(to, from, CONTROL_AREA_END);
	bsl_memcpy((uint8_t *)to + VMCB_SAVE_AREA, (const uint8_t *)from + VMCB_SAVE_AREA,
		   SAVE_AREA_END - VMCB_SAVE_AREA);
}

/* The CPU does not refuse what it has run before, so a copy is due after writes only. */
static void prepare_guest(struct pp *pp, struct vs *vs)
{
	if (pp->owed)
		leave_to_linux(pp, vs);
	pp->entry_kept = vmcb_of(vs)->clean != SVM_CLEAN_ALL;
	if (pp->entry_kept)
		copy_vmcb(phys_to_virt(pp->entry_page), vs->block);
}

void svm_before_entry(struct pp *pp, struct vs *vs)
{
	if (vs->root)
		take_owed(pp, vs);
	else
		prepare_guest(pp, vs);
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

static __noreturn void inject_ud(struct vs *vs)
{
	inject(vmcb_of(vs), SVM_EVENT_TYPE_EXCEPTION | VECTOR_UD);
	svm_vs_run(vs);
}

/*
 * The NMI that made the guest exit has been noted since. Returns when it is the extension's: then
 * this exit was its delivery, but out of another VS than Linux's, which Linux is still owed it.
 */
static void nmi(struct pp *pp, struct vs *vs)
{
	if (!vs->nmi_exiting && !vs->root && pp->nmi_pending)
		exit_for_linux(pp, vs);
	if (!vs->nmi_exiting)
		svm_vs_run(vs);
	if (vs->root)
		pp->nmi_pending = false;
}

/*
 * A machine check is Linux's, whatever guest it hit. Returns when the extension asked for the exit.
 */
static void machine_check(struct pp *pp, struct vs *vs)
{
	if (vs->root)
		return;
	pp->mc_pending = true;
	if (!vs->mc_exiting)
		exit_for_linux(pp, vs);
}

/* Exceptions push no error code in real mode. */
static __noreturn void inject_gp(struct vs *vs)
{
	uint64_t error_code = vmcb_of(vs)->cr0 & CR0_PE ? SVM_EVENT_ERROR_CODE : 0;

	inject(vmcb_of(vs), SVM_EVENT_TYPE_EXCEPTION | error_code | VECTOR_GP);
	svm_vs_run(vs);
}

/* Past the instruction that exited, or, if that is not there any more, whatever is there now. */
static __noreturn void run_next(struct vs *vs)
{
	(void)mk.vendor->vs_advance_ip(vs);
	svm_vs_run(vs);
}

/*
 * VMMCALL always exits: it is the driver's way out, and that of Linux to an outer hypervisor.
 * Returns when it is the extension's.
 */
static void vmmcall(struct pp *pp, struct vs *vs)
{
	bool claimed = vs->vmmcall_exiting && !pp->fallback;

	if (vs->root && !vmcb_of(vs)->cpl && abi_gprs()[BF_RAX] == BF_HYPERCALL_STOP) {
		if (mk.vendor->vs_advance_ip(vs) == ADVANCE_DONE)
			exit_stop(vs);
		svm_vs_run(vs);
	}
	switch (outer_hypercall(vs, vmcb_of(vs)->cpl, claimed)) {
	case OUTER_DONE:
		run_next(vs);
	case OUTER_NOT_ITS:
		if (claimed)
			return;
		if (pp->fallback && exit_call_unanswered(vs))
			run_next(vs);
		break;
	case OUTER_REFUSED:
		break;
	}
	inject_ud(vs);
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
static void msr(struct vs *vs)
{
	uint32_t number = (uint32_t)abi_gprs()[BF_RCX];

	if (!vs->root || has_permission_bits(number))
		return;
	if (vmcb_of(vs)->exitinfo1 & SVM_EXITINFO1_WRITE ? outer_wrmsr(number) :
							   outer_rdmsr(number))
		run_next(vs);
	inject_gp(vs);
}

/*
 * An event whose delivery was interrupted goes in again. QEMU reports external interrupts and NMIs
 * in this situation as exceptions, which VMRUN would refuse.
 */
static void reinject(struct vmcb *vmcb)
{
	uint64_t event = vmcb->exitintinfo;
	uint64_t vector = event & SVM_EVENT_VECTOR;

	if (!(event & SVM_EVENT_VALID) || vmcb->eventinj & SVM_EVENT_VALID)
		return;
	if ((event & SVM_EVENT_TYPE) == SVM_EVENT_TYPE_EXCEPTION &&
	    (vector == VECTOR_NMI || vector > VECTOR_LAST_EXCEPTION)) {
		event &= ~(uint64_t)(SVM_EVENT_TYPE | SVM_EVENT_ERROR_CODE);
		event |= vector == VECTOR_NMI ? SVM_EVENT_TYPE_NMI | VECTOR_NMI :
						SVM_EVENT_TYPE_INTR;
	}
	vmcb->eventinj = event;
}

/* VMRUN, VMMCALL, VMLOAD, VMSAVE, STGI, CLGI, SKINIT, INVLPGA: 0F 01 D8 to DF (APM vol. 3). */
static bool is_svm_instruction(const struct vmcb *vmcb)
{
	uint8_t bytes[DECODE_MAX_LENGTH];
	size_t n = svm_fetch(vmcb, bytes);
	size_t i = decode_prefixes(bytes, n, svm_decode_mode(vmcb));

	return n - i >= 3 && bytes[i] == 0x0F && bytes[i + 1] == 0x01 && bytes[i + 2] >= 0xD8 &&
	       bytes[i + 2] <= 0xDF;
}

/* The vector that the instruction at RIP asks for; -1: it is no INT n, INT3 or INTO. */
static int vector_of_int(const struct vmcb *vmcb)
{
	uint8_t bytes[DECODE_MAX_LENGTH];
	size_t n = svm_fetch(vmcb, bytes);
	size_t i = decode_prefixes(bytes, n, svm_decode_mode(vmcb));

	if (i >= n)
		return -1;
	switch (bytes[i]) {
	case 0xCC:
		return VECTOR_BP;
	case 0xCD:
		return i + 1 < n ? bytes[i + 1] : -1;
	case 0xCE:
		return VECTOR_OF;
	default:
		return -1;
	}
}

/* A selector error code (APM vol. 2 §8.4.1). */

/*
 * The exception whose delivery the #GP ended, or -1. EXITINTINFO alone does not tell: after an INT
 * n that may not use its gate, Bochs has left in it the last exception that was delivered.
 */
static int exception_in_delivery(const struct vmcb *vmcb)
{
	uint64_t event = vmcb->exitintinfo, code = vmcb->exitinfo1;

	if (!(event & SVM_EVENT_VALID) || (event & SVM_EVENT_TYPE) != SVM_EVENT_TYPE_EXCEPTION)
		return -1;
	if ((code & (ERROR_CODE_EXT | ERROR_CODE_IDT)) == ERROR_CODE_IDT &&
	    (int)(code >> 3) == vector_of_int(vmcb))
		return -1;
	return (int)(event & SVM_EVENT_VECTOR);
}

/* #DE, #TS, #NP, #SS, #GP, #CP; and #PF, which is no better here (APM vol. 2 §8.2.9). */
static bool makes_double_fault(int vector)
{
	return vector == VECTOR_DE || (vector >= VECTOR_TS && vector <= VECTOR_PF) ||
	       vector == VECTOR_CP;
}

/* A bare CPU shuts down, and the machine is reset, unless the extension wants to see to it. */
static __noreturn void triple_fault(struct pp *pp, struct vs *vs)
{
	struct vmcb *vmcb = vmcb_of(vs);

	vmcb->exitcode = SVM_EXIT_SHUTDOWN;
	if (!pp->fallback && vmcb->instruction1 & SVM_INSTR1_SHUTDOWN)
		exit_to_ext(pp, vs, SVM_EXIT_SHUTDOWN);
	reset_machine(pp, "triple fault");
}

/*
 * With EFER.SVME set, as it must be here, SVM's instructions meet privilege checks, and those of
 * RAX, before they are intercepted (§15.7), so they give #GP where the CPU that Linux knows gives
 * #UD. So that nobody can tell, #GP exits and is turned back into what it should have been.
 */
static __noreturn void general_protection(struct pp *pp, struct vs *vs)
{
	struct vmcb *vmcb = vmcb_of(vs);
	int interrupted = exception_in_delivery(vmcb);

	if (!(vmcb->exitintinfo & SVM_EVENT_VALID) && !vmcb->exitinfo1 && is_svm_instruction(vmcb))
		inject_ud(vs);
	if (interrupted == VECTOR_DF)
		triple_fault(pp, vs);
	if (makes_double_fault(interrupted))
		inject(vmcb, SVM_EVENT_TYPE_EXCEPTION | SVM_EVENT_ERROR_CODE | VECTOR_DF);
	else
		inject(vmcb, vmcb->exitinfo1 << 32 | SVM_EVENT_TYPE_EXCEPTION |
				     SVM_EVENT_ERROR_CODE | VECTOR_GP);
	svm_vs_run(vs);
}

/* Nothing exits but what SVM forces to and the driver's call; Linux sees the bare CPU meanwhile. */
void svm_fallback_init(struct vs *vs)
{
	struct vmcb *vmcb = vmcb_of(vs);

	/* What a shutdown leaves in a VMCB is undefined (§15.14.3). */
	if (vmcb->exitcode == SVM_EXIT_SHUTDOWN)
		reset_machine(this_pp(), "triple fault");
	vmcb->cr_read = 0;
	vmcb->cr_write = 0;
	vmcb->dr_read = 0;
	vmcb->dr_write = 0;
	vmcb->exceptions = EXCEPTION_BIT(VECTOR_GP);
	vs->gp_exiting = false;
	vs->nmi_exiting = false;
	vmcb->instruction1 = 0;
	vmcb->instruction2 = SVM_INSTR2_VMRUN | SVM_INSTR2_VMMCALL;
	vmcb->instruction3 = 0;
	vmcb->virtual_interrupt = 0;
	vmcb->tsc_offset = 0;
	vmcb->efer |= EFER_SVME;
	vmcb->clean = 0;
	vmcb->tlb_control = SVM_TLB_FLUSH_ALL;
	vmcb->np_control = svm_root_np_control();
	vmcb->n_cr3 = mk.root_npt;
	reinject(vmcb);
}

/*
 * To the extension it is an exit like others, and what it wrote is there to be mended. If it does
 * not do so, and if this is Linux, the PP has failed.
 */
static __cold noinline __noreturn void invalid(struct pp *pp, struct vs *vs)
{
	struct vmcb *vmcb = vmcb_of(vs);
	bool hand_back = !vs->root && !vs->refused && pp->entry_kept;
	uint64_t code = vmcb->exitcode;

	if (hand_back)
		copy_vmcb(vmcb, phys_to_virt(pp->entry_page));
	mk_print("VMRUN refused the state of vs %u\n", vs->id);
	svm_print_checks(vmcb);
	if (!hand_back) {
		mk.vendor->vs_dump(vs);
		pp_fail(BF_ERR_VS_INVALID, code, 0, 0);
	}
	vs->refused = true;
	vmcb->exitcode = SVM_EXIT_INVALID;
	vmcb->exitinfo1 = 0;
	vmcb->exitinfo2 = 0;
	vmcb->exitintinfo = 0;
	vmcb->clean = 0;
	bsl_memcpy(pp->exit_gpr, abi_gprs(), sizeof(pp->exit_gpr));
	exit_count(pp, vs, slot_of(SVM_EXIT_INVALID), SVM_EXIT_INVALID, vmcb->rip);
	exit_to_ext(pp, vs, SVM_EXIT_INVALID);
}

/* The exits that concern the microkernel itself, each before it can be the extension's. */
#define SPECIAL_EXITS \
	(BSL_BIT(SVM_EXIT_VMMCALL & 63) | BSL_BIT((SVM_EXIT_EXCEPTION + VECTOR_GP) & 63) | \
	 BSL_BIT(SVM_EXIT_NPF & 63) | BSL_BIT(SVM_EXIT_NMI & 63) | BSL_BIT(SVM_EXIT_MSR & 63) | \
	 BSL_BIT((SVM_EXIT_EXCEPTION + VECTOR_MC) & 63))

static __cold noinline __noreturn void special(struct pp *pp, struct vs *vs, uint64_t code)
{
	struct vmcb *vmcb = vmcb_of(vs);

	if (!pp->launched)
		exit_first(pp);
	if (pp->fallback)
		vmcb->efer |= EFER_SVME; /* nothing keeps Linux from clearing it */
	if (code == SVM_EXIT_VMMCALL)
		vmmcall(pp, vs);
	if (code == SVM_EXIT_MSR)
		msr(vs);
	if (code == SVM_EXIT_NMI)
		nmi(pp, vs);
	if (code == (SVM_EXIT_EXCEPTION + VECTOR_MC))
		machine_check(pp, vs);
	if (code == SVM_EXIT_CPUID)
		exit_cpuid(vs);
	if (code == (SVM_EXIT_EXCEPTION + VECTOR_GP) && !vs->gp_exiting)
		general_protection(pp, vs);
	if (code == SVM_EXIT_NPF && vmcb->n_cr3 == mk.root_npt && nested_fault(vmcb->exitinfo2)) {
		reinject(vmcb);
		svm_vs_run(vs);
	}
	if (pp->fallback && code == SVM_EXIT_SHUTDOWN)
		triple_fault(pp, vs); /* QEMU reports it unasked */
	if (pp->fallback)
		inject_ud(vs); /* VMRUN is all that is left */
	exit_to_ext(pp, vs, code);
}

static __always_inline __noreturn void handle_exit(struct pp *pp)
{
	struct vs *vs = pp->vs;
	struct vmcb *vmcb = vmcb_of(vs);
	uint64_t code = vmcb->exitcode;

	if (unlikely((uint32_t)code == (uint32_t)SVM_EXIT_INVALID))
		invalid(pp, vs); /* the VMCB, RAX included, need not be the guest's any more */
	pp->exit_gpr[BF_RAX] = vmcb->rax;
	abi_gprs()[BF_RAX] = vmcb->rax;
	vmcb->clean = SVM_CLEAN_ALL;
	vmcb->tlb_control = svm.idle_flush;
	exit_count(pp, vs, slot_of(code), code, vmcb->rip);
	/* Others fall onto some of these bits, too, which does them no harm. */
	if (unlikely(SPECIAL_EXITS >> (code & 63) & 1 || exit_has_leaf() || pp->fallback ||
		     !pp->launched))
		special(pp, vs, code);
	exit_to_ext(pp, vs, code);
}

static __cold noinline __noreturn void handle_exit_flushed(struct pp *pp)
{
	tlb_catch_up(pp);
	handle_exit(pp);
}

__noreturn void svm_exit(void)
{
	struct pp *pp = this_pp();

	if (unlikely(!tlb_leave_guest(pp)))
		handle_exit_flushed(pp);
	handle_exit(pp);
}
