// SPDX-License-Identifier: GPL-2.0-only
/* Mk#2: views of Linux's memory. */
#include <bsl/bits.h>
#include <bsl/paging.h>

#include "call/syscall.h"
#include "mem/tlb.h"
#include "mem/view.h"
#include "mk.h"
#include "obj/ext.h"
#include "obj/objects.h"
#include "vendor.h"

#define GPA_LIMIT BSL_BIT(MK2_NESTED_GPA_BITS)
#define MAX_BYTES (MK2_NESTED_MAX_PAGES * (uint64_t)BF_PAGE_SIZE)

static bool is_view(uint64_t view)
{
	return view && view <= MK2_VIEWS;
}

/* Rights that mean something together; which of them this CPU has is another question. */
static bool are_rights(uint64_t flags)
{
	return !(flags & ~(uint64_t)MK2_NESTED_RWX) &&
	       (flags & MK2_NESTED_R || !(flags & MK2_NESTED_W));
}

static uint64_t check_page(const struct syscall_frame *f)
{
	if (!is_view(f->reg[1]))
		return MK1_INVALID_INPUT_REG(1);
	if (!bsl_is_aligned(f->reg[2], BF_PAGE_SIZE) || f->reg[2] >= GPA_LIMIT)
		return MK1_INVALID_INPUT_REG(2);
	return MK1_SUCCESS;
}

static uint64_t check_range(const struct syscall_frame *f)
{
	uint64_t status = check_page(f), size = f->reg[3];

	if (status == MK1_SUCCESS &&
	    (!size || !bsl_is_aligned(size, BF_PAGE_SIZE) || size > MAX_BYTES ||
	     !bsl_range_within(f->reg[2], size, 0, GPA_LIMIT)))
		status = MK1_INVALID_INPUT_REG(3);
	return status;
}

static bool can(uint64_t flags)
{
	return mk.root_npt && mk.vendor->view_has(flags);
}

uint64_t sys_vm_view_set(struct syscall_frame *f)
{
	uint64_t status = check_range(f), flags = f->reg[4];

	if (status != MK1_SUCCESS)
		return status;
	if (!are_rights(flags))
		return MK1_INVALID_INPUT_REG(4);
	if (!can(flags))
		return MK1_FAILURE_UNSUPPORTED;
	return view_set((unsigned int)f->reg[1], f->reg[2], f->reg[3], flags, &f->reg[0]);
}

static bool get_page(uint64_t va, void *page)
{
	return ext_read(this_pp(), page, va, BF_PAGE_SIZE);
}

uint64_t sys_vm_view_show(struct syscall_frame *f)
{
	uint64_t status = check_page(f), flags = f->reg[3];

	if (status != MK1_SUCCESS)
		return status;
	if (!are_rights(flags))
		return MK1_INVALID_INPUT_REG(3);
	if (!ext_is_mapped(this_pp(), f->reg[4], BF_PAGE_SIZE))
		return MK1_INVALID_INPUT_REG(4);
	if (!can(flags))
		return MK1_FAILURE_UNSUPPORTED;
	return view_show((unsigned int)f->reg[1], f->reg[2], flags, get_page, f->reg[4],
			 &f->reg[0]);
}

uint64_t sys_vm_view_clear(struct syscall_frame *f)
{
	uint64_t status = check_range(f);

	if (status != MK1_SUCCESS)
		return status;
	if (!can(0))
		return MK1_FAILURE_UNSUPPORTED;
	return view_clear((unsigned int)f->reg[1], f->reg[2], f->reg[3], &f->reg[0]);
}

uint64_t sys_vm_view_rest(struct syscall_frame *f)
{
	uint64_t flags = f->reg[2];

	if (!is_view(f->reg[1]))
		return MK1_INVALID_INPUT_REG(1);
	if (flags != MK2_NESTED_RWX && flags != (MK2_NESTED_R | MK2_NESTED_W))
		return MK1_INVALID_INPUT_REG(2);
	if (!can(flags))
		return MK1_FAILURE_UNSUPPORTED;
	return view_rest((unsigned int)f->reg[1], flags, &f->reg[0]);
}

uint64_t sys_vm_view_seen(struct syscall_frame *f)
{
	if (f->reg[1] > __atomic_load_n(&tlb_generation, __ATOMIC_ACQUIRE))
		return MK1_INVALID_INPUT_REG(1);
	f->reg[0] = tlb_have_seen(f->reg[1]);
	return MK1_SUCCESS;
}

static uint64_t use(struct vs *vs, uint64_t view)
{
	if (!vs->root)
		return MK1_INVALID_INPUT_REG(1);
	if (view && !is_view(view))
		return MK1_INVALID_INPUT_REG(2);
	if (!can(0))
		return MK1_FAILURE_UNSUPPORTED;
	if (!view_root((unsigned int)view))
		return MK1_INVALID_INPUT_REG(2);
	if (vs->view != view) {
		vs->view = (uint8_t)view;
		mk.vendor->view_use(vs, view_root((unsigned int)view));
	}
	return MK1_SUCCESS;
}

uint64_t sys_vs_view(struct syscall_frame *f)
{
	struct vs *vs = vs_lock(arg_id(f, 1));
	uint64_t status;

	if (!vs)
		return MK1_INVALID_INPUT_REG(1);
	status = use(vs, f->reg[2]);
	vs_unlock(vs);
	return status;
}
