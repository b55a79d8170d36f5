/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interrupt command register of a local APIC: what a write to it asks for, and of whom (SDM
 * vol. 3, "Interrupt Command Register (ICR)" and "Determining IPI Destination"; APM vol. 2 §16.5,
 * §16.14).
 */
#ifndef MK_ICR_H
#define MK_ICR_H

#include <abi/types.h>

enum icr_kind {
	ICR_OTHER, /* an interrupt, an NMI, … */
	ICR_INIT,
	ICR_STARTUP,
	ICR_NOTHING /* the end of an INIT's level, which no APIC of today knows */
};

struct icr_request {
	enum icr_kind kind;
	uint8_t vector;
	uint8_t shorthand; /* 0: dest counts */
	bool x2apic;
	bool logical;
	uint32_t dest;
};

/* How a local APIC is addressed. ldr and dfr are as in the registers of xAPIC mode. */
struct apic_place {
	uint32_t id, ldr, dfr;
};

/* icr: all 64 bits of it, in the format of this mode. */
struct icr_request icr_decode(uint64_t icr, bool x2apic);

/* Whether the local APIC at place is one that a request of the one with the ID self is for. */
bool icr_is_for(const struct icr_request *r, const struct apic_place *place, uint32_t self);

#endif
