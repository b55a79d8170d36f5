// SPDX-License-Identifier: GPL-2.0-only
/* The dispatch of syscalls: a table made from the list in abi/mk1.h. */
#include "call/syscall.h"

#include <abi/ext_calls.h>
#include <abi/loader.h>

#include "debug.h"
#include "obj/ext.h"
#include "obj/policy.h"
#include "pp.h"
#include "run/fail.h"
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

/*
 * A call that is not free: without its handle, or by an extension that may not make it, or only
 * with some arguments, or that has ended.
 */
static __cold noinline uint64_t decide(struct syscall_frame *f, enum spec spec, unsigned int number,
				       syscall_fn call)
{
	struct ext *ext = this_pp()->ext;
	uint64_t handle = spec == SPEC_MK1 ? MK1_HANDLE : MK2_HANDLE;
	bool open = spec == SPEC_MK1 ? ext->handle_open : ext->mk2_open;

	if (ext->ended)
		leave_ended();
	if ((spec == SPEC_MK2 || number >= MK1_OP_CALLBACK * MAX_CALLS) &&
	    (f->reg[0] != handle || !open))
		return MK1_FAILURE_INVALID_HANDLE;
	if (!policy_allows(ext, spec, number, f)) {
		if (!__atomic_exchange_n(&ext->told[spec][number], 1, __ATOMIC_RELAXED))
			mk_print("ext %u: has no right to call %u.%u of Mk#%u\n", ext->id,
				 number / MAX_CALLS, number % MAX_CALLS, spec + 1);
		return MK1_INVALID_PERM_DENIED;
	}
	if (!(ext->rights & BF_RIGHT_linux))
		policy_note_run(spec, number, f);
	return call(f);
}

uint64_t syscall_decide_mk2(struct syscall_frame *f, unsigned int number, syscall_fn call)
{
	return decide(f, SPEC_MK2, number, call);
}

uint64_t syscall_dispatch(struct syscall_frame *frame, uint64_t rax)
{
	/* The magic, and no flags: Mk#1 has none. */
	uint64_t call = rax ^ (uint64_t)MK1_MAGIC << 48;
	/* The opcode, bits 19:16, goes to bits 7:4, next to the index in bits 3:0. */
	unsigned int number = (uint8_t)(call >> 12 | call);

	if (call & ~0xF000FULL || !calls[number])
		return other_call(frame, rax);
	/* Debug calls have no handle, and are decided each time. */
	if (number >= MK1_OP_DEBUG * MAX_CALLS &&
	    (frame->reg[0] != MK1_HANDLE || !this_pp()->ext->may[SPEC_MK1][number]))
		return decide(frame, SPEC_MK1, number, calls[number]);
	return calls[number](frame);
}
