/* SPDX-License-Identifier: MIT */
#include <ext/default/cpuid.h>
#include <ext/default/default.h>

#define ECX_1_VMX 0x20
#define ECX_1_SMX 0x40
#define ECX_1_OSXSAVE 0x8000000
#define ECX_7_0_OSPKE 0x10
#define EAX_7_1_MSRLIST 0x8000000
#define EBX_7_1_PBNDKB 0x2
#define ECX_7_1_MSR_IMM 0x20
#define EDX_7_1_USER_MSR 0x8000
#define ECX_80000001_SVM 0x4
#define ECX_80000001_SKINIT 0x1000

bool cpuid_shows_cr4(uint32_t leaf, uint32_t subleaf)
{
	return leaf == CPUID_FEATURES || (leaf == CPUID_STRUCTURED && subleaf == 0);
}

static uint32_t follow(uint32_t value, uint32_t mask, bool on)
{
	return on ? value | mask : value & ~mask;
}

void cpuid_filter(uint32_t leaf, uint32_t subleaf, uint64_t cr4, struct cpuid_regs *regs)
{
	switch (leaf) {
	case CPUID_FEATURES:
		/* GETSEC exits always and is answered with #UD: SMX goes with VMX. */
		regs->ecx &= ~(uint32_t)(ECX_1_VMX | ECX_1_SMX);
		/* The CPU shows the CR4 of root mode here. */
		regs->ecx = follow(regs->ecx, ECX_1_OSXSAVE, cr4 & CR4_OSXSAVE);
		break;
	case CPUID_STRUCTURED:
		if (subleaf == 0) {
			regs->ecx = follow(regs->ecx, ECX_7_0_OSPKE, cr4 & CR4_PKE);
		} else if (subleaf == 1) {
			/*
			 * Instructions that take VMX controls which Mk#1 has no register for, and
			 * RDMSR and WRMSRNS with an immediate operand, whose exits nobody answers.
			 */
			regs->eax &= ~(uint32_t)EAX_7_1_MSRLIST;
			regs->ebx &= ~(uint32_t)EBX_7_1_PBNDKB;
			regs->ecx &= ~(uint32_t)ECX_7_1_MSR_IMM;
			regs->edx &= ~(uint32_t)EDX_7_1_USER_MSR;
		}
		break;
	case CPUID_EXT_FEATURES:
		regs->ecx &= ~(uint32_t)(ECX_80000001_SVM | ECX_80000001_SKINIT);
		break;
	case CPUID_SVM:
		*regs = (struct cpuid_regs){ 0, 0, 0, 0 };
		break;
	default:
		break;
	}
}
