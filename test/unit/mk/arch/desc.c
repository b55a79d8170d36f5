// SPDX-License-Identifier: GPL-2.0-only
/* arch/desc.c: the descriptor tables of root mode. */
#include <bsl/bits.h>

#include "../machine.h"
#include "../suites.h"

static uint64_t gate_target(const struct idt_gate *g)
{
	return (uint64_t)g->offset_high << 32 | (uint64_t)g->offset_mid << 16 | g->offset_low;
}

START_TEST(descriptor_tables)
{
	const struct pp *pp;
	const uint64_t *gdt;

	machine_of(0);
	enter(0);
	pp = m.pps[0];
	for (unsigned int v = 0; v < MK_IDT_ENTRIES; v++) {
		unsigned int ist = 0, dpl3 = 0;

		if (v == VECTOR_BP || v == VECTOR_OF)
			dpl3 = 0x6000;
		if (v == VECTOR_NMI)
			ist = 1;
		else if (v == VECTOR_DF)
			ist = 2;
		else if (v == VECTOR_MC)
			ist = 3;
		else if (v == VECTOR_DB)
			ist = 4;
		ck_assert_uint_eq(gate_target(&pp->idt[v]), (uint64_t)trap_stubs + v * 16);
		ck_assert_uint_eq(pp->idt[v].ist_type, 0x8E00 | dpl3 | ist);
		ck_assert_uint_eq(pp->idt[v].selector, BF_SEL_KERNEL_CS);
	}
	ck_assert_uint_eq(pp->tss.rsp[0][0], (uint32_t)BF_PP_STACK_TOP);
	ck_assert_uint_eq(pp->tss.rsp[0][1], BF_PP_STACK_TOP >> 32);
	for (unsigned int i = 0; i < BF_PP_IST_COUNT; i++)
		ck_assert_uint_eq(pp->tss.ist[i][0],
				  (uint32_t)(BF_PP_IST_BASE + i * BF_PP_IST_STRIDE + PAGE));
	ck_assert_uint_eq(pp->tss.iopb, sizeof(struct tss));
	gdt = pp_gdt(m.pps[0]);
	/* busy since LTR; the base of the TSS in its pieces */
	ck_assert_uint_eq(bsl_field_get(gdt[6], 40, 8), 0x8B);
	ck_assert_uint_eq(bsl_field_get(gdt[6], 16, 24) | bsl_field_get(gdt[6], 56, 8) << 24 |
				  gdt[7] << 32,
			  (uint64_t)&pp->tss);
}
END_TEST

TCase *arch_desc_tests(void)
{
	TCase *tc = tcase_create("arch_desc");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, descriptor_tables);
	return tc;
}
