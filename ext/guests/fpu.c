// SPDX-License-Identifier: MIT
/*
 * x87, MMX, SSE and AVX registers. The functions that touch them are called fpu_, and are the only
 * ones that may: ext/check-sse.
 */
#include <abi/hw/x86.h>
#include <abi/mk1_layout.h>
#include <bsl/compiler.h>
#include <bsl/string.h>
#include <ext/guests/fpu.h>
#include <ext/linux/cpuid.h>

#define FCW_RESET 0x37F
#define MXCSR_RESET 0x1F80
#define FXSAVE_MXCSR 24 /* offset */
#define LEAF_XSAVE 0xD

void fpu_init(struct fpu_area *area)
{
	const uint16_t fcw = FCW_RESET;
	const uint32_t mxcsr = MXCSR_RESET;

	bsl_memset(area, 0, sizeof(*area));
	bsl_memcpy(area->bytes, &fcw, sizeof(fcw));
	bsl_memcpy(area->bytes + FXSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
}

uint64_t fpu_linux_size(void)
{
	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE))
		return sizeof(struct fpu_area);
	return cpuid(LEAF_XSAVE, 0).ecx;
}

/* XSAVE where Linux uses it: its XCR0 has SSE then. */
static bool linux_has_xsave(void)
{
	uint32_t low, high;

	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE))
		return false;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low & XCR0_SSE;
}

/*
 * On AMD, FXRSTOR and XRSTOR leave the addresses of the last x87 instruction and operand alone
 * unless an exception is pending (APM vol. 5, FXRSTOR). A load of something that everybody may know
 * takes the place of what the other one has left.
 */
static inline void forget_addresses(void)
{
	static const uint32_t known;

	__asm__ volatile("fnclex\n\temms\n\tfildl %0" : : "m"(known));
}

noinline void fpu_save_linux(void *area)
{
	if (linux_has_xsave())
		__asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(-1), "d"(-1) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

noinline void fpu_restore_linux(const void *area)
{
	forget_addresses();
	if (linux_has_xsave())
		__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(-1), "d"(-1) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

noinline void fpu_save_guest(struct fpu_area *area)
{
	__asm__ volatile("fxsave64 %0" : "=m"(*area));
}

noinline void fpu_restore_guest(const struct fpu_area *area)
{
	forget_addresses();
	__asm__ volatile("fxrstor64 %0" : : "m"(*area));
}
