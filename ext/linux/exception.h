/* SPDX-License-Identifier: MIT */
/* Exceptions of Linux's that exit for the hooks. */
#ifndef EXT_LINUX_EXCEPTION_H
#define EXT_LINUX_EXCEPTION_H

#include <ext/libext/frame.h>

/* Somebody wants exits of these, a bit for each vector. */
void exception_watch(uint32_t vectors);
/* Those that can be, on this vendor */
uint32_t exception_able(void);
bool exception_is_watched(uint64_t vector);

/* In the bootstrap of a PP, and when that has changed. */
void exception_begin(uint64_t vsid);

/* What a CPU makes of an exception in the delivery of another one. */
enum exception_pair { EXCEPTION_SECOND, EXCEPTION_DOUBLE_FAULT, EXCEPTION_SHUTDOWN };

/* APM vol. 2 table 8-4, SDM vol. 3 table 7-5 */
enum exception_pair exception_combine(uint64_t first, uint64_t second);

/*
 * The hooks are asked about the exception, in whose place e may say another fault; not if it was in
 * the delivery of an event. true: it is somebody's. Else it is Linux's.
 */
bool exception_is_answered(struct ext_exit *e, const struct ext_exception *exception,
			   bool delivering);

/*
 * An exit by an exception. false: it is not watched. true: e says how it ends. What nobody answers
 * is delivered to Linux, and they do not come back.
 */
bool svm_exception(struct ext_exit *e);
bool vmx_exception(struct ext_exit *e);

/* What the exit by an exception says of it. */
struct ext_exception svm_exception_of(uint64_t vsid, uint8_t vector);

/* Linux takes it with the next entry, with its error code if it has one, and CR2 for #PF. */
void svm_inject(uint64_t vsid, const struct ext_exception *x);
void vmx_inject(uint64_t vsid, const struct ext_exception *x);

/* --- inject.c --------------------------------------------------------------------------------- */

/* The exit interrupted the delivery of an event, or one is to be delivered with the next entry. */
bool inject_is_busy(uint64_t vsid);

/*
 * An instruction, or an iteration, has been done in Linux's place, and RIP and RFLAGS are those
 * behind it: a shadow ends, and a single step traps.
 */
void inject_after_insn(uint64_t vsid);

#endif
