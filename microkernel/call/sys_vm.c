// SPDX-License-Identifier: GPL-2.0-only
/* Syscalls: vm and vp. */
#include <abi/layout.h>
#include <bsl/bits.h>

#include "arch/intrinsics.h"
#include "call/syscall.h"
#include "mem/mem.h"
#include "mem/tlb.h"
#include "mk.h"
#include "obj/ext.h"
#include "obj/objects.h"
#include "pp.h"
#include "vendor.h"

uint64_t sys_vm_create_vm(struct syscall_frame *f)
{
	const struct vm *vm = vm_create(this_pp()->ext->id);

	if (!vm)
		return MK1_FAILURE_UNKNOWN;
	f->reg[0] = vm->id;
	return MK1_SUCCESS;
}

uint64_t sys_vm_destroy_vm(struct syscall_frame *f)
{
	return vm_destroy(arg_id(f, 1)) ? MK1_SUCCESS : MK1_INVALID_INPUT_REG(1);
}

uint64_t sys_vm_map_direct(struct syscall_frame *f)
{
	struct vm *vm = vm_find(arg_id(f, 1));
	uint64_t spa = f->reg[2], status;

	if (!vm)
		return MK1_INVALID_INPUT_REG(1);
	if (!spa || !bsl_is_aligned(spa, BF_PAGE_SIZE) || spa >= MK1_DIRECT_MAP_SIZE)
		return MK1_INVALID_INPUT_REG(2);
	status = direct_map_page(&vm->direct, this_pp()->ext->id, spa);
	if (status != MK1_SUCCESS)
		return status;
	if (vm->id == this_pp()->vmid)
		ext_load_direct_map(this_pp());
	f->reg[0] = MK1_DIRECT_MAP_BASE + spa;
	return MK1_SUCCESS;
}

uint64_t sys_vm_unmap_direct(struct syscall_frame *f)
{
	struct vm *vm = vm_find(arg_id(f, 1));

	if (!vm)
		return MK1_INVALID_INPUT_REG(1);
	if (!bsl_is_aligned(f->reg[2], BF_PAGE_SIZE) ||
	    !direct_unmap_page(&vm->direct, this_pp()->ext->id, f->reg[2]))
		return MK1_INVALID_INPUT_REG(2);
	return MK1_SUCCESS;
}

uint64_t sys_vm_unmap_direct_broadcast(struct syscall_frame *f)
{
	uint64_t status = sys_vm_unmap_direct(f);

	if (status == MK1_SUCCESS && !tlb_shootdown(this_pp()))
		status = MK1_FAILURE_UNKNOWN;
	return status;
}

uint64_t sys_vm_tlb_flush(struct syscall_frame *f)
{
	struct pp *pp = this_pp();

	if (!vm_find(arg_id(f, 1)))
		return MK1_INVALID_INPUT_REG(1);
	mk.vendor->tlb_flush_all(pp->vs);
	write_cr3(read_cr3());
	return MK1_SUCCESS;
}

uint64_t sys_vp_create_vp(struct syscall_frame *f)
{
	const struct vp *vp;

	if (!vm_find(arg_id(f, 1)))
		return MK1_INVALID_INPUT_REG(1);
	vp = vp_create(arg_id(f, 1));
	if (!vp)
		return MK1_FAILURE_UNKNOWN;
	f->reg[0] = vp->id;
	return MK1_SUCCESS;
}

uint64_t sys_vp_destroy_vp(struct syscall_frame *f)
{
	return vp_destroy(arg_id(f, 1)) ? MK1_SUCCESS : MK1_INVALID_INPUT_REG(1);
}
