// SPDX-License-Identifier: GPL-2.0-only
/* The dispatch of syscalls: a table made from the list in abi/mk1.h. */
#include "syscall.h"

#include "ext.h"
#include "pp.h"

#define MAX_CALLS 16 /* per opcode */

#define MK1_ENTRY(op, idx, name, in, out, args, results, errors) [MK1_OP_##op][idx] = sys_##name,
static const syscall_fn calls[MK1_NR_OPS][MAX_CALLS] = { MK1_SYSCALLS(MK1_ENTRY) };

uint64_t syscall_dispatch(struct syscall_frame *frame, uint64_t rax)
{
	uint32_t op = (uint16_t)(rax >> 16);
	uint32_t idx = (uint16_t)rax;

	/* The magic, and no flags: Mk#1 has none. */
	if (rax >> 32 != (uint64_t)MK1_MAGIC << 16 || op >= MK1_NR_OPS || idx >= MAX_CALLS ||
	    !calls[op][idx])
		return MK1_FAILURE_UNSUPPORTED;
	if (op >= MK1_OP_CALLBACK &&
	    (frame->reg[0] != MK1_HANDLE || !this_pp()->ext->handle_open))
		return MK1_FAILURE_INVALID_HANDLE;
	return calls[op][idx](frame);
}
