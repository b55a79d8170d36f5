// SPDX-License-Identifier: GPL-2.0-only
/* CPUs that are offline and in the hypervisor: see park.h. */
#include "park.h"

#include "platform.h"

/* A CPU takes an INIT at once, unless it is in SMM, or its emulator does not run it. */
#define INIT_NS 10000000
#define LEAVE_NS 2000000000

static uint32_t state_of(const struct bf_pp *pp)
{
	return __atomic_load_n(&pp->status->state, __ATOMIC_ACQUIRE);
}

void bf_park(struct bf_pp *pp, bool parked)
{
	pp->parked = parked;
	__atomic_store_n(&pp->status->parked, parked, __ATOMIC_RELAXED);
}

/* Wakes from the deepest sleep take less, and an NMI that comes in root mode is lost. */
#define READY_NS 1000000
#define READY_TRIES 10

static bool is_ready(const struct bf_pp *pp)
{
	return __atomic_load_n(&pp->status->awaits_ipi, __ATOMIC_ACQUIRE);
}

void bf_ready_parked(struct bf_pp *pp)
{
	unsigned int i;

	/* Linux starts the boot processor by an NMI, if at all: one that waits would not get it. */
	if (pp->loader->vendor != BF_VENDOR_INTEL || !pp->inside || !pp->parked ||
	    pp->status->boot_cpu)
		return;
	for (i = 0; i < READY_TRIES && !is_ready(pp); i++) {
		uint64_t began = bf_os_now_ns();

		__atomic_store_n(&pp->status->starting, 1, __ATOMIC_RELEASE);
		bf_os_send_nmi_offline(pp->apic_id);
		while (!is_ready(pp) && bf_os_now_ns() - began < READY_NS)
			bf_hw_pause();
	}
	__atomic_store_n(&pp->status->starting, 0, __ATOMIC_RELEASE);
}

static void check_here(void *arg)
{
	struct bf_pp *pp = arg;
	uint64_t exits = __atomic_load_n(&pp->status->exits, __ATOMIC_RELAXED);

	bf_park(pp, false);
	bf_cpu_provoke_exit();
	pp->inside = __atomic_load_n(&pp->status->exits, __ATOMIC_RELAXED) != exits;
	if (pp->inside) { /* the system has begun anew on it */
		bf_os_mark_virt(pp->loader->vendor, true);
		bf_cpu_switch_trace(pp->loader->vendor);
	} else {
		pp->status->leaving = 1;
		pp->status->state = BF_PP_BARE;
	}
}

enum bf_error bf_unpark(struct bf_pp *pp)
{
	enum bf_error error = bf_os_on_cpu(pp->cpu, check_here, pp);

	return !error && !pp->inside ? BF_ERR_MK_ESCAPED : error;
}

static void wait(uint64_t ns, const struct bf_pp *pp)
{
	uint64_t began = bf_os_now_ns();

	while (bf_os_now_ns() - began < ns && !(pp && state_of(pp) == BF_PP_BARE))
		bf_hw_pause();
}

/*
 * On AMD, the INIT of a CPU that is bare resets even one that runs a guest. On Intel the first one
 * is an exit, with which the microkernel turns VMX off, and says so before; nothing but the second
 * one ends what it does then. A guest that has been left waiting for its start-up IPI blocks INIT
 * until that comes, which is its exit then (SDM vol. 3 §28.2). A bare CPU would be started by it.
 */
static bool evict(struct bf_pp *pp)
{
	pp->status->leaving = 1;
	if (pp->loader->vendor == BF_VENDOR_INTEL) {
		if (pp->status->awaits_ipi)
			bf_os_send_startup(pp->apic_id);
		bf_os_send_init(pp->apic_id);
		wait(LEAVE_NS, pp);
		if (state_of(pp) != BF_PP_BARE) {
			pp->status->leaving = 0;
			return false;
		}
		wait(INIT_NS, NULL);
	}
	bf_os_send_init(pp->apic_id);
	wait(INIT_NS, NULL);
	pp->status->state = BF_PP_BARE;
	pp->inside = false;
	bf_park(pp, false);
	pp->stranger = false;
	return true;
}

/* Nothing of the system's runs on it. */
static bool is_evicted_so(const struct bf_pp *pp)
{
	return (pp->inside && pp->parked) || pp->stranger;
}

enum bf_error bf_may_evict(const struct bf_loader *loader, struct bf_failure *failure)
{
	uint32_t i;

	for (i = 0; i < loader->nr_pps; i++) {
		const struct bf_pp *pp = &loader->pps[i];

		if (!is_evicted_so(pp) || !pp->status->boot_cpu)
			continue;
		*failure = (struct bf_failure){ BF_ERR_MK_BOOT_CPU, pp->cpu, 0, 0 };
		return BF_ERR_MK_BOOT_CPU;
	}
	return BF_ERR_OK;
}

enum bf_error bf_evict_parked(struct bf_loader *loader, struct bf_failure *failure)
{
	uint32_t i;

	for (i = 0; i < loader->nr_pps; i++) {
		struct bf_pp *pp = &loader->pps[i];

		if (!is_evicted_so(pp) || evict(pp))
			continue;
		*failure = (struct bf_failure){ BF_ERR_MK_FAULT, pp->cpu, 0, pp->status->detail };
		return BF_ERR_MK_FAULT;
	}
	return BF_ERR_OK;
}
