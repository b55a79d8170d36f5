/* SPDX-License-Identifier: MIT */
/*
 * Linux executes one instruction with nothing watched. Everything that could go wrong in between
 * ends it: whatever exit comes next, Linux is watched again before it goes on.
 */
#ifndef EXT_LINUX_STEP_H
#define EXT_LINUX_STEP_H

#include <bsl/compiler.h>
#include <ext/libext/frame.h>

/* To be called when a PP comes in, before its hooks: what was left of an earlier time. */
void svm_step_reset(void);
void vmx_step_reset(void);

/* Intel: whether this CPU can do that. */
bool vmx_can_step(uint64_t vsid);

/* AMD: Linux goes on with nothing watched, up to the next IRET or any other exit. */
__noreturn void svm_run_until_iret(uint64_t vsid);

/* Linux executes the instruction, and what the exit interrupted before it. */
__noreturn void svm_step(uint64_t vsid);
__noreturn void vmx_step(uint64_t vsid);

/* AMD: the instruction that is stepped writes this to DR6, if it does not fault. */
void svm_step_writes_dr6(uint64_t value);

/*
 * The first thing on each exit: the step, if there is one, is over. Does not come back if that was
 * what the exit was for.
 */
void svm_step_end(uint64_t vsid, uint64_t reason);
void vmx_step_end(uint64_t vsid, uint64_t reason);

/* What the exit interrupted is delivered with the next entry. */
void svm_redeliver(uint64_t vsid);
void vmx_redeliver(uint64_t vsid);

#endif
