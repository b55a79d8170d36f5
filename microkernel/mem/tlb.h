/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TLB shootdown: when a mapping of an extension goes away, no PP may use it any more before the
 * page behind it gets another purpose.
 *
 * Each PP says whether it is in the guest, and which generation of the mappings its TLB knows. A PP
 * in the guest uses no mapping of an extension, and flushes when it comes back, if the generation
 * has moved on. A PP in root mode gets an NMI, and flushes in its handler: whatever its extension
 * does, nothing but an NMI reaches it there.
 *
 * Store-buffering pattern: each side has a full barrier between its own store and its load of the
 * other's word, so that at least one of them sees the other. in_guest pairs with tlb_generation and
 * with kick. An NMI sent so is never taken by Linux: a PP with kick set neither enters a guest nor
 * leaves the hypervisor before the NMI has come. Another guest exits with it.
 *
 * The nested tables of guests (guest_nested.h) have a generation of their own: a PP that flushes
 * drops what it knows of them as well, if that has moved on. One that is in such a guest uses the
 * table: it gets the NMI at once.
 *
 * Linux gets it in the guest if it is to come out at once: a recall. VMX has its NMIs exit always,
 * SVM where that was asked for before (recallable), or for CPUs that are kept.
 */
#ifndef MK_TLB_H
#define MK_TLB_H

#include <abi/types.h>
#include <bsl/compiler.h>

#include "pp.h"

/*
 * An NMI that makes a PP flush: somebody is about to send it, or has. Only what was sent is taken.
 */
enum tlb_kick { KICK_NONE, KICK_RESERVED, KICK_SENT };

/*
 * Where a PP is. From a window it comes back soon by itself, as Linux's handler of an NMI ends, and
 * an NMI meanwhile would be Linux's. One whose guest waits for a start-up IPI, which alone ends
 * that, uses no mapping of any kind: it has not seen a flush, but will have before it goes on.
 */
enum tlb_place { TLB_IN_ROOT, TLB_IN_GUEST, TLB_IN_WINDOW, TLB_AWAITS_IPI };

struct tlb_state {
	uint64_t in_guest; /* enum tlb_place; it uses no mapping of an extension until it exits */
	uint64_t seen; /* the generation up to which this PP has flushed */
	uint32_t kick; /* enum tlb_kick */
	uint32_t apic_id;
	bool present; /* the PP is in the hypervisor */
	uint32_t end_run; /* another PP wants the guest here to exit, or the next one at once */
	uint64_t seen_guests; /* as seen, of the nested tables of guests */
	bool recallable; /* NMIs that arrive in Linux exit */
	uint32_t recall; /* another PP wants Linux to exit here before it executes anything else */
} __attribute__((aligned(64)));

extern uint64_t tlb_generation;

/* Once, on PP 0, for all PPs of the handoff; false: no memory. */
bool tlb_alloc(void);

/* First of all when a PP comes in: an NMI may come. */
void tlb_init(struct pp *pp);

/* Once when a PP comes in, before it uses an extension's mappings and with NMIs coming here. */
void tlb_join(struct pp *pp);

/* When it leaves the hypervisor, with NMIs coming here still. */
void tlb_part(struct pp *pp);

/* Flushes this PP up to the current generation. */
void tlb_catch_up(struct pp *pp);

/*
 * Immediately before the guest is entered. false: tlb_await_kick must come first, and this once
 * more.
 */
static __always_inline bool tlb_enter_guest(struct pp *pp)
{
	struct tlb_state *tlb = pp->tlb;

	(void)__atomic_exchange_n(&tlb->in_guest, 1, __ATOMIC_SEQ_CST);
	return !__atomic_load_n(&tlb->kick, __ATOMIC_RELAXED);
}

/* After that: what more is known of the guest that is entered. false as above. */
static __always_inline bool tlb_enter_place(struct pp *pp, enum tlb_place place)
{
	(void)__atomic_exchange_n(&pp->tlb->in_guest, place, __ATOMIC_SEQ_CST);
	return !__atomic_load_n(&pp->tlb->kick, __ATOMIC_RELAXED);
}

/* Waits for the NMI that has been sent to this PP; NMIs must be able to come. */
void tlb_await_kick(struct pp *pp);

/* In the NMI handler: whether this is such an NMI. Then the PP has flushed. */
bool tlb_kicked(struct pp *pp);

/*
 * The first thing on every exit, before anything of an extension is touched. false: tlb_catch_up
 * must follow.
 */
static __always_inline bool tlb_leave_guest(struct pp *pp)
{
	struct tlb_state *tlb = pp->tlb;

	(void)__atomic_exchange_n(&tlb->in_guest, 0, __ATOMIC_SEQ_CST);
	return tlb->seen == __atomic_load_n(&tlb_generation, __ATOMIC_ACQUIRE);
}

/*
 * To be called after mappings were taken out of the tables: when it returns true, no PP has them in
 * its TLB. false: a PP did not answer for a second; what was unmapped must not be used for anything
 * else.
 */
bool tlb_shootdown(struct pp *pp);

/*
 * The same for what was taken out of the nested table of a VM: no PP uses it any more. runs:
 * whether a PP that is in a guest is in one of this VM.
 */
bool tlb_flush_guests(struct pp *pp, bool (*runs)(uint16_t vmid, uint32_t ppid), uint16_t vmid);

/*
 * The nested table of Linux has changed, which nobody is waited or sent an NMI for: each PP forgets
 * what it knew of it, and of all mappings, when it comes in next; this one does now. Returns the
 * generation, and tells whether every PP has seen it. If not, one that is parked, and would not
 * come in by itself, gets an NMI for that.
 */
uint64_t tlb_move_on(struct pp *pp);
bool tlb_have_seen(uint64_t generation);

/*
 * Ends the run of a guest on another PP, but Linux's: runs tells whether it is in one. If it is in
 * root mode, the next such run ends as it begins, unless Linux runs before. false: the PP has not
 * taken an earlier NMI for a second.
 */
bool tlb_end_run(uint32_t ppid, bool (*runs)(uint16_t vmid, uint32_t ppid));

/*
 * Linux on another PP exits before it executes anything else: where the PP is in root mode, its
 * next run ends as it begins. BUSY: it has not come out yet, but will. UNABLE: it would take the
 * NMI itself (SVM, without pp_recall_attach). DEAF: the PP has not taken an earlier NMI for a
 * second.
 */
enum tlb_recalled { TLB_RECALLED, TLB_BUSY, TLB_UNABLE, TLB_DEAF };
enum tlb_recalled tlb_recall(struct pp *pp, uint32_t ppid,
			     bool (*runs)(uint16_t vmid, uint32_t ppid));

/* The same of this PP, which is in root mode. */
void tlb_recall_own(struct pp *pp);

/* Whether somebody has; taking it is telling Linux's extension. */
static inline bool tlb_is_recalled(const struct pp *pp)
{
	return __atomic_load_n(&pp->tlb->recall, __ATOMIC_SEQ_CST);
}

static inline bool tlb_take_recall(struct pp *pp)
{
	return __atomic_exchange_n(&pp->tlb->recall, 0, __ATOMIC_SEQ_CST);
}

/* Whether the PP is in the hypervisor. */
bool tlb_is_present(uint32_t ppid);

/*
 * Another PP comes out of its guest, or root mode there gets an NMI, so that it sees what has been
 * noted for it before: run/startup.h. false: it does not respond.
 */
bool tlb_fetch(uint32_t ppid);

/* The same with the next entry of this PP, which has an event to deliver first. */
void tlb_end_own_run(struct pp *pp);

#endif
