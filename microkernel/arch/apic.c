// SPDX-License-Identifier: GPL-2.0-only
#include "arch/apic.h"

#include <bsl/bits.h>
#include <bsl/fault.h>
#include <bsl/paging.h>

#include "arch/intrinsics.h"
#include "arch/phys.h"
#include "arch/trap.h"

/* The page of registers otherwise, 32 bits every 16 bytes. */
#define REGISTERS (BF_PP_TEMP + MK_TEMP_APIC * (uint64_t)BF_PAGE_SIZE)

#define ICR_POLL_LIMIT 100000

static volatile uint32_t *reg(unsigned int offset)
{
	return (volatile uint32_t *)(REGISTERS + offset);
}

uint32_t apic_init(uint64_t *area_pt)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	/* In either mode: Linux may change it. */
	area_pt[bsl_pt_index(REGISTERS, 1)] = (base & BSL_PTE_SPA) | BSL_PTE_P | BSL_PTE_W |
					      BSL_PTE_UC | BSL_PTE_NX | BSL_PTE_A | BSL_PTE_D;
	invlpg(REGISTERS);
	if (!(base & APIC_BASE_EN))
		return 0;
	return base & APIC_BASE_EXTD ? (uint32_t)rdmsr(MSR_X2APIC_ID) : *reg(XAPIC_ID) >> 24;
}

static void await_delivery(void)
{
	for (unsigned int i = 0; i < ICR_POLL_LIMIT && *reg(XAPIC_ICR_LOW) & ICR_PENDING; i++)
		__asm__ volatile("pause");
}

bool apic_send(uint32_t id, uint32_t command)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);
	uint32_t high;

	if (!(base & APIC_BASE_EN))
		return false;
	if (FAULT_POINT(nmi))
		return true;
	if (base & APIC_BASE_EXTD) {
		/*
		 * Not serialising, unlike other WRMSRs: what the NMI is about must be seen before
		 * it.
		 */
		store_fence_for_wrmsr();
		wrmsr(MSR_X2APIC_ICR, (uint64_t)id << 32 | command);
		return true;
	}
	/* Linux may have exited between its writes to the two halves. */
	high = *reg(XAPIC_ICR_HIGH);
	await_delivery();
	*reg(XAPIC_ICR_HIGH) = id << 24;
	*reg(XAPIC_ICR_LOW) = command;
	await_delivery();
	*reg(XAPIC_ICR_HIGH) = high;
	return true;
}

bool apic_send_nmi(uint32_t id)
{
	return apic_send(id, ICR_NMI);
}

uint64_t apic_page(void)
{
	return rdmsr(MSR_APIC_BASE) & BSL_PTE_SPA;
}

bool apic_is_enabled(void)
{
	return rdmsr(MSR_APIC_BASE) & APIC_BASE_EN;
}

bool apic_is_boot(void)
{
	return rdmsr(MSR_APIC_BASE) & APIC_BASE_BSP;
}

static bool is_x2apic(void)
{
	return rdmsr(MSR_APIC_BASE) & APIC_BASE_EXTD;
}

/* In x2APIC mode the ID says all. */
void apic_place(struct apic_place *place)
{
	bool x2apic = is_x2apic();

	place->id = x2apic ? (uint32_t)rdmsr(MSR_X2APIC_ID) : *reg(XAPIC_ID) >> 24;
	place->ldr = x2apic ? 0 : *reg(XAPIC_LDR);
	place->dfr = x2apic ? ~0U : *reg(XAPIC_DFR);
}

uint32_t apic_read(unsigned int offset)
{
	return *reg(offset);
}

void apic_write(unsigned int offset, uint32_t value)
{
	*reg(offset) = value;
}

static uint32_t read_either(bool x2apic, unsigned int offset)
{
	return x2apic ? (uint32_t)rdmsr(MSR_X2APIC + offset / 16) : *reg(offset);
}

static void write_either(bool x2apic, unsigned int offset, uint32_t value)
{
	if (x2apic)
		wrmsr(MSR_X2APIC + offset / 16, value);
	else
		*reg(offset) = value;
}

/* The entries that this APIC has: timer, LINT0, LINT1 and errors, then one more for each beyond. */
static void mask_lvt(bool x2apic)
{
	static const uint16_t entries[] = {
		0x320, 0x350, 0x360, 0x370, 0x340, 0x330, XAPIC_LVT_CMCI
	};
	unsigned int max = APIC_MAX_LVT(read_either(x2apic, XAPIC_VERSION));

	for (unsigned int i = 0; i < sizeof(entries) / sizeof(entries[0]) && i <= max; i++)
		write_either(x2apic, entries[i], APIC_LVT_MASKED);
}

/* Whether a bit is set in the 256 of ISR or IRR. */
static bool has_any(bool x2apic, unsigned int offset)
{
	uint32_t bits = 0;

	for (unsigned int i = 0; i < 8; i++)
		bits |= read_either(x2apic, offset + i * 0x10);
	return bits;
}

void apic_end_interrupt(void)
{
	write_either(is_x2apic(), XAPIC_EOI, 0);
}

/* What is in service ends, and what waits is taken, one after the other; nothing more comes. */
static void discard_interrupts(bool x2apic)
{
	for (unsigned int i = 0; i < 256 && has_any(x2apic, XAPIC_ISR); i++)
		write_either(x2apic, XAPIC_EOI, 0);
	write_either(x2apic, XAPIC_TPR, 0);
	write_either(x2apic, XAPIC_SVR, APIC_SVR_RESET | APIC_SVR_ENABLED);
	for (unsigned int i = 0; i < 256 && has_any(x2apic, XAPIC_IRR); i++)
		take_interrupt();
}

void apic_reset(void)
{
	bool x2apic = is_x2apic();

	if (!apic_is_enabled())
		return;
	mask_lvt(x2apic);
	write_either(x2apic, XAPIC_TIMER_COUNT, 0);
	write_either(x2apic, XAPIC_TIMER_DIVIDE, 0);
	discard_interrupts(x2apic);
	/* A write shows what has gone wrong since the one before (SDM vol. 3 §13.5.3). */
	write_either(x2apic, XAPIC_ESR, 0);
	write_either(x2apic, XAPIC_ESR, 0);
	if (!x2apic) {
		*reg(XAPIC_DFR) = ~0U;
		*reg(XAPIC_LDR) = 0;
		*reg(XAPIC_ICR_HIGH) = 0;
	}
	write_either(x2apic, XAPIC_SVR, APIC_SVR_RESET);
}
