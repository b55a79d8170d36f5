// SPDX-License-Identifier: GPL-2.0-only
/* mem/direct_map.c: direct maps, and the faults by which a PP gets their tables. */
#include "../machine.h"
#include "../obj/obj.h"
#include "../suites.h"

START_TEST(direct_map_of_the_root_vm)
{
	uint64_t va, spa = linux_page(3);

	machine_amd_runs();
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 1, spa), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, 0), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, spa + 1), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, MK1_DIRECT_MAP_SIZE),
			  MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, PHYS_BASE), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, ODD_OWNED), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, spa), MK1_SUCCESS);
	va = regs.reg[0];
	ck_assert_uint_eq(va, MK1_DIRECT_MAP_BASE + spa);
	ck_assert_ptr_eq(mmu_user(va, true, false), phys_at(spa));
	ck_assert(!mmu_user(va, false, true));
	/* once is enough */
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, spa), MK1_FAILURE_UNKNOWN);
	ck_assert_ptr_eq(mmu_user(va, true, false), phys_at(spa));

	ck_assert_uint_eq(SYS(vm_unmap_direct, HANDLE, 1, va), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vm_unmap_direct, HANDLE, 0, va + 1), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vm_unmap_direct, HANDLE, 0, va + PAGE), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vm_unmap_direct, HANDLE, 0, va + (1ULL << 39)),
			  MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vm_unmap_direct, HANDLE, 0, EXT_DATA), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(
		SYS(vm_unmap_direct, HANDLE, 0, MK1_DIRECT_MAP_BASE + MK1_DIRECT_MAP_SIZE),
		MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vm_unmap_direct, HANDLE, 0, va), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->arg[INSN_INVLPG][0], va);
	ck_assert(!mmu_user(va, false, false));
	ck_assert_uint_eq(SYS(vm_unmap_direct, HANDLE, 0, va), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, spa), MK1_SUCCESS);
}
END_TEST

/* Another VM's direct map is there while one of its VSs is active, and gone with the VM. */
START_TEST(direct_map_of_another_vm)
{
	uint64_t spa = linux_page(3), va = MK1_DIRECT_MAP_BASE + spa, used;
	uint64_t vmid, vpid, vsid;

	machine_amd_runs();
	ck_assert_uint_eq(SYS(vm_create_vm, HANDLE), MK1_SUCCESS);
	vmid = regs.reg[0];
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, vmid, spa), MK1_SUCCESS);
	ck_assert(!mmu_user(va, false, false));
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, vmid), MK1_SUCCESS);
	vpid = regs.reg[0];
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, vpid, 0), MK1_SUCCESS);
	vsid = regs.reg[0];
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vmid, vpid, vsid), MK1_SUCCESS);
	ck_assert(mmu_user(va, true, false) != NULL);
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, vmid), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert(!mmu_user(va, false, false));
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, vsid), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vp_destroy_vp, HANDLE, vpid), MK1_SUCCESS);
	used = pool_alloc();
	pool_free(used);
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, vmid), MK1_SUCCESS);
	/* three tables came back */
	ck_assert_uint_ne(pool_alloc(), used);
	ck_assert_uint_ne(pool_alloc(), used);
	ck_assert_uint_ne(pool_alloc(), used);
	ck_assert_uint_eq(pool_alloc(), used);
}
END_TEST

/* A switch of VMs writes no CR3 unless one of them has a direct map in the PML4. */
START_TEST(direct_map_of_nobody)
{
	uint64_t va = MK1_DIRECT_MAP_BASE + linux_page(3), high = 3ULL << 39;
	unsigned int before;

	machine_amd_runs();
	second_vs();
	before = cpu->count[INSN_WRITE_CR];
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vm2, vp2, vs2), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->count[INSN_WRITE_CR], before);
	/* what appears is there without */
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, vm2, linux_page(3)), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, vm2, high), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vm2, vp2, vs2), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->count[INSN_WRITE_CR], before);
	ck_assert(ext_is_mapped(host_pp, va, PAGE));
	ck_assert(ext_is_mapped(host_pp, MK1_DIRECT_MAP_BASE + high, PAGE));
	/* what disappears takes one */
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->count[INSN_WRITE_CR], before + 1);
	ck_assert(!ext_is_mapped(host_pp, va, PAGE));
	ck_assert(!ext_is_mapped(host_pp, MK1_DIRECT_MAP_BASE + high, PAGE));
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vm2, vp2, vs2), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->count[INSN_WRITE_CR], before + 1);
}
END_TEST

/* A table that another PP made goes, too, and with it what was found through it. */
START_TEST(direct_map_by_a_fault)
{
	uint64_t va = MK1_DIRECT_MAP_BASE + linux_page(3);
	unsigned int before;

	machine_amd_runs();
	second_vs();
	enter(1);
	(void)launch();
	on_pp(0);
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, vm2, linux_page(3)), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vm2, vp2, vs2), MK1_SUCCESS);
	on_pp(1);
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, vm2, 1ULL << 39), MK1_SUCCESS);
	on_pp(0);
	ck_assert(ext_direct_map_fault(host_pp, MK1_DIRECT_MAP_BASE + (1ULL << 39)));
	ck_assert(ext_is_mapped(host_pp, MK1_DIRECT_MAP_BASE + (1ULL << 39), PAGE));
	before = cpu->count[INSN_WRITE_CR];
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->count[INSN_WRITE_CR], before + 1);
	ck_assert(!ext_is_mapped(host_pp, va, PAGE));
	ck_assert(!ext_is_mapped(host_pp, MK1_DIRECT_MAP_BASE + (1ULL << 39), PAGE));
}
END_TEST

START_TEST(direct_map_without_memory)
{
	machine_amd_runs();
	drain_pool((unsigned int)_i);
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, linux_page(0)) == MK1_SUCCESS, _i == 3);
}
END_TEST

/* A PP that has not seen a new table of the direct map faults, and then has it. */
START_TEST(direct_map_fault_is_mended)
{
	struct trap_frame f = { .vector = VECTOR_PF, .error_code = 4, .cs = BF_SEL_USER_CS };
	uint64_t va = MK1_DIRECT_MAP_BASE + linux_page(0);

	machine_amd_runs();
	enter(1);
	(void)launch();
	on_pp(0);
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, linux_page(0)), MK1_SUCCESS);
	on_pp(1);
	ck_assert(!mmu_user(va, false, false));
	cpu->cr2 = va;
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RETURNED);
	ck_assert(mmu_user(va, false, false) != NULL);
	/* the table is there: whatever it was, it is the extension's fault */
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
	ck_assert_uint_eq(ended.arg1, va);
	host_pp->phase = PHASE_VMEXIT;
	cpu->cr2 = va + (1ULL << 40); /* nothing there */
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
	host_pp->phase = PHASE_VMEXIT;
	f.error_code |= 1; /* what is there does not allow it */
	cpu->cr2 = va;
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
	host_pp->phase = PHASE_VMEXIT;
	f.error_code &= ~1ULL;
	cpu->cr2 = EXT_DATA;
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
}
END_TEST

/* The microkernel reads there as ring 3 would. */
START_TEST(direct_map_not_seen_yet)
{
	machine_amd_runs();
	enter(1);
	(void)launch();
	on_pp(0);
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, linux_page(0)), MK1_SUCCESS);
	on_pp(1);
	ck_assert(ext_is_mapped(host_pp, MK1_DIRECT_MAP_BASE + linux_page(0), PAGE));
	ck_assert(!ext_is_mapped(host_pp, MK1_DIRECT_MAP_BASE + linux_page(0), PAGE + 1));
}
END_TEST

START_TEST(direct_map_fault_without_a_vm)
{
	machine_of(0);
	start();
	host_pp->vmid = MK1_INVALID_ID;
	ck_assert(!ext_direct_map_fault(host_pp, MK1_DIRECT_MAP_BASE));
}
END_TEST

/* Before there is an active VS the root VM is active, in _start and in bootstrap. */
START_TEST(direct_map_in_bootstrap)
{
	uint64_t va = MK1_DIRECT_MAP_BASE + linux_page(3);

	machine_of(_i);
	enter(0);
	ck_assert_uint_eq(SYS(handle_open_handle, MK1_SPEC_ID), MK1_SUCCESS);
	ck_assert_uint_eq(*(uint16_t *)(BF_PP_ABI + MK1_TLS_VMID), MK1_ROOT_VMID);
	ck_assert_uint_eq(*(uint16_t *)(BF_PP_ABI + MK1_TLS_VPID), MK1_INVALID_ID);
	ck_assert_uint_eq(*(uint16_t *)(BF_PP_ABI + MK1_TLS_VSID), MK1_INVALID_ID);
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, linux_page(3)), MK1_SUCCESS);
	ck_assert_ptr_eq(mmu_user(va, true, false), phys_at(linux_page(3)));
	SYS(callback_register_bootstrap, HANDLE, EXT_BOOTSTRAP);
	SYS(control_wait);
	ck_assert_uint_eq(*(uint16_t *)(BF_PP_ABI + MK1_TLS_VMID), MK1_ROOT_VMID);
	ck_assert_ptr_eq(mmu_user(va, true, false), phys_at(linux_page(3)));
}
END_TEST

TCase *mem_direct_map_tests(void)
{
	TCase *tc = tcase_create("mem_direct_map");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, direct_map_of_the_root_vm);
	tcase_add_test(tc, direct_map_of_another_vm);
	tcase_add_test(tc, direct_map_of_nobody);
	tcase_add_test(tc, direct_map_by_a_fault);
	tcase_add_loop_test(tc, direct_map_without_memory, 0, 4);
	tcase_add_test(tc, direct_map_fault_is_mended);
	tcase_add_test(tc, direct_map_not_seen_yet);
	tcase_add_test(tc, direct_map_fault_without_a_vm);
	tcase_add_loop_test(tc, direct_map_in_bootstrap, 0, 2);
	return tc;
}
