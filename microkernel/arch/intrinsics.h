/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inline-assembly wrappers. Those that can fault at run time have a _safe form, which reports the
 * fault through the exception table (extable.h) instead of taking the CPU down.
 */
#ifndef MK_INTRINSICS_H
#define MK_INTRINSICS_H

#include <abi/cpu_state.h>
#include <abi/hw/x86.h>
#include <abi/layout.h>
#include <abi/types.h>

#include "arch/extable.h"

struct cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_regs r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

/* Whether the CPU has this MSR; *value is 0 if not. */
static inline bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
	uint64_t fault = 1;
	uint32_t lo, hi;

	__asm__ volatile("1: rdmsr\n\t"
			 "xor %k0, %k0\n\t"
			 "2:\n\t" EXTABLE(1b, 2b)
			 : "+r"(fault), "=a"(lo), "=d"(hi)
			 : "c"(msr), "1"(0), "2"(0));
	*value = (uint64_t)hi << 32 | lo;
	return !fault;
}

/* Whether the CPU took the value. */
static inline bool wrmsr_safe(uint32_t msr, uint64_t value)
{
	uint64_t fault = 1;

	__asm__ volatile("1: wrmsr\n\t"
			 "xor %k0, %k0\n\t"
			 "2:\n\t" EXTABLE(1b, 2b)
			 : "+r"(fault)
			 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
	return !fault;
}

/* XCR0; needs CR4.OSXSAVE. */
static inline uint64_t xgetbv0(void)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

/* Whether the CPU took the value as XCR0 (SDM vol. 1 §13.3 has the rules). */
static inline bool xsetbv0_safe(uint64_t value)
{
	uint64_t fault = 1;

	__asm__ volatile("1: xsetbv\n\t"
			 "xor %k0, %k0\n\t"
			 "2:\n\t" EXTABLE(1b, 2b)
			 : "+r"(fault)
			 : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
	return !fault;
}

/* x87 and SSE state of 512 bytes, aligned to 16; or all that XCR0 and mask have, aligned to 64. */
static inline void fxsave64(void *area)
{
	__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

static inline void xsave64(void *area, uint64_t mask)
{
	__asm__ volatile("xsave64 (%0)"
			 :
			 : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))
			 : "memory");
}

/* The reverse. Whether the CPU took it: SDM vol. 1 §13.8.1 has the rules. */
static inline bool fxrstor64_safe(const void *area)
{
	uint64_t fault = 1;

	__asm__ volatile("1: fxrstor64 (%1)\n\t"
			 "xor %k0, %k0\n\t"
			 "2:\n\t" EXTABLE(1b, 2b)
			 : "+r"(fault)
			 : "r"(area)
			 : "memory");
	return !fault;
}

static inline bool xrstor64_safe(const void *area, uint64_t mask)
{
	uint64_t fault = 1;

	__asm__ volatile("1: xrstor64 (%1)\n\t"
			 "xor %k0, %k0\n\t"
			 "2:\n\t" EXTABLE(1b, 2b)
			 : "+r"(fault)
			 : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))
			 : "memory");
	return !fault;
}

/*
 * On AMD, FXRSTOR and XRSTOR leave the addresses of the last x87 instruction and operand alone
 * unless an exception is pending (APM vol. 5, FXRSTOR). A load of something that everybody may know
 * takes the place of what the other one has left.
 */
static inline void forget_x87_addresses(void)
{
	static const uint32_t known;

	__asm__ volatile("fnclex\n\temms\n\tfildl %0" : : "m"(known));
}

#define MK_REGISTER(name) \
	static inline uint64_t read_##name(void) \
	{ \
		uint64_t value; \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(value)); \
		return value; \
	} \
	static inline void write_##name(uint64_t value) \
	{ \
		__asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory"); \
	}
MK_REGISTER(cr0)
MK_REGISTER(cr2)
MK_REGISTER(cr3)
MK_REGISTER(cr4)
MK_REGISTER(cr8)
MK_REGISTER(dr0)
MK_REGISTER(dr1)
MK_REGISTER(dr2)
MK_REGISTER(dr3)
MK_REGISTER(dr6)
MK_REGISTER(dr7)
#undef MK_REGISTER

/* The operand of LGDT and LIDT is the ten bytes from limit on. */
static inline void lgdt(const struct bf_table *t)
{
	__asm__ volatile("lgdt (%0)" : : "r"(&t->limit), "m"(*t) : "memory");
}

static inline void lidt(const struct bf_table *t)
{
	__asm__ volatile("lidt (%0)" : : "r"(&t->limit), "m"(*t) : "memory");
}

static inline void sgdt(struct bf_table *t)
{
	__asm__ volatile("sgdt (%1)" : "=m"(*t) : "r"(&t->limit));
}

/* Inline, a copy of few words costs half as much as bsl_memcpy. */
static inline void copy_words(uint64_t *to, const uint64_t *from, size_t n)
{
	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static inline void invlpg(uint64_t va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

/* Lets ring 0 touch user pages between the two; only where CR4.SMAP is on. */
static inline void stac(void)
{
	__asm__ volatile("stac" : : : "memory");
}

static inline void clac(void)
{
	__asm__ volatile("clac" : : : "memory");
}

/* Copies n bytes from ring 3's memory; false if a page of it is gone. Between stac and clac. */
static inline bool copy_from_ring3(void *to, uint64_t va, uint64_t n)
{
	__asm__ volatile("1: rep movsb\n\t"
			 "2:\n\t" EXTABLE(1b, 2b)
			 : "+D"(to), "+S"(va), "+c"(n)
			 :
			 : "memory");
	return n == 0;
}

/* The reverse; false also if it is not to be written to. */
static inline bool copy_to_ring3(uint64_t va, const void *from, uint64_t n)
{
	__asm__ volatile("1: rep movsb\n\t"
			 "2:\n\t" EXTABLE(1b, 2b)
			 : "+D"(va), "+S"(from), "+c"(n)
			 :
			 : "memory");
	return n == 0;
}

static inline void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

/*
 * WRMSR to the x2APIC is not serialising (SDM vol. 3, "MSR Access in x2APIC Mode"): MFENCE makes
 * earlier stores visible first, and LFENCE keeps the WRMSR from passing the MFENCE.
 */
static inline void store_fence_for_wrmsr(void)
{
	__asm__ volatile("mfence\n\tlfence" : : : "memory");
}

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

/* Ends the blocking of NMIs, as an IRET does: this one goes right behind itself. */
static inline void unblock_nmis(void)
{
	uint64_t scratch;

	__asm__ volatile("mov %%rsp, %0\n\t"
			 "push %1\n\t"
			 "push %0\n\t"
			 "pushfq\n\t"
			 "push %2\n\t"
			 "lea 1f(%%rip), %0\n\t"
			 "push %0\n\t"
			 "iretq\n"
			 "1:"
			 : "=&r"(scratch)
			 : "i"(BF_SEL_KERNEL_SS), "i"(BF_SEL_KERNEL_CS)
			 : "memory", "cc");
}

#endif
