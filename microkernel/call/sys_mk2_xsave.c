// SPDX-License-Identifier: GPL-2.0-only
/* Mk#2: the extended processor state of VSs. */
#include <bsl/bits.h>
#include <bsl/string.h>

#include "call/syscall.h"
#include "mk.h"
#include "obj/active.h"
#include "obj/ext.h"
#include "obj/objects.h"
#include "obj/xstate.h"
#include "pp.h"
#include "vendor.h"

#define HEADER_END sizeof(struct xstate_head)

/* It begins with the state after reset, which goes into the CPU if the VS is active. */
static uint64_t attach(struct vs *vs)
{
	if (vs->root || vs->vmid == MK1_ROOT_VMID)
		return MK1_INVALID_INPUT_REG(1);
	if (vs->xstate)
		return MK1_SUCCESS;
	vs->xstate = xstate_alloc();
	if (!vs->xstate)
		return MK2_FAILURE_NO_MEMORY;
	if (this_pp()->vs == vs)
		xstate_enter(this_pp(), vs->xstate);
	(void)unswitched_write(vs, UNSWITCHED_XCR0, XCR0_X87);
	if (mk.vendor->xsetbv_exits)
		mk.vendor->xsetbv_exits(vs);
	return MK1_SUCCESS;
}

uint64_t sys_vs_xsave_attach(struct syscall_frame *f)
{
	struct vs *vs = vs_lock(arg_id(f, 1));
	uint64_t status;

	if (!vs)
		return MK1_INVALID_INPUT_REG(1);
	status = attach(vs);
	vs_unlock(vs);
	if (status == MK1_SUCCESS) {
		f->reg[0] = xstate_features();
		f->reg[1] = xstate_size();
	}
	return status;
}

static bool read_area(struct xstate *x, uint64_t va, uint64_t size)
{
	xstate_refresh(this_pp(), x);
	return ext_write(this_pp(), va, x, size);
}

/* The head is copied once, and checked there: ring 3 may change it meanwhile. */
static bool write_area(struct xstate *x, uint64_t va, uint64_t size)
{
	struct pp *pp = this_pp();
	bool has_header = size >= HEADER_END;
	uint64_t copied = has_header ? HEADER_END : size;
	struct xstate_head head;
	bool done = true;

	if (!ext_is_mapped(pp, va, size) || !ext_read(pp, &head, va, copied) ||
	    !xstate_is_good(&head, has_header))
		return false;
	xstate_refresh(pp, x);
	bsl_memcpy(&x->head, &head, copied);
	if (has_header)
		done = ext_read(pp, x->extended, va + HEADER_END, size - HEADER_END);
	else
		x->head.xstate_bv |= XCR0_X87 | XCR0_SSE;
	xstate_reload(pp, x);
	return done;
}

static uint64_t copy(const struct syscall_frame *f,
		     bool (*how)(struct xstate *x, uint64_t va, uint64_t size))
{
	uint64_t va = f->reg[2], size = f->reg[3];
	struct vs *vs = vs_lock(arg_id(f, 1));
	uint64_t status = MK1_SUCCESS;

	if (!vs)
		return MK1_INVALID_INPUT_REG(1);
	if (!vs->xstate)
		status = MK1_INVALID_INPUT_REG(1);
	else if (!bsl_is_aligned(va, sizeof(uint64_t)))
		status = MK1_INVALID_INPUT_REG(2);
	else if (size != MK2_XSAVE_LEGACY && size != xstate_size())
		status = MK1_INVALID_INPUT_REG(3);
	else if (!how(vs->xstate, va, size))
		status = MK1_INVALID_INPUT_REG(2);
	vs_unlock(vs);
	return status;
}

uint64_t sys_vs_xsave_read(struct syscall_frame *f)
{
	return copy(f, read_area);
}

uint64_t sys_vs_xsave_write(struct syscall_frame *f)
{
	return copy(f, write_area);
}
