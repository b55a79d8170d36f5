// SPDX-License-Identifier: GPL-2.0-only
/* arch/apic.c: the registers of a local APIC, in either mode, and its reset. */
#include "microkernel/arch/apic.h"

#include "../machine.h"
#include "../suites.h"

#define ID 0x12000000
#define LVT 0x000000EC /* a vector, not masked */

static const uint16_t entries[] = { 0x320, 0x350, 0x360, 0x370, 0x340, 0x330, XAPIC_LVT_CMCI };

#define NR_ENTRIES (sizeof(entries) / sizeof(entries[0]))

static bool x2apic;
static unsigned int ends, error_writes;

static volatile uint32_t *at(unsigned int offset)
{
	return (volatile uint32_t *)phys_at(linux_page(0)) + offset / 4;
}

static void put(unsigned int offset, uint32_t value)
{
	if (x2apic)
		msr_set(cpu, MSR_X2APIC + offset / 16, value);
	else
		*at(offset) = value;
}

static uint32_t get(unsigned int offset)
{
	return x2apic ? (uint32_t)msr_get(cpu, MSR_X2APIC + offset / 16) : *at(offset);
}

/* An EOI ends the interrupt of the highest priority in service. */
static void end_highest(void)
{
	for (unsigned int i = 8; i--;) {
		uint32_t bits = get(XAPIC_ISR + i * 0x10);

		if (bits) {
			put(XAPIC_ISR + i * 0x10, bits & ~(1U << (31 - __builtin_clz(bits))));
			return;
		}
	}
}

static void watch(enum insn insn, uint64_t msr)
{
	if (insn != INSN_WRMSR)
		return;
	error_writes += msr == MSR_X2APIC + XAPIC_ESR / 16;
	if (msr != MSR_X2APIC + XAPIC_EOI / 16)
		return;
	ends++;
	end_highest();
	/* each is taken when nothing new comes, and nothing keeps it away */
	ck_assert_uint_eq(get(XAPIC_LVT_TIMER), APIC_LVT_MASKED);
	if (!machine_interrupts)
		return;
	ck_assert_uint_eq(get(XAPIC_TPR), 0);
	ck_assert_uint_eq(get(XAPIC_SVR), APIC_SVR_RESET | APIC_SVR_ENABLED);
	for (unsigned int i = 0; i < 8; i++)
		ck_assert_uint_eq(get(XAPIC_ISR + i * 0x10), 0);
}

/* A local APIC with this many entries more than one, as Linux uses it. */
static void used(bool x2, unsigned int max_lvt)
{
	machine_of(0);
	machine_has_x2apics();
	x2apic = x2;
	if (!x2)
		msr_set(cpu, MSR_APIC_BASE, linux_page(0) | APIC_BASE_EN | APIC_BASE_BSP);
	start();
	put(XAPIC_ID, ID);
	put(XAPIC_VERSION, max_lvt << 16 | 0x15);
	put(XAPIC_TPR, 0x20);
	put(XAPIC_LDR, 0x04000000);
	put(XAPIC_SVR, 0x1FF);
	put(XAPIC_ESR, 0);
	put(XAPIC_TIMER_COUNT, 1000);
	put(XAPIC_TIMER_DIVIDE, 0xB);
	put(XAPIC_EOI, 0);
	for (unsigned int i = 0; i < NR_ENTRIES; i++)
		put(entries[i], LVT);
	if (x2) {
		/* MSRs of which other values are #GP, and registers that are none */
		msr_restrict(cpu, MSR_X2APIC + XAPIC_EOI / 16, 0);
		msr_restrict(cpu, MSR_X2APIC + XAPIC_ESR / 16, 0);
		msr_restrict(cpu, MSR_X2APIC + XAPIC_LDR / 16, 0);
		msr_drop(cpu, MSR_X2APIC + XAPIC_DFR / 16);
		msr_drop(cpu, MSR_X2APIC + XAPIC_ICR_HIGH / 16);
	} else {
		put(XAPIC_DFR, 0x0FFFFFFF);
		put(XAPIC_ICR_HIGH, 0x07000000);
	}
	machine_interrupts = 0;
	ends = 0;
	error_writes = 0;
}

/* SDM vol. 3 §13.4.7.3, and in x2APIC mode §13.12.5.1: its ID, and its LDR there, stay. */
static void expect_reset(unsigned int max_lvt)
{
	ck_assert_uint_eq(get(XAPIC_ID), ID);
	ck_assert_uint_eq(get(XAPIC_TPR), 0);
	ck_assert_uint_eq(get(XAPIC_SVR), 0xFF);
	ck_assert_uint_eq(get(XAPIC_ESR), 0);
	ck_assert_uint_eq(get(XAPIC_TIMER_COUNT), 0);
	ck_assert_uint_eq(get(XAPIC_TIMER_DIVIDE), 0);
	for (unsigned int i = 0; i < NR_ENTRIES; i++)
		ck_assert_uint_eq(get(entries[i]), i <= max_lvt ? 0x10000 : LVT);
	ck_assert_uint_eq(get(XAPIC_LDR), x2apic ? 0x04000000 : 0);
	if (x2apic)
		return;
	ck_assert_uint_eq(get(XAPIC_DFR), 0xFFFFFFFF);
	ck_assert_uint_eq(get(XAPIC_ICR_HIGH), 0);
}

/* Entries that it does not have are not written to: in x2APIC mode that would be #GP. */
START_TEST(is_reset)
{
	unsigned int max_lvt = _i & 2 ? 6 : 3;

	used(_i & 1, max_lvt);
	apic_reset();
	expect_reset(max_lvt);
	ck_assert_uint_eq(machine_interrupts, 0);
}
END_TEST

/* Two are in service, and one waits: even if software has disabled it meanwhile. */
START_TEST(interrupts_end)
{
	used(true, 6);
	put(XAPIC_SVR, _i ? 0xFF : 0x1FF);
	put(XAPIC_ISR + 0x10, 1U << 5);
	put(XAPIC_ISR + 0x70, 1U << 31);
	put(XAPIC_IRR, 1U << 31);
	cpu_watch = watch;
	apic_reset();
	cpu_watch = NULL;
	ck_assert_uint_eq(machine_interrupts, 1);
	ck_assert_uint_eq(ends, 3);
	/* the first write shows what has gone wrong before, the second that nothing has */
	ck_assert_uint_eq(error_writes, 2);
	expect_reset(6);
}
END_TEST

/* Whatever a register says, there is an end to it: no more than there are vectors. */
START_TEST(stuck_interrupts)
{
	used(false, 6);
	put(XAPIC_ISR + 0x30, 1);
	put(XAPIC_IRR + 0x70, 1U << 31);
	apic_reset();
	ck_assert_uint_eq(machine_interrupts, 256);
	expect_reset(6);
}
END_TEST

START_TEST(one_that_is_off_stays_as_it_is)
{
	used(false, 6);
	msr_set(cpu, MSR_APIC_BASE, linux_page(0));
	apic_reset();
	ck_assert_uint_eq(get(XAPIC_SVR), 0x1FF);
	ck_assert_uint_eq(get(XAPIC_LVT_TIMER), LVT);
	ck_assert_uint_eq(get(XAPIC_TPR), 0x20);
}
END_TEST

START_TEST(how_it_is_addressed)
{
	struct apic_place place;

	used(_i, 6);
	apic_place(&place);
	ck_assert_uint_eq(place.id, _i ? ID : ID >> 24);
	ck_assert_uint_eq(place.ldr, _i ? 0 : 0x04000000);
	ck_assert_uint_eq(place.dfr, _i ? 0xFFFFFFFF : 0x0FFFFFFF);
}
END_TEST

START_TEST(registers_by_offset)
{
	used(false, 6);
	ck_assert_uint_eq(apic_read(XAPIC_TIMER_COUNT), 1000);
	apic_write(XAPIC_TPR, 0x50);
	ck_assert_uint_eq(get(XAPIC_TPR), 0x50);
	ck_assert_uint_eq(get(XAPIC_TPR + 0x10), 0);
}
END_TEST

TCase *arch_apic_tests(void)
{
	TCase *tc = tcase_create("arch_apic");

	tcase_add_loop_test(tc, is_reset, 0, 4);
	tcase_add_loop_test(tc, interrupts_end, 0, 2);
	tcase_add_test(tc, stuck_interrupts);
	tcase_add_test(tc, one_that_is_off_stays_as_it_is);
	tcase_add_loop_test(tc, how_it_is_addressed, 0, 2);
	tcase_add_test(tc, registers_by_offset);
	return tc;
}
