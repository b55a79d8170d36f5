// SPDX-License-Identifier: MIT
/*
 * AMD: one instruction, by the trap flag. Nobody must see that it is set: interrupts wait for the
 * instruction in its shadow (APM vol. 2 §15.21.5), exceptions exit before they push it, as do
 * instructions that would store it; SYSCALL, for which there is no intercept, is #UD without
 * EFER.SCE. All these, and the delivery of what an exit interrupted, are done over again without
 * the flag, and are unwatched up to the next IRET, or to whatever exits before. What loads flags
 * exits, too, so that a trap flag behind it is known to be Linux's own.
 */
#include <abi/hw/svm.h>
#include <abi/mk1_regs_amd.h>
#include <ext/linux/exception.h>
#include <ext/linux/hook.h>
#include <ext/linux/linux.h>
#include <ext/linux/step.h>
#include <ext/linux/watched.h>

#define BIT(vector) (1u << (vector))
#define EXCEPTIONS \
	((BIT(VECTOR_CP + 1) - 1) & ~(BIT(VECTOR_NMI) | BIT(9) | BIT(15) | BIT(VECTOR_MC)))
#define STORES_FLAGS (SVM_INSTR1_PUSHF | SVM_INSTR1_SWINT)
#define LOADS_FLAGS (SVM_INSTR1_POPF | SVM_INSTR1_IRET)
/*
 * INT1's trap looks like the flag's. VMMCALL is #UD, by the microkernel if no hook has it, and that
 * would push the flag.
 */
#define RAISES (SVM_INSTR2_ICEBP | SVM_INSTR2_VMMCALL)
#define WRITES_OF_DR6 (BIT(4) | BIT(6)) /* DR4 is DR6 without CR4.DE */

static __thread struct {
	bool trap; /* the trap flag is ours */
	bool until_iret;
	bool had_trap; /* it was set before */
	bool loads_flags, returns; /* the instruction does; by IRET */
	uint64_t exceptions, instructions, instructions2; /* the intercepts that there were */
	uint64_t efer, shadow, dr6;
	bool writes_dr6;
	uint64_t new_dr6;
	bool sees_dr6; /* a write to it exits */
	uint64_t dr_writes;
} step;

/* By an INT n, INT3 or INTO. A breakpoint that exits has been injected, behind the instruction. */
static bool is_of_instruction(uint64_t vsid, uint64_t event)
{
	uint64_t vector = event & SVM_EVENT_VECTOR;

	return (event & SVM_EVENT_TYPE) == SVM_EVENT_TYPE_SOFTWARE ||
	       ((event & SVM_EVENT_TYPE) == SVM_EVENT_TYPE_EXCEPTION &&
		(vector == VECTOR_BP || vector == VECTOR_OF) &&
		!(vs_get(vsid, MK1_AMD_intercept_exception) & BIT(vector)));
}

void svm_redeliver(uint64_t vsid)
{
	uint64_t event = vs_get(vsid, MK1_AMD_exitininfo);

	if (event & SVM_EVENT_VALID && !is_of_instruction(vsid, event))
		vs_set(vsid, MK1_AMD_eventinj, event);
}

__noreturn void svm_run_until_iret(uint64_t vsid)
{
	step.until_iret = true;
	step.instructions = vs_get(vsid, MK1_AMD_intercept_instruction1);
	vs_set(vsid, MK1_AMD_intercept_instruction1,
	       (step.instructions & ~(uint64_t)SVM_INSTR1_SWINT) | SVM_INSTR1_IRET);
	watch_lift(vsid);
	resume(vsid);
}

void svm_step_writes_dr6(uint64_t value)
{
	step.writes_dr6 = true;
	step.new_dr6 = value;
}

__noreturn void svm_step(uint64_t vsid)
{
	uint64_t flags = vs_get(vsid, MK1_AMD_rflags);

	if (vs_get(vsid, MK1_AMD_eventinj) & SVM_EVENT_VALID)
		svm_run_until_iret(vsid);
	step.trap = true;
	step.had_trap = flags & RFLAGS_TF;
	step.loads_flags = step.returns = false;
	step.exceptions = vs_get(vsid, MK1_AMD_intercept_exception);
	step.instructions = vs_get(vsid, MK1_AMD_intercept_instruction1);
	step.instructions2 = vs_get(vsid, MK1_AMD_intercept_instruction2);
	step.efer = vs_get(vsid, MK1_AMD_efer);
	step.shadow = vs_get(vsid, MK1_AMD_virtual_interrupt_b);
	step.dr6 = step.writes_dr6 ? step.new_dr6 : vs_get(vsid, MK1_AMD_dr6);
	step.sees_dr6 = step.dr6 & DR6_CAUSES && !step.writes_dr6;
	step.writes_dr6 = false;
	if (step.sees_dr6) {
		step.dr_writes = vs_get(vsid, MK1_AMD_intercept_dr_write);
		vs_set(vsid, MK1_AMD_intercept_dr_write, step.dr_writes | WRITES_OF_DR6);
	}
	vs_set(vsid, MK1_AMD_intercept_exception, step.exceptions | EXCEPTIONS);
	vs_set(vsid, MK1_AMD_intercept_instruction1,
	       step.instructions | STORES_FLAGS | LOADS_FLAGS);
	vs_set(vsid, MK1_AMD_intercept_instruction2, step.instructions2 | RAISES);
	vs_set(vsid, MK1_AMD_efer, step.efer & ~(uint64_t)EFER_SCE);
	vs_set(vsid, MK1_AMD_virtual_interrupt_b, step.shadow | SVM_INTERRUPT_SHADOW);
	vs_set(vsid, MK1_AMD_rflags, flags | RFLAGS_TF);
	watch_lift(vsid);
	resume(vsid);
}

/*
 * In a step, what loads flags and has no other intercept: it is executed now, and its trap flag,
 * which the CPU looks at from the next instruction on, stays. Without the flag, it is an
 * instruction of an NMI's handler or #MC's, which have not waited.
 */
static bool loads_flags(uint64_t vsid, uint64_t reason)
{
	if ((reason != SVM_EXIT_POPF || step.instructions & SVM_INSTR1_POPF) &&
	    (reason != SVM_EXIT_IRET || step.instructions & SVM_INSTR1_IRET))
		return false;
	step.loads_flags = vs_get(vsid, MK1_AMD_rflags) & RFLAGS_TF;
	step.returns = step.loads_flags && reason == SVM_EXIT_IRET;
	vs_set(vsid, MK1_AMD_intercept_instruction1, step.instructions | STORES_FLAGS);
	return true;
}

/* The same of what writes DR6: of what was in it before nothing is to be there afterwards. */
static bool writes_dr6(uint64_t vsid, uint64_t reason)
{
	uint64_t bit = reason - SVM_EXIT_DR_WRITE;

	if (!step.sees_dr6 || bit > 7 || !(BIT(bit) & WRITES_OF_DR6 & ~step.dr_writes))
		return false;
	step.dr6 = DR6_RESET;
	step.sees_dr6 = false;
	vs_set(vsid, MK1_AMD_intercept_dr_write, step.dr_writes);
	return true;
}

static bool goes_on(uint64_t vsid, uint64_t reason)
{
	if (!loads_flags(vsid, reason) && !writes_dr6(vsid, reason))
		return false;
	vs_set(vsid, MK1_AMD_virtual_interrupt_b, step.shadow | SVM_INTERRUPT_SHADOW);
	return true;
}

/*
 * The exception of an IRET is delivered: over again, it would be taken for the IRET that is awaited
 * then, and step for ever. One that hooks watch is theirs.
 */
static void deliver_of_iret(uint64_t vsid, uint64_t vector)
{
	struct ext_exception x = svm_exception_of(vsid, (uint8_t)vector);

	if (exception_is_watched(vector))
		return;
	svm_inject(vsid, &x);
	svm_run_until_iret(vsid);
}

/* Everything is as it was before the step, but for what the instruction has done. */
static void undo(uint64_t vsid, uint64_t reason)
{
	uint64_t flags = vs_get(vsid, MK1_AMD_rflags);
	bool loaded = step.loads_flags && reason == SVM_EXIT_EXCEPTION + VECTOR_DB;

	vs_set(vsid, MK1_AMD_intercept_instruction1, step.instructions);
	watch_again(vsid);
	if (!step.trap)
		return;
	vs_set(vsid, MK1_AMD_intercept_exception, step.exceptions);
	vs_set(vsid, MK1_AMD_intercept_instruction2, step.instructions2);
	vs_set(vsid, MK1_AMD_efer, step.efer);
	if (step.sees_dr6)
		vs_set(vsid, MK1_AMD_intercept_dr_write, step.dr_writes);
	if (!step.had_trap && !loaded)
		vs_set(vsid, MK1_AMD_rflags, flags & ~(uint64_t)RFLAGS_TF);
}

/*
 * What is Linux's own, by breakpoints or by a trap flag of its own, is delivered. The trap may have
 * cleared what DR6 had from one before (the manuals allow it), which Linux has yet to read: it may
 * be at the very beginning of its handler.
 */
static __noreturn void trapped(uint64_t vsid)
{
	uint64_t dr6 = vs_get(vsid, MK1_AMD_dr6);

	if (!step.had_trap)
		dr6 &= ~(uint64_t)DR6_BS;
	dr6 |= step.dr6 & (DR6_BS | DR6_CAUSES);
	dr6 &= step.dr6 | ~(uint64_t)DR6_NO_BUS_LOCK;
	vs_set(vsid, MK1_AMD_dr6, dr6);
	if (step.had_trap || dr6 & ~step.dr6 & DR6_CAUSES)
		vs_set(vsid, MK1_AMD_eventinj,
		       SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCEPTION | VECTOR_DB);
	resume(vsid);
}

void svm_step_end(uint64_t vsid, uint64_t reason)
{
	uint64_t vector = reason - SVM_EXIT_EXCEPTION;
	bool trap = step.trap;

	if (!trap && !step.until_iret)
		return;
	if (trap && goes_on(vsid, reason))
		resume(vsid);
	undo(vsid, reason);
	step.trap = false;
	step.until_iret = false;
	hooked_stepped();
	if (!trap) {
		if (reason == SVM_EXIT_IRET)
			resume(vsid);
		return;
	}
	if (vector == VECTOR_DB)
		trapped(vsid);
	/* It has not been executed: where it is in a shadow, that is there again. */
	vs_set(vsid, MK1_AMD_virtual_interrupt_b, step.shadow);
	if (vector <= VECTOR_LAST_EXCEPTION && step.returns) {
		deliver_of_iret(vsid, vector);
		return;
	}
	if (vector <= VECTOR_LAST_EXCEPTION || reason == SVM_EXIT_PUSHF ||
	    reason == SVM_EXIT_SWINT || reason == SVM_EXIT_ICEBP ||
	    (reason == SVM_EXIT_VMMCALL && !(step.instructions2 & SVM_INSTR2_VMMCALL)))
		svm_run_until_iret(vsid);
}

void svm_step_reset(void)
{
	step.trap = false;
	step.until_iret = false;
	step.writes_dr6 = false;
}
