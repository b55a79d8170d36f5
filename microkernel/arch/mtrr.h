/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory types from the MTRRs (SDM vol. 3 §14.11). */
#ifndef MK_MTRR_H
#define MK_MTRR_H

#include <abi/hw/x86.h>
#include <abi/types.h>

#define MTRR_FIXED_MSRS 11
#define MTRR_MAX_VARIABLE 32

struct mtrrs {
	bool present; /* CPUID.1:EDX[12]; without MTRRs all memory is write-back to us */
	uint64_t def_type; /* IA32_MTRR_DEF_TYPE */
	uint64_t fixed[MTRR_FIXED_MSRS]; /* 64K_00000, 16K_80000, 16K_A0000, 4K_C0000 .. 4K_F8000 */
	unsigned int nr_variable;
	struct {
		uint64_t base; /* IA32_MTRR_PHYSBASEn */
		uint64_t mask; /* IA32_MTRR_PHYSMASKn */
	} variable[MTRR_MAX_VARIABLE];
};

/* All of *m is written, so that two of them can be compared. Touches no MSR that the CPU lacks. */
void mtrr_read(struct mtrrs *m);

/*
 * The one memory type of [spa, spa + size), size a power of two of at least a page and spa a
 * multiple of it. false: it may have more than one; for a single page there is always an answer.
 */
bool mtrr_type(const struct mtrrs *m, uint64_t spa, uint64_t size, uint8_t *type);

/* Whether it is one of them: a write may change the types of memory. */
static inline bool mtrr_is(uint32_t msr)
{
	return msr - MSR_MTRR_PHYSBASE0 < 2 * MTRR_MAX_VARIABLE || msr == MSR_MTRR_FIX64K ||
	       msr - MSR_MTRR_FIX16K < 2 || msr - MSR_MTRR_FIX4K < 8 || msr == MSR_MTRR_DEF_TYPE;
}

#endif
