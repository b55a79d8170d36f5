/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One function a syscall, named sys_<name>, in sys_<group>.c; those of Mk#2 in sys_mk2.c. The
 * handle has been checked when it is called; ids and addresses are checked by it, first all of
 * them, then the effect.
 */
#ifndef MK_SYSCALL_H
#define MK_SYSCALL_H

#include <abi/mk1.h>
#include <abi/mk2.h>

#include "arch/trap.h"

typedef uint64_t (*syscall_fn)(struct syscall_frame *f);

#define MK1_DECLARE(op, idx, name, in, out, args, results, errors) \
	uint64_t sys_##name(struct syscall_frame *f);
MK1_SYSCALLS(MK1_DECLARE)
MK2_SYSCALLS(MK1_DECLARE)
#undef MK1_DECLARE

/*
 * The status of a call that need not be free to be made, or what call makes of it. An extension
 * that has ended does not come back from it.
 */
uint64_t syscall_decide_mk2(struct syscall_frame *f, unsigned int number, syscall_fn call);

/* A call that Mk#1 does not have. */
uint64_t mk2_dispatch(struct syscall_frame *frame, uint64_t rax);

/* 16-bit ids sit in the low bits of their register; the rest is ignored. */
static inline uint16_t arg_id(const struct syscall_frame *f, unsigned int reg)
{
	return (uint16_t)f->reg[reg];
}

#endif
