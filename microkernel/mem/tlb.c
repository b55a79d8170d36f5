// SPDX-License-Identifier: GPL-2.0-only
#include "mem/tlb.h"

#include <abi/mk1.h>

#include "arch/apic.h"
#include "arch/intrinsics.h"
#include "mem/mem.h"
#include "mk.h"
#include "vendor.h"

/* TSC ticks. A PP is given time to leave its extension by itself before it gets an NMI. */
#define KICK_DELAY_TSC 20000ULL
/* About a second on a fast CPU, and some on a slow one. */
#define FLUSH_TIMEOUT_TSC 4000000000ULL
/* How long a recall waits for Linux, which may be in the first instructions of an NMI handler. */
#define RECALL_TIMEOUT_TSC 200000000ULL

uint64_t tlb_generation;
static uint64_t guests_generation; /* moves on before tlb_generation does */

/* What a PP has to have done, or not to be doing, until others may go on. */
struct wanted {
	uint64_t generation;
	bool (*runs)(uint16_t vmid, uint32_t ppid); /* NULL: what is in guests does not matter */
	uint16_t vmid;
};

#define PER_PAGE (BF_PAGE_SIZE / sizeof(struct tlb_state))

static struct tlb_state *pages[BF_MAX_PPS / PER_PAGE];

static struct tlb_state *state_of(uint32_t ppid)
{
	return &pages[ppid / PER_PAGE][ppid % PER_PAGE];
}

bool tlb_alloc(void)
{
	for (uint32_t ppid = 0; ppid < mk.handoff->nr_pps; ppid += PER_PAGE) {
		uint64_t spa = pool_alloc();

		if (spa == MK_NO_PAGE)
			return false;
		pages[ppid / PER_PAGE] = phys_to_virt(spa);
	}
	return true;
}

void tlb_init(struct pp *pp)
{
	pp->tlb = state_of(pp->handoff.ppid);
	pp->tlb->kick = KICK_NONE;
	pp->tlb->end_run = 0;
	pp->tlb->recallable = mk.vendor->nmis_exit || mk.keep_cpus;
	pp->tlb->recall = 0;
}

void tlb_join(struct pp *pp)
{
	pp->tlb->apic_id = apic_init(phys_to_virt(pp->handoff.area_pt));
	pp->tlb->in_guest = 0;
	__atomic_store_n(&pp->tlb->present, true, __ATOMIC_SEQ_CST);
	tlb_catch_up(pp);
}

/*
 * The guest may have exited from its NMI handler, with NMIs blocked; it stands another one there.
 */
static void await_kick(struct tlb_state *tlb)
{
	uint32_t kick = __atomic_load_n(&tlb->kick, __ATOMIC_ACQUIRE);
	uint64_t began = rdtsc();

	if (kick)
		unblock_nmis();
	while (kick && rdtsc() - began < FLUSH_TIMEOUT_TSC) {
		__asm__ volatile("pause");
		kick = __atomic_load_n(&tlb->kick, __ATOMIC_ACQUIRE);
	}
	if (kick)
		(void)__atomic_compare_exchange_n(&tlb->kick, &kick, KICK_NONE, false,
						  __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

void tlb_await_kick(struct pp *pp)
{
	(void)tlb_leave_guest(pp);
	await_kick(pp->tlb);
	tlb_catch_up(pp);
}

bool tlb_kicked(struct pp *pp)
{
	uint32_t sent = KICK_SENT;

	if (!__atomic_compare_exchange_n(&pp->tlb->kick, &sent, KICK_NONE, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED))
		return false;
	tlb_catch_up(pp);
	if (__atomic_exchange_n(&pp->tlb->end_run, 0, __ATOMIC_ACQ_REL))
		pp->end_run = true;
	return true;
}

void tlb_part(struct pp *pp)
{
	__atomic_store_n(&pp->tlb->present, false, __ATOMIC_SEQ_CST);
	await_kick(pp->tlb);
}

void tlb_catch_up(struct pp *pp)
{
	uint64_t generation, guests;

	/*
	 * The generation is read first: what changes after it is flushed for the next one. An NMI
	 * may have come in between, with a later one: seen must not go back.
	 */
	do {
		generation = __atomic_load_n(&tlb_generation, __ATOMIC_ACQUIRE);
		write_cr3(read_cr3());
		guests = __atomic_load_n(&guests_generation, __ATOMIC_ACQUIRE);
		if (pp->tlb->seen_guests != guests) {
			mk.vendor->guest_forget(pp);
			pp->tlb->seen_guests = guests;
		}
		__atomic_store_n(&pp->tlb->seen, generation, __ATOMIC_RELEASE);
	} while (generation != __atomic_load_n(&tlb_generation, __ATOMIC_ACQUIRE));
}

static uint64_t place_of(uint32_t ppid)
{
	return __atomic_load_n(&state_of(ppid)->in_guest, __ATOMIC_SEQ_CST);
}

static bool is_in_guest(uint32_t ppid)
{
	return place_of(ppid) != TLB_IN_ROOT;
}

/*
 * Whether there is nothing to wait for. A guest that is not one of the VM's stays so until the PP
 * comes back, and then it flushes.
 */
static bool has_flushed(uint32_t ppid, const struct wanted *w)
{
	const struct tlb_state *tlb = state_of(ppid);

	return !__atomic_load_n(&tlb->present, __ATOMIC_SEQ_CST) ||
	       (is_in_guest(ppid) && !(w->runs && w->runs(w->vmid, ppid))) ||
	       __atomic_load_n(&tlb->seen, __ATOMIC_SEQ_CST) >= w->generation;
}

/* false: somebody else has. */
static bool reserve_kick(struct tlb_state *tlb)
{
	uint32_t none = KICK_NONE;

	return __atomic_compare_exchange_n(&tlb->kick, &none, KICK_RESERVED, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static void send_kick(struct tlb_state *tlb, bool needed)
{
	__atomic_store_n(&tlb->kick, needed ? KICK_SENT : KICK_NONE, __ATOMIC_RELEASE);
	if (needed)
		(void)apic_send_nmi(tlb->apic_id); /* without an APIC there is no other CPU */
}

/*
 * Whoever reserves it sends the NMI, unless the PP has seen to it meanwhile. false: somebody else
 * does.
 */
static bool kick(uint32_t ppid, const struct wanted *w)
{
	struct tlb_state *tlb = state_of(ppid);

	if (!reserve_kick(tlb))
		return false;
	send_kick(tlb, !has_flushed(ppid, w));
	return true;
}

static bool await_flush(struct pp *pp, uint32_t ppid, const struct wanted *w)
{
	uint64_t began = rdtsc(), passed;
	bool kicked = false;

	while (!has_flushed(ppid, w)) {
		passed = rdtsc() - began;
		if (passed > FLUSH_TIMEOUT_TSC)
			return false;
		if (!kicked && (passed > KICK_DELAY_TSC || is_in_guest(ppid)))
			kicked = kick(ppid, w);
		/* Another PP may be waiting for us in the same way. */
		if (pp->tlb->seen != __atomic_load_n(&tlb_generation, __ATOMIC_ACQUIRE))
			tlb_catch_up(pp);
		__asm__ volatile("pause");
	}
	return true;
}

static bool await_all(struct pp *pp, struct wanted *w)
{
	w->generation = __atomic_add_fetch(&tlb_generation, 1, __ATOMIC_SEQ_CST);
	tlb_catch_up(pp);
	for (uint32_t ppid = 0; ppid < mk.handoff->nr_pps; ppid++) {
		if (!await_flush(pp, ppid, w))
			return false;
	}
	return true;
}

bool tlb_shootdown(struct pp *pp)
{
	struct wanted w = { .runs = NULL };

	return await_all(pp, &w);
}

bool tlb_flush_guests(struct pp *pp, bool (*runs)(uint16_t vmid, uint32_t ppid), uint16_t vmid)
{
	struct wanted w = { .runs = runs, .vmid = vmid };

	(void)__atomic_add_fetch(&guests_generation, 1, __ATOMIC_SEQ_CST);
	return await_all(pp, &w);
}

uint64_t tlb_move_on(struct pp *pp)
{
	uint64_t generation;

	(void)__atomic_add_fetch(&guests_generation, 1, __ATOMIC_SEQ_CST);
	generation = __atomic_add_fetch(&tlb_generation, 1, __ATOMIC_SEQ_CST);
	tlb_catch_up(pp);
	return generation;
}

static bool has_seen(uint32_t ppid, uint64_t generation)
{
	const struct tlb_state *tlb = state_of(ppid);

	return !__atomic_load_n(&tlb->present, __ATOMIC_SEQ_CST) ||
	       place_of(ppid) == TLB_AWAITS_IPI ||
	       __atomic_load_n(&tlb->seen, __ATOMIC_SEQ_CST) >= generation;
}

/* Its guest halts, and nothing of Linux's reaches it. */
static void fetch_parked(uint32_t ppid, uint64_t generation)
{
	if (__atomic_load_n(&pp_status(ppid)->parked, __ATOMIC_RELAXED) &&
	    reserve_kick(state_of(ppid)))
		send_kick(state_of(ppid),
			  place_of(ppid) == TLB_IN_GUEST && !has_seen(ppid, generation));
}

bool tlb_have_seen(uint64_t generation)
{
	bool all = true;

	for (uint32_t ppid = 0; ppid < mk.handoff->nr_pps; ppid++) {
		if (has_seen(ppid, generation))
			continue;
		fetch_parked(ppid, generation);
		all = false;
	}
	return all;
}

bool tlb_is_present(uint32_t ppid)
{
	return __atomic_load_n(&state_of(ppid)->present, __ATOMIC_SEQ_CST);
}

/* Not with an NMI that is on its way: whoever sends that may find that it need not. */
static bool reserve_kick_in_time(struct tlb_state *tlb)
{
	uint64_t began = rdtsc();

	while (!reserve_kick(tlb)) {
		if (rdtsc() - began > FLUSH_TIMEOUT_TSC)
			return false;
		__asm__ volatile("pause");
	}
	return true;
}

bool tlb_fetch(uint32_t ppid)
{
	struct tlb_state *tlb = state_of(ppid);

	if (!reserve_kick_in_time(tlb))
		return false;
	send_kick(tlb, tlb_is_present(ppid) && place_of(ppid) != TLB_IN_WINDOW);
	return true;
}

bool tlb_end_run(uint32_t ppid, bool (*runs)(uint16_t vmid, uint32_t ppid))
{
	struct tlb_state *tlb = state_of(ppid);
	bool needed;

	if (!reserve_kick_in_time(tlb))
		return false;
	needed = __atomic_load_n(&tlb->present, __ATOMIC_SEQ_CST) &&
		 (!is_in_guest(ppid) || runs(MK1_INVALID_ID, ppid));
	if (needed)
		__atomic_store_n(&tlb->end_run, 1, __ATOMIC_RELAXED);
	send_kick(tlb, needed);
	return true;
}

/* One that waits for a start-up IPI executes nothing, and looks as soon as that has come. */
static bool is_running(uint32_t ppid)
{
	uint64_t place = place_of(ppid);

	return place == TLB_IN_GUEST || place == TLB_IN_WINDOW;
}

/* Linux runs there, and the NMI would be its own. */
static bool would_take_nmi(uint32_t ppid, bool (*runs)(uint16_t vmid, uint32_t ppid))
{
	return is_in_guest(ppid) && !state_of(ppid)->recallable && !runs(MK1_INVALID_ID, ppid);
}

/* In root mode the PP tells the extension before Linux runs: it need not have done so yet. */
static bool has_come_out(uint32_t ppid)
{
	const struct tlb_state *tlb = state_of(ppid);

	return !tlb_is_present(ppid) || !is_running(ppid) ||
	       !__atomic_load_n(&tlb->recall, __ATOMIC_SEQ_CST);
}

static bool await_recall(struct pp *pp, uint32_t ppid)
{
	uint64_t began = rdtsc();

	while (!has_come_out(ppid)) {
		if (rdtsc() - began > RECALL_TIMEOUT_TSC)
			return false;
		if (pp->tlb->seen != __atomic_load_n(&tlb_generation, __ATOMIC_ACQUIRE))
			tlb_catch_up(pp);
		__asm__ volatile("pause");
	}
	return true;
}

/* A PP with the kick reserved does not enter, so where it is said to be, it is. */
enum tlb_recalled tlb_recall(struct pp *pp, uint32_t ppid,
			     bool (*runs)(uint16_t vmid, uint32_t ppid))
{
	struct tlb_state *tlb = state_of(ppid);
	uint64_t place;
	bool here;

	if (!reserve_kick_in_time(tlb))
		return TLB_DEAF;
	here = tlb_is_present(ppid);
	if (here && would_take_nmi(ppid, runs)) {
		send_kick(tlb, false);
		return TLB_UNABLE;
	}
	if (here)
		__atomic_store_n(&tlb->recall, 1, __ATOMIC_SEQ_CST);
	place = place_of(ppid);
	send_kick(tlb, here && place != TLB_IN_WINDOW && place != TLB_AWAITS_IPI);
	return await_recall(pp, ppid) ? TLB_RECALLED : TLB_BUSY;
}

void tlb_recall_own(struct pp *pp)
{
	__atomic_store_n(&pp->tlb->recall, 1, __ATOMIC_SEQ_CST);
	pp->fetched = true;
	mk.vendor->owe(pp);
}

void tlb_end_own_run(struct pp *pp)
{
	/* If another PP has reserved it, the run ends with whatever exit is next. */
	if (!reserve_kick(pp->tlb))
		return;
	__atomic_store_n(&pp->tlb->kick, KICK_SENT, __ATOMIC_RELEASE);
	if (!apic_send_nmi(pp->tlb->apic_id))
		__atomic_store_n(&pp->tlb->kick, KICK_NONE, __ATOMIC_RELEASE);
}
