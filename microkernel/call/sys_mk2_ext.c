// SPDX-License-Identifier: GPL-2.0-only
/* Syscalls of Mk#2: what several extensions share. */
#include <abi/handoff.h>
#include <abi/mk2.h>

#include "call/syscall.h"
#include "obj/ext.h"
#include "obj/objects.h"
#include "obj/route.h"
#include "pp.h"

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
	if (route.first <= BF_HYPERCALL_STOP && route.last >= BF_HYPERCALL_STOP)
		return MK2_FAILURE_EXISTS;
	return route_add(&route);
}
