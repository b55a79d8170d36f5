// SPDX-License-Identifier: GPL-2.0-only
#include "run/watchdog.h"

#include <abi/ext_calls.h>
#include <abi/loader.h>

#include "arch/intrinsics.h"
#include "debug.h"
#include "mk.h"
#include "obj/ext.h"
#include "run/fail.h"

/*
 * The time of a callback is the sum of the steps from NMI to NMI that find the same one, of which
 * none counts for more than this part of the limit. An outer hypervisor, or a busy emulator, may
 * have this CPU stand still in the middle of a callback: that is one step, however long it takes.
 */
#define STEPS 4

/*
 * A callback is known by the number of the exit that it is about, with a fail callback of its own;
 * all before the first exit are one.
 */
static uint64_t number(const struct pp *pp)
{
	return pp->exits + 1;
}

static void begin(struct pp *pp)
{
	pp->watch.exits = number(pp);
	pp->watch.last = rdtsc();
	pp->watch.taken = 0;
	pp->watch.more = 0;
	pp->watch.printing = 0;
}

/*
 * What the callback may take; 0: any time. _start and bootstrap set everything up, while all CPUs
 * wait. As long as they do, which is also while one is asked to leave, there always is a limit.
 */
static uint64_t limit_ns(const struct pp *pp)
{
	uint64_t ns = mk.handoff->watchdog_ns;

	if (!ns && (!pp->launched || pp->status->leaving))
		return BF_WATCHDOG_NS * BF_WATCHDOG_START_FACTOR;
	return pp->launched ? ns : ns * BF_WATCHDOG_START_FACTOR;
}

/* A serial port may take seconds for what an extension prints, but is not to hide a loop. */
static uint64_t printing_ticks(const struct pp *pp)
{
	uint64_t most = tsc_ticks(BF_MORE_TIME_MAX_NS);

	return pp->watch.printing < most ? pp->watch.printing : most;
}

static bool is_overdue(const struct pp *pp)
{
	uint64_t limit = limit_ns(pp);

	return limit && pp->phase != PHASE_IDLE && !pp->fallback && pp->watch.exits == number(pp) &&
	       pp->watch.taken >= tsc_ticks(limit + pp->watch.more) + printing_ticks(pp);
}

static void take_time(const struct pp *pp, struct watch_time *time)
{
	uint64_t ns = limit_ns(pp) ? limit_ns(pp) : BF_WATCHDOG_NS;
	uint64_t now = rdtsc(), most = tsc_ticks(ns / STEPS);
	uint64_t step = now - time->last;

	time->last = now;
	time->taken += step < most ? step : most;
}

static void print_overdue(const struct pp *pp, uint64_t rip)
{
	static const char *const names[] = BF_CALLBACK_NAMES;

	mk_print("ext %u, pp %u: overdue in %s, at rip 0x%llx\n", pp->ext->id, pp->handoff.ppid,
		 names[pp->phase], (unsigned long long)rip);
}

/* Ring 0 may hold locks, and comes to an end by itself: only what follows is headed off. */
void watchdog_nmi(struct pp *pp, struct trap_frame *frame)
{
	if (pp->crossing.caller && pp->crossing.time.exits == number(pp))
		take_time(pp, &pp->crossing.time);
	if (pp->watch.exits == number(pp))
		take_time(pp, &pp->watch);
	else
		begin(pp);
	if (!is_overdue(pp))
		return;
	if (!(frame->cs & 3)) {
		wrmsr(MSR_LSTAR, (uint64_t)mk_syscall_overdue);
		return;
	}
	pp->overdue = *frame;
	leave_ring3(frame, watchdog_expired);
}

void watchdog_expired(void)
{
	struct pp *pp = this_pp();

	print_overdue(pp, pp->overdue.rip);
	pp_fail_callback(BF_ERR_EXT_OVERDUE, &pp->overdue);
}

void watchdog_syscall(const struct syscall_frame *f)
{
	struct pp *pp = this_pp();

	wrmsr(MSR_LSTAR, (uint64_t)mk_syscall);
	if (!is_overdue(pp))
		return;
	print_overdue(pp, f->rip);
	pp_fail_call(BF_ERR_EXT_OVERDUE, pp->phase, f);
}

bool watchdog_cross(struct pp *pp)
{
	if (is_overdue(pp))
		return false;
	if (pp->watch.exits != number(pp))
		begin(pp);
	pp->crossing.time = pp->watch;
	pp->watch.exits = 0;
	return true;
}

bool watchdog_more_time(struct pp *pp, uint64_t ns)
{
	if (pp->watch.exits != number(pp))
		begin(pp);
	if (ns > BF_MORE_TIME_MAX_NS - pp->watch.more)
		return false;
	pp->watch.more += ns;
	return true;
}
