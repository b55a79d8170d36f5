// SPDX-License-Identifier: GPL-2.0-only
#include "run/fail.h"

#include <abi/mk2.h>
#include <bsl/string.h>

#include "arch/intrinsics.h"
#include "arch/trap.h"
#include "debug.h"
#include "lock.h"
#include "mk.h"
#include "obj/active.h"
#include "obj/backup.h"
#include "obj/ext.h"
#include "pp.h"
#include "run/cross.h"
#include "run/ended.h"
#include "run/leave.h"
#include "run/report.h"
#include "vendor.h"

/* The number by which the loader knows the active extension, if the error is one of its own. */
static uint64_t image_at_fault(const struct pp *pp, enum bf_error error)
{
	bool nobody = !BF_ERROR_IS_EXTENSION(error) || error == BF_ERR_EXT_NO_BOOTSTRAP ||
		      error == BF_ERR_EXT_NO_VMEXIT;

	return nobody ? 0 : pp->ext->id + 1;
}

void activate_or_fail(struct vs *vs)
{
	if (!vs_activate(vs))
		pp_fail(BF_ERR_MK_VMCS, vs->id, 0, 0);
}

static __noreturn void enter_fallback(struct pp *pp)
{
	pp->phase = PHASE_IDLE;
	pp->fallback = true;
	activate_or_fail(pp->root_vs);
	bsl_memcpy(abi_gprs(), exit_was_last(pp, pp->root_vs) ? pp->exit_gpr : pp->backup.gpr,
		   sizeof(pp->exit_gpr));
	if (backup_is_good(pp))
		(void)mk.vendor->vs_init_as_root(pp->root_vs, &pp->backup);
	mk.vendor->fallback_init(pp->root_vs);
	pp->status->fallback = 1;
	__atomic_store_n(&pp->status->state, BF_PP_FAILED, __ATOMIC_RELEASE);
	mk.vendor->vs_run(pp->root_vs);
}

void leave_ended(void)
{
	struct pp *pp = this_pp();

	if (pp->crossing.caller)
		cross_return(pp, MK2_FAILURE_ENDED);
	pp->phase = PHASE_IDLE;
	pp->route = NULL;
	activate_or_fail(pp->root_vs);
	ended_answer(pp);
	mk.vendor->vs_run(pp->root_vs);
}

/* false: the PP has failed before, which says more. */
static bool note(struct pp *pp, enum bf_error error, uint64_t detail, uint64_t rip,
		 uint64_t address)
{
	if (pp->status->state == BF_PP_FAILED || pp->fallback || pp->status->error)
		return false;
	pp->status->error = error;
	pp->status->image = image_at_fault(pp, error);
	pp->status->detail = detail;
	pp->status->rip = rip;
	pp->status->address = address;
	return true;
}

static __noreturn void fail(enum bf_error error, uint64_t detail, uint64_t rip,
			    const struct place *place)
{
	struct pp *pp = this_pp();
	bool alone = ended_alone(error);
	bool first = !alone && note(pp, error, detail, rip, place->address);

	locks_abandon();
	/* A fault while a failure is reported ends the report, and nothing else. */
	if (!pp->reporting) {
		pp->reporting = true;
		if (alone)
			ended_note(error, detail, place);
		else if (first)
			report_save(pp, &pp->status->report, error, pp->status->image, place);
		mk_print("pp %u%s failed: error %u, detail 0x%llx, rip 0x%llx, address 0x%llx\n",
			 pp->handoff.ppid, alone ? ": an extension that only runs guests" : "",
			 error, (unsigned long long)detail, (unsigned long long)rip,
			 (unsigned long long)place->address);
		if (BF_ERROR_IS_MICROKERNEL(error))
			report_print(pp, place);
		pp->reporting = false;
	}
	if (pp->fallback)
		halt_cpu(pp);
	if (alone && !pp->ext->ended)
		ended_spread();
	if (alone)
		leave_ended();
	if (pp->launched && pp->root_vs)
		enter_fallback(pp);
	pp->status->fallback = 0;
	__atomic_store_n(&pp->status->state, BF_PP_FAILED, __ATOMIC_RELEASE);
	return_to_loader(pp, error);
}

void pp_fail(enum bf_error error, uint64_t detail, uint64_t rip, uint64_t address)
{
	struct trap_frame frame = { .cs = BF_SEL_KERNEL_CS, .ss = BF_SEL_KERNEL_SS };
	struct place place = { .address = address };

	if (BF_ERROR_IS_MICROKERNEL(error)) {
		save_registers(&frame);
		place.frame = &frame;
		place.flags = BF_REPORT_PLACE | BF_REPORT_GPRS;
	}
	fail(error, detail, rip, &place);
}

void pp_fail_fault(enum bf_error error, const struct trap_frame *frame, uint64_t address)
{
	const struct place place = { frame, BF_REPORT_PLACE | BF_REPORT_GPRS | BF_REPORT_FAULT,
				     address };

	fail(error, frame->vector, frame->rip, &place);
}

void pp_fail_call(enum bf_error error, uint64_t detail, const struct syscall_frame *f)
{
	const struct trap_frame frame = {
		.rip = f->rip, .cs = BF_SEL_USER_CS, .rflags = f->rflags, .rsp = f->rsp
	};
	const struct place place = { &frame, BF_REPORT_PLACE, 0 };

	fail(error, detail, f->rip, &place);
}

void pp_fail_callback(enum bf_error error, const struct trap_frame *frame)
{
	const struct place place = { frame, BF_REPORT_PLACE | BF_REPORT_GPRS, 0 };

	fail(error, this_pp()->phase, frame->rip, &place);
}

void ext_fault(const struct trap_frame *frame)
{
	struct pp *pp = this_pp();
	uint64_t cr2 = read_cr2();
	uint64_t address = frame->vector == VECTOR_PF ? cr2 : 0;
	struct ext *ext = pp->ext;

	mk_print("ext %u, pp %u: exception %llu, error code 0x%llx at rip 0x%llx, rsp 0x%llx, "
		 "address 0x%llx\n",
		 ext->id, pp->handoff.ppid, (unsigned long long)frame->vector,
		 (unsigned long long)frame->error_code, (unsigned long long)frame->rip,
		 (unsigned long long)frame->rsp, (unsigned long long)address);
	if (pp->phase == PHASE_FAIL)
		pp_fail_fault(BF_ERR_EXT_FAIL_FAULT, frame, address);
	if (!ext->fail)
		pp_fail_fault(BF_ERR_EXT_FAULT, frame, address);

	pp->fail.trap = *frame;
	pp->fail.address = address;
	pp->fail.phase = pp->phase;
	ext_call(pp, ext, PHASE_FAIL, ext->fail, frame->error_code << 32 | frame->vector, cr2);
}
