// SPDX-License-Identifier: GPL-2.0-only
/* mem/view.c and call/sys_mk2_view.c: views of Linux's nested table, and Linux in one. */
#include <string.h>

#include <bsl/bits.h>

#include "microkernel/mem/nested.h"
#include "microkernel/mem/view.h"
#include "../mk2.h"
#include "../suites.h"

#define R MK2_NESTED_R
#define W MK2_NESTED_W
#define X MK2_NESTED_X

#define REG1 MK1_INVALID_INPUT_REG(1)
#define REG2 MK1_INVALID_INPUT_REG(2)
#define REG3 MK1_INVALID_INPUT_REG(3)
#define REG4 MK1_INVALID_INPUT_REG(4)

#define WATCHED 0x60003000ULL /* within 2 MiB of Linux's memory, and 1 GiB */
#define FAR_AWAY 0x180000000ULL
#define GIVEN 0x41200000ULL /* 2 MiB that the microkernel can look into */
#define SPA(entry) ((entry) & BSL_PTE_SPA)

static void with_linux(int i)
{
	machine_of(i);
	start();
	ck_assert_uint_eq(SYS(handle_open_handle, MK2_SPEC_ID), MK1_SUCCESS);
	(void)launch();
	enter(1);
	(void)launch();
	on_pp(0);
	guest_exit(cpuid_reason());
}

static uint64_t view_of(uint64_t view, uint64_t gpa, uint64_t size, uint64_t flags)
{
	return SYS2(vm_view_set, HANDLE2, view, gpa, size, flags);
}

static uint64_t use(uint64_t view)
{
	return SYS2(vs_view, HANDLE2, host_pp->vs->id, view);
}

/* The rights that a walk finds, of all levels, and where it leads. */
static uint64_t walk(uint64_t root, uint64_t gpa, uint64_t *spa)
{
	uint64_t all = RWX, entry;

	for (unsigned int level = mk.nested_levels;; level--) {
		entry = ((uint64_t *)phys_at(root))[bsl_pt_index(gpa, level)];
		all &= intel() ? entry & 7 :
				 (entry & 1 ? R : 0) | (entry & 2 ? W : 0) | (entry >> 63 ? 0 : X);
		if (!all)
			return 0;
		if (level == 1 || (level < 4 && entry & BSL_PTE_PS)) {
			*spa = bsl_align_down(SPA(entry), BSL_LEVEL_SIZE(level)) +
			       (gpa & (BSL_LEVEL_SIZE(level) - 1));
			return all;
		}
		root = SPA(entry);
	}
}

static void expect(uint64_t view, uint64_t gpa, uint64_t rights)
{
	uint64_t spa = ~0ULL;

	ck_assert_uint_eq(walk(view_root((unsigned int)view), gpa, &spa), rights);
	if (rights)
		ck_assert_uint_eq(spa, gpa);
}

static uint64_t decoy(void)
{
	uint64_t spa;

	ck_assert_uint_eq(walk(mk.root_npt, ODD_OWNED, &spa), RWX);
	return spa;
}

/* Where the CPU looks. */
static uint64_t used(void)
{
	return SPA(intel() ? field(VMCS_ept_pointer) : vmcb()->n_cr3);
}

/* Linux runs, and wants these rights of gpa. */
static void touch(uint64_t gpa, uint64_t wanted)
{
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	if (intel()) {
		put_field(VMCS_physical_address, gpa);
		put_field(VMCS_exit_qualification, wanted);
		guest_exit(VMX_EXIT_EPT_VIOLATION);
	} else {
		vmcb()->exitinfo1 = SVM_NPF_WALK | (wanted & W ? SVM_NPF_WRITE : 0) |
				    (wanted & X ? SVM_NPF_FETCH : 0);
		vmcb()->exitinfo2 = gpa;
		guest_exit(SVM_EXIT_NPF);
	}
}

START_TEST(arguments)
{
	static const uint64_t flags[] = { W, W | X, 8, 0x10, 0x100, 1ULL << 63 };
	uint64_t vsid;

	with_linux(_i);
	vsid = host_pp->vs->id;
	for (uint64_t view = 0; view <= MK2_VIEWS + 1; view += MK2_VIEWS + 1) {
		ck_assert_uint_eq(view_of(view, WATCHED, PAGE, R), REG1);
		ck_assert_uint_eq(SYS2(vm_view_show, HANDLE2, view, WATCHED, R, EXT_DATA), REG1);
		ck_assert_uint_eq(SYS2(vm_view_clear, HANDLE2, view, WATCHED, PAGE), REG1);
		ck_assert_uint_eq(SYS2(vm_view_rest, HANDLE2, view, RWX), REG1);
	}
	ck_assert_uint_eq(view_of(1ULL << 32 | 1, WATCHED, PAGE, R), REG1);
	ck_assert_uint_eq(view_of(1, WATCHED + 8, PAGE, R), REG2);
	ck_assert_uint_eq(view_of(1, 1ULL << 48, PAGE, R), REG2);
	ck_assert_uint_eq(view_of(1, WATCHED, 0, R), REG3);
	ck_assert_uint_eq(view_of(1, WATCHED, PAGE / 2, R), REG3);
	ck_assert_uint_eq(view_of(1, WATCHED, 513 * PAGE, R), REG3);
	ck_assert_uint_eq(view_of(1, (1ULL << 48) - PAGE, 2 * PAGE, R), REG3);
	for (unsigned int i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		ck_assert_uint_eq(view_of(1, WATCHED, PAGE, flags[i]), REG4);
		ck_assert_uint_eq(SYS2(vm_view_show, HANDLE2, 1, WATCHED, flags[i], EXT_DATA),
				  REG3);
		ck_assert_uint_eq(SYS2(vm_view_rest, HANDLE2, 1, flags[i]), REG2);
	}
	ck_assert_uint_eq(SYS2(vm_view_rest, HANDLE2, 1, R), REG2);
	ck_assert_uint_eq(SYS2(vm_view_show, HANDLE2, 1, WATCHED + 8, R, EXT_DATA), REG2);
	ck_assert_uint_eq(SYS2(vm_view_show, HANDLE2, 1, WATCHED, R, 0), REG4);
	ck_assert_uint_eq(SYS2(vm_view_show, HANDLE2, 1, WATCHED, R, EXT_DATA + 1), REG4);
	ck_assert_uint_eq(SYS2(vm_view_clear, HANDLE2, 1, WATCHED, 0), REG3);
	ck_assert_uint_eq(SYS2(vm_view_seen, HANDLE2, tlb_generation + 1), REG1);
	/* The hypervisor's memory is in no view but as the decoy; nor is what there is not. */
	ck_assert_uint_eq(view_of(1, ODD_OWNED, PAGE, R), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(view_of(1, ODD_OWNED - PAGE, 2 * PAGE, R), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS2(vm_view_show, HANDLE2, 1, ODD_OWNED, R, EXT_DATA),
			  MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS2(vm_view_show, HANDLE2, 1, 0xF0000000, R, EXT_DATA),
			  MK1_INVALID_PERM_DENIED);
	/* A view of which nothing has been said; and a VS that is none of Linux's. */
	ck_assert_uint_eq(SYS2(vs_view, HANDLE2, vsid, 3), REG2);
	ck_assert_uint_eq(SYS2(vs_view, HANDLE2, vsid, MK2_VIEWS + 1), REG2);
	ck_assert_uint_eq(SYS2(vs_view, HANDLE2, 99, 0), REG1);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS2(vs_view, HANDLE2, regs.reg[0], 0), REG1);
	expect(0, ODD_OWNED - PAGE, RWX);
}
END_TEST

/* Some pages have other rights in the view, in small pages; all else is the same. */
START_TEST(rights)
{
	with_linux(_i);
	ck_assert_uint_eq(view_of(1, WATCHED, 2 * PAGE, R | X), MK1_SUCCESS);
	ck_assert_uint_gt(regs.reg[0], 0);
	ck_assert_uint_eq(view_of(1, FAR_AWAY, PAGE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(view_of(2, WATCHED + PAGE, PAGE, R | W), MK1_SUCCESS);
	for (uint64_t gpa = WATCHED - 3 * PAGE; gpa < WATCHED + 4 * PAGE; gpa += PAGE) {
		bool in1 = gpa >= WATCHED && gpa < WATCHED + 2 * PAGE;

		expect(0, gpa, RWX);
		expect(1, gpa, in1 ? R | X : RWX);
		expect(2, gpa, gpa == WATCHED + PAGE ? R | W : RWX);
	}
	expect(1, FAR_AWAY, 0);
	expect(2, FAR_AWAY, RWX);
	expect(1, RAM_TOP - PAGE, RWX);
	expect(1, 0xFEE00000, RWX);
	ck_assert_uint_eq(SYS2(vm_view_clear, HANDLE2, 1, WATCHED, PAGE), MK1_SUCCESS);
	expect(1, WATCHED, RWX);
	expect(1, WATCHED + PAGE, R | X);
	/* without tables of its own there is nothing to clear */
	ck_assert_uint_eq(SYS2(vm_view_clear, HANDLE2, 1, RAM_1G, 512 * PAGE), MK1_SUCCESS);
	ck_assert_uint_eq(SYS2(vm_view_clear, HANDLE2, 3, WATCHED, PAGE), MK1_SUCCESS);
}
END_TEST

/* What was not set cannot be executed, at any level; and the reverse. */
START_TEST(rest)
{
	with_linux(_i);
	ck_assert_uint_eq(view_of(1, WATCHED, PAGE, R | X), MK1_SUCCESS);
	ck_assert_uint_eq(SYS2(vm_view_rest, HANDLE2, 1, R | W), MK1_SUCCESS);
	expect(1, WATCHED, R | X);
	expect(1, WATCHED + PAGE, R | W);
	expect(1, WATCHED + SIZE_2M, R | W);
	expect(1, FAR_AWAY, R | W);
	expect(0, FAR_AWAY, RWX);
	ck_assert_uint_eq(view_of(1, FAR_AWAY, PAGE, RWX), MK1_SUCCESS);
	expect(1, FAR_AWAY, RWX);
	expect(1, FAR_AWAY + PAGE, R | W);
	ck_assert_uint_eq(SYS2(vm_view_clear, HANDLE2, 1, FAR_AWAY, PAGE), MK1_SUCCESS);
	expect(1, FAR_AWAY, R | W);
	ck_assert_uint_eq(SYS2(vm_view_rest, HANDLE2, 1, RWX), MK1_SUCCESS);
	expect(1, FAR_AWAY, RWX);
	expect(1, WATCHED, R | X);
}
END_TEST

/* Another content: a page of the hypervisor's, which is used again once nobody can see it. */
START_TEST(content)
{
	uint64_t spa, first, again;
	char *data;

	with_linux(_i);
	data = mmu_user(EXT_DATA, true, false);
	memset(data, 0x55, PAGE);
	ck_assert_uint_eq(SYS2(vm_view_show, HANDLE2, 1, WATCHED, R | X, EXT_DATA), MK1_SUCCESS);
	ck_assert_uint_eq(walk(view_root(1), WATCHED, &first), R | X);
	ck_assert_uint_ne(first, WATCHED);
	ck_assert(mem_is_owned(first));
	ck_assert_mem_eq(phys_at(first), data, PAGE);
	expect(0, WATCHED, RWX);
	/* in place */
	memset(data, 0x66, PAGE);
	ck_assert_uint_eq(SYS2(vm_view_show, HANDLE2, 1, WATCHED, R, EXT_DATA), MK1_SUCCESS);
	ck_assert_uint_eq(walk(view_root(1), WATCHED, &spa), R);
	ck_assert_uint_eq(spa, first);
	ck_assert_int_eq(*(char *)phys_at(first), 0x66);
	/* PP 1 is in Linux, and may know it still */
	ck_assert_uint_eq(SYS2(vm_view_clear, HANDLE2, 1, WATCHED, PAGE), MK1_SUCCESS);
	ck_assert_uint_eq(SYS2(vm_view_seen, HANDLE2, regs.reg[0]), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], 0);
	expect(1, WATCHED, RWX);
	ck_assert_uint_eq(SYS2(vm_view_show, HANDLE2, 2, FAR_AWAY, R | X, EXT_DATA), MK1_SUCCESS);
	ck_assert_uint_eq(walk(view_root(2), FAR_AWAY, &again), R | X);
	ck_assert_uint_ne(again, first);
	on_pp(1);
	guest_exit(cpuid_reason());
	on_pp(0);
	ck_assert_uint_eq(SYS2(vm_view_show, HANDLE2, 2, FAR_AWAY + PAGE, R, EXT_DATA),
			  MK1_SUCCESS);
	ck_assert_uint_eq(walk(view_root(2), FAR_AWAY + PAGE, &again), R);
	ck_assert_uint_eq(again, first);
	/* setting rights ends it, too */
	ck_assert_uint_eq(view_of(2, FAR_AWAY + PAGE, PAGE, R), MK1_SUCCESS);
	expect(2, FAR_AWAY + PAGE, R);
}
END_TEST

START_TEST(too_many_copies)
{
	uint64_t spa, other;

	with_linux(_i);
	for (uint64_t i = 0; i <= MK2_VIEW_COPIES; i++) {
		uint64_t status = SYS2(vm_view_show, HANDLE2, 1 + i % MK2_VIEWS, WATCHED + i * PAGE,
				       R, EXT_DATA);

		ck_assert_uint_eq(status,
				  i < MK2_VIEW_COPIES ? MK1_SUCCESS : MK2_FAILURE_NO_MEMORY);
	}
	walk(view_root(1), WATCHED, &spa);
	walk(view_root(2), WATCHED + PAGE, &other);
	ck_assert_uint_ne(spa, other);
}
END_TEST

static uint64_t clear_meanwhile;

/* The extension's memory goes while it is copied; another PP may clear the page. */
static bool get_nothing(uint64_t va, void *page)
{
	uint64_t generation;

	(void)va;
	memset(page, 0x77, PAGE);
	if (clear_meanwhile)
		view_clear(1, clear_meanwhile, PAGE, &generation);
	return false;
}

static bool get_and_clear(uint64_t va, void *page)
{
	(void)get_nothing(va, page);
	return true;
}

/* What could not be copied takes no page for ever, and what was shown before is shown still. */
START_TEST(content_that_goes)
{
	uint64_t generation, spa, before = ~0ULL;

	with_linux(_i);
	for (unsigned int i = 0; i < 2 * MK2_VIEW_COPIES; i++) {
		ck_assert_uint_eq(view_show(1, WATCHED + i * PAGE, R, get_nothing, 0, &generation),
				  REG4);
		expect(1, WATCHED + i * PAGE, RWX);
		on_pp(1); /* so that what is free can be used again */
		guest_exit(cpuid_reason());
		SYS(vs_run_current, HANDLE);
		on_pp(0);
		(void)tlb_move_on(host_pp);
		on_pp(1);
		guest_exit(cpuid_reason());
		SYS(vs_run_current, HANDLE);
		on_pp(0);
	}
	ck_assert_uint_eq(SYS2(vm_view_show, HANDLE2, 1, WATCHED, R, EXT_DATA), MK1_SUCCESS);
	ck_assert_uint_eq(walk(view_root(1), WATCHED, &before), R);
	ck_assert_uint_eq(view_show(1, WATCHED, R | X, get_nothing, 0, &generation), REG4);
	ck_assert_uint_eq(walk(view_root(1), WATCHED, &spa), R);
	ck_assert_uint_eq(spa, before);
	clear_meanwhile = WATCHED;
	ck_assert_uint_eq(view_show(1, WATCHED, R | X, get_and_clear, 0, &generation), MK1_SUCCESS);
	expect(1, WATCHED, RWX);
	clear_meanwhile = 0;
}
END_TEST

static uint64_t in_between;

/* While one PP copies a page for view 1, another one does the same, and fails; or succeeds. */
static bool another_fails(uint64_t va, void *page)
{
	uint64_t generation;

	(void)va;
	in_between = view_show(1, WATCHED, R, get_nothing, 0, &generation);
	memset(page, 0x11, PAGE);
	return true;
}

static bool get_something(uint64_t va, void *page)
{
	(void)va;
	memset(page, 0x22, PAGE);
	return true;
}

static bool another_succeeds(uint64_t va, void *page)
{
	uint64_t generation;

	(void)va;
	(void)page;
	in_between = view_show(1, WATCHED, R, get_something, 0, &generation);
	return false;
}

/* Neither takes the page away from the other. */
START_TEST(content_by_two)
{
	uint64_t generation, spa;

	with_linux(_i / 2);
	if (_i % 2) {
		ck_assert_uint_eq(view_show(1, WATCHED, R, another_fails, 0, &generation),
				  MK1_SUCCESS);
		ck_assert_uint_eq(in_between, REG4);
	} else {
		ck_assert_uint_eq(view_show(1, WATCHED, R, another_succeeds, 0, &generation), REG4);
		ck_assert_uint_eq(in_between, MK1_SUCCESS);
	}
	ck_assert_uint_eq(walk(view_root(1), WATCHED, &spa), R);
	ck_assert_int_eq(*(char *)phys_at(spa), _i % 2 ? 0x11 : 0x22);
	/* nobody else gets it */
	ck_assert_uint_eq(SYS2(vm_view_show, HANDLE2, 1, WATCHED + PAGE, R, EXT_DATA), MK1_SUCCESS);
	ck_assert_uint_ne(walk(view_root(1), WATCHED + PAGE, &generation), 0);
	ck_assert_uint_ne(generation, spa);
}
END_TEST

static bool cleared_and_shown_elsewhere(uint64_t va, void *page)
{
	uint64_t generation;

	(void)va;
	view_clear(1, WATCHED, PAGE, &generation);
	in_between = view_show(2, FAR_AWAY, R, get_something, 0, &generation);
	memset(page, 0x33, PAGE);
	return true;
}

/* A page into which somebody still copies is not another view's, whatever was cleared meanwhile. */
START_TEST(content_that_is_still_copied)
{
	uint64_t generation, spa;

	with_linux(_i);
	ck_assert_uint_eq(view_show(1, WATCHED, R, cleared_and_shown_elsewhere, 0, &generation),
			  MK1_SUCCESS);
	ck_assert_uint_eq(in_between, MK1_SUCCESS);
	expect(1, WATCHED, RWX);
	ck_assert_uint_eq(walk(view_root(2), FAR_AWAY, &spa), R);
	ck_assert_int_eq(*(char *)phys_at(spa), 0x22);
}
END_TEST

/* Clearing leaves what was never set as it is: one to one, with all rights. */
START_TEST(clear_of_what_was_not_set)
{
	with_linux(_i);
	ck_assert_uint_eq(view_of(1, WATCHED, PAGE, R), MK1_SUCCESS);
	ck_assert_uint_eq(SYS2(vm_view_clear, HANDLE2, 1, WATCHED - PAGE, 3 * PAGE), MK1_SUCCESS);
	for (uint64_t gpa = WATCHED - PAGE; gpa <= WATCHED + PAGE; gpa += PAGE)
		expect(1, gpa, RWX);
}
END_TEST

/* Where the microkernel keeps CPUs, Linux writes to no local APIC, in no view. */
START_TEST(local_apics)
{
	const uint64_t apics = 0xFEE00000;

	machine_of(0);
	machine_has_x2apics();
	m.handoff->flags = BF_HANDOFF_KEEP_CPUS;
	open_and_launch();
	expect(0, apics, R | X);
	ck_assert_uint_eq(view_of(1, apics - PAGE, 3 * PAGE, RWX), MK1_SUCCESS);
	expect(1, apics - PAGE, RWX);
	expect(1, apics, R | X);
	expect(1, apics + PAGE, RWX);
	ck_assert_uint_eq(SYS2(vm_view_clear, HANDLE2, 1, apics, PAGE), MK1_SUCCESS);
	expect(1, apics, R | X);
}
END_TEST

/* Without memory nothing has changed. */
START_TEST(no_memory)
{
	with_linux(_i);
	drain_pool(0);
	ck_assert_uint_eq(view_of(1, WATCHED, PAGE, R), MK2_FAILURE_NO_MEMORY);
	ck_assert_uint_eq(SYS2(vm_view_rest, HANDLE2, 1, R | W), MK2_FAILURE_NO_MEMORY);
	ck_assert_uint_eq(SYS2(vm_view_show, HANDLE2, 1, WATCHED, R, EXT_DATA),
			  MK2_FAILURE_NO_MEMORY);
	ck_assert_uint_eq(use(1), REG2);
}
END_TEST

START_TEST(no_memory_for_tables)
{
	with_linux(_i);
	drain_pool(3 + (unsigned int)mk.nested_levels - 4);
	ck_assert_uint_eq(view_of(1, WATCHED, PAGE, R), MK2_FAILURE_NO_MEMORY);
	expect(1, WATCHED, RWX);
	ck_assert_uint_eq(use(1), MK1_SUCCESS);
	ck_assert_uint_eq(used(), view_root(1));
}
END_TEST

/* Nor for Linux's own table, where nobody has touched that memory yet. */
START_TEST(no_memory_for_linux)
{
	with_linux(_i);
	ck_assert_uint_eq(view_of(1, WATCHED, PAGE, R), MK1_SUCCESS);
	drain_pool(0);
	ck_assert_uint_eq(view_of(1, RAM_TOP, PAGE, R), MK2_FAILURE_NO_MEMORY);
	expect(1, WATCHED, R);
}
END_TEST

/* The view has its tables, but there is no page for the copy: it shows what it did. */
START_TEST(no_memory_for_a_copy)
{
	with_linux(_i);
	ck_assert_uint_eq(view_of(1, WATCHED, PAGE, R), MK1_SUCCESS);
	drain_pool(0);
	ck_assert_uint_eq(SYS2(vm_view_show, HANDLE2, 1, WATCHED, R, EXT_DATA),
			  MK2_FAILURE_NO_MEMORY);
	expect(1, WATCHED, R);
}
END_TEST

/* The CPU is told, and knows nothing of the table before; one of the extension's own ends it. */
START_TEST(using_one)
{
	uint64_t reg = _i ? MK1_INTEL_ept_pointer : MK1_AMD_n_cr3;

	with_linux(_i);
	ck_assert_uint_eq(view_of(1, WATCHED, PAGE, R), MK1_SUCCESS);
	ck_assert_uint_eq(use(0), MK1_SUCCESS);
	ck_assert_uint_eq(used(), mk.root_npt);
	host_pp->flush_due = false;
	ck_assert_uint_eq(use(1), MK1_SUCCESS);
	ck_assert_uint_eq(used(), view_root(1));
	ck_assert_int_eq(host_pp->flush_due, !_i);
	touch(WATCHED, W);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(use(0), MK1_SUCCESS);
	ck_assert_uint_eq(used(), mk.root_npt);
	ck_assert_uint_eq(use(1), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(host_pp->vs->id, reg, linux_page(0)), MK1_SUCCESS);
	ck_assert_int_eq(host_pp->vs->view, 0);
	touch(RAM_TOP, R); /* the extension's to map */
	ck_assert_int_eq(ended.end, END_RING3);
}
END_TEST

/* What the view refuses is an exit; what it has by now is tried again, as is what nobody mapped. */
START_TEST(faults)
{
	with_linux(_i);
	ck_assert_uint_eq(view_of(1, WATCHED, PAGE, R | X), MK1_SUCCESS);
	ck_assert_uint_eq(view_of(1, WATCHED + PAGE, PAGE, R | W), MK1_SUCCESS);
	ck_assert_uint_eq(use(1), MK1_SUCCESS);
	touch(WATCHED + 8, R | W);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, _i ? VMX_EXIT_EPT_VIOLATION : SVM_EXIT_NPF);
	touch(WATCHED + PAGE, _i ? X : R | X);
	ck_assert_int_eq(ended.end, END_RING3);
	touch(WATCHED + 8, _i ? X : R | X);
	ck_assert_int_eq(ended.end, END_GUEST);
	guest_exit(cpuid_reason());
	/* in a large page */
	touch(FAR_AWAY, R | W);
	ck_assert_int_eq(ended.end, END_GUEST);
	guest_exit(cpuid_reason());
	/* device memory beyond what was mapped at the start */
	touch(RAM_TOP + 0x12345000, R | W);
	ck_assert_int_eq(ended.end, END_GUEST);
	expect(1, RAM_TOP + 0x12345000, RWX);
	guest_exit(cpuid_reason());
	touch(1ULL << 48, R);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(SYS2(vm_view_clear, HANDLE2, 1, WATCHED, PAGE), MK1_SUCCESS);
	touch(WATCHED, R | W);
	ck_assert_int_eq(ended.end, END_GUEST);
}
END_TEST

/* What an interrupted delivery of an event needs is delivered again. */
START_TEST(faults_in_delivery)
{
	with_linux(_i);
	ck_assert_uint_eq(view_of(1, WATCHED, PAGE, R), MK1_SUCCESS);
	ck_assert_uint_eq(use(1), MK1_SUCCESS);
	SYS(vs_run_current, HANDLE);
	if (_i)
		put_field(VMCS_idt_vectoring_information_field, EVENT(0, 0x30));
	else
		vmcb()->exitintinfo = EVENT(0, 0x30);
	if (_i) {
		put_field(VMCS_physical_address, WATCHED);
		put_field(VMCS_exit_qualification, R);
		guest_exit(VMX_EXIT_EPT_VIOLATION);
	} else {
		vmcb()->exitinfo1 = SVM_NPF_WALK;
		vmcb()->exitinfo2 = WATCHED;
		guest_exit(SVM_EXIT_NPF);
	}
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(event_to_inject(), EVENT(0, 0x30));
}
END_TEST

/* The table changes: memory that is given is the decoy in each view, and comes back as it was. */
START_TEST(follows)
{
	uint64_t spa;

	with_linux(_i);
	ck_assert_uint_eq(view_of(1, GIVEN, PAGE, R), MK1_SUCCESS);
	ck_assert_uint_eq(view_of(1, GIVEN + PAGE, PAGE, R), MK1_SUCCESS);
	ck_assert_uint_eq(SYS2(vm_view_show, HANDLE2, 2, GIVEN, R | X, EXT_DATA), MK1_SUCCESS);
	ck_assert_uint_eq(SYS2(mem_donate, HANDLE2, GIVEN, PAGE), MK1_SUCCESS);
	ck_assert_uint_eq(walk(view_root(1), GIVEN, &spa), RWX);
	ck_assert_uint_eq(spa, decoy());
	ck_assert_uint_eq(walk(view_root(2), GIVEN, &spa), RWX);
	ck_assert_uint_eq(spa, decoy());
	expect(1, GIVEN + PAGE, R);
	expect(1, GIVEN + 2 * PAGE, RWX);
	ck_assert_uint_eq(view_of(1, GIVEN, PAGE, R), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(SYS2(mem_return, HANDLE2, GIVEN), MK1_SUCCESS);
	expect(0, GIVEN, RWX);
	expect(1, GIVEN, RWX);
	expect(2, GIVEN, RWX);
	expect(1, GIVEN + PAGE, R);
}
END_TEST

/* Of memory that the view has no tables of its own for, too. */
START_TEST(follows_elsewhere)
{
	uint64_t spa;

	with_linux(_i);
	ck_assert_uint_eq(view_of(1, WATCHED, PAGE, R), MK1_SUCCESS);
	ck_assert_uint_eq(SYS2(mem_donate, HANDLE2, GIVEN, SIZE_2M), MK1_SUCCESS);
	ck_assert_uint_eq(walk(view_root(1), GIVEN + PAGE, &spa), RWX);
	ck_assert_uint_eq(spa, decoy());
	ck_assert_uint_eq(SYS2(mem_return, HANDLE2, GIVEN), MK1_SUCCESS);
	expect(1, GIVEN + PAGE, RWX);
}
END_TEST

/* Intel: MTRRs change the types of what was set, and of a copy not. */
START_TEST(follows_types)
{
	uint64_t *table, entry;

	with_linux(1);
	ck_assert_uint_eq(view_of(1, WATCHED, PAGE, R), MK1_SUCCESS);
	ck_assert_uint_eq(SYS2(vm_view_show, HANDLE2, 1, WATCHED + PAGE, R, EXT_DATA), MK1_SUCCESS);
	/* all memory is write-through, but for what has a type of its own */
	msr_set(cpu, MSR_MTRR_DEF_TYPE, MTRR_DEF_ENABLED | MTRR_WT);
	for (unsigned int i = 0; i < MTRR_MAX_VARIABLE; i++)
		msr_set(cpu, MSR_MTRR_PHYSBASE0 + 2 * i + 1, 0);
	nested_follow_mtrrs();
	table = phys_at(view_root(1));
	for (unsigned int level = 4; level > 1; level--)
		table = phys_at(SPA(table[bsl_pt_index(WATCHED, level)]));
	entry = table[bsl_pt_index(WATCHED, 1)];
	ck_assert_uint_eq(SPA(entry), WATCHED);
	ck_assert_uint_eq(entry & 7, R);
	ck_assert_uint_eq(entry >> 3 & 7, MTRR_WT);
	entry = table[bsl_pt_index(WATCHED + PAGE, 1)];
	ck_assert_uint_ne(SPA(entry), WATCHED + PAGE);
}
END_TEST

/* When the extension fails, Linux runs on without the view. */
START_TEST(fallback)
{
	with_linux(_i);
	ck_assert_uint_eq(view_of(1, WATCHED, PAGE, R), MK1_SUCCESS);
	ck_assert_uint_eq(use(1), MK1_SUCCESS);
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(used(), mk.root_npt);
	ck_assert_int_eq(host_pp->vs->view, 0);
}
END_TEST

START_TEST(unsupported)
{
	machine_of(_i);
	if (_i)
		msr_set(cpu, MSR_VMX_EPT_VPID_CAP, 0);
	else
		cpuid_set(0x8000000A, 0, 1, 16, 0, 0);
	open_and_launch();
	ck_assert_uint_eq(view_of(1, WATCHED, PAGE, R), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(SYS2(vm_view_show, HANDLE2, 1, WATCHED, R, EXT_DATA),
			  MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(SYS2(vm_view_clear, HANDLE2, 1, WATCHED, PAGE), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(SYS2(vm_view_rest, HANDLE2, 1, RWX), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(use(0), MK1_FAILURE_UNSUPPORTED);
}
END_TEST

/* X alone: AMD has no such pages, Intel if it says so. */
START_TEST(execute_only)
{
	with_linux(_i);
	if (_i)
		vmx.ept_vpid |= VMX_CAP_EPT_X_ONLY;
	ck_assert_uint_eq(view_of(1, WATCHED, PAGE, X), _i ? MK1_SUCCESS : MK1_FAILURE_UNSUPPORTED);
	if (!_i)
		return;
	expect(1, WATCHED, X);
	vmx.ept_vpid &= ~(uint64_t)VMX_CAP_EPT_X_ONLY;
	ck_assert_uint_eq(view_of(1, WATCHED, PAGE, X), MK1_FAILURE_UNSUPPORTED);
	ck_assert(!vmx_view_has(W)); /* would be a misconfiguration */
	vmx.ept_vpid &= ~(uint64_t)VMX_CAP_INVEPT_ALL;
	ck_assert_uint_eq(view_of(1, WATCHED, PAGE, R), MK1_FAILURE_UNSUPPORTED);
}
END_TEST

TCase *mem_view_tests(void)
{
	TCase *tc = tcase_create("mem_view");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, arguments, 0, 2);
	tcase_add_loop_test(tc, rights, 0, 2);
	tcase_add_loop_test(tc, rest, 0, 2);
	tcase_add_loop_test(tc, content, 0, 2);
	tcase_add_loop_test(tc, too_many_copies, 0, 2);
	tcase_add_loop_test(tc, content_that_goes, 0, 2);
	tcase_add_loop_test(tc, content_by_two, 0, 4);
	tcase_add_loop_test(tc, content_that_is_still_copied, 0, 2);
	tcase_add_loop_test(tc, clear_of_what_was_not_set, 0, 2);
	tcase_add_test(tc, local_apics);
	tcase_add_loop_test(tc, no_memory, 0, 2);
	tcase_add_loop_test(tc, no_memory_for_linux, 0, 2);
	tcase_add_loop_test(tc, no_memory_for_tables, 0, 2);
	tcase_add_loop_test(tc, no_memory_for_a_copy, 0, 2);
	tcase_add_loop_test(tc, using_one, 0, 2);
	tcase_add_loop_test(tc, faults, 0, 2);
	tcase_add_loop_test(tc, faults_in_delivery, 0, 2);
	tcase_add_loop_test(tc, follows, 0, 2);
	tcase_add_loop_test(tc, follows_elsewhere, 0, 2);
	tcase_add_test(tc, follows_types);
	tcase_add_loop_test(tc, fallback, 0, 2);
	tcase_add_loop_test(tc, unsupported, 0, 2);
	tcase_add_loop_test(tc, execute_only, 0, 2);
	return tc;
}
