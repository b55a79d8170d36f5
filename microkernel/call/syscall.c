// SPDX-License-Identifier: GPL-2.0-only
/* The dispatch of syscalls: a table made from the list in abi/mk1.h. */
#include "call/syscall.h"

#include <abi/ext_calls.h>

#include "obj/ext.h"
#include "pp.h"
#include "run/watchdog.h"

#define MAX_CALLS 16 /* per opcode */
#define MAX_OPS 16

/* By opcode and index, 4 bits each. */
#define MK1_ENTRY(op, idx, name, in, out, args, results, errors) \
	[MK1_OP_##op * MAX_CALLS + (idx)] = sys_##name,
static const syscall_fn calls[MAX_OPS * MAX_CALLS] = { MK1_SYSCALLS(MK1_ENTRY) };

/* What Mk#1 does not have. */
static uint64_t other_call(struct syscall_frame *frame, uint64_t rax)
{
	if (rax != BF_CALL_MORE_TIME)
		return mk2_dispatch(frame, rax);
	return watchdog_more_time(this_pp(), frame->reg[0]) ? MK1_SUCCESS :
							      MK1_INVALID_INPUT_REG(0);
}

uint64_t syscall_dispatch(struct syscall_frame *frame, uint64_t rax)
{
	/* The magic, and no flags: Mk#1 has none. */
	uint64_t call = rax ^ (uint64_t)MK1_MAGIC << 48;
	/* The opcode, bits 19:16, goes to bits 7:4, next to the index in bits 3:0. */
	unsigned int number = (uint8_t)(call >> 12 | call);

	if (call & ~0xF000FULL || !calls[number])
		return other_call(frame, rax);
	if (number >= MK1_OP_CALLBACK * MAX_CALLS &&
	    (frame->reg[0] != MK1_HANDLE || !this_pp()->ext->handle_open))
		return MK1_FAILURE_INVALID_HANDLE;
	return calls[number](frame);
}
