// SPDX-License-Identifier: GPL-2.0-only
/* call/sys_mk2.c: Mk#2's dispatch and arguments, VSs behind their VM's table, lists, kicks. */
#include <string.h>

#include "../mk2.h"
#include "../suites.h"

static uint64_t raw(uint64_t rax)
{
	memset(&regs, 0, sizeof(regs));
	regs.reg[0] = HANDLE2;
	return syscall_run(rax);
}

START_TEST(unknown_calls)
{
	with_vm(0);
	ck_assert_uint_eq(raw(MK2_vm_nested_flush), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(raw(MK2_vm_nested_flush ^ 1ULL << 63), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(raw(MK2_vm_nested_flush | 1ULL << 32), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(raw(MK2_vm_nested_flush | 1ULL << 20), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(raw(MK2_RAX(MK2_OP_VM, 15)), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(raw(MK2_RAX(MK2_OP_VM, 16)), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(raw(MK2_RAX(MK2_OP_PP, 3)), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(raw(MK2_RAX(15, 15)), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(raw(MK2_RAX(2, 0)), MK1_FAILURE_UNSUPPORTED);
}
END_TEST

/* Every call by the list, and that of the other specification; an open handle is not enough. */
START_TEST(two_handles)
{
	static const uint64_t calls[] = {
#define CALL(op, idx, name, in, out, args, results, errors) MK2_RAX(MK2_OP_##op, idx),
		MK2_SYSCALLS(CALL)
	};
	struct ext *ext;

	machine_of(0);
	start_and_launch();
	guest_exit(SVM_EXIT_CPUID);
	ext = host_pp->ext;
	for (unsigned int i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		for (unsigned int open = 0; open < 4; open++) {
			open_handles(ext, open);
			memset(&regs, 0xFF, sizeof(regs));
			regs.reg[0] = open & 2 ? MK1_HANDLE : MK2_HANDLE;
			ck_assert_uint_eq(syscall_run(calls[i]), MK1_FAILURE_INVALID_HANDLE);
			ck_assert_uint_eq(regs.reg[1], ~0ULL);
		}
	}
	open_handles(ext, 2);
	ck_assert_uint_eq(SYS(vm_create_vm, MK1_HANDLE), MK1_FAILURE_INVALID_HANDLE);
	ck_assert_uint_eq(SYS(vm_create_vm, MK2_HANDLE), MK1_FAILURE_INVALID_HANDLE);
	open_handles(ext, 3);
	ck_assert_uint_eq(SYS(vm_create_vm, MK2_HANDLE), MK1_FAILURE_INVALID_HANDLE);
	ck_assert_uint_eq(SYS(vm_create_vm, MK1_HANDLE), MK1_SUCCESS);
}
END_TEST

START_TEST(open_and_close)
{
	machine_of(0);
	start_and_launch();
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_uint_eq(SYS(handle_close_handle, MK2_HANDLE), MK1_FAILURE_INVALID_HANDLE);
	ck_assert_uint_eq(SYS(handle_open_handle, MK2_SPEC_ID + 1), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(SYS(handle_open_handle, MK2_SPEC_ID | 1ULL << 32), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], MK2_HANDLE);
	ck_assert_uint_eq(SYS(handle_open_handle, MK2_SPEC_ID), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(handle_open_handle, MK1_SPEC_ID), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(handle_close_handle, MK1_HANDLE), MK1_SUCCESS);
	ck_assert_uint_eq(SYS2(vm_nested_flush, MK2_HANDLE, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(handle_close_handle, 1), MK1_FAILURE_INVALID_HANDLE);
	ck_assert_uint_eq(SYS(handle_close_handle, MK2_HANDLE), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(handle_close_handle, MK2_HANDLE), MK1_FAILURE_INVALID_HANDLE);
	ck_assert_uint_eq(SYS2(vm_nested_flush, MK2_HANDLE, 0), MK1_FAILURE_INVALID_HANDLE);
	ck_assert_uint_eq(SYS(handle_open_handle, MK1_SPEC_ID), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], MK1_HANDLE);
}
END_TEST

/* --- arguments of the calls about memory ------------------------------------------------------ */

#define LIMIT (1ULL << 48)

START_TEST(map_arguments)
{
	static const uint64_t flags[] = { 0,
					  MK2_NESTED_W,
					  MK2_NESTED_X,
					  MK2_NESTED_W | MK2_NESTED_X,
					  RWX | MK2_NESTED_TYPE,
					  RWX | MK2_NESTED_SIZE,
					  RWX | MK2_NESTED_ACCESSED,
					  RWX | MK2_NESTED_DIRTY,
					  RWX | 0x40,
					  RWX | 1ULL << 63 };

	with_vm(_i);
	for (uint64_t vmid = 0; vmid <= 0xFFFF; vmid += vmid < 20 ? 1 : 0x1FFF) {
		if (vmid != 1)
			ck_assert_uint_eq(map(vmid, 0, linux_page(0), PAGE, RWX),
					  MK1_INVALID_INPUT_REG(1));
	}
	for (unsigned int i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		ck_assert_uint_eq(map(1, 0, linux_page(0), PAGE, flags[i]),
				  MK1_INVALID_INPUT_REG(5));
	for (unsigned int i = 0; i < 3; i++) {
		uint64_t size = BSL_LEVEL_SIZE(i + 1), spa = i == 2 ? RAM_1G : RAM_2M;
		uint64_t f = RWX | (uint64_t)i << 8;

		ck_assert_uint_eq(map(1, 1, spa, size, f), MK1_INVALID_INPUT_REG(2));
		ck_assert_uint_eq(map(1, size / 2, spa, size, f), MK1_INVALID_INPUT_REG(2));
		ck_assert_uint_eq(map(1, LIMIT, spa, size, f), MK1_INVALID_INPUT_REG(2));
		ck_assert_uint_eq(map(1, -size, spa, size, f), MK1_INVALID_INPUT_REG(2));
		ck_assert_uint_eq(map(1, 0, spa + 8, size, f), MK1_INVALID_INPUT_REG(3));
		ck_assert_uint_eq(map(1, 0, spa + size / 2, size, f), MK1_INVALID_INPUT_REG(3));
		ck_assert_uint_eq(map(1, 0, LIMIT, size, f), MK1_INVALID_INPUT_REG(3));
		ck_assert_uint_eq(map(1, 0, -size, size, f), MK1_INVALID_INPUT_REG(3));
		ck_assert_uint_eq(map(1, 0, spa, 0, f), MK1_INVALID_INPUT_REG(4));
		ck_assert_uint_eq(map(1, 0, spa, size + 1, f), MK1_INVALID_INPUT_REG(4));
		ck_assert_uint_eq(map(1, 0, spa, size / 2, f), MK1_INVALID_INPUT_REG(4));
		ck_assert_uint_eq(map(1, 0, spa, 513 * size, f), MK1_INVALID_INPUT_REG(4));
		ck_assert_uint_eq(map(1, LIMIT - size, spa, 2 * size, f), MK1_INVALID_INPUT_REG(4));
		ck_assert_uint_eq(map(1, 0, spa, -size, f), MK1_INVALID_INPUT_REG(4));
		ck_assert(!is_mapped(1, 0));
	}
	/* the lowest register is what is wrong */
	ck_assert_uint_eq(map(2, 1, 1, 1, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(map(1, 1, 1, 1, 0), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(map(1, 0, 1, 1, 0), MK1_INVALID_INPUT_REG(3));
	ck_assert_uint_eq(map(1, 0, 0, 1, 0), MK1_INVALID_INPUT_REG(4));
	ck_assert_uint_eq(map(1, 0, PHYS_BASE, PAGE, 0), MK1_INVALID_INPUT_REG(5));
	/* ids are 16 bits; all that is allowed at once */
	ck_assert_uint_eq(map(0x10001, 0, linux_page(0), 512 * PAGE, RWX), MK1_SUCCESS);
	ck_assert(is_mapped(1, 511 * PAGE));
}
END_TEST

static uint64_t range_call(int call, uint64_t vmid, uint64_t gpa, uint64_t size)
{
	switch (call) {
	case 0:
		return SYS2(vm_nested_unmap, HANDLE2, vmid, gpa, size);
	case 1:
		return SYS2(vm_nested_protect, HANDLE2, vmid, gpa, size, RWX);
	default:
		return SYS2(vm_nested_dirty, HANDLE2, vmid, gpa, size, EXT_DATA);
	}
}

START_TEST(range_arguments)
{
	const int call = _i % 3;
	const uint64_t max = call == 2 ? MK2_DIRTY_MAX_BYTES : MK2_NESTED_MAX_BYTES;

	with_vm(_i / 3);
	ck_assert_uint_eq(map(1, 0, linux_page(0), PAGE, RWX), MK1_SUCCESS);
	ck_assert_uint_eq(range_call(call, 0, 0, PAGE), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(range_call(call, 2, 0, PAGE), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(range_call(call, 0xFFFF, 0, PAGE), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(range_call(call, 1, 8, PAGE), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(range_call(call, 1, LIMIT, PAGE), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(range_call(call, 1, -PAGE, PAGE), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(range_call(call, 1, 0, 0), MK1_INVALID_INPUT_REG(3));
	ck_assert_uint_eq(range_call(call, 1, 0, PAGE + 8), MK1_INVALID_INPUT_REG(3));
	ck_assert_uint_eq(range_call(call, 1, 0, max + PAGE), MK1_INVALID_INPUT_REG(3));
	ck_assert_uint_eq(range_call(call, 1, LIMIT - PAGE, 2 * PAGE), MK1_INVALID_INPUT_REG(3));
	ck_assert_uint_eq(range_call(call, 1, PAGE, -PAGE), MK1_INVALID_INPUT_REG(3));
	ck_assert(is_mapped(1, 0));
	ck_assert_uint_eq(range_call(call, 1, PAGE, max), MK1_SUCCESS);
	ck_assert_uint_eq(range_call(call, 1, LIMIT - PAGE, PAGE), MK1_SUCCESS);
}
END_TEST

START_TEST(other_arguments)
{
	with_vm(_i);
	ck_assert_uint_eq(SYS2(vm_nested_protect, HANDLE2, 1, 0, PAGE, 0),
			  MK1_INVALID_INPUT_REG(4));
	ck_assert_uint_eq(SYS2(vm_nested_protect, HANDLE2, 1, 0, PAGE, MK2_NESTED_W),
			  MK1_INVALID_INPUT_REG(4));
	ck_assert_uint_eq(SYS2(vm_nested_protect, HANDLE2, 1, 0, PAGE, RWX | MK2_NESTED_UC),
			  MK1_INVALID_INPUT_REG(4));
	ck_assert_uint_eq(SYS2(vm_nested_dirty, HANDLE2, 1, 0, PAGE, EXT_DATA + 4),
			  MK1_INVALID_INPUT_REG(4));
	ck_assert_uint_eq(SYS2(vm_nested_dirty, HANDLE2, 1, 0, PAGE, 0), MK1_INVALID_INPUT_REG(4));
	ck_assert_uint_eq(SYS2(vm_nested_dirty, HANDLE2, 1, 0, PAGE, BF_PP_DATA),
			  MK1_INVALID_INPUT_REG(4));
	ck_assert_uint_eq(SYS2(vm_nested_dirty, HANDLE2, 1, 0, PAGE, ~7ULL),
			  MK1_INVALID_INPUT_REG(4));
	ck_assert_uint_eq(SYS2(vm_nested_query, HANDLE2, 0, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS2(vm_nested_query, HANDLE2, 2, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS2(vm_nested_query, HANDLE2, 1, LIMIT), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS2(vm_nested_query, HANDLE2, 1, 0), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS2(vm_nested_flush, HANDLE2, 0, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS2(vm_nested_flush, HANDLE2, 16, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS2(vm_nested_flush, HANDLE2, 1, ~0ULL), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(regs.reg[0], HANDLE2);
}
END_TEST

/* --- VSs -------------------------------------------------------------------------------------- */

static uint64_t attach(uint64_t vsid)
{
	return SYS2(vs_nested_attach, HANDLE2, vsid);
}

START_TEST(attach_arguments)
{
	with_vm(_i);
	ck_assert_uint_eq(make_vs(0, 0), 1);
	ck_assert_uint_eq(make_vs(1, 0), 2);
	ck_assert_uint_eq(make_vs(1, 1), 3);
	ck_assert_uint_eq(attach(0), MK1_INVALID_INPUT_REG(1)); /* Linux */
	ck_assert_uint_eq(attach(1), MK1_INVALID_INPUT_REG(1)); /* of Linux's VM */
	ck_assert_uint_eq(attach(3), MK1_INVALID_INPUT_REG(1)); /* another PP's */
	ck_assert_uint_eq(attach(4), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(attach(0xFFFF), MK1_INVALID_INPUT_REG(1));
	drain_pool(0);
	ck_assert_uint_eq(attach(2), MK2_FAILURE_NO_MEMORY);
	ck_assert(!vs_find(2)->nested);
}
END_TEST

/* The table is the microkernel's, and nested paging stays on. */
START_TEST(attached)
{
	uint64_t root, value;
	struct vs *vs;

	with_vm(_i);
	ck_assert_uint_eq(make_vs(1, 0), 1);
	vs = vs_find(1);
	ck_assert_uint_eq(attach(0x10001), MK1_SUCCESS);
	ck_assert_uint_eq(attach(1), MK1_SUCCESS);
	root = vm_find(1)->nested.root;
	ck_assert_uint_ne(root, 0);
	if (_i) {
		ck_assert_uint_eq(vmcs_get(vs->block_spa, VMCS_ept_pointer), root | 0x5E);
		ck_assert_uint_eq(reg_write(1, MK1_INTEL_ept_pointer, linux_page(0) | 0x1E),
				  MK1_INVALID_INPUT_REG(3));
		ck_assert_uint_eq(reg_write(1, MK1_INTEL_ept_pointer, 0), MK1_INVALID_INPUT_REG(3));
		ck_assert_uint_eq(reg_read(1, MK1_INTEL_ept_pointer), 0);
		ck_assert_uint_eq(reg_write(1, MK1_INTEL_secondary_proc_based_vm_execution_ctls, 0),
				  MK1_SUCCESS);
		ck_assert_uint_eq(reg_write(1, MK1_INTEL_primary_proc_based_vm_execution_ctls, 0),
				  MK1_SUCCESS);
		value = vmcs_get(vs->block_spa, VMCS_secondary_proc_based_vm_execution_ctls);
		ck_assert_uint_eq(value, VMX_SECONDARY_EPT);
		value = vmcs_get(vs->block_spa, VMCS_primary_proc_based_vm_execution_ctls);
		ck_assert_uint_ne(value & VMX_PRIMARY_SECONDARY, 0);
		ck_assert_uint_eq(vmcs_get(vs->block_spa, VMCS_ept_pointer), root | 0x5E);
		ck_assert(!vs->vmx.own_ept);
	} else {
		ck_assert_uint_eq(vmcb_of(vs)->n_cr3, root);
		ck_assert_uint_eq(vmcb_of(vs)->clean, 0);
		ck_assert_uint_eq(reg_write(1, MK1_AMD_n_cr3, linux_page(0)),
				  MK1_INVALID_INPUT_REG(3));
		ck_assert_uint_eq(reg_write(1, MK1_AMD_n_cr3, 0), MK1_INVALID_INPUT_REG(3));
		ck_assert_uint_eq(reg_read(1, MK1_AMD_n_cr3), 0);
		ck_assert_uint_eq(reg_write(1, MK1_AMD_ctls1, 0), MK1_SUCCESS);
		ck_assert_uint_eq(vmcb_of(vs)->np_control, SVM_NP_ENABLE);
		ck_assert_uint_eq(vmcb_of(vs)->n_cr3, root);
	}
	/* nor does it become Linux's, or Linux's VM's */
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 1), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vs_promote, HANDLE, 1), MK1_INVALID_INPUT_REG(1));
	/* a fault there is the extension's */
	ck_assert_uint_eq(SYS(vs_run, HANDLE, 1, 1, 1), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_GUEST);
	guest_exit(_i ? VMX_EXIT_EPT_VIOLATION : SVM_EXIT_NPF);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg0, 1);
	/* while a VP is there the VM is not destroyed */
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, 1), MK1_INVALID_INPUT_REG(1));
}
END_TEST

/* Before Linux has run: the VS for it is not to be one that was attached. */
START_TEST(attached_is_not_for_linux)
{
	machine_of(_i);
	start();
	ck_assert_uint_eq(SYS(handle_open_handle, MK2_SPEC_ID), MK1_SUCCESS);
	ck_assert_uint_eq(make_vm(), 1);
	ck_assert_uint_eq(make_vs(1, 0), 0);
	ck_assert_uint_eq(attach(0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert(!vs_find(0)->root);
}
END_TEST

/* Without NRIP-save: the instruction that exited is read through the VM's table. */
START_TEST(instruction_behind_the_table)
{
	struct vs *vs;

	with_vm(0);
	ck_assert_uint_eq(make_vs(1, 0), 1);
	ck_assert_uint_eq(attach(1), MK1_SUCCESS);
	vs = vs_find(1);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 1, 1, 1), MK1_SUCCESS);
	vmcb_of(vs)->cs.attrib = 0x9B;
	vmcb_of(vs)->rip = 0x10;
	memcpy((uint8_t *)phys_at(linux_page(3)) + 0x10, "\x0F\xA2", 2); /* CPUID */
	vmcb_of(vs)->exitcode = SVM_EXIT_CPUID;
	ck_assert_int_ne(mk.vendor->vs_advance_ip(vs), ADVANCE_DONE);
	ck_assert_uint_eq(map(1, 0, linux_page(3), PAGE, RWX), MK1_SUCCESS);
	ck_assert_int_eq(mk.vendor->vs_advance_ip(vs), ADVANCE_DONE);
	ck_assert_uint_eq(vmcb_of(vs)->rip, 0x12);
}
END_TEST

/* --- lists ------------------------------------------------------------------------------------ */

static struct mk2_list_entry *list(void)
{
	return mmu_user(EXT_DATA, true, false);
}

START_TEST(lists)
{
	const uint64_t rip = _i ? MK1_INTEL_rip : MK1_AMD_rip;
	const uint64_t rax = _i ? MK1_INTEL_rax : MK1_AMD_rax;
	const uint64_t cr3 = _i ? MK1_INTEL_cr3 : MK1_AMD_cr3;

	with_vm(_i);
	ck_assert_uint_eq(make_vs(1, 0), 1);
	for (unsigned int i = 0; i < MK2_LIST_MAX; i++)
		list()[i] = (struct mk2_list_entry){ rax, i };
	list()[1] = (struct mk2_list_entry){ rip, 0x1111 };
	list()[2] = (struct mk2_list_entry){ cr3, 0x2000 };
	ck_assert_uint_eq(SYS2(vs_write_list, HANDLE2, 1, EXT_DATA, MK2_LIST_MAX), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], MK2_LIST_MAX);
	ck_assert_uint_eq(reg_read(1, rax), 47);
	ck_assert_uint_eq(reg_read(1, rip), 0x1111);
	ck_assert_uint_eq(reg_read(1, cr3), 0x2000);
	for (unsigned int i = 0; i < MK2_LIST_MAX; i++)
		list()[i].value = ~0ULL;
	ck_assert_uint_eq(SYS2(vs_read_list, HANDLE2, 1, EXT_DATA, 4), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], 4);
	ck_assert_uint_eq(list()[0].value, 47);
	ck_assert_uint_eq(list()[1].value, 0x1111);
	ck_assert_uint_eq(list()[1].reg, rip);
	ck_assert_uint_eq(list()[2].value, 0x2000);
	ck_assert_uint_eq(list()[3].value, 47);
	ck_assert_uint_eq(list()[4].value, ~0ULL);
	/* up to the entry that is refused */
	list()[0].value = 0x3000;
	list()[1] = (struct mk2_list_entry){ 9999, 1 };
	ck_assert_uint_eq(SYS2(vs_write_list, HANDLE2, 1, EXT_DATA, 3), MK2_FAILURE_LIST);
	ck_assert_uint_eq(regs.reg[0], 1);
	ck_assert_uint_eq(reg_read(1, rax), 0x3000);
	list()[2].value = 0x55;
	ck_assert_uint_eq(SYS2(vs_read_list, HANDLE2, 1, EXT_DATA, 3), MK2_FAILURE_LIST);
	ck_assert_uint_eq(regs.reg[0], 1);
	ck_assert_uint_eq(list()[2].value, 0x55);
	list()[0].reg = 9999;
	ck_assert_uint_eq(SYS2(vs_read_list, HANDLE2, 1, EXT_DATA, 1), MK2_FAILURE_LIST);
	ck_assert_uint_eq(regs.reg[0], 0);
	/* a register that is not writable by the VS's own state */
	ck_assert_uint_eq(attach(1), MK1_SUCCESS);
	list()[0] = (struct mk2_list_entry){ rip, 7 };
	list()[1] = (struct mk2_list_entry){ _i ? MK1_INTEL_ept_pointer : MK1_AMD_n_cr3, 0 };
	ck_assert_uint_eq(SYS2(vs_write_list, HANDLE2, 1, EXT_DATA, 2), MK2_FAILURE_LIST);
	ck_assert_uint_eq(regs.reg[0], 1);
	ck_assert_uint_eq(reg_read(1, rip), 7);
}
END_TEST

/* Linux's VS, active, as by the single calls: its state before is kept. */
START_TEST(list_of_linux)
{
	with_vm(_i);
	list()[0] = (struct mk2_list_entry){ _i ? MK1_INTEL_rip : MK1_AMD_rip, 0x4444 };
	ck_assert_uint_eq(SYS2(vs_write_list, HANDLE2, 0, EXT_DATA, 1), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(0, _i ? MK1_INTEL_rip : MK1_AMD_rip), 0x4444);
	ck_assert_uint_eq(host_pp->backup_exits, host_pp->exits);
	ck_assert_uint_ne(host_pp->backup.rip, 0x4444);
}
END_TEST

static uint64_t list_call(int write, uint64_t vsid, uint64_t va, uint64_t count)
{
	return write ? SYS2(vs_write_list, HANDLE2, vsid, va, count) :
		       SYS2(vs_read_list, HANDLE2, vsid, va, count);
}

START_TEST(list_arguments)
{
	const int write = _i % 2;

	with_vm(_i / 2);
	ck_assert_uint_eq(make_vs(1, 1), 1);
	list()->reg = m.vendor == BF_VENDOR_INTEL ? MK1_INTEL_rbx : MK1_AMD_rbx;
	ck_assert_uint_eq(list_call(write, 0, EXT_DATA, 1), MK1_SUCCESS);
	ck_assert_uint_eq(list_call(write, 1, EXT_DATA, 1), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(list_call(write, 2, EXT_DATA, 1), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(list_call(write, 0xFFFF, EXT_DATA, 1), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(list_call(write, 0, EXT_DATA + 4, 1), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(list_call(write, 0, EXT_DATA + PAGE - 8, 1), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(list_call(write, 0, 0, 1), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(list_call(write, 0, BF_PP_DATA, 1), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(list_call(write, 0, ~15ULL, 2), MK1_INVALID_INPUT_REG(2));
	/* the lowest register is what is wrong */
	ck_assert_uint_eq(list_call(write, 2, 4, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(list_call(write, 0, 4, 0), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(list_call(write, 0, EXT_DATA, 0), MK1_INVALID_INPUT_REG(3));
	ck_assert_uint_eq(list_call(write, 0, EXT_DATA, MK2_LIST_MAX + 1),
			  MK1_INVALID_INPUT_REG(3));
	ck_assert_uint_eq(list_call(write, 0, EXT_DATA, ~0ULL), MK1_INVALID_INPUT_REG(3));
	/* what is written to must not be read-only: "read-only", the text there, is no register */
	ck_assert_uint_eq(list_call(write, 0, EXT_RODATA, 1),
			  write ? MK2_FAILURE_LIST : MK2_FAILURE_LIST);
	memcpy(phys_at(virt_to_phys(mmu_user(EXT_RODATA, false, false))), list(), 16);
	ck_assert_uint_eq(list_call(write, 0, EXT_RODATA, 1),
			  write ? MK1_SUCCESS : MK1_INVALID_INPUT_REG(2));
}
END_TEST

/* --- other PPs -------------------------------------------------------------------------------- */

/* PP 1 is in a guest of VM 1, VS 2, and PP 0 in its extension, with VS 3 of that VM. */
static void on_two_pps(int i)
{
	with_vm(i);
	ck_assert_uint_eq(map(1, 0, linux_page(0), 2 * PAGE, RWX), MK1_SUCCESS);
	enter(1);
	ck_assert_uint_eq(launch(), 1);
	guest_exit(cpuid_reason());
	ck_assert_uint_eq(make_vs(1, 1), 2);
	ck_assert_uint_eq(attach(2), MK1_SUCCESS);
	SYS(vs_run, HANDLE, 1, vs_find(2)->vpid, 2);
	ck_assert_int_eq(ended.end, END_GUEST);
	guest_exit(cpuid_reason());
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	on_pp(0);
	ck_assert_uint_eq(make_vs(1, 0), 3);
	ck_assert_uint_eq(attach(3), MK1_SUCCESS);
}

static bool nmi_was_sent(void)
{
	return msr_get(&m.cpus[0], MSR_X2APIC_ICR) == (0x101ULL << 32 | 0x4400);
}

/* The NMI makes PP 1 exit, and it flushes: what exit.c does, as PP 0 waits for it. */
static unsigned int looked;

static void exits_by_nmi(void)
{
	looked++;
	if (nmi_was_sent()) {
		__atomic_store_n(&m.pps[1]->tlb->in_guest, 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&m.pps[1]->tlb->seen, tlb_generation, __ATOMIC_SEQ_CST);
	} else {
		cpu_in_a_while(exits_by_nmi);
	}
}

/* The flush waits for a PP that uses the table, which gets an NMI at once. */
START_TEST(flush_reaches_a_guest)
{
	unsigned int before;
	uint64_t generation;

	on_two_pps(_i);
	host_pp->flush_due = false;
	before = cpu->count[INSN_INVEPT];
	generation = unmap(1, 0, PAGE);
	cpu_in_a_while(exits_by_nmi);
	flush(1, generation);
	ck_assert_uint_gt(looked, 0);
	ck_assert_uint_eq(m.pps[1]->tlb->kick, KICK_SENT);
	ck_assert_uint_ne(m.pps[1]->tlb->seen_guests, m.pps[0]->tlb->seen_guests);
	/* once is enough */
	msr_set(&m.cpus[0], MSR_X2APIC_ICR, 0);
	flush(1, generation);
	ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_X2APIC_ICR), 0);
	/* what this PP knew is gone as well */
	if (_i)
		ck_assert_uint_gt(cpu->count[INSN_INVEPT], before);
	else
		ck_assert(host_pp->flush_due);
}
END_TEST

START_TEST(flush_gives_up)
{
	uint64_t generation;

	on_two_pps(_i);
	generation = unmap(1, 0, PAGE);
	ck_assert_uint_eq(SYS2(vm_nested_flush, HANDLE2, 1, generation), MK1_FAILURE_UNKNOWN);
	/* the page is the VM's still, and the next flush waits as well */
	ck_assert_uint_eq(make_vm(), 2);
	ck_assert_uint_eq(map(2, 0, linux_page(0), PAGE, RWX), MK1_INVALID_PERM_DENIED);
	m.pps[1]->tlb->present = false;
	flush(1, generation);
	ck_assert_uint_eq(map(2, 0, linux_page(0), PAGE, RWX), MK1_SUCCESS);
}
END_TEST

/* A PP that is in Linux, or in a guest of another VM, is not disturbed, and flushes later. */
START_TEST(flush_spares_other_guests)
{
	unsigned int before;

	on_two_pps(_i / 2);
	if (_i % 2) {
		on_pp(1);
		guest_exit(cpuid_reason());
		SYS(vs_run, HANDLE, 0, vs_find(1)->vpid, 1);
		ck_assert_int_eq(ended.end, END_GUEST);
		on_pp(0);
		flush(1, unmap(1, 0, PAGE));
	} else {
		ck_assert_uint_eq(make_vm(), 2);
		ck_assert_uint_eq(make_vs(2, 0), 4);
		ck_assert_uint_eq(attach(4), MK1_SUCCESS);
		ck_assert_uint_eq(map(2, 0, linux_page(7), PAGE, RWX), MK1_SUCCESS);
		flush(2, unmap(2, 0, PAGE));
	}
	ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_X2APIC_ICR), 0);
	ck_assert_uint_eq(m.pps[1]->tlb->kick, KICK_NONE);
	on_pp(1);
	before = cpu->count[INSN_INVEPT];
	m.pps[1]->flush_due = false;
	guest_exit(cpuid_reason());
	if (intel())
		ck_assert_uint_eq(cpu->count[INSN_INVEPT], before + 1);
	else
		ck_assert(m.pps[1]->flush_due);
	/* and once only */
	m.pps[1]->flush_due = false;
	SYS(vs_run_current, HANDLE);
	guest_exit(cpuid_reason());
	if (intel())
		ck_assert_uint_eq(cpu->count[INSN_INVEPT], before + 1);
	else
		ck_assert(!m.pps[1]->flush_due);
}
END_TEST

/* The VM goes, after which no PP knows its table. */
START_TEST(destroyed_after_use)
{
	on_two_pps(_i);
	on_pp(1);
	guest_exit(cpuid_reason());
	SYS(vs_set_active, HANDLE, 0, vs_find(1)->vpid, 1);
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, 2), MK1_SUCCESS);
	SYS(vs_run_current, HANDLE);
	on_pp(0);
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, 3), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vp_destroy_vp, HANDLE, 2), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vp_destroy_vp, HANDLE, 3), MK1_SUCCESS);
	/* a PP in root mode does not answer */
	m.pps[1]->tlb->in_guest = 0;
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, 1), MK1_INVALID_INPUT_REG(1));
	ck_assert(is_mapped(1, 0));
	m.pps[1]->tlb->in_guest = 1;
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, 1), MK1_SUCCESS);
	ck_assert_uint_lt(m.pps[1]->tlb->seen_guests, m.pps[0]->tlb->seen_guests);
}
END_TEST

/* An exit by the NMI of a kick; it is not Linux's, whatever the extension has asked for. */
static void nmi_exit(void)
{
	struct trap_frame f = { .vector = VECTOR_NMI, .cs = BF_SEL_KERNEL_CS };

	if (intel()) {
		put_field(VMCS_vmexit_interruption_information, EVENT(2, VECTOR_NMI));
		guest_exit(VMX_EXIT_EXCEPTION_NMI);
		return;
	}
	trap_dispatch(&f); /* as entry.S sets GIF */
	guest_exit(SVM_EXIT_NMI);
}

START_TEST(flush_is_not_an_exit)
{
	on_two_pps(_i / 2);
	on_pp(1);
	vs_find(2)->nmi_exiting = _i % 2;
	host_pp->tlb->kick = KICK_SENT;
	nmi_exit();
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(host_pp->tlb->kick, KICK_NONE);
	ck_assert(!host_pp->nmi_pending);
}
END_TEST

static uint64_t kick(uint64_t ppid)
{
	return SYS2(pp_kick, HANDLE2, ppid);
}

START_TEST(kick_ends_a_run)
{
	on_two_pps(_i / 2);
	ck_assert_uint_eq(kick(0x10001), MK1_SUCCESS);
	ck_assert(nmi_was_sent());
	ck_assert_uint_eq(m.pps[1]->tlb->kick, KICK_SENT);
	on_pp(1);
	vs_find(2)->nmi_exiting = _i % 2;
	nmi_exit();
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg0, 2);
	ck_assert_uint_eq(ended.arg1, interrupt_reason());
	ck_assert_uint_eq(reg_read(2, intel() ? MK1_INTEL_exit_reason : MK1_AMD_exitcode),
			  interrupt_reason());
	ck_assert(!host_pp->nmi_pending);
	ck_assert(!host_pp->end_run);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	/* by itself, another NMI is Linux's */
	nmi_exit();
	if (!(_i % 2)) {
		ck_assert_int_eq(ended.end, END_RING3);
		ck_assert(host_pp->nmi_pending);
	}
}
END_TEST

static void nmi_in_root_mode(void)
{
	struct trap_frame f = { .vector = VECTOR_NMI, .cs = BF_SEL_USER_CS };

	trap_dispatch(&f);
}

/* The PP is in root mode, about to run a guest, perhaps: that ends as it begins. */
START_TEST(kick_before_a_run)
{
	on_two_pps(_i);
	on_pp(1);
	guest_exit(cpuid_reason());
	on_pp(0);
	ck_assert_uint_eq(kick(1), MK1_SUCCESS);
	ck_assert(nmi_was_sent());
	on_pp(1);
	nmi_in_root_mode();
	ck_assert(!host_pp->nmi_pending);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg0, 2);
	ck_assert_uint_eq(ended.arg1, interrupt_reason());
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
}
END_TEST

static void nmi_comes(void)
{
	nmi_in_root_mode();
}

/*
 * The NMI is on its way while the PP is about to enter: it is waited for, and then ends the run. _i
 * is 2: the last thing before a VM entry is to wait for it, which then exits with the NMI window.
 */
START_TEST(kick_during_an_entry)
{
	on_two_pps(_i != 0);
	on_pp(1);
	guest_exit(cpuid_reason());
	host_pp->tlb->kick = KICK_SENT;
	host_pp->tlb->end_run = 1;
	host_pp->entry_dirty = _i == 2;
	cpu_in_a_while(nmi_comes);
	SYS(vs_run_current, HANDLE);
	if (_i == 2) {
		ck_assert_int_eq(ended.end, END_GUEST);
		ck_assert(nmi_window());
		guest_exit(VMX_EXIT_NMI_WINDOW);
		ck_assert(!nmi_window());
	}
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, interrupt_reason());
	ck_assert(!host_pp->end_run);
	ck_assert_uint_eq(host_pp->tlb->kick, KICK_NONE);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
}
END_TEST

/* In between Linux runs: then it is forgotten. */
START_TEST(kick_before_linux_runs)
{
	on_two_pps(_i);
	on_pp(1);
	guest_exit(cpuid_reason());
	host_pp->tlb->kick = KICK_SENT;
	host_pp->tlb->end_run = 1;
	nmi_in_root_mode();
	ck_assert(host_pp->end_run);
	SYS(vs_run, HANDLE, 0, vs_find(1)->vpid, 1);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(!host_pp->end_run);
	guest_exit(cpuid_reason());
	SYS(vs_run, HANDLE, 1, vs_find(2)->vpid, 2);
	ck_assert_int_eq(ended.end, END_GUEST);
}
END_TEST

/* Linux gets no such NMI, and a PP that is not there none at all. */
START_TEST(kick_for_nobody)
{
	on_two_pps(_i / 2);
	if (_i % 2) {
		on_pp(1);
		guest_exit(cpuid_reason());
		SYS(vs_run, HANDLE, 0, vs_find(1)->vpid, 1);
		ck_assert_int_eq(ended.end, END_GUEST);
		on_pp(0);
	} else {
		m.pps[1]->tlb->present = false;
	}
	ck_assert_uint_eq(kick(1), MK1_SUCCESS);
	ck_assert(!nmi_was_sent());
	ck_assert_uint_eq(m.pps[1]->tlb->kick, KICK_NONE);
	ck_assert_uint_eq(m.pps[1]->tlb->end_run, 0);
	ck_assert_uint_eq(kick(2), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(kick(0xFFFF), MK1_INVALID_INPUT_REG(1));
}
END_TEST

/* This PP: the same as from another one. */
START_TEST(kick_of_oneself)
{
	on_two_pps(_i);
	ck_assert_uint_eq(kick(0), MK1_SUCCESS);
	SYS(vs_run, HANDLE, 1, vs_find(3)->vpid, 3);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg0, 3);
	ck_assert_uint_eq(ended.arg1, interrupt_reason());
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
}
END_TEST

static void lets_go(void)
{
	m.pps[1]->tlb->kick = KICK_NONE;
}

/* Another kick of the PP has not arrived yet. */
START_TEST(kick_waits_for_another)
{
	on_two_pps(_i);
	m.pps[1]->tlb->kick = KICK_SENT;
	cpu_in_a_while(lets_go);
	ck_assert_uint_eq(kick(1), MK1_SUCCESS);
	ck_assert(nmi_was_sent());
	m.pps[1]->tlb->kick = KICK_RESERVED;
	ck_assert_uint_eq(kick(1), MK1_FAILURE_UNKNOWN);
}
END_TEST

/*
 * The guest is about to take an event, which comes first: SVM's NMI to itself, VMX's NMI window end
 * the run. _i / 2: the NMI can be sent; there is no APIC.
 */
START_TEST(kick_behind_an_event)
{
	const bool no_apic = _i / 2;

	on_two_pps(_i % 2);
	SYS(vs_set_active, HANDLE, 1, vs_find(3)->vpid, 3);
	put_event_to_inject(EVENT(0, 0x30));
	ck_assert_uint_eq(kick(0), MK1_SUCCESS);
	msr_set(&m.cpus[0], MSR_X2APIC_ICR, 0);
	if (no_apic)
		msr_set(&m.cpus[0], MSR_APIC_BASE, 0xFEE00000);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(event_to_inject(), EVENT(0, 0x30));
	ck_assert(host_pp->end_run);
	put_event_to_inject(0);
	if (intel()) {
		ck_assert(nmi_window());
		guest_exit(VMX_EXIT_NMI_WINDOW);
		ck_assert(!nmi_window());
	} else if (no_apic) {
		ck_assert_uint_eq(host_pp->tlb->kick, KICK_NONE);
		guest_exit(SVM_EXIT_CPUID);
		SYS(vs_run_current, HANDLE);
	} else {
		ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), 0x100ULL << 32 | 0x4400);
		nmi_exit();
	}
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, interrupt_reason());
	ck_assert(!host_pp->end_run);
	ck_assert(!host_pp->nmi_pending);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
}
END_TEST

TCase *call_sys_mk2_tests(void)
{
	TCase *tc = tcase_create("call_sys_mk2");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, unknown_calls);
	tcase_add_test(tc, two_handles);
	tcase_add_test(tc, open_and_close);
	tcase_add_loop_test(tc, map_arguments, 0, 2);
	tcase_add_loop_test(tc, range_arguments, 0, 6);
	tcase_add_loop_test(tc, other_arguments, 0, 2);
	tcase_add_loop_test(tc, attach_arguments, 0, 2);
	tcase_add_loop_test(tc, attached, 0, 2);
	tcase_add_loop_test(tc, attached_is_not_for_linux, 0, 2);
	tcase_add_test(tc, instruction_behind_the_table);
	tcase_add_loop_test(tc, lists, 0, 2);
	tcase_add_loop_test(tc, list_of_linux, 0, 2);
	tcase_add_loop_test(tc, list_arguments, 0, 4);
	tcase_add_loop_test(tc, flush_reaches_a_guest, 0, 2);
	tcase_add_loop_test(tc, flush_gives_up, 0, 2);
	tcase_add_loop_test(tc, flush_spares_other_guests, 0, 4);
	tcase_add_loop_test(tc, destroyed_after_use, 0, 2);
	tcase_add_loop_test(tc, flush_is_not_an_exit, 0, 4);
	tcase_add_loop_test(tc, kick_ends_a_run, 0, 4);
	tcase_add_loop_test(tc, kick_before_a_run, 0, 2);
	tcase_add_loop_test(tc, kick_during_an_entry, 0, 3);
	tcase_add_loop_test(tc, kick_before_linux_runs, 0, 2);
	tcase_add_loop_test(tc, kick_for_nobody, 0, 4);
	tcase_add_loop_test(tc, kick_of_oneself, 0, 2);
	tcase_add_loop_test(tc, kick_waits_for_another, 0, 2);
	tcase_add_loop_test(tc, kick_behind_an_event, 0, 4);
	return tc;
}
