// SPDX-License-Identifier: GPL-2.0-only
/* call/sys_mk2_ext.c, obj/route.c: who gets which exit. */
#include "../several.h"
#include "../suites.h"

START_TEST(handler_arguments)
{
	uint16_t vmid;

	launch_two(_i, BF_ALL_RIGHTS);
	hypercall(CALL_FIRST, 0);
	vmid = make_vm();
	ck_assert_uint_eq(SYS2(vm_set_handler, HANDLE2, MK1_ROOT_VMID, EXT_HANDLER),
			  MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS2(vm_set_handler, HANDLE2, vmid + 1, EXT_HANDLER),
			  MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS2(vm_set_handler, HANDLE2, 0xFFFF, EXT_HANDLER),
			  MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS2(vm_set_handler, HANDLE2, vmid, EXT_RODATA),
			  MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS2(vm_set_handler, HANDLE2, vmid, 0), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS2(vm_set_handler, HANDLE2, vmid, EXT_HANDLER), MK1_SUCCESS);
	ck_assert_uint_eq(SYS2(vm_set_handler, HANDLE2, vmid, EXT_HANDLER + 1), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, vmid), MK1_SUCCESS);
	ck_assert_uint_eq(SYS2(vm_set_handler, HANDLE2, vmid, EXT_HANDLER), MK2_FAILURE_BUSY);
	ck_assert_uint_eq(SYS(vp_destroy_vp, HANDLE, 1), MK1_SUCCESS);
	ck_assert_uint_eq(SYS2(vm_set_handler, HANDLE2, vmid, EXT_HANDLER), MK1_SUCCESS);
	ck_assert_ptr_eq(vm_find(vmid)->handler, host_pp->ext);
	ck_assert_uint_eq(vm_find(vmid)->handler_fn, EXT_HANDLER);
}
END_TEST

START_TEST(route_arguments)
{
	start_two(_i, BF_ALL_RIGHTS);
#define ROUTE(first, last, fn) SYS2(hypercall_route, HANDLE2, first, last, fn)
	ck_assert_uint_eq(ROUTE(0, ~0ULL, EXT_ROUTE), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(ROUTE(0xFFFFFFFF, 0x100000000, EXT_ROUTE), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(ROUTE(0x100000001, 0x100000000, EXT_ROUTE), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(ROUTE(0x100000000, 0x100000000, EXT_DATA), MK1_INVALID_INPUT_REG(3));
	/* the driver's, and what another extension has */
	ck_assert_uint_eq(ROUTE(BF_HYPERCALL_STOP, BF_HYPERCALL_STOP, EXT_ROUTE),
			  MK2_FAILURE_EXISTS);
	ck_assert_uint_eq(ROUTE(BF_HYPERCALL_TRACE, BF_HYPERCALL_TRACE, EXT_ROUTE),
			  MK2_FAILURE_EXISTS);
	ck_assert_uint_eq(ROUTE(BF_HYPERCALL_TABLE, BF_HYPERCALL_TABLE, EXT_ROUTE),
			  MK2_FAILURE_EXISTS);
	ck_assert_uint_eq(ROUTE(BF_HYPERCALL_STOP - 1, ~0ULL, EXT_ROUTE), MK2_FAILURE_EXISTS);
	ck_assert_uint_eq(ROUTE(CALL_FIRST, CALL_FIRST, EXT_ROUTE), MK2_FAILURE_EXISTS);
	ck_assert_uint_eq(ROUTE(CALL_LAST, CALL_LAST + 1, EXT_ROUTE), MK2_FAILURE_EXISTS);
	ck_assert_uint_eq(ROUTE(CALL_FIRST - 1, CALL_LAST + 1, EXT_ROUTE), MK2_FAILURE_EXISTS);
	ck_assert_uint_eq(ROUTE(0x100000000, CALL_FIRST - 1, EXT_ROUTE), MK1_SUCCESS);
	for (uint64_t i = 2; i < MK2_MAX_ROUTES; i++)
		ck_assert_uint_eq(ROUTE(CALL_LAST + i, CALL_LAST + i, EXT_ROUTE), MK1_SUCCESS);
	ck_assert_uint_eq(ROUTE(CALL_LAST + 1, CALL_LAST + 1, EXT_ROUTE), MK2_FAILURE_NO_MEMORY);
	ck_assert_uint_eq(ROUTE(CALL_LAST, CALL_LAST, EXT_ROUTE), MK2_FAILURE_EXISTS);
#undef ROUTE
}
END_TEST

/* Up to where the driver's are, between them and behind them, everything can be had. */
START_TEST(routes_beside_the_drivers)
{
#define ROUTE(first, last) SYS2(hypercall_route, HANDLE2, first, last, EXT_ROUTE)
	start_two(_i, BF_ALL_RIGHTS);
	ck_assert_uint_eq(ROUTE(CALL_LAST + 1, BF_HYPERCALL_TRACE - 1), MK1_SUCCESS);
	ck_assert_uint_eq(ROUTE(BF_HYPERCALL_TRACE + 1, BF_HYPERCALL_TABLE - 1), MK1_SUCCESS);
	ck_assert_uint_eq(ROUTE(BF_HYPERCALL_TABLE + 1, BF_HYPERCALL_STOP - 1), MK1_SUCCESS);
	ck_assert_uint_eq(ROUTE(BF_HYPERCALL_STOP + 1, ~0ULL), MK1_SUCCESS);
	(void)launch();
	guest_exit(cpuid_reason());
	SYS(vs_run_current, HANDLE);
	hypercall(BF_HYPERCALL_STOP - 1, 0);
	expect_exit(0, EXT_ROUTE, hypercall_reason());
#undef ROUTE
}
END_TEST

#define ARGS(va, size) SYS2(ext_args, HANDLE2, va, size)

/* The arguments of both, each of its own; and that the call is free of rights. */
START_TEST(arguments)
{
	static const char first[] = "name=first\0count=1", second[] = "name=second";
	const char *text;

	start_two(_i, GUEST_RIGHTS);
	memcpy(phys_at(m.handoff->args[0].spa), first, sizeof(first));
	m.handoff->args[0].size = sizeof(first);
	memcpy(phys_at(m.handoff->args[1].spa), second, sizeof(second));
	m.handoff->args[1].size = sizeof(second);
	(void)launch();
	guest_exit(cpuid_reason());
	text = mmu_user(EXT_DATA, true, false);
	memset(mmu_user(EXT_DATA, true, false), 0x55, PAGE);
	ck_assert_uint_eq(ARGS(EXT_DATA, PAGE), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], sizeof(first));
	ck_assert_uint_eq(regs.reg[1], sizeof(first));
	ck_assert_mem_eq(text, first, sizeof(first));
	for (uint64_t i = sizeof(first); i < PAGE; i++)
		ck_assert_int_eq(text[i], 0);
	/* a part, anywhere: what is behind it stays */
	memset(mmu_user(EXT_DATA, true, false), 0x55, PAGE);
	ck_assert_uint_eq(ARGS(EXT_DATA + 1, 4), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], 4);
	ck_assert_uint_eq(regs.reg[1], sizeof(first));
	ck_assert_mem_eq(text, "\x55name\x55", 6);
	SYS(vs_run_current, HANDLE);
	hypercall(CALL_FIRST, 0);
	ck_assert_uint_eq(ARGS(EXT_DATA, PAGE), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], sizeof(second));
	ck_assert_uint_eq(regs.reg[1], sizeof(second));
	ck_assert_mem_eq(mmu_user(EXT_DATA, true, false), second, sizeof(second));
}
END_TEST

START_TEST(no_arguments)
{
	start_two(_i, BF_ALL_RIGHTS);
	ck_assert_uint_eq(ARGS(EXT_DATA, 8), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], 0);
	ck_assert_uint_eq(regs.reg[1], 0);
	ck_assert_uint_eq(*(uint64_t *)mmu_user(EXT_DATA, true, false), 0);
}
END_TEST

/* The lowest register that is wrong; nothing is copied then. */
START_TEST(arguments_of_arguments)
{
	static const char some[] = "name=x";
	char *data, before[PAGE];

	start_two(_i, BF_ALL_RIGHTS);
	memcpy(phys_at(m.handoff->args[0].spa), some, sizeof(some));
	m.handoff->args[0].size = sizeof(some);
	data = mmu_user(EXT_DATA, true, false);
	memset(data, 0x55, PAGE);
	memcpy(before, data, PAGE);
	ck_assert_uint_eq(SYS2(ext_args, HANDLE2 + 1, 0, 0), MK1_FAILURE_INVALID_HANDLE);
	ck_assert_uint_eq(ARGS(0, PAGE), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(ARGS(0, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(ARGS(EXT_RODATA, 8), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(ARGS(EXT_ENTRY, 8), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(ARGS(EXT_DATA + 1, PAGE), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(ARGS(EXT_DATA + PAGE - 1, 2), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(ARGS(~0ULL, 1), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(ARGS(~0ULL, 2), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(ARGS(1ULL << 47, 1), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(ARGS(BF_PP_ABI, 8), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(ARGS((uint64_t)m.handoff, 8), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(ARGS(EXT_DATA, 0), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(ARGS(EXT_DATA, PAGE + 1), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(ARGS(EXT_DATA, ~0ULL), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(ARGS(EXT_DATA + 1, ~0ULL), MK1_INVALID_INPUT_REG(1));
	ck_assert_mem_eq(data, before, PAGE);
	ck_assert_uint_eq(ARGS(EXT_DATA + PAGE - 1, 1), MK1_SUCCESS);
	ck_assert_int_eq(data[PAGE - 1], 'n');
}
END_TEST

/* Each number has one extension, and all else of Linux is the first one's. */
START_TEST(each_hypercall_to_its_extension)
{
	static const struct {
		uint64_t number;
		unsigned int cpl;
		bool routed;
	} calls[] = { { CALL_FIRST, 0, true },      { CALL_LAST, 0, true },
		      { CALL_FIRST - 1, 0, false }, { CALL_LAST + 1, 0, false },
		      { CALL_FIRST, 3, false },     { ~0ULL, 0, false },
		      { CALL_FIRST + 5, 0, true } };

	launch_two(_i, BF_ALL_RIGHTS);
	/* the first one wants VMMCALLs, too; the second one need not ask for them */
	if (!_i) {
		guest_exit(SVM_EXIT_CPUID);
		ck_assert_uint_eq(reg_write(0, MK1_AMD_intercept_instruction2,
					    SVM_INSTR2_VMRUN | SVM_INSTR2_VMMCALL),
				  MK1_SUCCESS);
		SYS(vs_run_current, HANDLE);
	}
	for (unsigned int i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		hypercall(calls[i].number, calls[i].cpl);
		expect_exit(calls[i].routed, calls[i].routed ? EXT_ROUTE : EXT_VMEXIT,
			    hypercall_reason());
		ck_assert_uint_eq(abi_gprs()[BF_RAX], calls[i].number);
		abi_gprs()[BF_RAX] = 0x1234 + i;
		SYS(vs_advance_ip_and_run_current, HANDLE);
		expect_linux();
		ck_assert_uint_eq(rip_of_linux(), CALL_RIP + CALL_LENGTH);
		ck_assert_uint_eq(abi_gprs()[BF_RAX], 0x1234 + i);
		guest_exit(cpuid_reason());
		expect_exit(0, EXT_VMEXIT, cpuid_reason());
		SYS(vs_run_current, HANDLE);
	}
	ck_assert_uint_eq(status_of(0)->ext_exits[1], 3);
	ck_assert_uint_eq(status_of(0)->ext_exits[0] + 3, status_of(0)->exits);
}
END_TEST

/* A hypercall of another VM is that VM's affair. */
START_TEST(no_route_for_guests)
{
	uint16_t vmid, vsid;

	launch_two(_i, BF_ALL_RIGHTS);
	hypercall(CALL_FIRST, 0);
	vsid = make_guest(&vmid);
	if (!_i)
		ck_assert_uint_eq(reg_write(vsid, MK1_AMD_intercept_instruction2,
					    SVM_INSTR2_VMRUN | SVM_INSTR2_VMMCALL),
				  MK1_SUCCESS);
	run_guest(vmid, vsid);
	hypercall(CALL_FIRST, 0);
	expect_exit(1, EXT_HANDLER, hypercall_reason());
}
END_TEST

/* Exits of a VM go to whoever has asked for them, whichever extension has run it. */
START_TEST(each_vm_to_its_extension)
{
	uint16_t vmid, vsid, other, other_vs;

	launch_two(_i, BF_ALL_RIGHTS);
	hypercall(CALL_FIRST, 0);
	vsid = make_guest(&vmid);
	other = make_vm(); /* without a handler: it is the first one's */
	other_vs = make_vs(other, 0);
	run_guest(vmid, vsid);
	guest_exit(interrupt_reason());
	expect_exit(1, EXT_HANDLER, interrupt_reason());
	SYS(vs_run_current, HANDLE);
	guest_exit(cpuid_reason());
	expect_exit(1, EXT_HANDLER, cpuid_reason());
	SYS(vs_run, HANDLE, other, vs_find(other_vs)->vpid, other_vs);
	ck_assert_int_eq(ended.end, END_GUEST);
	guest_exit(cpuid_reason());
	expect_exit(0, EXT_VMEXIT, cpuid_reason());
	SYS(vs_run, HANDLE, vmid, vs_find(vsid)->vpid, vsid);
	guest_exit(interrupt_reason());
	expect_exit(1, EXT_HANDLER, interrupt_reason());
	SYS(vs_run, HANDLE, 0, 0, 0);
	expect_linux();
	guest_exit(interrupt_reason());
	expect_exit(0, EXT_VMEXIT, interrupt_reason());
	/* a VM that comes in its place has no handler */
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, vsid), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vp_destroy_vp, HANDLE, 1), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, vmid), MK1_SUCCESS);
	ck_assert_uint_eq(make_vm(), vmid);
	ck_assert_ptr_null(vm_find(vmid)->handler);
}
END_TEST

/* Exits that never were: what ends a run as it begins. */
START_TEST(a_run_that_ends_at_once)
{
	uint16_t vmid, vsid;

	launch_two(_i, BF_ALL_RIGHTS);
	hypercall(CALL_FIRST, 0);
	vsid = make_guest(&vmid);
	ck_assert_uint_eq(SYS2(pp_kick, HANDLE2, 0), MK1_SUCCESS);
	SYS(vs_advance_ip_and_run, HANDLE, vmid, vs_find(vsid)->vpid, vsid);
	expect_exit(1, EXT_HANDLER, interrupt_reason());
}
END_TEST

TCase *call_sys_mk2_ext_tests(void)
{
	TCase *tc = tcase_create("call_sys_mk2_ext");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, handler_arguments, 0, 2);
	tcase_add_loop_test(tc, route_arguments, 0, 2);
	tcase_add_loop_test(tc, routes_beside_the_drivers, 0, 2);
	tcase_add_loop_test(tc, arguments, 0, 2);
	tcase_add_loop_test(tc, no_arguments, 0, 2);
	tcase_add_loop_test(tc, arguments_of_arguments, 0, 2);
	tcase_add_loop_test(tc, each_hypercall_to_its_extension, 0, 2);
	tcase_add_loop_test(tc, no_route_for_guests, 0, 2);
	tcase_add_loop_test(tc, each_vm_to_its_extension, 0, 2);
	tcase_add_loop_test(tc, a_run_that_ends_at_once, 0, 2);
	return tc;
}
