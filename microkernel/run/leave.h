/* SPDX-License-Identifier: GPL-2.0-only */
/* The ways out of the hypervisor. */
#ifndef MK_LEAVE_H
#define MK_LEAVE_H

#include <abi/errors.h>
#include <abi/types.h>
#include <bsl/compiler.h>

struct pp;
struct vs;

/* This PP leaves the hypervisor, and its CPU continues as vs, which is the active one. */
__noreturn void promote(struct vs *vs);

/* The launch failed: Linux finds itself where it called, with the error as result. */
__noreturn void return_to_loader(struct pp *pp, enum bf_error error);

/*
 * Linux's CPU has no state any more that it could run, as after a triple fault: the machine begins
 * anew, as a bare one does. why goes to whoever reads the serial port.
 */
__noreturn void reset_machine(struct pp *pp, const char *why);

#endif
