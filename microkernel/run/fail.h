/* SPDX-License-Identifier: GPL-2.0-only */
/* What happens when an extension, a VS or the microkernel itself fails. */
#ifndef MK_FAIL_H
#define MK_FAIL_H

#include <abi/errors.h>
#include <abi/types.h>
#include <bsl/compiler.h>

struct syscall_frame;
struct trap_frame;
struct vs;

/*
 * This PP gives up its extension. Before the first exit the CPU goes back to the loader with the
 * error. Afterwards Linux runs on as a guest of the microkernel alone, until the driver reclaims
 * it: going back at an arbitrary instruction is not possible, because Linux's page table of the
 * moment (a user one under page-table isolation, say) need not map the code that switches.
 *
 * detail: vector, reason or field, by error. rip, address: where, for faults; else 0.
 */
__noreturn void pp_fail(enum bf_error error, uint64_t detail, uint64_t rip, uint64_t address);

/* The same by an exception; in a syscall; or in a callback that is at frame. */
__noreturn void pp_fail_fault(enum bf_error error, const struct trap_frame *frame,
			      uint64_t address);
__noreturn void pp_fail_call(enum bf_error error, uint64_t detail, const struct syscall_frame *f);
__noreturn void pp_fail_callback(enum bf_error error, const struct trap_frame *frame);

/*
 * The active extension has ended, on this PP or another one (ended.h), and this PP goes on with
 * Linux, or with the extension that has called it.
 */
__noreturn void leave_ended(void);

/* vs_activate; a VS whose control block the CPU refuses is the end of this PP. */
void activate_or_fail(struct vs *vs);

/* An exception in ring 3: the extension's fail callback, if it has one and is not in it already. */
__noreturn void ext_fault(const struct trap_frame *frame);

#endif
