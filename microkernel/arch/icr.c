// SPDX-License-Identifier: GPL-2.0-only
#include "arch/icr.h"

#include <abi/hw/x86.h>
#include <bsl/bits.h>

enum { SHORTHAND_NONE, SHORTHAND_SELF, SHORTHAND_ALL, SHORTHAND_OTHERS };

#define DFR_FLAT 0xF /* its model, bits 31:28; 0 is the cluster model */

struct icr_request icr_decode(uint64_t icr, bool x2apic)
{
	struct icr_request r = {
		.vector = (uint8_t)icr,
		.shorthand = (uint8_t)bsl_field_get(icr, 18, 2),
		.x2apic = x2apic,
		.logical = icr & ICR_LOGICAL,
		.dest = (uint32_t)bsl_field_get(icr, x2apic ? 32 : 56, x2apic ? 32 : 8),
	};

	if ((icr & ICR_MODE) == ICR_MODE_STARTUP)
		r.kind = ICR_STARTUP;
	else if ((icr & ICR_MODE) == ICR_MODE_INIT)
		r.kind = icr & ICR_LEVEL_TRIGGERED && !(icr & ICR_ASSERT) ? ICR_NOTHING : ICR_INIT;
	return r;
}

/* A cluster of 16 in the upper half, and one of these in the lower one: the ID says which. */
static bool matches_x2apic(const struct icr_request *r, const struct apic_place *place)
{
	return r->dest >> 16 == place->id >> 4 && r->dest & 1U << (place->id & 0xF);
}

static bool matches_logical(const struct icr_request *r, const struct apic_place *place)
{
	uint32_t ldr = place->ldr >> 24;

	if (r->x2apic)
		return matches_x2apic(r, place);
	if (place->dfr >> 28 == DFR_FLAT)
		return r->dest & ldr;
	return (r->dest >> 4 == ldr >> 4 || r->dest >> 4 == 0xF) && r->dest & ldr & 0xF;
}

bool icr_is_for(const struct icr_request *r, const struct apic_place *place, uint32_t self)
{
	switch (r->shorthand) {
	case SHORTHAND_SELF:
		return place->id == self;
	case SHORTHAND_ALL:
		return true;
	case SHORTHAND_OTHERS:
		return place->id != self;
	default:
		if (r->dest == (r->x2apic ? 0xFFFFFFFF : 0xFF))
			return true;
		return r->logical ? matches_logical(r, place) : r->dest == place->id;
	}
}
