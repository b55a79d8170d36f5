// SPDX-License-Identifier: GPL-2.0-only
#include "arch/apic.h"

#include <bsl/bits.h>
#include <bsl/fault.h>
#include <bsl/paging.h>

#include "arch/intrinsics.h"
#include "arch/phys.h"

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

bool apic_send_nmi(uint32_t id)
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
		wrmsr(MSR_X2APIC_ICR, (uint64_t)id << 32 | ICR_NMI);
		return true;
	}
	/* Linux may have exited between its writes to the two halves. */
	high = *reg(XAPIC_ICR_HIGH);
	await_delivery();
	*reg(XAPIC_ICR_HIGH) = id << 24;
	*reg(XAPIC_ICR_LOW) = ICR_NMI;
	await_delivery();
	*reg(XAPIC_ICR_HIGH) = high;
	return true;
}
