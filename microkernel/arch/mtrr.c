// SPDX-License-Identifier: GPL-2.0-only
#include "arch/mtrr.h"

#include <abi/layout.h>
#include <bsl/string.h>

#include "arch/intrinsics.h"

#define FIXED_END 0x100000ULL
#define PHYS_BITS 0x000FFFFFFFFFF000ULL

void mtrr_read(struct mtrrs *m)
{
	uint64_t cap;

	bsl_memset(m, 0, sizeof(*m));
	m->present = cpuid(1, 0).edx & CPUID_1_EDX_MTRR;
	if (!m->present)
		return;
	cap = rdmsr(MSR_MTRR_CAP);
	m->def_type = rdmsr(MSR_MTRR_DEF_TYPE);
	if (cap & MTRR_CAP_FIXED) {
		m->fixed[0] = rdmsr(MSR_MTRR_FIX64K);
		for (uint32_t i = 0; i < 2; i++)
			m->fixed[1 + i] = rdmsr(MSR_MTRR_FIX16K + i);
		for (uint32_t i = 0; i < 8; i++)
			m->fixed[3 + i] = rdmsr(MSR_MTRR_FIX4K + i);
	} else {
		m->def_type &= ~(uint64_t)MTRR_DEF_FIXED;
	}
	m->nr_variable = (unsigned int)(cap & MTRR_CAP_VARIABLE);
	if (m->nr_variable > MTRR_MAX_VARIABLE)
		m->nr_variable = MTRR_MAX_VARIABLE;
	for (uint32_t i = 0; i < m->nr_variable; i++) {
		m->variable[i].base = rdmsr(MSR_MTRR_PHYSBASE0 + 2 * i);
		m->variable[i].mask = rdmsr(MSR_MTRR_PHYSBASE0 + 2 * i + 1);
	}
}

/* The fixed ranges: 8 of 64 KiB, 16 of 16 KiB, 64 of 4 KiB, a byte each (§14.11.2.2). */
static uint8_t fixed_type(const struct mtrrs *m, uint64_t spa)
{
	uint64_t i;

	if (spa < 0x80000)
		i = spa >> 16;
	else if (spa < 0xC0000)
		i = 8 + ((spa - 0x80000) >> 14);
	else
		i = 24 + ((spa - 0xC0000) >> 12);
	return (uint8_t)(m->fixed[i / 8] >> (i % 8 * 8));
}

/* Two types on the same memory: UC wins, WT wins over WB, the rest is undefined (§14.11.4.1). */
static uint8_t combine(uint8_t a, uint8_t b)
{
	if (a == b)
		return a;
	if ((a == MTRR_WT && b == MTRR_WB) || (a == MTRR_WB && b == MTRR_WT))
		return MTRR_WT;
	return MTRR_UC;
}

static bool variable_type(const struct mtrrs *m, uint64_t spa, uint64_t size, uint8_t *type)
{
	bool found = false;

	*type = (uint8_t)m->def_type;
	for (unsigned int i = 0; i < m->nr_variable; i++) {
		uint64_t mask = m->variable[i].mask & PHYS_BITS;
		uint64_t differ = (spa ^ m->variable[i].base) & mask;
		uint8_t this_type = (uint8_t)m->variable[i].base;

		if (!(m->variable[i].mask & MTRR_MASK_VALID) || differ & ~(size - 1))
			continue;
		/* A mask that looks at bits below size tells parts of the range apart. */
		if (mask & (size - 1))
			return false;
		*type = found ? combine(*type, this_type) : this_type;
		found = true;
	}
	return true;
}

bool mtrr_type(const struct mtrrs *m, uint64_t spa, uint64_t size, uint8_t *type)
{
	uint8_t above;

	*type = MTRR_WB;
	if (!m->present)
		return true;
	*type = MTRR_UC;
	if (!(m->def_type & MTRR_DEF_ENABLED))
		return true;
	if (!(m->def_type & MTRR_DEF_FIXED) || spa >= FIXED_END)
		return variable_type(m, spa, size, type);

	*type = fixed_type(m, spa);
	for (uint64_t at = spa; at < spa + size && at < FIXED_END; at += BF_PAGE_SIZE) {
		if (fixed_type(m, at) != *type)
			return false;
	}
	/* A range that goes on beyond them begins at 0, so it has all of the fixed ones. */
	if (spa + size <= FIXED_END)
		return true;
	return variable_type(m, spa, size, &above) && above == *type;
}
