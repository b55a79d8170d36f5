/* SPDX-License-Identifier: MIT */
/* CPUID, as this CPU answers it: in ring 3 of root mode nobody changes that. */
#ifndef LIBEXT_CPUID_H
#define LIBEXT_CPUID_H

#include <abi/types.h>

/* The four registers of the result. */
struct cpuid_regs {
	uint32_t eax;
	uint32_t ebx;
	uint32_t ecx;
	uint32_t edx;
};

/* Executes CPUID with these in EAX and ECX (APM vol. 3, CPUID; SDM vol. 2, CPUID). Cannot fail. */
static inline struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_regs r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

#endif
