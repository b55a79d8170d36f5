// SPDX-License-Identifier: GPL-2.0-only
/* Calls of the extension. */
#include <linux/errno.h>
#include <linux/irqflags.h>
#include <linux/sched.h>

#include <abi/linux_hypercall.h>
#include <abi/mk1.h>

#include "kvm.h"

int bk_call_here(u64 instance, enum guests_op op, struct bk_call *call)
{
	struct bf_hypercall_regs regs = {
		.rax = GUESTS_CALL | op,
		.rdx = instance,
		.rsi = call->rsi,
		.rdi = call->rdi,
		.r8 = call->r8,
		.r9 = call->r9,
	};

	if (!bf_hypercall(&regs))
		return BK_NOBODY;
	if (regs.rax == MK1_FAILURE_UNSUPPORTED)
		return BK_ENDED;
	if ((regs.rax & GUESTS_CALL_MASK) != GUESTS_CALL)
		return BK_NOBODY;
	call->rdx = regs.rdx;
	call->rsi = regs.rsi;
	call->rdi = regs.rdi;
	return (u32)regs.rax & 0xFFFF;
}

int bk_errno(int status)
{
	switch (status) {
	case GUESTS_OK:
		return 0;
	case GUESTS_BAD_VALUE:
		return -EINVAL;
	case GUESTS_BUSY:
		return -EBUSY;
	case GUESTS_FULL:
		return -ENOMEM;
	case GUESTS_DENIED:
		return -EFAULT;
	case GUESTS_UNSUPPORTED:
		return -ENODEV;
	default:
		return -EIO;
	}
}

int bk_info(u64 *instance)
{
	struct bk_call call = {};
	unsigned long flags;
	int status;

	if (!bareflank_guests_running(NULL))
		return -ENODEV;
	local_irq_save(flags);
	status = bk_call_here(0, GUESTS_INFO, &call);
	local_irq_restore(flags);
	*instance = call.rdx;
	if (status == BK_NOBODY)
		return -ENOENT;
	if (status == BK_ENDED)
		return -EOWNERDEAD;
	return status == GUESTS_OK && call.rsi != GUESTS_VERSION ? -EPROTO : bk_errno(status);
}

int bk_system_call(u64 instance, enum guests_op op, struct bk_call *call)
{
	unsigned long flags;
	int status;

	local_irq_save(flags);
	status = bk_call_here(instance, op, call);
	local_irq_restore(flags);
	return bk_errno(status);
}

/*
 * A CPU that comes or goes answers nothing for a moment. One on which all extensions have failed
 * answers as if this one had ended alone, until the poll has seen it (driver/linux/run.c): then
 * there is no hypervisor any more.
 */
int bk_call(struct bk_vm *vm, enum guests_op op, struct bk_call *call)
{
	unsigned long flags;
	int status;

	for (;;) {
		local_irq_save(flags);
		status = bk_call_here(vm->instance, op, call);
		local_irq_restore(flags);
		if (status == BK_ENDED)
			WRITE_ONCE(vm->guests.over, true);
		if (status != BK_NOBODY)
			return bk_errno(status);
		if (!bareflank_guests_running(&vm->guests))
			return -EIO;
		schedule_timeout_uninterruptible(1);
	}
}
