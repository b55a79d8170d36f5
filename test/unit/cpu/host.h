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
void fake_sgdt(struct bf_table *t);

#define cpuid(leaf, subleaf) fake_cpuid(leaf, subleaf)
#define xgetbv0() fake_xgetbv0()
#define sgdt(t) fake_sgdt(t)

#endif /* __ASSEMBLER__ */
#endif
