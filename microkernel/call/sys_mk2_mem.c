// SPDX-License-Identifier: GPL-2.0-only
/* Mk#2: memory that Linux has, and what of it it gives the hypervisor or a VM. */
#include <abi/layout.h>
#include <bsl/bits.h>

#include "call/syscall.h"
#include "mem/donation.h"
#include "mem/mem.h"
#include "mem/own.h"
#include "mem/window.h"
#include "mk.h"
#include "obj/ext.h"
#include "obj/objects.h"

static const struct donation_users users = {
	.show = vms_show,
	.make_tables = exts_make_tables,
	.prune = exts_prune,
};

/* Pages in the two registers from reg on, an address and a size. */
static uint64_t check_pages(const struct syscall_frame *f, unsigned int reg, uint64_t max)
{
	uint64_t spa = f->reg[reg], size = f->reg[reg + 1];

	if (!spa || !bsl_is_aligned(spa, BF_PAGE_SIZE) || spa >= MK1_SPA_LIMIT)
		return MK1_INVALID_INPUT_REG(reg);
	if (!size || !bsl_is_aligned(size, BF_PAGE_SIZE) || size > max ||
	    !bsl_range_within(spa, size, 0, MK1_SPA_LIMIT))
		return MK1_INVALID_INPUT_REG(reg + 1);
	return MK1_SUCCESS;
}

uint64_t sys_mem_donate(struct syscall_frame *f)
{
	uint64_t status = check_pages(f, 1, MK2_DONATION_MAX_BYTES);
	uint64_t spa = f->reg[1], size = f->reg[2];

	if (status != MK1_SUCCESS)
		return status;
	if (!mk.root_npt || !window_reaches(spa, size))
		return MK1_FAILURE_UNSUPPORTED;
	return donation_take(spa, size, &users);
}

uint64_t sys_mem_return(struct syscall_frame *f)
{
	uint64_t size, status = donation_return(f->reg[1], &size, &users);

	if (status == MK1_SUCCESS)
		f->reg[0] = size;
	return status;
}

uint64_t sys_mem_ram(struct syscall_frame *f)
{
	const struct bf_region *r = mem_ram_behind(f->reg[1]);

	if (!r)
		return MK1_INVALID_INPUT_REG(1);
	f->reg[0] = r->spa;
	f->reg[1] = r->size;
	return MK1_SUCCESS;
}

/* Linux's VM owns what is left. */
static struct vm *owner_of(const struct syscall_frame *f)
{
	struct vm *vm = vm_find(arg_id(f, 1));

	return vm && vm->id != MK1_ROOT_VMID ? vm : NULL;
}

uint64_t sys_vm_own(struct syscall_frame *f)
{
	uint64_t status = check_pages(f, 2, MK2_OWN_MAX_BYTES);
	struct vm *vm = owner_of(f);

	if (!vm)
		return MK1_INVALID_INPUT_REG(1);
	if (status != MK1_SUCCESS)
		return status;
	if (!mk.root_npt)
		return MK1_FAILURE_UNSUPPORTED;
	return own_take(&vm->nested, f->reg[2], f->reg[3], vms_show);
}

uint64_t sys_vm_disown(struct syscall_frame *f)
{
	uint64_t status = check_pages(f, 2, MK2_OWN_MAX_BYTES);
	struct vm *vm = owner_of(f);

	if (!vm)
		return MK1_INVALID_INPUT_REG(1);
	return status == MK1_SUCCESS ? own_give_back(&vm->nested, f->reg[2], f->reg[3]) : status;
}
