// SPDX-License-Identifier: MIT
/* What CPUID shows to the guest: see cpuid.h. */
#include <ext/linux/cpuid.h>
#include <ext/linux/linux.h>

bool cpuid_shows_cr4(uint32_t leaf, uint32_t subleaf)
{
	return leaf == 0x1 || (leaf == 0x7 && subleaf == 0);
}

static uint32_t follow(uint32_t value, uint32_t mask, bool on)
{
	return on ? value | mask : value & ~mask;
}

void cpuid_filter(uint32_t leaf, uint32_t subleaf, uint64_t cr4, struct cpuid_regs *regs)
{
	switch (leaf) {
	case 0x1:
		/* GETSEC exits always and is answered with #UD: SMX goes with VMX. */
		regs->ecx &= ~(uint32_t)(CPUID_1_ECX_VMX | CPUID_1_ECX_SMX);
		/* The CPU shows the CR4 of root mode here. */
		regs->ecx = follow(regs->ecx, CPUID_1_ECX_OSXSAVE, cr4 & CR4_OSXSAVE);
		break;
	case 0x7:
		if (subleaf == 0) {
			regs->ecx = follow(regs->ecx, CPUID_7_ECX_OSPKE, cr4 & CR4_PKE);
			/* CR4.KL and CR4.FRED are refused: what cannot be carried. */
			regs->ecx &= ~(uint32_t)CPUID_7_ECX_KL;
		} else if (subleaf == 1) {
			/*
			 * Instructions that take VMX controls which Mk#1 has no register for, and
			 * RDMSR and WRMSRNS with an immediate operand, whose exits have no handler.
			 */
			regs->eax &= ~(uint32_t)(CPUID_7_1_EAX_MSRLIST | CPUID_7_1_EAX_FRED);
			regs->ebx &= ~(uint32_t)CPUID_7_1_EBX_PBNDKB;
			regs->ecx &= ~(uint32_t)CPUID_7_1_ECX_MSR_IMM;
			regs->edx &= ~(uint32_t)CPUID_7_1_EDX_USER_MSR;
		}
		break;
	case 0x80000001:
		regs->ecx &= ~(uint32_t)(CPUID_80000001_ECX_SVM | CPUID_80000001_ECX_SKINIT);
		break;
	case 0x8000000A:
		*regs = (struct cpuid_regs){ 0, 0, 0, 0 };
		break;
	default:
		break;
	}
}
