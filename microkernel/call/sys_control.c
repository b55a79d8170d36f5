// SPDX-License-Identifier: GPL-2.0-only
/* Syscalls: control, handle, callback. */
#include <abi/mk2.h>

#include "call/syscall.h"
#include "mk.h"
#include "obj/ext.h"
#include "obj/policy.h"
#include "pp.h"
#include "run/fail.h"
#include "run/start.h"

uint64_t sys_control_exit(struct syscall_frame *f)
{
	const struct pp *pp = this_pp();

	/* A fail callback that gives up leaves the fault as what went wrong. */
	if (pp->phase == PHASE_FAIL)
		pp_fail_fault(BF_ERR_EXT_FAULT, &pp->fail.trap, pp->fail.address);
	pp_fail_call(BF_ERR_EXT_EXIT, 0, f);
}

uint64_t sys_control_wait(struct syscall_frame *f)
{
	struct pp *pp = this_pp();

	if (pp->phase != PHASE_START)
		pp_fail_call(BF_ERR_EXT_WAIT, 0, f);
	start_ext(pp, (uint16_t)(pp->ext->id + 1));
}

uint64_t sys_control_again(struct syscall_frame *f)
{
	struct pp *pp = this_pp();
	const struct trap_frame *fault = &pp->fail.trap;

	if (pp->phase != PHASE_FAIL)
		pp_fail_call(BF_ERR_EXT_AGAIN, 0, f);
	/* Not every CPU faults before a jump: where nothing of ring 3's can be, IRETQ would. */
	if (fault->rip >> 47)
		pp_fail_fault(BF_ERR_EXT_FAULT, fault, pp->fail.address);
	pp->phase = pp->fail.phase;
	resume_ring3(fault->gpr, fault->rip, fault->rflags, fault->rsp);
}

/* A function of its own: a call that is refused needs no stack. */
static noinline uint64_t set_open(struct syscall_frame *f, bool mk2, bool open)
{
	struct ext *ext = this_pp()->ext;

	if (open)
		f->reg[0] = mk2 ? MK2_HANDLE : MK1_HANDLE;
	*(mk2 ? &ext->mk2_open : &ext->handle_open) = open;
	policy_open(ext, mk2 ? SPEC_MK2 : SPEC_MK1, open);
	return MK1_SUCCESS;
}

uint64_t sys_handle_open_handle(struct syscall_frame *f)
{
	struct ext *ext = this_pp()->ext;
	bool mk2 = (uint32_t)f->reg[0] == MK2_SPEC_ID;
	bool *open = mk2 ? &ext->mk2_open : &ext->handle_open;

	if ((uint32_t)f->reg[0] != MK1_SPEC_ID && !mk2)
		return MK1_FAILURE_UNSUPPORTED;
	if (*open)
		return MK1_FAILURE_UNKNOWN;
	return set_open(f, mk2, true);
}

uint64_t sys_handle_close_handle(struct syscall_frame *f)
{
	struct ext *ext = this_pp()->ext;

	bool mk2 = f->reg[0] == MK2_HANDLE;
	bool *open = mk2 ? &ext->mk2_open : &ext->handle_open;

	if ((f->reg[0] != MK1_HANDLE && !mk2) || !*open)
		return MK1_FAILURE_INVALID_HANDLE;
	return set_open(f, mk2, false);
}

/* A callback that only one of all extensions can have: whoever comes first. */
static uint64_t register_one(struct ext **owner, uint64_t *callback, uint64_t fn)
{
	struct ext *ext = this_pp()->ext, *none = NULL;

	if (!ext_is_code(ext, fn))
		return MK1_INVALID_INPUT_REG(1);
	if (__atomic_load_n(owner, __ATOMIC_ACQUIRE))
		return MK1_FAILURE_UNKNOWN;
	*callback = fn;
	return __atomic_compare_exchange_n(owner, &none, ext, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED) ?
		       MK1_SUCCESS :
		       MK1_FAILURE_UNKNOWN;
}

uint64_t sys_callback_register_bootstrap(struct syscall_frame *f)
{
	return register_one(&mk.bootstrap_ext, &this_pp()->ext->bootstrap, f->reg[1]);
}

uint64_t sys_callback_register_vmexit(struct syscall_frame *f)
{
	return register_one(&mk.vmexit_ext, &this_pp()->ext->vmexit, f->reg[1]);
}

uint64_t sys_callback_register_fail(struct syscall_frame *f)
{
	struct ext *ext = this_pp()->ext;

	if (!ext_is_code(ext, f->reg[1]))
		return MK1_INVALID_INPUT_REG(1);
	if (ext->fail)
		return MK1_FAILURE_UNKNOWN;
	ext->fail = f->reg[1];
	return MK1_SUCCESS;
}
