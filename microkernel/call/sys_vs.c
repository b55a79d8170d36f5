// SPDX-License-Identifier: GPL-2.0-only
/*
 * Syscalls: vs. A VS is only ever touched by the PP it is assigned to, between vs_lock and
 * vs_unlock.
 */
#include <bsl/bits.h>
#include <bsl/string.h>

#include "call/syscall.h"
#include "mk.h"
#include "obj/active.h"
#include "obj/backup.h"
#include "obj/objects.h"
#include "obj/peek.h"
#include "pp.h"
#include "run/bind.h"
#include "run/fail.h"
#include "run/leave.h"
#include "vendor.h"

uint64_t sys_vs_create_vs(struct syscall_frame *f)
{
	const struct vs *vs;

	if (!vp_find(arg_id(f, 1)))
		return MK1_INVALID_INPUT_REG(1);
	if (arg_id(f, 2) >= mk.handoff->nr_pps)
		return MK1_INVALID_INPUT_REG(2);
	vs = vs_create(arg_id(f, 1), arg_id(f, 2));
	if (!vs)
		return MK1_FAILURE_UNKNOWN;
	f->reg[0] = vs->id;
	return MK1_SUCCESS;
}

uint64_t sys_vs_destroy_vs(struct syscall_frame *f)
{
	return vs_destroy(arg_id(f, 1)) ? MK1_SUCCESS : MK1_INVALID_INPUT_REG(1);
}

static uint64_t init_as_root(struct pp *pp, struct vs *vs)
{
	enum bf_error error;

	/* Once this PP's Linux runs, the captured state is stale. */
	if (pp->launched || (pp->root_vs && pp->root_vs != vs) || vs->nested || vs->xstate)
		return MK1_INVALID_INPUT_REG(1);
	error = mk.vendor->vs_init_as_root(vs, &pp->switch_page->cpu);
	if (error)
		pp_fail(error, 0, 0, 0);
	vs_take_registers(vs, &pp->switch_page->cpu);
	bsl_memcpy(pp->backup.gpr, pp->switch_page->cpu.gpr, sizeof(pp->backup.gpr));
	vs->root = true;
	pp->root_vs = vs;
	return MK1_SUCCESS;
}

uint64_t sys_vs_init_as_root(struct syscall_frame *f)
{
	struct vs *vs = vs_lock(arg_id(f, 1));
	uint64_t status;

	if (!vs)
		return MK1_INVALID_INPUT_REG(1);
	status = init_as_root(this_pp(), vs);
	vs_unlock(vs);
	return status;
}

static __cold noinline uint64_t read_idle(struct syscall_frame *f)
{
	struct vs *vs = vs_lock(arg_id(f, 1));
	uint64_t status;

	if (!vs)
		return MK1_INVALID_INPUT_REG(1);
	status = mk.vendor->vs_read(vs, f->reg[2], &f->reg[0]);
	vs_unlock(vs);
	return status;
}

/* Extensions call these two most of all: the active VS needs no lock, and what follows no stack. */
uint64_t sys_vs_read(struct syscall_frame *f)
{
	struct vs *vs = this_pp()->vs;

	if (unlikely(!vs || vs->id != arg_id(f, 1)))
		return read_idle(f);
	return mk.vendor->vs_read(vs, f->reg[2], &f->reg[0]);
}

static __cold noinline uint64_t write_with_backup(struct syscall_frame *f)
{
	struct vs *vs = vs_lock(arg_id(f, 1));
	uint64_t status;

	if (!vs)
		return MK1_INVALID_INPUT_REG(1);
	backup_take(vs);
	vs->refused = false;
	status = mk.vendor->vs_write(vs, f->reg[2], f->reg[3]);
	vs_unlock(vs);
	return status;
}

uint64_t sys_vs_write(struct syscall_frame *f)
{
	const struct pp *pp = this_pp();
	struct vs *vs = pp->vs;

	if (unlikely(!vs || vs->id != arg_id(f, 1) || !backup_is_taken(pp)))
		return write_with_backup(f);
	vs->refused = false;
	return mk.vendor->vs_write(vs, f->reg[2], f->reg[3]);
}

/* What was claimed is not run after all. */
static void vs_release(struct vs *vs)
{
	if (vs != this_pp()->vs)
		vs_unclaim(vs);
}

/* The first of REG1..REG3, a vmid, vpid and vsid, that does not fit to those before it. */
static __cold noinline uint64_t what_is_wrong(const struct syscall_frame *f)
{
	const struct vp *vp = vp_find(arg_id(f, 2));

	if (!vm_find(arg_id(f, 1)))
		return MK1_INVALID_INPUT_REG(1);
	if (!vp || vp->vmid != arg_id(f, 1))
		return MK1_INVALID_INPUT_REG(2);
	return MK1_INVALID_INPUT_REG(3);
}

/*
 * The VS that REG1..REG3 name as (vmid, vpid, vsid), claimed for this PP; NULL and the status when
 * they do not fit together, or it holds what the CPU does not take.
 */
static struct vs *named_vs(const struct syscall_frame *f, uint64_t *status)
{
	/* First the VS: while it is claimed, its VP and VM stay what they are. */
	struct vs *vs = vs_claim(arg_id(f, 3));
	bool fits = vs && vs->vpid == arg_id(f, 2) && vs->vmid == arg_id(f, 1);

	if (likely(fits && !vs->unfit)) {
		*status = MK1_SUCCESS;
		return vs;
	}
	*status = fits ? MK1_FAILURE_UNKNOWN : what_is_wrong(f);
	if (vs)
		vs_release(vs);
	return NULL;
}

/* Without an exit there is no instruction that exited. */
static bool in_vmexit(void)
{
	return pp_is_in(this_pp(), PHASE_VMEXIT);
}

/* Whose call it is has a VS active that stays so. For what ends an exit it is one comparison. */
static bool in_entry(void)
{
	const struct pp *pp = this_pp();

	return pp->phase != PHASE_VMEXIT && pp_is_in(pp, PHASE_ENTRY);
}

/* Nothing runs before the bootstrap callbacks, or in a call of another extension. */
static bool nothing_runs(void)
{
	const struct pp *pp = this_pp();

	return pp->phase != PHASE_VMEXIT &&
	       (pp_is_in(pp, PHASE_START) || pp_is_in(pp, PHASE_ENTRY));
}

/*
 * The active VS after the instruction that exited, or at it again, before next becomes the active
 * one.
 */
static bool advance_active(struct vs *next)
{
	struct vs *vs = this_pp()->vs;

	if (vs && in_vmexit()) {
		backup_take(vs);
		if (mk.vendor->vs_advance_ip(vs) != ADVANCE_FAILED)
			return true;
	}
	vs_release(next);
	return false;
}

static uint64_t run_named(const struct syscall_frame *f, bool advance)
{
	uint64_t status;
	struct vs *vs = named_vs(f, &status);

	if (!vs)
		return status;
	if (nothing_runs()) {
		vs_release(vs);
		return MK1_FAILURE_UNKNOWN;
	}
	if (advance && !advance_active(vs))
		return MK1_FAILURE_UNKNOWN;
	activate_or_fail(vs);
	mk.vendor->vs_run(vs);
}

uint64_t sys_vs_run(struct syscall_frame *f)
{
	return run_named(f, false);
}

uint64_t sys_vs_run_current(struct syscall_frame *f)
{
	struct vs *vs = this_pp()->vs;

	(void)f;
	if (!vs || nothing_runs())
		return MK1_FAILURE_UNKNOWN;
	mk.vendor->vs_run(vs);
}

uint64_t sys_vs_advance_ip_and_run(struct syscall_frame *f)
{
	return run_named(f, true);
}

uint64_t sys_vs_advance_ip_and_run_current(struct syscall_frame *f)
{
	struct vs *vs = this_pp()->vs;

	(void)f;
	if (vs && in_vmexit())
		mk.vendor->vs_advance_ip_and_run(vs);
	return MK1_FAILURE_UNKNOWN;
}

/*
 * Whether the code that switches finds itself mapped when it has loaded the CR3 of vs: in Linux
 * only, and in its kernel only, but for the first and last instructions there, which run on the
 * user's page table where page tables are isolated.
 */
static bool can_leave(const struct pp *pp, struct vs *vs)
{
	uint64_t cr3, cr4, spa;

	return may_leave(pp) && vs->root && mk.vendor->vs_cpl(vs) == 0 &&
	       mk.vendor->vs_read(vs, mk.vendor->cr3, &cr3) == MK1_SUCCESS &&
	       mk.vendor->vs_read(vs, mk.vendor->cr4, &cr4) == MK1_SUCCESS &&
	       peek_is_mapped(cr3, cr4, bind_switch_page(pp), &spa) &&
	       peek_is_mapped(cr3, cr4, bind_leave(pp), &spa);
}

uint64_t sys_vs_promote(struct syscall_frame *f)
{
	struct vs *vs = vs_lock(arg_id(f, 1));
	bool allowed;

	if (!vs)
		return MK1_INVALID_INPUT_REG(1);
	allowed = can_leave(this_pp(), vs);
	vs_unlock(vs);
	if (!allowed)
		return MK1_INVALID_INPUT_REG(1);
	if (nothing_runs())
		return MK1_FAILURE_UNKNOWN;
	activate_or_fail(vs);
	promote(vs);
}

uint64_t sys_vs_clear(struct syscall_frame *f)
{
	struct vs *vs = vs_lock(arg_id(f, 1));

	if (!vs)
		return MK1_INVALID_INPUT_REG(1);
	mk.vendor->vs_clear(vs);
	vs_unlock(vs);
	return MK1_SUCCESS;
}

uint64_t sys_vs_migrate(struct syscall_frame *f)
{
	return vs_migrate(arg_id(f, 1), arg_id(f, 2));
}

uint64_t sys_vs_set_active(struct syscall_frame *f)
{
	uint64_t status;
	struct vs *vs = named_vs(f, &status);

	if (!vs)
		return status;
	if (in_entry()) {
		vs_release(vs);
		return MK1_FAILURE_UNKNOWN;
	}
	activate_or_fail(vs);
	return status;
}

uint64_t sys_vs_advance_ip_and_set_active(struct syscall_frame *f)
{
	uint64_t status;
	struct vs *vs = named_vs(f, &status);

	if (!vs)
		return status;
	if (in_entry()) {
		vs_release(vs);
		return MK1_FAILURE_UNKNOWN;
	}
	/* Before the first exit what is active is at its first instruction: there is no step. */
	if (!(this_pp()->vs && !in_vmexit()) && !advance_active(vs))
		return MK1_FAILURE_UNKNOWN;
	activate_or_fail(vs);
	return MK1_SUCCESS;
}

uint64_t sys_vs_tlb_flush(struct syscall_frame *f)
{
	struct vs *vs = vs_lock(arg_id(f, 1));
	uint64_t gla = f->reg[2];
	bool is_page = gla && bsl_is_aligned(gla, BF_PAGE_SIZE);

	if (!vs)
		return MK1_INVALID_INPUT_REG(1);
	if (is_page)
		mk.vendor->tlb_flush_gla(vs, gla);
	vs_unlock(vs);
	return is_page ? MK1_SUCCESS : MK1_INVALID_INPUT_REG(2);
}
