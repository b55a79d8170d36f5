// SPDX-License-Identifier: GPL-2.0-only
/* obj/policy.c, and the part of call/syscall.c that asks it: what an extension may do. */
#include <string.h>

#include "microkernel/obj/policy.h"

#include "../several.h"
#include "../suites.h"

#define LINUX BF_RIGHT_linux
#define GUESTS (BF_RIGHT_guests | BF_RIGHT_others)
#define ANY_VM (LINUX | GUESTS)

/* Which rights a call wants, any of them, by its name or its beginning; the first one counts. */
static const struct {
	const char *name;
	uint64_t any;
} wanted[] = {
	{ "control_", 0 },
	{ "handle_", 0 },
	{ "debug_", BF_RIGHT_debug },
	{ "callback_register_bootstrap", LINUX },
	{ "callback_register_vmexit", LINUX },
	{ "callback_register_fail", 0 },
	{ "vm_create_vm", GUESTS },
	{ "vm_destroy_vm", GUESTS },
	{ "vm_map_direct", BF_RIGHT_physical },
	{ "vm_unmap_direct", BF_RIGHT_physical },
	{ "vm_tlb_flush", ANY_VM },
	{ "vp_", ANY_VM },
	{ "vs_init_as_root", LINUX },
	{ "vs_promote", LINUX },
	{ "vs_run", 0 },
	{ "vs_advance_ip_and_", 0 },
	{ "vs_set_active", 0 },
	{ "vs_view", LINUX },
	{ "vs_", ANY_VM },
	{ "intrinsic_rdmsr", BF_RIGHT_rdmsr },
	{ "intrinsic_wrmsr", BF_RIGHT_wrmsr },
	{ "mem_donate", BF_RIGHT_donations },
	{ "mem_return", BF_RIGHT_donations },
	{ "mem_ram", BF_RIGHT_physical },
	{ "mem_", BF_RIGHT_memory },
	{ "ext_args", 0 },
	{ "ext_emit", 0 },
	{ "ext_", BF_RIGHT_calls },
	{ "vm_set_handler", GUESTS },
	{ "hypercall_route", BF_RIGHT_hypercalls },
	{ "vm_nested_", GUESTS },
	{ "vm_view_", LINUX },
	{ "vm_own", GUESTS },
	{ "vm_disown", GUESTS },
	{ "pp_kick", GUESTS },
	{ "pp_recall", LINUX },
};

static uint64_t rights_of(const char *name)
{
	for (unsigned int i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (!strncmp(name, wanted[i].name, strlen(wanted[i].name)))
			return wanted[i].any;
	}
	ck_abort_msg("no rule for %s", name);
}

static const struct {
	enum spec spec;
	unsigned int number;
	const char *name;
} calls[] = {
#define CALL1(op, idx, name, in, out, args, results, errors) \
	{ SPEC_MK1, MK1_OP_##op << 4 | (idx), #name },
#define CALL2(op, idx, name, in, out, args, results, errors) \
	{ SPEC_MK2, MK2_OP_##op << 4 | (idx), #name },
	MK1_SYSCALLS(CALL1) MK2_SYSCALLS(CALL2)
};

/* Each right alone, and all but it, for calls that name nothing there is. */
START_TEST(every_call_and_every_right)
{
	struct syscall_frame f;

	start_two(_i, GUEST_RIGHTS);
	memset(&f, 0xFF, sizeof(f));
	for (unsigned int i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		uint64_t any = rights_of(calls[i].name);

		for (uint64_t right = 1; right & BF_ALL_RIGHTS; right <<= 1) {
			struct ext *ext = ext_find(1);

			ext->rights = right;
			ck_assert_msg(policy_allows(ext, calls[i].spec, calls[i].number, &f) ==
					      (!any || any & right),
				      "%s with 0x%lx", calls[i].name, right);
			/* what is free needs no question */
			ext->rights = BF_ALL_RIGHTS;
			policy_open(ext, calls[i].spec, true);
			ck_assert_msg(ext->may[calls[i].spec][calls[i].number], "%s",
				      calls[i].name);
			ext->rights = BF_ALL_RIGHTS & ~any;
			policy_open(ext, calls[i].spec, true);
			ck_assert_msg(ext->may[calls[i].spec][calls[i].number] == !any, "%s",
				      calls[i].name);
			policy_open(ext, calls[i].spec, false);
			ck_assert(!ext->may[calls[i].spec][calls[i].number]);
		}
	}
}
END_TEST

/* One that has ended on another PP while it opened its handle may call nothing with it. */
START_TEST(no_call_after_the_end)
{
	struct ext *ext;

	start_two(_i, BF_ALL_RIGHTS);
	ext = ext_find(1);
	policy_open(ext, SPEC_MK1, true);
	policy_end(ext);
	for (unsigned int open = 0; open < 2; open++) {
		for (unsigned int i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
			ck_assert(!ext->may[calls[i].spec][calls[i].number]);
		policy_open(ext, SPEC_MK1, true);
		policy_open(ext, SPEC_MK2, true);
	}
}
END_TEST

/* The handle comes first; a refusal is printed once for each call. */
START_TEST(refused)
{
	launch_two(_i, BF_RIGHT_hypercalls);
	hypercall(CALL_FIRST, 0);
	(void)printed();
	ck_assert_uint_eq(SYS(vm_create_vm, HANDLE + 1), MK1_FAILURE_INVALID_HANDLE);
	ck_assert_uint_eq(SYS2(pp_kick, HANDLE2 + 1, 0), MK1_FAILURE_INVALID_HANDLE);
	ck_assert_str_eq(printed(), "");
	for (unsigned int i = 0; i < 3; i++) {
		ck_assert_uint_eq(SYS(vm_create_vm, HANDLE), MK1_INVALID_PERM_DENIED);
		ck_assert_uint_eq(SYS2(pp_kick, HANDLE2, 0), MK1_INVALID_PERM_DENIED);
		ck_assert_uint_eq(SYS(debug_out, 1, 2), MK1_INVALID_PERM_DENIED);
		ck_assert_str_eq(printed(), i ? "" :
						"ext 1: has no right to call 4.0 of Mk#1\n"
						"ext 1: has no right to call 9.0 of Mk#2\n"
						"ext 1: has no right to call 2.0 of Mk#1\n");
	}
	ck_assert_uint_eq(SYS(intrinsic_rdmsr, HANDLE, MSR_TSC_AUX), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(mem_alloc_page, HANDLE), MK1_INVALID_PERM_DENIED);
	/* it can still answer */
	abi_gprs()[BF_RAX] = 7;
	SYS(vs_advance_ip_and_run_current, HANDLE);
	expect_linux();
	ck_assert_uint_eq(abi_gprs()[BF_RAX], 7);
	/* the first one may do it */
	guest_exit(cpuid_reason());
	ck_assert_uint_eq(SYS(vm_create_vm, HANDLE), MK1_SUCCESS);
}
END_TEST

/* In a hypercall: Linux's objects are out of reach, but for what lets it go on. */
START_TEST(nothing_of_linux)
{
	uint64_t rip = _i ? MK1_INTEL_rip : MK1_AMD_rip;

	launch_two(_i, GUEST_RIGHTS | BF_RIGHT_physical);
	hypercall(CALL_FIRST, 0);
	ck_assert_uint_eq(SYS(vs_read, HANDLE, 0, rip), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(vs_write, HANDLE, 0, rip, 0), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(vs_promote, HANDLE, 0), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(vs_clear, HANDLE, 0), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, 0), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(vs_migrate, HANDLE, 0, 1), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(vs_tlb_flush, HANDLE, 0, PAGE), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(vp_destroy_vp, HANDLE, 0), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(vm_tlb_flush, HANDLE, 0), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, 0), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS2(vs_read_list, HANDLE2, 0, EXT_DATA, 1), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS2(vs_write_list, HANDLE2, 0, EXT_DATA, 1), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS2(vs_nested_attach, HANDLE2, 0), MK1_INVALID_PERM_DENIED);
	/* what shows all memory shows it whichever VM is active */
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, linux_page(0)), MK1_SUCCESS);
	/* past the hypercall, once */
	ck_assert_uint_eq(SYS(vs_advance_ip_and_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(rip_of_linux(), CALL_RIP + CALL_LENGTH);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_set_active, HANDLE, 0, 0, 0),
			  MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_run, HANDLE, 0, 0, 0), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_run_current, HANDLE), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(rip_of_linux(), CALL_RIP + CALL_LENGTH);
	SYS(vs_run_current, HANDLE);
	expect_linux();
}
END_TEST

/* What belongs to one extension is out of reach for a limited one, and not the other way round. */
START_TEST(whose_is_a_vm)
{
	uint16_t vmid, vsid, first_vm, first_vs, vpid, first_vp;

	launch_two(_i, GUEST_RIGHTS);
	guest_exit(cpuid_reason());
	first_vm = make_vm();
	first_vs = make_vs(first_vm, 0);
	first_vp = vs_find(first_vs)->vpid;
	SYS(vs_run_current, HANDLE);
	hypercall(CALL_FIRST, 0);
	vsid = make_guest(&vmid);
	vpid = vs_find(vsid)->vpid;
	/* ids of the upper halves */
	ck_assert_uint_eq(first_vm, 1);
	ck_assert_uint_eq(first_vs, 1);
	ck_assert_uint_eq(vmid, MK_MAX_VMS / 2);
	ck_assert_uint_eq(vpid, MK_MAX_VPS / 2);
	ck_assert_uint_eq(vsid, MK_MAX_VSS / 2);
	ck_assert_uint_eq(SYS(vs_run, HANDLE, first_vm, first_vp, first_vs),
			  MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, first_vm, first_vp, first_vs),
			  MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(vs_read, HANDLE, first_vs, 0), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, first_vp, 0), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, first_vm), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, first_vm), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(map(first_vm, 0, linux_page(0), PAGE, RWX), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS2(vm_set_handler, HANDLE2, first_vm, EXT_HANDLER),
			  MK1_INVALID_PERM_DENIED);
	/* its own, and what there is not */
	ck_assert_uint_eq(map(vmid, 0, linux_page(0), PAGE, RWX), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_read, HANDLE, vsid, 0xFFFF), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vs_read, HANDLE, vsid + 1, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, 0xFFFF), MK1_INVALID_INPUT_REG(1));
	/* VP and VS of two VMs */
	ck_assert_uint_eq(SYS(vs_run, HANDLE, vmid, first_vp, vsid), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vs_run, HANDLE, 0, 0, vsid), MK1_INVALID_INPUT_REG(3));
	/* nothing of that has let Linux go on */
	ck_assert(host_pp->answering);
	SYS(vs_advance_ip_and_run_current, HANDLE);
	expect_linux();
	/* all of it is the first one's to use */
	guest_exit(cpuid_reason());
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, vsid), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vp_destroy_vp, HANDLE, vpid), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, vmid), MK1_SUCCESS);
	/* but not to have: the ids stay the other one's */
	for (unsigned int i = 2; i < MK_MAX_VMS - 1; i++)
		ck_assert_uint_ne(make_vm(), vmid);
	ck_assert_uint_eq(SYS(vm_create_vm, HANDLE), MK1_FAILURE_UNKNOWN);
	SYS(vs_run_current, HANDLE);
	hypercall(CALL_FIRST, 0);
	ck_assert_uint_eq(make_guest(&vmid), vsid);
	ck_assert_uint_eq(vmid, MK_MAX_VMS / 2);
}
END_TEST

/* A table of the extension's own could show the guest anything. */
START_TEST(guests_behind_a_table)
{
	uint16_t vmid, vsid, vpid;

	launch_two(_i % 2, GUEST_RIGHTS | (_i / 2 ? BF_RIGHT_physical : 0));
	hypercall(CALL_FIRST, 0);
	vmid = make_vm();
	vsid = make_vs(vmid, 0);
	vpid = vs_find(vsid)->vpid;
	if (_i / 2) {
		ck_assert_uint_eq(SYS(vs_run, HANDLE, vmid, vpid, vsid), NOT_RETURNED);
		return;
	}
	ck_assert_uint_eq(SYS(vs_run, HANDLE, vmid, vpid, vsid), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vmid, vpid, vsid), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_run, HANDLE, vmid, vpid, vsid),
			  MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS2(vs_nested_attach, HANDLE2, vsid), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_run, HANDLE, vmid, vpid, vsid), NOT_RETURNED);
	ck_assert_uint_eq(host_pp->vsid, vsid);
}
END_TEST

/* Without lists of rights all is as ever: ids are the lowest, and everything is everybody's. */
START_TEST(no_limits)
{
	uint16_t vmid, vsid;

	launch_two(_i, BF_ALL_RIGHTS);
	ck_assert_uint_eq(mk.limited, 0);
	hypercall(CALL_FIRST, 0);
	vsid = make_guest(&vmid);
	ck_assert_uint_eq(vmid, 1);
	ck_assert_uint_eq(vsid, 1);
	ck_assert_uint_eq(SYS(vs_read, HANDLE, 0, _i ? MK1_INTEL_rip : MK1_AMD_rip), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], CALL_RIP);
}
END_TEST

static void grant(bool allow, enum bf_grant_kind kind, uint32_t first, uint32_t last)
{
	m.handoff->grants[m.handoff->nr_grants++] = (struct bf_grant){
		.ext = 1, .kind = (uint8_t)kind, .allow = allow, .first = first, .last = last
	};
}

/* Each call alone, given to who has no right, and taken from who has all. */
START_TEST(every_call_alone)
{
	struct syscall_frame f;
	struct ext *ext, before;

	start_two(_i % 2, GUEST_RIGHTS);
	ext = ext_find(1);
	ext->rights = _i / 2 ? 0 : BF_ALL_RIGHTS;
	policy_open(ext, SPEC_MK1, true);
	policy_open(ext, SPEC_MK2, true);
	before = *ext;
	memset(&f, 0xFF, sizeof(f));
	for (unsigned int i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		enum spec spec = calls[i].spec;
		uint32_t id = (spec + 1U) << 8 | calls[i].number;

		m.handoff->nr_grants = 0;
		grant(!(_i / 2), BF_GRANT_CALL, id, id);
		grant(_i / 2, BF_GRANT_CALL, id, id); /* the last one counts */
		ck_assert_msg(policy_allows(ext, spec, calls[i].number, &f) == _i / 2, "%s",
			      calls[i].name);
		/* nothing changes for others, nor for another extension */
		policy_open(ext, spec, true);
		ck_assert(_i / 2 || !ext->may[spec][calls[i].number]);
		ext->may[spec][calls[i].number] = before.may[spec][calls[i].number];
		ck_assert_mem_eq(ext->may, before.may, sizeof(before.may));
		policy_open(ext_find(0), spec, true);
		ck_assert(ext_find(0)->may[spec][calls[i].number]);
	}
}
END_TEST

START_TEST(single_msrs)
{
	launch_two(_i, GUEST_RIGHTS);
	grant(true, BF_GRANT_RDMSR, MSR_TSC_AUX - 1, MSR_TSC_AUX);
	grant(true, BF_GRANT_WRMSR, 0, ~0U);
	grant(false, BF_GRANT_WRMSR, MSR_TSC_AUX, MSR_TSC_AUX);
	hypercall(CALL_FIRST, 0);
	policy_open(host_pp->ext, SPEC_MK1, true);
	ck_assert_uint_eq(SYS(intrinsic_rdmsr, HANDLE, MSR_TSC_AUX), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(intrinsic_rdmsr, HANDLE, MSR_TSC_AUX - 2), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(intrinsic_rdmsr, HANDLE, MSR_TSC_AUX + 1), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(intrinsic_wrmsr, HANDLE, MSR_TSC_AUX, 0), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(intrinsic_wrmsr, HANDLE, MSR_MTRR_DEF_TYPE, 0), MK1_SUCCESS);
	/* what nobody may write */
	ck_assert_uint_eq(SYS(intrinsic_wrmsr, HANDLE, MSR_PAT, 0), MK1_INVALID_PERM_DENIED);
}
END_TEST

/* Who may read and write all of them but one: the call is not free for it, but works. */
START_TEST(all_msrs_but_one)
{
	launch_two(_i, GUEST_RIGHTS | BF_RIGHT_rdmsr | BF_RIGHT_wrmsr);
	hypercall(CALL_FIRST, 0);
	policy_open(host_pp->ext, SPEC_MK1, true);
	ck_assert(host_pp->ext->may[SPEC_MK1][MK1_OP_INTRINSIC << 4]);
	grant(false, BF_GRANT_RDMSR, MSR_TSC_AUX, MSR_TSC_AUX);
	policy_open(host_pp->ext, SPEC_MK1, true);
	ck_assert(!host_pp->ext->may[SPEC_MK1][MK1_OP_INTRINSIC << 4]);
	ck_assert(host_pp->ext->may[SPEC_MK1][MK1_OP_INTRINSIC << 4 | 1]);
	ck_assert_uint_eq(SYS(intrinsic_rdmsr, HANDLE, MSR_TSC_AUX), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS(intrinsic_rdmsr, HANDLE, MSR_MTRR_DEF_TYPE), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(intrinsic_wrmsr, HANDLE, MSR_TSC_AUX, 0), MK1_SUCCESS);
}
END_TEST

START_TEST(grants_that_are_none)
{
	static const struct bf_grant good = { .kind = BF_GRANT_CALL,
					      .first = 0x240,
					      .last = 0x240 };
	struct bf_grant g = good;

	ck_assert(bf_grant_is_valid(&g, 1));
	g.ext = 1;
	ck_assert(!bf_grant_is_valid(&g, 1));
	g = good;
	g.kind = BF_NR_GRANT_KINDS;
	ck_assert(!bf_grant_is_valid(&g, 1));
	g = good;
	g.allow = 2;
	ck_assert(!bf_grant_is_valid(&g, 1));
	g = good;
	g.pad = 1;
	ck_assert(!bf_grant_is_valid(&g, 1));
	g = good;
	g.last++; /* calls have no ranges */
	ck_assert(!bf_grant_is_valid(&g, 1));
	g.kind = BF_GRANT_WRMSR;
	ck_assert(bf_grant_is_valid(&g, 1));
	g.first = g.last + 1;
	ck_assert(!bf_grant_is_valid(&g, 1));
	g = good;
	g.first = g.last = 0x300;
	ck_assert(!bf_grant_is_valid(&g, 1));
	g.first = g.last = BF_GRANT_CALL_ID(1, MK1_OP_CALLBACK, 2);
	ck_assert(!bf_grant_is_valid(&g, 1));
	g.first = g.last = BF_GRANT_CALL_ID(1, MK1_OP_HANDLE, 1);
	ck_assert(!bf_grant_is_valid(&g, 1));
}
END_TEST

START_TEST(unknown_rights)
{
	machine_defaults(BF_VENDOR_AMD);
	m.nr_exts = 2;
	machine_init();
	m.handoff->denied[_i] = BF_ALL_RIGHTS + 1;
	enter(0);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(ended.sp->cpu.gpr[BF_RAX], BF_ERR_MK_VERSION);
}
END_TEST

START_TEST(a_grant_that_is_none)
{
	machine_defaults(BF_VENDOR_AMD);
	m.nr_exts = 2;
	machine_init();
	m.handoff->nr_grants = 1;
	m.handoff->grants[0] = (struct bf_grant){ .ext = 2, .kind = BF_GRANT_RDMSR };
	enter(0);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(ended.sp->cpu.gpr[BF_RAX], BF_ERR_MK_VERSION);
}
END_TEST

TCase *obj_policy_tests(void)
{
	TCase *tc = tcase_create("obj_policy");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, every_call_and_every_right, 0, 2);
	tcase_add_loop_test(tc, no_call_after_the_end, 0, 2);
	tcase_add_loop_test(tc, refused, 0, 2);
	tcase_add_loop_test(tc, nothing_of_linux, 0, 2);
	tcase_add_loop_test(tc, whose_is_a_vm, 0, 2);
	tcase_add_loop_test(tc, guests_behind_a_table, 0, 4);
	tcase_add_loop_test(tc, no_limits, 0, 2);
	tcase_add_loop_test(tc, every_call_alone, 0, 4);
	tcase_add_loop_test(tc, single_msrs, 0, 2);
	tcase_add_loop_test(tc, all_msrs_but_one, 0, 2);
	tcase_add_test(tc, grants_that_are_none);
	tcase_add_loop_test(tc, unknown_rights, 0, 2);
	tcase_add_test(tc, a_grant_that_is_none);
	return tc;
}
