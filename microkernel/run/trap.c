// SPDX-License-Identifier: GPL-2.0-only
/* Exceptions, NMIs and machine checks in root mode: where entry.S goes with them. */
#include "arch/trap.h"

#include "arch/apic.h"
#include "arch/intrinsics.h"
#include "mem/tlb.h"
#include "mk.h"
#include "obj/ext.h"
#include "pp.h"
#include "run/fail.h"
#include "run/startup.h"
#include "run/watchdog.h"
#include "vendor.h"

struct extable_entry {
	uint64_t insn;
	uint64_t fixup;
};

extern const struct extable_entry extable_start[], extable_end[];

static bool fix_up(struct trap_frame *frame)
{
	for (const struct extable_entry *e = extable_start; e < extable_end; e++) {
		if (e->insn == frame->rip) {
			frame->rip = e->fixup;
			return true;
		}
	}
	return false;
}

/*
 * With CPUID faulting, which Linux switches on for single tasks, CPUID is #GP in ring 3 (SDM vol.
 * 2A, CPUID; HWCR.CpuidUserDis, APM vol. 2 §3.2.10). An exit leaves it on, so an extension would
 * get that fault in place of the answer. In ring 0 there is none.
 */
static bool execute_cpuid(struct pp *pp, struct trap_frame *frame)
{
	uint64_t *gpr = frame->gpr;
	struct cpuid_regs r;
	uint8_t bytes[2];

	if (frame->vector != VECTOR_GP || frame->error_code ||
	    !ext_read(pp, bytes, frame->rip, sizeof(bytes)) || bytes[0] != 0x0F || bytes[1] != 0xA2)
		return false;
	r = cpuid((uint32_t)gpr[BF_RAX], (uint32_t)gpr[BF_RCX]);
	gpr[BF_RAX] = r.eax;
	gpr[BF_RBX] = r.ebx;
	gpr[BF_RCX] = r.ecx;
	gpr[BF_RDX] = r.edx;
	frame->rip += sizeof(bytes);
	return true;
}

/*
 * With BLCKDB, which Linux switches on for its programs, a bus lock of ring 3 is #DB (APM vol. 2
 * §13.1.3.6), an extension's, too, as an exit of SVM leaves DebugCtl as it is. It is a trap: the
 * instruction is done, and nothing is wrong. Nobody but the handler sets the bit of DR6 again.
 */
static bool was_bus_lock(const struct trap_frame *frame)
{
	uint64_t dr6;

	if (frame->vector != VECTOR_DB || frame->rflags & RFLAGS_TF)
		return false;
	dr6 = read_dr6();
	if (dr6 & DR6_NO_BUS_LOCK)
		return false;
	write_dr6(dr6 | DR6_NO_BUS_LOCK);
	return true;
}

/*
 * A machine check in root mode is Linux's, as an NMI is: Linux has the handler, and ends
 * MCG_STATUS.MCIP, under which another one is a shutdown (SDM vol. 3 §18.3.2.2, APM vol. 2 §9.3.2).
 * Without RIPV what it interrupted cannot go on.
 */
static void machine_check(struct pp *pp, const struct trap_frame *frame)
{
	uint64_t status;

	pp->mc_pending = true;
	mk.vendor->owe(pp);
	if (rdmsr_safe(MSR_MCG_STATUS, &status) && status & MCG_STATUS_RIPV)
		return;
	pp_fail_fault(frame->cs & 3 ? BF_ERR_EXT_FAULT : BF_ERR_MK_FAULT, frame, 0);
}

void trap_dispatch(struct trap_frame *frame)
{
	struct pp *pp = this_pp();

	if (frame->vector == VECTOR_NMI) {
		if (pp->on_nmi)
			pp->on_nmi(pp);
		end_wait(frame);
		if (tlb_kicked(pp)) {
			if (startup_is_pending(pp) || tlb_is_recalled(pp))
				pp->fetched = true;
			if (pp->end_run || pp->fetched)
				mk.vendor->owe(pp);
			/* Ring 0 finds out itself, with the next call or exit. */
			if (frame->cs & 3 && pp->ext->ended && pp->launched && !pp->fallback)
				leave_ring3(frame, leave_ended);
			return;
		}
		/* Linux knows whether it is its own or the driver's. */
		pp->nmi_pending = true;
		mk.vendor->owe(pp);
		watchdog_nmi(pp, frame);
		return;
	}
	if (is_discarded(frame)) {
		apic_end_interrupt();
		return;
	}
	if (frame->vector == VECTOR_MC) {
		machine_check(pp, frame);
		return;
	}
	pp->entry_dirty = true; /* CR2, DR6 */
	/* Exceptions leave AC as it was, and ring 3 may have set it. IRETQ sets it again. */
	if (mk.has_smap)
		clac();
	if (frame->cs & 3) {
		if (frame->vector == VECTOR_PF && !(frame->error_code & 1) &&
		    ext_direct_map_fault(pp, read_cr2()))
			return;
		if (execute_cpuid(pp, frame) || was_bus_lock(frame))
			return;
		ext_fault(frame);
	}
	/*
	 * Ring 0 runs without breakpoints and single steps, so this is a trap of the guest's that
	 * outlived its exit, as it does in Bochs' SVM (skipping the instruction raises it anew), or
	 * that of a SYSCALL which ring 3 executed with TF set.
	 */
	if (frame->vector == VECTOR_DB)
		return;
	if (fix_up(frame))
		return;
	pp_fail_fault(BF_ERR_MK_FAULT, frame, read_cr2());
}
