/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The local APIC, which is Linux's: the microkernel sends NMIs with it, and leaves it as it was
 * (SDM vol. 3 §13, APM vol. 2 §16).
 */
#ifndef MK_APIC_H
#define MK_APIC_H

#include <abi/types.h>

/*
 * Once when a PP comes in; area_pt is the page table of its area. Returns its APIC ID, or 0 without
 * an APIC.
 */
uint32_t apic_init(uint64_t *area_pt);

/* Sends an NMI to the CPU with this APIC ID. false: Linux runs without its APIC. */
bool apic_send_nmi(uint32_t id);

#endif
