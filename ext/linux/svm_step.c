// SPDX-License-Identifier: MIT
/*
 * AMD: one instruction, by the trap flag. Nobody must see that it is set: interrupts wait for the
 * instruction in its shadow (APM vol. 2 §15.21.5), exceptions exit before they push it, as do
 * instructions that would store it; SYSCALL, for which there is no intercept, is #UD without
 * EFER.SCE. All these, and the delivery of what an exit interrupted, are done over again without
 * the flag, and are unwatched up to the next IRET, or to whatever exits before.
 */
#include <abi/hw/svm.h>
#include <abi/mk1_regs_amd.h>
#include <ext/linux/hook.h>
#include <ext/linux/linux.h>
#include <ext/linux/step.h>
#include <ext/linux/watched.h>

#define BIT(vector) (1u << (vector))
#define EXCEPTIONS \
	((BIT(VECTOR_CP + 1) - 1) & ~(BIT(VECTOR_NMI) | BIT(9) | BIT(15) | BIT(VECTOR_MC)))
#define STORES_FLAGS (SVM_INSTR1_PUSHF | SVM_INSTR1_SWINT)

static __thread struct {
	bool trap; /* the trap flag is ours */
	bool until_iret;
	bool had_trap; /* it was set before */
	uint64_t exceptions, instructions; /* the intercepts that there were */
	uint64_t efer, shadow, dr6;
	bool writes_dr6;
	uint64_t new_dr6;
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
	step.exceptions = vs_get(vsid, MK1_AMD_intercept_exception);
	step.instructions = vs_get(vsid, MK1_AMD_intercept_instruction1);
	step.efer = vs_get(vsid, MK1_AMD_efer);
	step.shadow = vs_get(vsid, MK1_AMD_virtual_interrupt_b);
	step.dr6 = step.writes_dr6 ? step.new_dr6 : vs_get(vsid, MK1_AMD_dr6);
	step.writes_dr6 = false;
	vs_set(vsid, MK1_AMD_intercept_exception, step.exceptions | EXCEPTIONS);
	vs_set(vsid, MK1_AMD_intercept_instruction1, step.instructions | STORES_FLAGS);
	vs_set(vsid, MK1_AMD_efer, step.efer & ~(uint64_t)EFER_SCE);
	vs_set(vsid, MK1_AMD_virtual_interrupt_b, step.shadow | SVM_INTERRUPT_SHADOW);
	vs_set(vsid, MK1_AMD_rflags, flags | RFLAGS_TF);
	watch_lift(vsid);
	resume(vsid);
}

/* Everything is as it was before the step, but for what the instruction has done. */
static void undo(uint64_t vsid)
{
	uint64_t flags = vs_get(vsid, MK1_AMD_rflags);

	vs_set(vsid, MK1_AMD_intercept_instruction1, step.instructions);
	watch_again(vsid);
	if (!step.trap)
		return;
	vs_set(vsid, MK1_AMD_intercept_exception, step.exceptions);
	vs_set(vsid, MK1_AMD_efer, step.efer);
	if (!step.had_trap)
		vs_set(vsid, MK1_AMD_rflags, flags & ~(uint64_t)RFLAGS_TF);
}

/* What is Linux's own, by breakpoints or by a trap flag of its own, is delivered. */
static __noreturn void trapped(uint64_t vsid)
{
	uint64_t dr6 = vs_get(vsid, MK1_AMD_dr6);

	if (!step.had_trap) {
		dr6 = (dr6 & ~(uint64_t)DR6_BS) | (step.dr6 & DR6_BS);
		vs_set(vsid, MK1_AMD_dr6, dr6);
	}
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
	undo(vsid);
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
	if (vector <= VECTOR_LAST_EXCEPTION || reason == SVM_EXIT_PUSHF || reason == SVM_EXIT_SWINT)
		svm_run_until_iret(vsid);
}

void svm_step_reset(void)
{
	step.trap = false;
	step.until_iret = false;
	step.writes_dr6 = false;
}
