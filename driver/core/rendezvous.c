// SPDX-License-Identifier: GPL-2.0-only
/* All CPUs enter or leave together: see rendezvous.h. */
#include "rendezvous.h"

#include "park.h"
#include "platform.h"
#include "watchdog.h"

/*
 * How long a CPU waits for the others, in cycles: about 10 s. Only a machine that does not schedule
 * a CPU at all (an overcommitted outer hypervisor) takes nearly as long.
 */
#define WAIT_CYCLES ((uint64_t)1 << 35)

enum verdict { PENDING, ALL_IN, FAILED };

struct rendezvous {
	struct bf_loader *loader;
	bool initial;
	uint32_t arrived; /* CPUs */
	uint32_t turns; /* that have been handed out */
	uint32_t turn; /* whose CPU launches now */
	struct bf_pp *launching; /* the PP that launches, or NULL */
	uint32_t launched; /* CPUs that have tried */
	uint32_t left; /* CPUs that are out, or never went in */
	uint32_t verdict; /* enum verdict; the CPU that changes it from PENDING decides for all */
	struct bf_failure failure; /* of the CPU that made it FAILED */
	uint64_t paused_ns; /* the longest of all CPUs */
};

static uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void store_max(uint64_t *word, uint64_t value)
{
	uint64_t old = __atomic_load_n(word, __ATOMIC_RELAXED);

	while (old < value && !__atomic_compare_exchange_n(word, &old, value, false,
							   __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

static bool decide(struct rendezvous *r, enum verdict verdict)
{
	uint32_t pending = PENDING;

	return __atomic_compare_exchange_n(&r->verdict, &pending, (uint32_t)verdict, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static void veto(struct rendezvous *r, struct bf_failure failure)
{
	if (decide(r, FAILED))
		r->failure = failure;
}

/* Waits until *word is value, or the start has failed. */
static void await(struct rendezvous *r, const uint32_t *word, uint32_t value, uint32_t cpu)
{
	uint64_t began = bf_hw_cycles();

	while (load(word) != value && load(&r->verdict) == PENDING) {
		struct bf_pp *launching = __atomic_load_n(&r->launching, __ATOMIC_ACQUIRE);

		if (launching)
			bf_watchdog_look(launching);
		if (launching)
			began = bf_hw_cycles(); /* the watchdog gets it back */
		else if (bf_hw_cycles() - began > WAIT_CYCLES)
			veto(r,
			     (struct bf_failure){ BF_ERR_RENDEZVOUS, cpu, 0, value - load(word) });
		bf_hw_pause();
	}
}

static void add(uint32_t *word)
{
	__atomic_fetch_add(word, 1, __ATOMIC_ACQ_REL);
}

/*
 * Whether this CPU was prepared for. CPUs that come or go between the preparations and the
 * rendezvous change which of them is PP 0, or how many the microkernel was told of.
 */
static bool expected(struct rendezvous *r, const struct bf_pp *pp, uint32_t cpu, uint32_t count)
{
	enum bf_error error = BF_ERR_OK;

	if (!pp)
		error = BF_ERR_TOO_MANY_CPUS;
	else if (r->initial && (pp->ppid >= r->loader->nr_online || count != r->loader->nr_online))
		error = BF_ERR_HOTPLUG;
	if (!error)
		return true;
	veto(r, (struct bf_failure){ error, cpu, 0, 0 });
	return false;
}

/*
 * One CPU after the other, PP 0 first, which initialises the microkernel: extensions made for Mk#1
 * expect one bootstrap callback at a time.
 */
static void launch_in_turn(struct rendezvous *r, struct bf_pp *pp, uint32_t cpu)
{
	uint32_t mine = r->initial ? pp->ppid : __atomic_fetch_add(&r->turns, 1, __ATOMIC_ACQ_REL);

	await(r, &r->turn, mine, cpu);
	if (load(&r->verdict) != PENDING)
		return;
	__atomic_store_n(&r->launching, pp, __ATOMIC_RELEASE);
	if (!pp->inside)
		bf_launch(pp);
	__atomic_store_n(&r->launching, NULL, __ATOMIC_RELEASE);
	if (pp->failure.error)
		veto(r, pp->failure);
	__atomic_store_n(&r->turn, mine + 1, __ATOMIC_RELEASE);
}

/*
 * No CPU goes on before all have left: with interrupts off on all of them, only those that wait
 * here can notice a callback that does not end.
 */
static void leave_together(struct rendezvous *r, struct bf_pp *pp, uint32_t count)
{
	uint32_t i;

	if (pp && pp->inside)
		bf_leave(pp);
	add(&r->left);
	while (load(&r->left) < count) {
		for (i = 0; i < r->loader->nr_pps; i++)
			if (r->loader->pps[i].inside && !r->loader->pps[i].parked)
				bf_watchdog_look(&r->loader->pps[i]);
		bf_hw_pause();
	}
}

/* Others go on, whatever becomes of this one. */
static void stand_alone(struct bf_pp *pp)
{
	pp->together = false;
	pp->status->together = 0;
}

static void enter_one(void *arg, uint32_t cpu, uint32_t count)
{
	struct rendezvous *r = arg;
	struct bf_pp *pp = bf_find_pp(r->loader, cpu);
	uint64_t began = bf_os_now_ns();

	if (expected(r, pp, cpu, count)) {
		pp->together = true;
		add(&r->arrived);
		await(r, &r->arrived, count, cpu);
		launch_in_turn(r, pp, cpu);
		add(&r->launched);
		await(r, &r->launched, count, cpu);
		if (decide(r, ALL_IN))
			r->loader->entered = true;
	}
	if (load(&r->verdict) == FAILED)
		leave_together(r, pp, count);
	if (pp)
		stand_alone(pp);
	store_max(&r->paused_ns, bf_os_now_ns() - began);
}

static enum bf_error on_all(struct rendezvous *r, void (*fn)(void *, uint32_t, uint32_t))
{
	uint32_t stuck;

	if (bf_os_on_all(fn, r, bf_watchdog_patience(r->loader), &stuck))
		r->failure = (struct bf_failure){ BF_ERR_CPU_STUCK, stuck, 0, stuck };
	return r->failure.error;
}

enum bf_error bf_enter_all(struct bf_loader *loader, bool initial, struct bf_failure *failure,
			   uint64_t *paused_ns)
{
	struct rendezvous r = { .loader = loader, .initial = initial };
	enum bf_error error;

	/* Whoever called this may be kept from going on by a CPU that has entered, and loops. */
	bf_os_watch(loader);
	error = on_all(&r, enter_one);
	*paused_ns = r.paused_ns;
	*failure = r.failure;
	return error;
}

static void leave_one(void *arg, uint32_t cpu, uint32_t count)
{
	struct rendezvous *r = arg;
	struct bf_pp *pp = bf_find_pp(r->loader, cpu);
	uint64_t began = bf_os_now_ns();

	__atomic_store_n(&r->loader->entered, false, __ATOMIC_RELAXED);
	if (pp)
		pp->together = count > 1;
	leave_together(r, pp, count);
	if (pp)
		stand_alone(pp);
	store_max(&r->paused_ns, bf_os_now_ns() - began);
}

/* The others leave without them. */
static void lose_halted(struct bf_loader *loader)
{
	uint32_t i;

	for (i = 0; i < loader->nr_pps; i++) {
		struct bf_pp *pp = &loader->pps[i];

		if (!pp->inside || !bf_pp_halted(pp))
			continue;
		pp->inside = false;
		loader->halted = true;
		bf_os_lose_cpu(pp->cpu);
	}
}

/*
 * Where Linux flushes TLBs by broadcast, it does not reach those that are still inside while others
 * have left. That matters only if a CPU has halted, for the moment in which each leaves by itself.
 */
enum bf_error bf_leave_all(struct bf_loader *loader, struct bf_failure *failure,
			   uint64_t *paused_ns)
{
	struct rendezvous r = { .loader = loader };
	enum bf_error error;
	uint32_t i;

	error = bf_may_evict(loader, failure);
	if (error)
		return error;
	lose_halted(loader);
	error = on_all(&r, leave_one);
	*paused_ns = r.paused_ns;
	*failure = r.failure;
	if (!error)
		error = bf_evict_parked(loader, failure);
	for (i = 0; i < loader->nr_pps && !error; i++) {
		const struct bf_pp *pp = &loader->pps[i];

		if (!pp->inside)
			continue;
		error = BF_ERR_MK_FAULT;
		*failure = (struct bf_failure){ error, pp->cpu, 0, pp->status->detail };
	}
	return error;
}
