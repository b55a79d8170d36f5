/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The local APIC, which is Linux's: the microkernel sends NMIs with it, and leaves it as it was
 * (SDM vol. 3 §13, APM vol. 2 §16).
 */
#ifndef MK_APIC_H
#define MK_APIC_H

#include <abi/types.h>

#include "arch/icr.h"

/*
 * Once when a PP comes in; area_pt is the page table of its area. Returns its APIC ID, or 0 without
 * an APIC.
 */
uint32_t apic_init(uint64_t *area_pt);

/*
 * Sends an IPI, or an NMI, to the CPU with this APIC ID: the lower half of the command, whose
 * destination is physical. false: Linux runs without its APIC.
 */
bool apic_send(uint32_t id, uint32_t command);
bool apic_send_nmi(uint32_t id);

/* Of this CPU's: where its page is; whether it is in use; whether the CPU is the one that began. */
uint64_t apic_page(void);
bool apic_is_enabled(void);
bool apic_is_boot(void);

/* How others address it. */
void apic_place(struct apic_place *place);

/* Its registers in xAPIC mode, by offset in the page. */
uint32_t apic_read(unsigned int offset);
void apic_write(unsigned int offset, uint32_t value);

/*
 * As INIT leaves it (SDM vol. 3 §13.4.7, "Local APIC State"; APM vol. 2 §16.3). Interrupts that
 * it has accepted are taken here, which nothing but that ends, and forgotten.
 */
void apic_reset(void);

/* One that has been taken is over. */
void apic_end_interrupt(void);

#endif
