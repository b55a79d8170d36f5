/* SPDX-License-Identifier: GPL-2.0-only */
/* The registers that root mode uses for itself, on the way back to Linux. */
#ifndef MK_RESTORE_H
#define MK_RESTORE_H

#include <abi/types.h>

struct bf_cpu_state;

#define MK_LINUX_GDT_ENTRIES 64

/*
 * Loads what Linux had, or has by now, in the registers that root mode uses for itself: TR, the
 * MSRs and the debug registers. The rest (control registers, descriptor tables, FS, GS, the other
 * segments) is loaded by the switch. gdt is a table of MK_LINUX_GDT_ENTRIES that is nobody else's,
 * for LTR. Afterwards this PP's IST stacks are gone.
 */
void restore_cpu(uint64_t *gdt, const struct bf_cpu_state *state);

/* Writes an MSR that this CPU may not have, if it holds something else. */
void restore_msr(uint32_t msr, uint64_t value);

#endif
