// SPDX-License-Identifier: GPL-2.0-only
/* svm/checks.c: each condition of VMRUN is named when it is broken. */
#include <string.h>

#include "svm.h"
#include "../suites.h"

// clang-format off
static void b_svme(struct vmcb *v) { v->efer &= ~(uint64_t)EFER_SVME; }
static void b_nw(struct vmcb *v) { v->cr0 |= 0x20000000; }
static void b_cr0(struct vmcb *v) { v->cr0 |= 1ULL << 32; }
static void b_cr3(struct vmcb *v) { v->cr3 |= 1ULL << 52; }
static void b_cr4(struct vmcb *v) { v->cr4 |= 1ULL << 32; }
static void b_dr6(struct vmcb *v) { v->dr6 |= 1ULL << 32; }
static void b_dr7(struct vmcb *v) { v->dr7 |= 1ULL << 32; }
static void b_efer(struct vmcb *v) { v->efer |= 1ULL << 40; }
static void b_pae(struct vmcb *v) { v->cr4 &= ~(uint64_t)CR4_PAE; }
static void b_pe(struct vmcb *v) { v->cr0 &= ~(uint64_t)CR0_PE; }
static void b_cs(struct vmcb *v) { v->cs.attrib |= 0x600; }
static void b_vmrun(struct vmcb *v) { v->instruction2 = 0; }
static void b_asid(struct vmcb *v) { v->asid = 0; }
static void b_iopm(struct vmcb *v) { v->iopm |= 8; }
static void b_msrpm(struct vmcb *v) { v->msrpm |= 8; }
static void b_type1(struct vmcb *v) { v->eventinj = EVENT(1, 3); }
static void b_type5(struct vmcb *v) { v->eventinj = EVENT(5, 3); }
static void b_vector2(struct vmcb *v) { v->eventinj = EVENT(3, 2); }
static void b_vector32(struct vmcb *v) { v->eventinj = EVENT(3, 32); }
// clang-format on

static const struct {
	void (*spoil)(struct vmcb *v);
	const char *what;
} broken[] = {
	{ b_svme, "EFER.SVME is clear" },
	{ b_nw, "CR0.CD is clear and CR0.NW set" },
	{ b_cr0, "CR0[63:32]" },
	{ b_cr3, "CR3 has" },
	{ b_cr4, "CR4 has" },
	{ b_dr6, "DR6[63:32]" },
	{ b_dr7, "DR7[63:32]" },
	{ b_efer, "EFER has" },
	{ b_pae, "CR4.PAE is clear" },
	{ b_pe, "CR0.PE is clear" },
	{ b_cs, "both CS.L and CS.D" },
	{ b_vmrun, "VMRUN intercept" },
	{ b_asid, "ASID is zero" },
	{ b_iopm, "permission map" },
	{ b_msrpm, "permission map" },
	{ b_type1, "reserved type" },
	{ b_type5, "reserved type" },
	{ b_vector2, "vector that is none" },
	{ b_vector32, "vector that is none" },
};
#define NR_BROKEN ((int)(sizeof(broken) / sizeof(broken[0])))

START_TEST(the_broken_condition_is_named)
{
	const char *text, *first;

	running();
	guest_exit(SVM_EXIT_CPUID);
	vmcb()->cs.attrib = 0xA9B;
	broken[_i].spoil(vmcb());
	(void)printed();
	guest_exit(_i & 1 ? (uint32_t)SVM_EXIT_INVALID : ~0ULL);
	ck_assert_int_eq(ended.end, END_GUEST); /* Linux, alone */
	expect_failed(BF_ERR_VS_INVALID);
	text = printed();
	first = strstr(text, "broken: ");
	ck_assert_ptr_nonnull(first);
	ck_assert_msg(strstr(text, broken[_i].what) != NULL, "%s", text);
	ck_assert_ptr_null(strstr(first + 1, "broken: "));
	ck_assert_ptr_nonnull(strstr(text, "VMRUN refused the state of vs 0"));
}
END_TEST

/* Values beside the forbidden ones. */
START_TEST(nothing_is_broken)
{
	struct vmcb v;

	running();
	v = *vmcb();
	v.cr0 |= 0x60000000; /* CD and NW */
	v.eventinj = EVENT(_i, 31); /* each type that exists, and an exception that does */
	(void)printed();
	svm_print_checks(&v);
	if (_i != 1)
		ck_assert_str_eq(printed(), "");
	v.eventinj = 0;
	v.efer &= ~(uint64_t)EFER_LME;
	v.cr4 &= ~(uint64_t)CR4_PAE;
	v.cs.attrib |= 0x600;
	(void)printed();
	svm_print_checks(&v);
	ck_assert_str_eq(printed(), "");
	v.efer |= EFER_LME; /* not active without PG */
	v.cr0 &= ~(uint64_t)CR0_PG;
	svm_print_checks(&v);
	ck_assert_str_eq(printed(), "");
	v.cr0 |= CR0_PG;
	v.cr4 |= CR4_PAE;
	v.cs.attrib = 0x400;
	svm_print_checks(&v);
	ck_assert_str_eq(printed(), "");
}
END_TEST

TCase *svm_checks_tests(void)
{
	TCase *tc = tcase_create("svm_checks");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, the_broken_condition_is_named, 0, NR_BROKEN);
	tcase_add_loop_test(tc, nothing_is_broken, 0, 5);
	return tc;
}
