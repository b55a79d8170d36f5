// SPDX-License-Identifier: GPL-2.0-only
/* A hypervisor that the firmware has started: see bf_loader_adopt in loader.h. */
#include <abi/firmware.h>
#include <abi/layout.h>

#include <abi/loader.h>

#include "channel.h"
#include "loader.h"
#include "park.h"
#include "platform.h"

static bool map_block(struct bf_block *block, struct bf_region region, uint64_t least)
{
	*block = (struct bf_block){ 0 };
	if (!region.spa || region.spa % BF_PAGE_SIZE || region.size < least ||
	    region.size > MK1_SPA_LIMIT || region.spa > MK1_SPA_LIMIT - region.size)
		return false;
	block->va = bf_os_map(region.spa, region.size);
	block->spa = region.spa;
	block->size = region.size;
	block->unmap = bf_os_unmap;
	return block->va;
}

static bool is_table(const struct bf_firmware *table)
{
	return table->magic == BF_FIRMWARE_MAGIC && table->version == BF_HANDOFF_VERSION &&
	       (table->vendor == BF_VENDOR_AMD || table->vendor == BF_VENDOR_INTEL) &&
	       table->nr_pps && table->nr_pps <= BF_MAX_PPS && table->nr_exts &&
	       table->nr_exts <= BF_MAX_EXTS && table->pps.count == table->nr_pps;
}

static bool map_shared(struct bf_loader *loader, const struct bf_firmware *table)
{
	uint32_t i;
	bool ok = map_block(&loader->ring, table->ring, BF_RING_BYTES) &&
		  map_block(&loader->status, table->status,
			    table->nr_pps * sizeof(struct bf_pp_status)) &&
		  map_block(&loader->ended, table->ended, BF_MAX_EXTS * sizeof(struct bf_ended));

	for (i = 0; ok && (i < table->nr_exts); i++)
		ok = map_block(&loader->channels[i], table->channels[i], BF_CHANNEL_MIN);
	return ok;
}

/*
 * One whose CPU this system does not know is of no use to it, and is not looked at. What a CPU
 * finds in the switch page, when it leaves, is what root mode has written there: as long as it is
 * inside, it sees something else.
 */
static bool adopt_pp(struct bf_pp *pp, const struct bf_firmware_pp *from)
{
	bool online = false;

	pp->apic_id = from->apic_id;
	pp->inside = bf_os_cpu_of(pp->apic_id, &pp->cpu, &online);
	pp->stranger = !pp->inside;
	bf_park(pp, !online);
	if (pp->stranger)
		pp->cpu = BF_NO_CPU;
	if (!map_block(&pp->trace, from->trace, BF_TRACE_BYTES) ||
	    !map_block(&pp->switch_map, from->switch_page, BF_PAGE_SIZE))
		return false;
	pp->switch_page = (struct bf_switch_page *)(void *)pp->switch_map.va;
	return true;
}

static bool adopt_pps(struct bf_loader *loader, const struct bf_firmware_pp *pps)
{
	uint32_t i;

	for (i = 0; i < loader->nr_pps; i++) {
		struct bf_pp *pp = &loader->pps[i];

		pp->loader = loader;
		pp->ppid = i;
		pp->status = (struct bf_pp_status *)(void *)loader->status.va + i;
		if (!adopt_pp(pp, &pps[i]))
			return false;
	}
	return true;
}

static bool adopt(struct bf_loader *loader, const struct bf_firmware *table)
{
	struct bf_firmware_pp *pps;
	bool ok;

	loader->pps = bf_os_alloc(table->nr_pps * sizeof(*loader->pps));
	if (!loader->pps || !map_shared(loader, table))
		return false;
	loader->nr_pps = table->nr_pps;
	pps = bf_os_map(table->pps.spa, table->nr_pps * sizeof(*pps));
	if (!pps)
		return false;
	ok = adopt_pps(loader, pps);
	bf_os_unmap(pps);
	if (!ok)
		return false;
	loader->vendor = (enum bf_vendor)table->vendor;
	loader->nr_online = table->nr_pps;
	loader->keep_cpus = table->keep_cpus;
	loader->watchdog_ns = table->watchdog_ns;
	loader->repeats = table->repeats;
	loader->start_ns = table->start_ns;
	bf_features_read(&loader->features);
	loader->features.vendor = loader->vendor;
	return true;
}

void bf_loader_abandon(struct bf_loader *loader)
{
	uint32_t i;

	for (i = 0; i < loader->nr_pps; i++) {
		bf_block_free(&loader->pps[i].trace);
		bf_block_free(&loader->pps[i].switch_map);
	}
	bf_os_free(loader->pps);
	for (i = 0; i < BF_MAX_EXTS; i++)
		bf_block_free(&loader->channels[i]);
	bf_block_free(&loader->ring);
	bf_block_free(&loader->status);
	bf_block_free(&loader->ended);
	*loader = (struct bf_loader){ .state = BF_STATE_STOPPED };
	bf_memory_init(&loader->memory);
}

/* --- the way out ------------------------------------------------------------------------------ */

static void bind_here(void *arg)
{
	struct bf_pp *pp = arg;

	pp->status->bind_page = (uint64_t)(uintptr_t)pp->switch_page;
	pp->status->bind_code = bf_cpu_switch_code();
	pp->bound = bf_cpu_bind(pp->loader->vendor);
}

static enum bf_error bind_all(struct bf_loader *loader, struct bf_failure *failure)
{
	uint32_t i;

	for (i = 0; i < loader->nr_pps; i++) {
		struct bf_pp *pp = &loader->pps[i];
		enum bf_error error;

		if (!pp->inside || pp->parked || bf_pp_halted(pp))
			continue;
		error = bf_os_on_cpu(pp->cpu, bind_here, pp);
		if (!error)
			error = pp->bound;
		if (error) {
			*failure = (struct bf_failure){ error, pp->cpu, 0, 0 };
			return error;
		}
	}
	return BF_ERR_OK;
}

/* --- the way in ------------------------------------------------------------------------------- */

static enum bf_error take_over(struct bf_loader *loader, const struct bf_firmware *table)
{
	if (!is_table(table))
		return BF_ERR_MK_VERSION;
	bf_loader_fini(loader);
	if (adopt(loader, table)) {
		loader->failure.error = BF_ERR_OK;
		loader->starts++;
		loader->adopted = true;
		loader->bind = bind_all;
		loader->entered = true; /* a CPU that comes online must have a PP */
		loader->state = BF_STATE_RUNNING;
		return BF_ERR_OK;
	}
	bf_loader_abandon(loader);
	/* The caller frees what there is, and nothing works without. */
	(void)bf_loader_init(loader);
	return BF_ERR_NO_MEMORY;
}

enum bf_error bf_loader_adopt(struct bf_loader *loader)
{
	uint64_t spa = bf_features_guest() ? bf_cpu_find_table() : 0;
	struct bf_firmware *table;
	enum bf_error error;

	if (!spa)
		return BF_ERR_NOT_RUNNING;
	table = bf_os_map(spa, sizeof(*table));
	if (!table)
		return BF_ERR_NO_MEMORY;
	error = take_over(loader, table);
	bf_os_unmap(table);
	if (!error)
		bf_os_watch(loader);
	return error;
}
