/* SPDX-License-Identifier: MIT */
/* What CPUID shows to the guest: the CPU's own answer without the virtualisation that we use. */
#ifndef EXT_LINUX_CPUID_H
#define EXT_LINUX_CPUID_H

#include <abi/mk1.h>
#include <ext/libext/cpuid.h>

/*
 * Whether the answer for this leaf may differ from the CPU's; false for nearly all of them. For
 * 8000_0007 and Ah, too, as one look at the low bits is enough then.
 */
static inline bool cpuid_is_special(uint32_t leaf)
{
	const uint32_t special = 1u << 0x1 | 1u << 0x7 | 1u << 0xA;
	uint32_t low = leaf & 0x7FFFFFFF;

	return (low < 32 && special >> low & 1) || leaf == MK1_CPUID_LEAF;
}

/*
 * Whether an extended leaf is one that the CPU has, by CPUID 8000_0000: for the others some answer
 * with data of another leaf, in which there is nothing to hide.
 */
static inline bool cpuid_has_extended(uint32_t leaf)
{
	return leaf <= cpuid(0x80000000, 0).eax;
}

/* Whether the answer depends on the guest's CR4. */
bool cpuid_shows_cr4(uint32_t leaf, uint32_t subleaf);

/*
 * Turns the CPU's answer for a leaf into the guest's. cr4 is the guest's CR4; it is looked at only
 * where cpuid_shows_cr4 says so (SDM vol. 2, CPUID; APM vol. 3, appendix E).
 */
void cpuid_filter(uint32_t leaf, uint32_t subleaf, uint64_t cr4, struct cpuid_regs *regs);

#endif
