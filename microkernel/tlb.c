// SPDX-License-Identifier: GPL-2.0-only
#include "tlb.h"

#include "intrinsics.h"
#include "mk.h"

/* About a second on a fast CPU, and some on a slow one. */
#define PATIENCE 4000000000ULL

uint64_t tlb_generation;

static struct tlb_state states[BF_MAX_PPS];
static bool present[BF_MAX_PPS];

void tlb_join(struct pp *pp)
{
	pp->tlb = &states[pp->handoff.ppid];
	pp->tlb->away = 0;
	__atomic_store_n(&present[pp->handoff.ppid], true, __ATOMIC_SEQ_CST);
	tlb_catch_up(pp);
}

void tlb_part(struct pp *pp)
{
	__atomic_store_n(&pp->tlb->away, 1, __ATOMIC_RELEASE);
	__atomic_store_n(&present[pp->handoff.ppid], false, __ATOMIC_RELEASE);
}

void tlb_catch_up(struct pp *pp)
{
	/* The generation is read first: what changes after it is flushed for the next one. */
	uint64_t generation = __atomic_load_n(&tlb_generation, __ATOMIC_ACQUIRE);

	write_cr3(read_cr3());
	__atomic_store_n(&pp->tlb->seen, generation, __ATOMIC_RELEASE);
}

static uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

static bool has_flushed(uint32_t ppid, uint64_t generation)
{
	return !__atomic_load_n(&present[ppid], __ATOMIC_SEQ_CST) ||
	       __atomic_load_n(&states[ppid].away, __ATOMIC_SEQ_CST) ||
	       __atomic_load_n(&states[ppid].seen, __ATOMIC_SEQ_CST) >= generation;
}

bool tlb_shootdown(struct pp *pp)
{
	uint64_t generation = __atomic_add_fetch(&tlb_generation, 1, __ATOMIC_SEQ_CST);
	uint64_t began = rdtsc();

	tlb_catch_up(pp);
	for (uint32_t ppid = 0; ppid < mk.handoff->nr_pps; ppid++) {
		while (!has_flushed(ppid, generation)) {
			if (rdtsc() - began > PATIENCE)
				return false;
			/* Another PP may be waiting for us in the same way. */
			if (pp->tlb->seen != __atomic_load_n(&tlb_generation, __ATOMIC_ACQUIRE))
				tlb_catch_up(pp);
			__asm__ volatile("pause");
		}
	}
	return true;
}
