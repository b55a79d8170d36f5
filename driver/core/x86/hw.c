// SPDX-License-Identifier: GPL-2.0-only
/* Inline-assembly wrappers. */
#include "hw.h"

#include <abi/hw/x86.h>

#include "../arch.h"

void bf_hw_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	/* "memory": the CPUID that stops the hypervisor has effects beyond its registers. */
	__asm__ volatile("cpuid"
			 : "=a"(regs[0]), "=b"(regs[1]), "=c"(regs[2]), "=d"(regs[3])
			 : "a"(leaf), "c"(subleaf)
			 : "memory");
}

uint64_t bf_hw_cr0(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr0, %0" : "=r"(value));
	return value;
}

uint64_t bf_hw_cycles(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

void bf_hw_pause(void)
{
	__asm__ volatile("pause" : : : "memory");
}

uint64_t bf_hw_cr3(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr3, %0" : "=r"(value));
	return value;
}

uint64_t bf_hw_cr4(void)
{
	uint64_t value;

	__asm__ volatile("mov %%cr4, %0" : "=r"(value));
	return value;
}

uint64_t bf_hw_xcr0(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

void bf_hw_registers(struct bf_cpu_state *state)
{
	state->cr0 = bf_hw_cr0();
	__asm__ volatile("mov %%cr2, %0" : "=r"(state->cr2));
	state->cr3 = bf_hw_cr3();
	state->cr4 = bf_hw_cr4();
	__asm__ volatile("mov %%cr8, %0" : "=r"(state->cr8));
	state->xcr0 = state->cr4 & CR4_OSXSAVE ? bf_hw_xcr0() : 0;
	__asm__ volatile("mov %%dr0, %0" : "=r"(state->dr[0]));
	__asm__ volatile("mov %%dr1, %0" : "=r"(state->dr[1]));
	__asm__ volatile("mov %%dr2, %0" : "=r"(state->dr[2]));
	__asm__ volatile("mov %%dr3, %0" : "=r"(state->dr[3]));
	__asm__ volatile("mov %%dr6, %0" : "=r"(state->dr6));
	__asm__ volatile("mov %%dr7, %0" : "=r"(state->dr7));
	/* Ten bytes, from the limit on. */
	__asm__ volatile("sgdt %0" : "=m"(state->gdtr.limit), "=m"(state->gdtr.base));
	__asm__ volatile("sidt %0" : "=m"(state->idtr.limit), "=m"(state->idtr.base));
	__asm__ volatile("mov %%es, %0" : "=m"(state->es.selector));
	__asm__ volatile("mov %%cs, %0" : "=m"(state->cs.selector));
	__asm__ volatile("mov %%ss, %0" : "=m"(state->ss.selector));
	__asm__ volatile("mov %%ds, %0" : "=m"(state->ds.selector));
	__asm__ volatile("mov %%fs, %0" : "=m"(state->fs.selector));
	__asm__ volatile("mov %%gs, %0" : "=m"(state->gs.selector));
	__asm__ volatile("sldt %0" : "=m"(state->ldtr.selector));
	__asm__ volatile("str %0" : "=m"(state->tr.selector));
}
