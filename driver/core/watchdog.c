// SPDX-License-Identifier: GPL-2.0-only
/* CPUs check each other: see watchdog.h. */
#include "watchdog.h"

#include <abi/ext_calls.h>

#include "platform.h"

/*
 * NMIs in the time of one limit, to a CPU that makes no progress. Two checks go by from one to the
 * next, so that a tick of Linux which is late between them is not taken for a loop. They are a
 * little farther apart than that, so that the microkernel, which measures the time between its
 * NMIs, finds the limit reached with the last of them.
 */
#define TRIES 4

uint64_t bf_watchdog_period(const struct bf_loader *loader)
{
	return loader->watchdog_ns / (2 * TRIES) + loader->watchdog_ns / 128;
}

/* With the watchdog off it may be for ever: then the user is not to wait for it, either. */
uint64_t bf_watchdog_patience(const struct bf_loader *loader)
{
	return loader->watchdog_ns ? 2 * loader->watchdog_ns + BF_MORE_TIME_MAX_NS : 2000000000;
}

static uint64_t exits_of(const struct bf_pp *pp)
{
	return __atomic_load_n(&pp->status->exits, __ATOMIC_RELAXED);
}

void bf_watchdog_reset(struct bf_pp *pp)
{
	pp->watch.sent = bf_os_now_ns();
	pp->watch.exits = exits_of(pp);
	pp->watch.beats = pp->beats;
}

/*
 * A CPU that runs Linux, or exits, does not loop in a callback. One that does neither may also be
 * idle, or in Linux with interrupts off: then Linux takes the NMI and ignores it.
 */
static void look(struct bf_pp *pp, uint64_t limit)
{
	uint64_t now = bf_os_now_ns();

	if (pp->watch.exits != exits_of(pp) || pp->watch.beats != pp->beats) {
		bf_watchdog_reset(pp);
		return;
	}
	if (now - pp->watch.sent < limit / TRIES)
		return;
	pp->watch.sent = now;
	bf_os_send_nmi(pp->cpu);
}

void bf_watchdog_look(struct bf_pp *pp)
{
	uint64_t limit = pp->loader->watchdog_ns ? pp->loader->watchdog_ns : BF_WATCHDOG_NS;

	/* Before its first exit. */
	if (pp->entering && __atomic_load_n(&pp->status->state, __ATOMIC_RELAXED) == BF_PP_BARE)
		limit *= BF_WATCHDOG_START_FACTOR;
	if (__atomic_test_and_set(&pp->watch.busy, __ATOMIC_ACQUIRE))
		return;
	look(pp, limit);
	__atomic_clear(&pp->watch.busy, __ATOMIC_RELEASE);
}

/* The next PP, in a ring of all, that may be in root mode: not one whose CPU is offline. */
static struct bf_pp *next_of(const struct bf_loader *loader, const struct bf_pp *me)
{
	uint32_t i;

	for (i = 1; i < loader->nr_pps; i++) {
		struct bf_pp *pp = &loader->pps[(me->ppid + i) % loader->nr_pps];

		if ((pp->inside && !pp->parked) || pp->entering)
			return pp;
	}
	return NULL;
}

bool bf_watchdog_tick(struct bf_loader *loader, uint32_t cpu)
{
	struct bf_pp *me = bf_find_pp(loader, cpu);
	struct bf_pp *next;

	if (!me)
		return false;
	me->beats++;
	next = next_of(loader, me);
	if (!next)
		return false;
	bf_watchdog_look(next);
	return bf_pp_halted(next);
}
