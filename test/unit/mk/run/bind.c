// SPDX-License-Identifier: GPL-2.0-only
/* run/bind.c: a system that was not there at the start gives its CPUs a way out. */
#include "microkernel/run/bind.h"

#include <string.h>

#include <bsl/paging.h>

#include "../suites.h"
#include "microkernel/run/leave.h"
#include "run.h"

/* Where that system has the switch page and the code; and where the latter lies. */
#define SWITCH_PAGE 0xFFFFC90000123000
#define SWITCH_CODE 0xFFFFFFFFC0456000
#define CODE_SPA linux_page(30)

static uint64_t leave_offset(void)
{
	return host_pp->handoff.switch_leave & BF_PAGE_MASK;
}

static void tell(uint64_t page, uint64_t code)
{
	status_of(0)->bind_page = page;
	status_of(0)->bind_code = code;
}

static void run_stays(int i)
{
	machine_defaults(i & 1 ? BF_VENDOR_INTEL : BF_VENDOR_AMD);
	m.la57 = i / 2;
	machine_init();
	if (intel() && m.la57)
		msr_set(cpu, MSR_VMX_CR4_FIXED1, msr_get(cpu, MSR_VMX_CR4_FIXED1) | CR4_LA57);
	m.handoff->flags = BF_HANDOFF_STAYS;
	start_and_launch();
	status_of(0)->together = 0;
	machine_maps(SWITCH_PAGE, host_pp->handoff.switch_page_spa);
	machine_maps(SWITCH_CODE, CODE_SPA);
	memcpy(phys_at(CODE_SPA), (const void *)(host_pp->handoff.switch_leave & ~BF_PAGE_MASK),
	       BF_PAGE_SIZE);
	tell(SWITCH_PAGE, SWITCH_CODE);
}

static void expect_answer(uint64_t answer)
{
	linux_calls(BF_HYPERCALL_BIND);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(answer_to_linux(), answer);
	ck_assert_uint_eq(bind_switch_page(host_pp), host_pp->handoff.switch_page);
	ck_assert(!may_leave(host_pp));
}

static uint64_t translated(uint64_t va, uint64_t *entry)
{
	const struct bsl_tables tables = { .at = pool_table_at, .levels = mk.levels };

	ck_assert_uint_eq(bsl_pt_walk(&tables, host_pp->handoff.cr3, va, BSL_PTE_P, entry), 1);
	return *entry & BSL_PTE_SPA;
}

/* It can leave then, but only when the driver says so, and does it by these addresses. */
START_TEST(binds)
{
	struct bf_switch_page *sp;
	uint64_t entry, handler, page_spa;

	run_stays(_i);
	page_spa = host_pp->handoff.switch_page_spa;
	linux_calls(BF_HYPERCALL_BIND);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(answer_to_linux(), BF_HYPERCALL_BOUND);
	ck_assert_uint_eq(bind_switch_page(host_pp), SWITCH_PAGE);
	ck_assert_uint_eq(bind_leave(host_pp), SWITCH_CODE + leave_offset());
	ck_assert(!may_leave(host_pp));
	status_of(0)->together = 1; /* by a system before this one */
	ck_assert(!may_leave(host_pp));
	status_of(0)->leaving = 1;
	ck_assert(may_leave(host_pp));
	/* once more, as after a stop that has failed */
	linux_calls(BF_HYPERCALL_BIND);
	ck_assert_uint_eq(answer_to_linux(), BF_HYPERCALL_BOUND);
	sp = host_pp->switch_page;
	sp->idt[2 * VECTOR_NMI] = 0x12348E0000105ABC;
	bind_use(host_pp);
	ck_assert_uint_eq(host_pp->handoff.switch_page, SWITCH_PAGE);
	ck_assert_uint_eq(host_pp->handoff.switch_leave, SWITCH_CODE + leave_offset());
	ck_assert_uint_eq((uint64_t)host_pp->switch_page, SWITCH_PAGE);
	ck_assert_uint_eq(m.cpus[0].cr3, host_pp->handoff.cr3);
	ck_assert_uint_eq(translated(SWITCH_PAGE, &entry), page_spa);
	ck_assert((entry & (BSL_PTE_W | BSL_PTE_NX)) == (BSL_PTE_W | BSL_PTE_NX));
	ck_assert_uint_eq(translated(SWITCH_CODE, &entry), host_pp->handoff.switch_code_spa);
	ck_assert(!(entry & (BSL_PTE_W | BSL_PTE_NX | BSL_PTE_U)));
	ck_assert_uint_eq(sp->gdtr.base, SWITCH_PAGE + offsetof(struct bf_switch_page, gdt));
	ck_assert_uint_eq(sp->idtr.base, SWITCH_PAGE + offsetof(struct bf_switch_page, idt));
	handler = SWITCH_CODE + 0xABC;
	ck_assert_uint_eq(sp->idt[2 * VECTOR_NMI],
			  0x8E0000100000 | (handler & 0xFFFF) | (handler & 0xFFFF0000) << 32);
	ck_assert_uint_eq(sp->idt[2 * VECTOR_NMI + 1], handler >> 32);
}
END_TEST

/* What it is not told to do by a kernel in which it could be done. */
START_TEST(refuses)
{
	run_stays(_i);
	tell(SWITCH_PAGE + 8, SWITCH_CODE);
	expect_answer(BF_ERR_BAD_REQUEST);
	tell(SWITCH_CODE, SWITCH_CODE);
	expect_answer(BF_ERR_BAD_REQUEST);
	tell(SWITCH_PAGE, SWITCH_CODE + PAGE); /* not mapped */
	expect_answer(BF_ERR_BAD_REQUEST);
	tell(SWITCH_PAGE + PAGE, SWITCH_CODE);
	expect_answer(BF_ERR_BAD_REQUEST);
	machine_maps(SWITCH_PAGE + PAGE, linux_page(31)); /* something else */
	expect_answer(BF_ERR_BAD_REQUEST);
	tell(0x7FFFFF000000, SWITCH_CODE);
	machine_maps(0x7FFFFF000000, host_pp->handoff.switch_page_spa);
	expect_answer(BF_ERR_BAD_REQUEST);
	tell(BF_PP_DATA, SWITCH_CODE);
	machine_maps(BF_PP_DATA, host_pp->handoff.switch_page_spa);
	expect_answer(BF_ERR_BAD_REQUEST);
	tell(SWITCH_PAGE, 0xFFFF87FFFFFFF000);
	machine_maps(0xFFFF87FFFFFFF000, CODE_SPA);
	expect_answer(BF_ERR_BAD_REQUEST);
	tell(SWITCH_PAGE, 0x8000000000001000); /* not canonical */
	expect_answer(BF_ERR_BAD_REQUEST);
	/* where 48 bits end; with 5 levels it is Linux's */
	tell(SWITCH_PAGE, 0xFF7F000000001000);
	machine_maps(0xFF7F000000001000, CODE_SPA);
	linux_calls(BF_HYPERCALL_BIND);
	ck_assert_uint_eq(answer_to_linux(), m.la57 ? BF_HYPERCALL_BOUND : BF_ERR_BAD_REQUEST);
}
END_TEST

START_TEST(refuses_other_code)
{
	uint8_t *code;

	run_stays(_i);
	code = phys_at(CODE_SPA);
	code[BF_PAGE_MASK] ^= 1;
	expect_answer(BF_ERR_MK_VERSION);
	code[BF_PAGE_MASK] ^= 1;
	code[leave_offset()] ^= 1;
	expect_answer(BF_ERR_MK_VERSION);
	code[leave_offset()] ^= 1;
	machine_maps(SWITCH_CODE, 0xF0000000); /* no RAM */
	expect_answer(BF_ERR_MK_VERSION);
	machine_maps(SWITCH_CODE, CODE_SPA);
	if (leave_offset()) /* how it is entered does not matter */
		code[leave_offset() - 1] ^= 1;
	linux_calls(BF_HYPERCALL_BIND);
	ck_assert_uint_eq(answer_to_linux(), BF_HYPERCALL_BOUND);
}
END_TEST

/* Linux has switched to the other number of levels. */
START_TEST(refuses_other_levels)
{
	run_stays(_i);
	if (intel())
		put_field(VMCS_cr4, field(VMCS_cr4) ^ CR4_LA57);
	else
		vmcb()->cr4 ^= CR4_LA57;
	expect_answer(BF_ERR_MK_LEVELS);
}
END_TEST

/* Not all pages that it takes; those that it has got are used the next time. */
START_TEST(without_memory)
{
	run_stays(_i);
	drain_pool(MK_BIND_TABLES - 1);
	expect_answer(BF_ERR_MK_POOL);
	pool_free(host_pp->bind.tables[0]);
	host_pp->bind.tables[0] = 0;
	expect_answer(BF_ERR_MK_POOL);
}
END_TEST

/* For the driver of a system that came later, and for nobody else. */
START_TEST(not_for_everybody)
{
	run_stays(_i);
	m.handoff->flags = 0;
	linux_calls(BF_HYPERCALL_BIND);
	ck_assert_uint_eq(answer_to_linux(), BF_ERR_BAD_REQUEST);
	m.handoff->flags = BF_HANDOFF_STAYS;
	if (intel())
		put_field(VMCS_ss_attrib, 0xC0F3);
	else
		vmcb()->cpl = 3;
	linux_calls(BF_HYPERCALL_BIND);
	ck_assert_uint_eq(bind_switch_page(host_pp), host_pp->handoff.switch_page);
}
END_TEST

TCase *run_bind_tests(void)
{
	TCase *tc = tcase_create("run_bind");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, binds, 0, 4);
	tcase_add_loop_test(tc, refuses, 0, 4);
	tcase_add_loop_test(tc, refuses_other_code, 0, 4);
	tcase_add_loop_test(tc, refuses_other_levels, 0, 4);
	tcase_add_loop_test(tc, without_memory, 0, 2);
	tcase_add_loop_test(tc, not_for_everybody, 0, 2);
	return tc;
}
