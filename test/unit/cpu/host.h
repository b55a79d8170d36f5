/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included before every source of the microkernel that is compiled for a test process. Privileged
 * instructions fault there and are emulated (cpu.c), so the real ones are executed; the few that do
 * not fault in user mode are functions of the fake CPU. The PP area moves to an address that a
 * process can have: everything else of the address map is where it is on a CPU.
 */
#ifndef TEST_CPU_HOST_H
#define TEST_CPU_HOST_H

#ifndef __ASSEMBLER__

#include <abi/layout.h>
#undef BF_PP_BASE
#define BF_PP_BASE 0x0000408000000000

#include "microkernel/arch/intrinsics.h"

struct cpuid_regs fake_cpuid(uint32_t leaf, uint32_t subleaf);
uint64_t fake_xgetbv0(void);
uint64_t fake_rdtsc(void);
void fake_sgdt(struct bf_table *t);

void fake_fxsave(void *area);
void fake_xsave(void *area, uint64_t mask);
bool fake_fxrstor(const void *area);
bool fake_xrstor(const void *area, uint64_t mask);
void fake_forget_x87_addresses(void);

#define cpuid(leaf, subleaf) fake_cpuid(leaf, subleaf)
#define xgetbv0() fake_xgetbv0()
#define rdtsc() fake_rdtsc()
#define sgdt(t) fake_sgdt(t)
#define fxsave64(area) fake_fxsave(area)
#define xsave64(area, mask) fake_xsave(area, mask)
#define fxrstor64_safe(area) fake_fxrstor(area)
#define xrstor64_safe(area, mask) fake_xrstor(area, mask)
#define forget_x87_addresses() fake_forget_x87_addresses()

#endif /* __ASSEMBLER__ */
#endif
