/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ways out: promote, and what happens when an extension, a VS or the microkernel itself fails.
 */
#ifndef MK_FAIL_H
#define MK_FAIL_H

#include <abi/errors.h>
#include <abi/types.h>
#include <bsl/compiler.h>

struct pp;
struct trap_frame;
struct vs;

/*
 * This PP gives up its extension. Before the first exit the CPU goes back to the loader with the
 * error. Afterwards Linux runs on as a guest of the microkernel alone, until the driver fetches it:
 * going back at an arbitrary instruction is not possible, because Linux's page table of the moment
 * (a user one under page-table isolation, say) need not map the code that switches.
 *
 * detail: vector, reason or field, by error. rip, address: where, for faults; else 0.
 */
__noreturn void pp_fail(enum bf_error error, uint64_t detail, uint64_t rip, uint64_t address);

/*
 * To be called before an extension changes the state of vs. If this is Linux, its state as of the
 * exit is kept, so that an extension that fails half-way leaves nothing half-done behind (but for
 * the general registers from RBP to R15, which it changes without asking).
 */
void fail_remember(struct vs *vs);

/* To be called before another VS than the PP's active one, or none, becomes active. */
void fail_follow(struct pp *pp, const struct vs *next);

/* An exception in ring 3: the extension's fail callback, if it has one and is not in it already. */
__noreturn void ext_fault(const struct trap_frame *frame);

/*
 * Linux's CPU has no state any more that it could run, as after a triple fault: the machine begins
 * anew, as a bare one does. why goes to whoever reads the serial port.
 */
__noreturn void reset_machine(struct pp *pp, const char *why);

/* This PP leaves the hypervisor and continues as vs. */
__noreturn void promote(struct vs *vs);

#endif
