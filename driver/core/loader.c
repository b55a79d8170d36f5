// SPDX-License-Identifier: GPL-2.0-only
/* Start, stop, hotplug and suspend: see loader.h. */
#include <abi/layout.h>
#include <bsl/string.h>

#include "channel.h"
#include "check.h"
#include "loader.h"
#include "park.h"
#include "platform.h"
#include "rendezvous.h"
#include "trace.h"
#include "watchdog.h"

/* The microkernel writes a status page at any time. */
static uint32_t pp_state(const struct bf_pp *pp)
{
	return *(const volatile uint32_t *)&pp->status->state;
}

static uint64_t pp_exits(const struct bf_pp *pp)
{
	return *(const volatile uint64_t *)&pp->status->exits;
}

bool bf_pp_halted(const struct bf_pp *pp)
{
	return pp_state(pp) == BF_PP_HALTED;
}

/* Whether this CPU runs under the microkernel: with an extension, or after its failure without. */
static bool pp_is_guest(const struct bf_pp *pp)
{
	uint32_t state = pp_state(pp);

	return state == BF_PP_GUEST ||
	       (state == BF_PP_FAILED && *(const volatile uint64_t *)&pp->status->fallback);
}

static struct bf_failure pp_failure(const struct bf_pp *pp, enum bf_error error)
{
	uint32_t image = BF_ERROR_IS_EXTENSION(error) ? (uint32_t)pp->status->image : 0;

	return (struct bf_failure){ error, pp->cpu, image, pp->status->detail };
}

/* --- on the CPU itself, interrupts off -------------------------------------------------------- */

/*
 * After a launch without an exit: this CPU is bare, or a guest in which the instruction does not
 * exit. The hypercall always exits, and gets the CPU out; on a bare CPU it only fails.
 */
static enum bf_error leave_silent(const struct bf_pp *pp)
{
	uint64_t exits = pp_exits(pp);

	(void)bf_cpu_force_stop(pp->loader->vendor); /* the count of exits tells it */
	return pp_exits(pp) == exits ? BF_ERR_EXT_PROMOTED : BF_ERR_MK_SELFTEST;
}

/* Root mode, or the way out of it, has recorded an NMI that nobody has had. */
static void pass_nmi(struct bf_pp *pp)
{
	if (!pp->inside && __atomic_exchange_n(&pp->switch_page->nmi_pending, 0, __ATOMIC_RELAXED))
		bf_os_pass_nmi();
}

/*
 * Enters the hypervisor. The first exit is one that we provoke: it shows that the whole path works
 * while everything can still be undone.
 */
void bf_launch(struct bf_pp *pp)
{
	struct bf_loader *loader = pp->loader;
	uint64_t detail;
	uint64_t exits;
	uint64_t result;
	uint32_t place;
	enum bf_error error;

	bf_features_read(&pp->features);
	error = bf_features_usable(&pp->features, &detail);
	place = bf_features_differ(&pp->features, &loader->features);
	if (!error && place) {
		error = BF_ERR_CPUS_DIFFER;
		detail = BF_DIFFER_DETAIL(place, pp->cpu);
	}
	if (!error && !bf_features_unlock(&pp->features))
		error = BF_ERR_FW_DISABLED;
	if (error) {
		pp->failure = (struct bf_failure){ error, pp->cpu, 0, detail };
		return;
	}
	bsl_memset(pp->status, 0, sizeof(*pp->status));
	pp->status->together = pp->together;
	pp->status->tracing = loader->tracing;
	bf_os_mark_virt(loader->vendor, true);
	bf_watchdog_reset(pp);
	pp->failed = false;
	pp->entering = true;
	result = bf_cpu_enter(pp->switch_page, pp->root, loader->entry);
	if (result == 0) {
		exits = pp_exits(pp);
		bf_cpu_provoke_exit();
		if (pp_state(pp) == BF_PP_BARE)
			result = (uint64_t)leave_silent(pp);
		else if (pp_state(pp) != BF_PP_GUEST)
			result = pp->status->error;
		else if (pp_exits(pp) == exits)
			result = BF_ERR_MK_SELFTEST;
	}
	pp->inside = pp_is_guest(pp);
	pp->entering = false;
	if (!pp->inside)
		bf_os_mark_virt(loader->vendor, false);
	pp->failure = pp_failure(pp, (enum bf_error)result);
	pass_nmi(pp);
}

/* Leaves the hypervisor: by a request to the extension first, then by force. */
void bf_leave(struct bf_pp *pp)
{
	pp->status->leaving = 1;
	pp->status->together = pp->together;
	bf_watchdog_reset(pp);
	pp->failed = pp_state(pp) != BF_PP_GUEST;
	if (!pp->failed) {
		bf_cpu_request_stop();
		pp->refused = pp_state(pp) == BF_PP_GUEST;
		pp->failed = pp_state(pp) == BF_PP_FAILED;
	}
	/* A bare CPU is out, whatever its status page says. */
	if (pp_is_guest(pp) && !bf_cpu_force_stop(pp->loader->vendor))
		pp->inside = false;
	else
		pp->inside = pp_is_guest(pp);
	if (pp->inside)
		pp->status->leaving = 0;
	else
		bf_os_mark_virt(pp->loader->vendor, false);
	pass_nmi(pp);
}

static void launch_here(void *arg)
{
	bf_launch(arg);
}

static void leave_here(void *arg)
{
	bf_leave(arg);
}

/* --- all CPUs --------------------------------------------------------------------------------- */

struct bf_pp *bf_find_pp(const struct bf_loader *loader, uint32_t cpu)
{
	uint32_t i;

	for (i = 0; i < loader->nr_pps; i++)
		if (loader->pps[i].cpu == cpu)
			return &loader->pps[i];
	return NULL;
}

static bool any_inside(const struct bf_loader *loader)
{
	uint32_t i;

	for (i = 0; i < loader->nr_pps; i++)
		if (loader->pps[i].inside)
			return true;
	return false;
}

/* Frees what was kept of the last run to report its status. */
static void free_last_run(struct bf_loader *loader)
{
	uint32_t i;

	bf_trace_free(loader);
	for (i = 0; i < loader->nr_pps; i++)
		bf_block_free(&loader->pps[i].switch_map);
	bf_os_free(loader->pps);
	loader->pps = NULL;
	loader->nr_pps = 0;
	bf_block_free(&loader->status);
	bf_channels_free(loader);
	bsl_memset(loader->ended.va, 0, loader->ended.size);
	loader->failure = (struct bf_failure){ 0 };
	bsl_memset(&loader->report, 0, sizeof(loader->report));
}

/*
 * Copies the report of the PP of loader->failure, or else of any other that has failed. Linux may
 * have overwritten the status page: user space does not trust the copy either.
 */
static void keep_report(struct bf_loader *loader)
{
	uint32_t i;

	for (i = 0; i < loader->nr_pps; i++) {
		const struct bf_pp *pp = &loader->pps[i];

		if (pp->status->report.error &&
		    (!loader->report.error || pp->cpu == loader->failure.cpu))
			bsl_memcpy(&loader->report, &pp->status->report, sizeof(loader->report));
	}
}

const struct bf_ended *bf_loader_ended_image(const struct bf_loader *loader, uint32_t image)
{
	return (const struct bf_ended *)(const void *)loader->ended.va + (image - 1);
}

/* Written by the microkernel, at any time. */
static bool has_ended(const struct bf_ended *ended)
{
	return __atomic_load_n(&ended->report.error, __ATOMIC_ACQUIRE);
}

const struct bf_report *bf_loader_report(const struct bf_loader *loader)
{
	uint32_t i;

	if (loader->report.error)
		return &loader->report;
	for (i = 0; i < loader->nr_pps; i++)
		if (loader->pps[i].status->report.error)
			return &loader->pps[i].status->report;
	for (i = 1; i <= BF_MAX_EXTS; i++)
		if (has_ended(bf_loader_ended_image(loader, i)))
			return &bf_loader_ended_image(loader, i)->report;
	return NULL;
}

bool bf_loader_ended(const struct bf_loader *loader, uint32_t *told, struct bf_failure *failure)
{
	uint32_t image;

	for (image = 1; image <= BF_MAX_EXTS; image++) {
		const struct bf_ended *ended = bf_loader_ended_image(loader, image);

		if (*told >> image & 1 || !has_ended(ended))
			continue;
		*told |= 1U << image;
		*failure = (struct bf_failure){ (enum bf_error)ended->report.error,
						ended->report.cpu, image, ended->detail };
		return true;
	}
	return false;
}

/*
 * A PP that is no longer a guest although it was not stopped, or a guest without its extension; its
 * CPU may have gone offline since.
 */
static bool find_failure(const struct bf_loader *loader, struct bf_failure *failure)
{
	bool found = false;
	uint32_t i;

	for (i = 0; i < loader->nr_pps; i++) {
		const struct bf_pp *pp = &loader->pps[i];
		enum bf_error error = (enum bf_error)pp->status->error;

		if (!pp->failed && (!pp->inside || pp_state(pp) == BF_PP_GUEST))
			continue;
		if (!error)
			error = BF_ERR_EXT_PROMOTED;
		/* A PP that failed because another did counts only if there is no other. */
		if (!found || failure->error == BF_ERR_PEER_FAILED)
			*failure = pp_failure(pp, error);
		found = true;
	}
	return found;
}

enum bf_error bf_loader_init(struct bf_loader *loader)
{
	struct bf_ring *ring;
	enum bf_error error;

	*loader = (struct bf_loader){ 0 };
	bf_memory_init(&loader->memory);
	error = bf_block_alloc(&loader->ring, BF_RING_BYTES);
	if (error)
		return error;
	error = bf_block_alloc(&loader->ended, BF_MAX_EXTS * sizeof(struct bf_ended));
	if (error) {
		bf_block_free(&loader->ring);
		return error;
	}
	ring = (struct bf_ring *)(void *)loader->ring.va;
	ring->size = BF_RING_DATA;
	/* For the status; a start would say so, too. */
	if (bf_features_guest())
		loader->failure.error = BF_ERR_STARTED_BEFORE;
	return BF_ERR_OK;
}

void bf_loader_fini(struct bf_loader *loader)
{
	free_last_run(loader);
	bf_block_free(&loader->ended);
	bf_block_free(&loader->ring);
}

/* A CPU that has halted still uses some of it. */
static void release(struct bf_loader *loader)
{
	if (!loader->halted)
		bf_memory_release(&loader->memory);
}

static uint64_t watchdog_of(const struct bf_start *start)
{
	if (start->watchdog_ns == BF_WATCHDOG_OFF)
		return 0;
	return start->watchdog_ns ? start->watchdog_ns : BF_WATCHDOG_NS;
}

static uint64_t repeats_of(const struct bf_start *start)
{
	if (start->repeats == BF_REPEATS_OFF)
		return 0;
	return start->repeats ? start->repeats : BF_REPEATS;
}

enum bf_error bf_loader_start(struct bf_loader *loader, const struct bf_start *start)
{
	uint64_t began = bf_os_now_ns();
	enum bf_error error;
	uint32_t online;
	uint32_t cpus;

	if (loader->adopted)
		return BF_ERR_STARTED_BEFORE;
	if (loader->state == BF_STATE_RUNNING)
		return BF_ERR_RUNNING;
	if (loader->halted)
		return BF_ERR_CPU_HALTED;
	bf_os_hide_status();
	free_last_run(loader);
	loader->starts++;
	bf_os_show_status();
	loader->state = BF_STATE_STOPPED;
	/* Taking more than is free would have Linux kill others for it, before it fails. */
	cpus = bf_os_cpus(NULL, 0, &online);
	error = bf_check_machine(
		&loader->features, NULL,
		bf_loader_memory_needed(cpus, start->nr_exts, start->pool_size, start->huge_size) +
			start->nr_exts * start->channel_size,
		&loader->failure.detail, &loader->failure.cpu);
	loader->vendor = loader->features.vendor;
	loader->watchdog_ns = watchdog_of(start);
	loader->repeats = repeats_of(start);
	loader->keep_cpus = start->keep_cpus;
	if (!error) {
		bf_os_hide_status();
		error = bf_prepare(loader, start);
		bf_os_show_status();
	}
	loader->handoff = NULL;
	loader->failure.error = error;
	if (!error)
		error = bf_enter_all(loader, true, &loader->failure, &loader->start_paused_ns);
	if (!error) {
		loader->state = BF_STATE_RUNNING;
		loader->start_ns = bf_os_now_ns() - began;
		return BF_ERR_OK;
	}
	keep_report(loader);
	if (any_inside(loader)) {
		/* A CPU is still inside: keep everything, so that the stop can be retried. */
		loader->state = BF_STATE_RUNNING;
		return error;
	}
	release(loader);
	return error;
}

/*
 * Stops, whatever the reason. An error, which is in loader->failure then: a CPU did not come back,
 * and nothing is freed.
 */
static enum bf_error take_down(struct bf_loader *loader)
{
	uint64_t began = bf_os_now_ns();
	struct bf_failure failure;
	enum bf_error error;
	uint32_t i;

	for (i = 0; i < loader->nr_pps; i++)
		loader->pps[i].refused = false;
	error = bf_leave_all(loader, &failure, &loader->stop_paused_ns);
	keep_report(loader);
	if (error) {
		loader->failure = failure;
		return error;
	}
	for (i = 0; i < loader->nr_pps; i++)
		if (loader->pps[i].refused && !loader->failure.error)
			loader->failure = pp_failure(&loader->pps[i], BF_ERR_EXT_STOP_REFUSED);
	release(loader);
	loader->adopted = false;
	loader->state = BF_STATE_STOPPED;
	loader->stop_ns = bf_os_now_ns() - began;
	return BF_ERR_OK;
}

enum bf_error bf_loader_stop(struct bf_loader *loader)
{
	struct bf_failure failure = { 0 };

	if (loader->state != BF_STATE_RUNNING)
		return BF_ERR_NOT_RUNNING;
	if (loader->adopted && loader->bind(loader, &loader->failure))
		return loader->failure.error;
	(void)find_failure(loader, &failure);
	loader->failure = failure;
	if (!take_down(loader) && failure.error)
		loader->state = BF_STATE_FAILED;
	return loader->failure.error;
}

enum bf_error bf_loader_poll(struct bf_loader *loader)
{
	struct bf_failure failure, unbound;
	enum bf_error error;

	if (loader->state != BF_STATE_RUNNING || !find_failure(loader, &failure))
		return BF_ERR_OK;
	loader->failure = failure;
	error = loader->adopted ? loader->bind(loader, &unbound) : BF_ERR_OK;
	if (error && error != BF_ERR_CPU_STUCK) {
		keep_report(loader);
		loader->state = BF_STATE_FAILED;
		return failure.error;
	}
	if (!error)
		error = take_down(loader);
	if (!error)
		loader->state = BF_STATE_FAILED;
	if (error != BF_ERR_CPU_STUCK)
		return loader->failure.error;
	/* What has failed says more. */
	loader->failure = failure;
	return error;
}

/*
 * --- CPUs that come and go --------------------------------------------------------------------
 *
 * Also between the end of a rendezvous and its caller's next step (bf_os_on_all): so it is not the
 * state that decides, but what the CPUs did together.
 */

/* Whether a single CPU cannot change sides: see rendezvous.h. */
static bool refuses_hotplug(const struct bf_loader *loader)
{
	return bf_features_broadcast(&loader->features);
}

/*
 * All others have left, and it has come before it was evicted (bf_evict_parked). On AMD what has
 * started it has reset it, too.
 */
static enum bf_error leave_behind(struct bf_pp *pp)
{
	enum bf_error error = bf_unpark(pp);

	if (error == BF_ERR_MK_ESCAPED)
		return BF_ERR_OK;
	if (!error)
		error = bf_os_on_cpu(pp->cpu, leave_here, pp);
	return !error && pp->inside ? BF_ERR_MK_FAULT : error;
}

void bf_loader_cpu_starts(struct bf_loader *loader, uint32_t cpu)
{
	struct bf_pp *pp = bf_find_pp(loader, cpu);

	if (pp)
		bf_ready_parked(pp);
}

enum bf_error bf_loader_cpu_up(struct bf_loader *loader, uint32_t cpu)
{
	struct bf_pp *pp = bf_find_pp(loader, cpu);
	enum bf_error error;

	if (pp && pp->parked)
		return loader->entered ? bf_unpark(pp) : leave_behind(pp);
	/* With a failure that the poll has not seen yet, the others are about to leave, too. */
	if (!loader->entered || (pp && (pp->inside || pp->failed)))
		return BF_ERR_OK;
	if (!pp)
		return BF_ERR_TOO_MANY_CPUS;
	if (loader->adopted) /* something has reset it, and only a start takes it in again */
		return BF_ERR_MK_ESCAPED;
	if (refuses_hotplug(loader))
		return BF_ERR_HOTPLUG_REFUSED;
	error = bf_os_on_cpu(cpu, launch_here, pp);
	if (error)
		pp->failure = (struct bf_failure){ error, cpu, 0, 0 };
	if (pp->failure.error && pp->inside)
		(void)bf_os_on_cpu(cpu, leave_here, pp); /* pp->failure is what is told */
	pp->failed = false; /* the others need not leave for that */
	return pp->failure.error;
}

enum bf_error bf_loader_cpu_down(struct bf_loader *loader, uint32_t cpu)
{
	struct bf_pp *pp = bf_find_pp(loader, cpu);
	enum bf_error error;

	if (!pp || !pp->inside)
		return BF_ERR_OK;
	/* One without its extension is about to be taken back, if that can be. */
	if (loader->keep_cpus && pp_state(pp) == BF_PP_GUEST) {
		bf_park(pp, true);
		return BF_ERR_OK;
	}
	if (loader->adopted || refuses_hotplug(loader))
		return BF_ERR_HOTPLUG_REFUSED;
	error = bf_os_on_cpu(cpu, leave_here, pp);
	if (error)
		return error;
	return pp->inside ? BF_ERR_MK_FAULT : BF_ERR_OK;
}

enum bf_error bf_loader_resume(struct bf_loader *loader)
{
	uint64_t paused_ns;
	enum bf_error error;

	if ((loader->state != BF_STATE_RUNNING) || loader->adopted)
		return BF_ERR_OK;
	if (loader->halted)
		error = BF_ERR_CPU_HALTED;
	else if (!any_inside(loader) && find_failure(loader, &loader->failure))
		error = loader->failure.error; /* before the suspend, or in the request to leave */
	else
		error = bf_enter_all(loader, false, &loader->failure, &paused_ns);
	keep_report(loader);
	if (error && !any_inside(loader)) {
		release(loader);
		loader->state = BF_STATE_FAILED;
	}
	return error;
}

enum bf_error bf_loader_suspend(struct bf_loader *loader)
{
	struct bf_failure failure;
	uint64_t paused_ns;
	enum bf_error error;

	if (loader->adopted)
		return BF_ERR_MK_FIRMWARE;
	if (loader->state != BF_STATE_RUNNING)
		return BF_ERR_OK;
	if (find_failure(loader, &failure))
		loader->failure = failure;
	error = bf_leave_all(loader, &failure, &paused_ns);
	return !error && loader->halted ? BF_ERR_CPU_HALTED : error;
}
