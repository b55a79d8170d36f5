/* SPDX-License-Identifier: GPL-2.0-only */
/* The ways out of the hypervisor. */
#ifndef MK_LEAVE_H
#define MK_LEAVE_H

#include <abi/errors.h>
#include <abi/types.h>
#include <bsl/compiler.h>

struct pp;
struct vs;

/*
 * Whether it can. If what comes after the start is another system (BF_HANDOFF_STAYS), it cannot
 * then, unless that has bound it (bind.h).
 */
bool may_leave(const struct pp *pp);

/* This PP leaves the hypervisor, and its CPU continues as vs, which is the active one. */
__noreturn void promote(struct vs *vs);

/*
 * This PP leaves with nothing to continue with, as its CPU is offline: it halts, bare, until an
 * INIT resets it. The driver sends that.
 */
__noreturn void leave_offline(struct pp *pp);

/* The launch failed: Linux finds itself where it called, with the error as result. */
__noreturn void return_to_loader(struct pp *pp, enum bf_error error);

/* What resets a bare machine, such as a triple fault. why goes to whoever reads the serial port. */
__noreturn void reset_machine(struct pp *pp, const char *why);

/*
 * There is nothing that this PP could run any more. It stands still, and the driver takes the other
 * CPUs back without it. Where that is no help, because all of them wait for it with interrupts off,
 * the machine is reset.
 */
__noreturn void halt_cpu(struct pp *pp);

#endif
