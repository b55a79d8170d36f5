// SPDX-License-Identifier: GPL-2.0-only
#include "run/trace.h"

#include "arch/intrinsics.h"
#include "mem/mem.h"
#include "mk.h"
#include "obj/ext.h"
#include "obj/objects.h"
#include "vendor.h"

void trace_init(struct pp *pp)
{
	struct trace *t = &pp->trace;

	t->ring = phys_to_virt(pp->handoff.trace);
	t->written = t->ring->written;
	t->open = false;
	pp->traced = pp->status->tracing;
}

bool trace_hypercall(struct vs *vs, unsigned int cpl)
{
	struct pp *pp = this_pp();

	if (!vs->root || cpl || abi_gprs()[BF_RAX] != BF_HYPERCALL_TRACE)
		return false;
	if (mk.vendor->vs_advance_ip(vs) == ADVANCE_DONE) {
		abi_gprs()[BF_RAX] = BF_HYPERCALL_TRACED;
		pp->traced = pp->status->tracing;
	}
	return true;
}

void trace_exit(struct pp *pp, const struct vs *vs, unsigned int slot, uint64_t rip)
{
	pp->trace.record = (struct bf_trace_record){ .begin = rdtsc(),
						     .rip = rip,
						     .slot = (uint16_t)slot,
						     .vmid = vs->vmid,
						     .vsid = vs->id };
	pp->trace.open = true;
	pp->entry_watched = true;
	pp->entry_dirty = true;
}

void trace_asked(struct pp *pp, const struct ext *ext)
{
	pp->trace.record.image = (uint16_t)(ext->id + 1);
}

void trace_entry(struct pp *pp)
{
	struct trace *t = &pp->trace;
	uint64_t ticks = rdtsc() - t->record.begin;

	if (!t->open)
		return;
	t->open = false;
	t->record.ticks = ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX;
	t->ring->records[t->written % BF_TRACE_RECORDS] = t->record;
	__atomic_store_n(&t->ring->written, ++t->written, __ATOMIC_RELEASE);
}
