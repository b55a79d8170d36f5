// SPDX-License-Identifier: GPL-2.0-only
/* Syscalls of Mk#2: what several extensions share. */
#include <abi/handoff.h>
#include <abi/mk2.h>

#include "call/syscall.h"
#include "mem/mem.h"
#include "mk.h"
#include "obj/channel.h"
#include "obj/ext.h"
#include "obj/objects.h"
#include "obj/route.h"
#include "pp.h"
#include "run/cross.h"
#include "run/fail.h"
#include "run/watchdog.h"

uint64_t sys_ext_set_entry(struct syscall_frame *f)
{
	struct ext *ext = this_pp()->ext;

	if (!ext_is_code(ext, f->reg[1]))
		return MK1_INVALID_INPUT_REG(1);
	if (ext->entry)
		return MK1_FAILURE_UNKNOWN;
	ext->entry = f->reg[1];
	return MK1_SUCCESS;
}

uint64_t sys_ext_call(struct syscall_frame *f)
{
	struct pp *pp = this_pp();
	struct ext *callee = ext_find(arg_id(f, 1));
	uint64_t status;

	if (!callee || callee == pp->ext || !callee->entry)
		return MK1_INVALID_INPUT_REG(1);
	/* A fail callback has its stack from a callback that may have been called. */
	if (pp->phase == PHASE_FAIL)
		return MK1_FAILURE_UNKNOWN;
	if (pp->crossing.caller)
		return MK2_FAILURE_BUSY;
	if (callee->ended)
		return MK2_FAILURE_ENDED;
	if (!watchdog_cross(pp))
		pp_fail_call(BF_ERR_EXT_OVERDUE, pp->phase, f);
	status = cross_call(pp, callee, &f->reg[2]);
	if (status != MK1_SUCCESS)
		return status;
	for (unsigned int i = 0; i < CROSS_WORDS; i++)
		f->reg[i] = pp->crossing.result[i];
	return MK1_SUCCESS;
}

uint64_t sys_ext_reply(struct syscall_frame *f)
{
	struct pp *pp = this_pp();

	if (!pp_is_in(pp, PHASE_ENTRY))
		return MK1_FAILURE_UNKNOWN;
	for (unsigned int i = 0; i < CROSS_WORDS; i++)
		pp->crossing.result[i] = f->reg[1 + i];
	cross_return(pp, MK1_SUCCESS);
}

/* Zeros follow what there is. For a size that is not allowed, memory of the largest one counts. */
uint64_t sys_ext_args(struct syscall_frame *f)
{
	struct pp *pp = this_pp();
	const struct bf_region *args = &mk.handoff->args[pp->ext->id];
	uint64_t va = f->reg[1], size = f->reg[2];
	bool fits = size && size <= MK2_ARGS_MAX;

	if (!fits)
		return ext_is_mapped(pp, va, MK2_ARGS_MAX) ? MK1_INVALID_INPUT_REG(2) :
							     MK1_INVALID_INPUT_REG(1);
	if (!ext_write(pp, va, phys_to_virt(args->spa), size))
		return MK1_INVALID_INPUT_REG(1);
	f->reg[0] = size < args->size ? size : args->size;
	f->reg[1] = args->size;
	return MK1_SUCCESS;
}

/* For a size that is not allowed, memory of the largest one counts. */
uint64_t sys_ext_emit(struct syscall_frame *f)
{
	struct pp *pp = this_pp();
	uint64_t va = f->reg[1], size = f->reg[2], flags = f->reg[3];
	bool fits = size && size <= MK2_EMIT_MAX;

	if (!ext_is_mapped(pp, va, fits ? size : MK2_EMIT_MAX))
		return MK1_INVALID_INPUT_REG(1);
	if (!fits)
		return MK1_INVALID_INPUT_REG(2);
	if (flags & ~(uint64_t)MK2_EMIT_LOSSLESS)
		return MK1_INVALID_INPUT_REG(3);
	return channel_emit(pp, va, size, flags & MK2_EMIT_LOSSLESS, &f->reg[0]);
}

uint64_t sys_vm_set_handler(struct syscall_frame *f)
{
	struct ext *ext = this_pp()->ext;
	uint16_t vmid = arg_id(f, 1);

	if (!vm_find(vmid) || vmid == MK1_ROOT_VMID)
		return MK1_INVALID_INPUT_REG(1);
	if (!ext_is_code(ext, f->reg[2]))
		return MK1_INVALID_INPUT_REG(2);
	return vm_set_handler(vmid, ext, f->reg[2]) ? MK1_SUCCESS : MK2_FAILURE_BUSY;
}

uint64_t sys_hypercall_route(struct syscall_frame *f)
{
	const struct route route = {
		.first = f->reg[1], .last = f->reg[2], .ext = this_pp()->ext, .fn = f->reg[3]
	};

	if (route.first < MK2_HYPERCALL_MIN)
		return MK1_INVALID_INPUT_REG(1);
	if (route.last < route.first)
		return MK1_INVALID_INPUT_REG(2);
	if (!ext_is_code(route.ext, route.fn))
		return MK1_INVALID_INPUT_REG(3);
	/* The driver's way out is nobody else's. */
	if ((route.first <= BF_HYPERCALL_STOP && route.last >= BF_HYPERCALL_STOP) ||
	    (route.first <= BF_HYPERCALL_TRACE && route.last >= BF_HYPERCALL_TRACE) ||
	    (route.first <= BF_HYPERCALL_TABLE && route.last >= BF_HYPERCALL_TABLE))
		return MK2_FAILURE_EXISTS;
	return route_add(&route);
}
