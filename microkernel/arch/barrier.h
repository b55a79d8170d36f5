/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Speculation barriers around guests that may be hostile: those behind a nested table of Mk#2. What
 * a CPU needs it says itself, in CPUID and in ARCH_CAPABILITIES (SDM vol. 4 table 2-2; APM vol. 3
 * appendix E); what it lacks, as its microcode is too old, cannot be done. Between Linux's own
 * processes, the one that runs a guest included, Linux sees to it.
 */
#ifndef MK_BARRIER_H
#define MK_BARRIER_H

#include <abi/types.h>

/* From one VM to another, nothing that the former has trained predicts branches of the latter. */
#define BARRIER_IBPB 0x1
/* Before a guest: the CPU's buffers hold no data of others any more; nor does the L1 data cache. */
#define BARRIER_BUFFERS 0x2
#define BARRIER_L1D 0x4
/* Behind a guest: nor does it predict branches, or returns, of root mode. */
#define BARRIER_IBPB_BACK 0x8
#define BARRIER_RETURNS 0x10

/*
 * What this CPU needs, by BARRIER_*. Called on each once SPEC_CTRL and EFER are those of root mode:
 * the CPUs of one machine may differ.
 */
uint8_t barrier_probe(bool intel);

/*
 * Last of all before a guest of that VM is entered. *last is the VM whose guest ran here last, and
 * becomes this one.
 */
void barrier_to_guest(uint8_t kinds, uint16_t *last, uint16_t vmid);

/* First of all after its exit, before any indirect branch, and before a return from the caller. */
void barrier_from_guest(uint8_t kinds);

#endif
