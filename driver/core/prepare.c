// SPDX-License-Identifier: GPL-2.0-only
/* Everything that a start allocates and fills before the first CPU leaves Linux. */
#include <abi/args.h>
#include <abi/layout.h>
#include <bsl/bits.h>
#include <bsl/elf.h>
#include <bsl/string.h>

#include "channel.h"
#include "image.h"
#include "loader.h"
#include "platform.h"
#include "trace.h"

/* About what tables and lists take, and a PP in addition to its part of the pool. */
#define TABLES_SIZE 0x200000
#define PP_SIZE (0x20000 + BF_TRACE_BYTES)
/* By default the pool is filled with such blocks: smaller ones cost a nested table each. */
#define WHOLE_BLOCK 0x200000

static uint64_t pool_size_of(uint32_t nr_pps, uint32_t nr_exts, uint64_t requested)
{
	uint64_t per_pp = BF_POOL_PER_PP + nr_exts * (uint64_t)BF_POOL_PER_EXT;

	return requested ? requested : BF_POOL_DEFAULT + nr_pps * per_pp;
}

static uint64_t huge_size_of(uint64_t requested)
{
	return requested ? requested : BF_HUGE_DEFAULT;
}

uint64_t bf_loader_memory_needed(uint32_t nr_pps, uint32_t nr_exts, uint64_t pool_size,
				 uint64_t huge_size)
{
	return pool_size_of(nr_pps, nr_exts, pool_size) + huge_size_of(huge_size) + TABLES_SIZE +
	       nr_pps * (uint64_t)PP_SIZE;
}

/* --- sorted lists of regions ------------------------------------------------------------------ */

static void sift_down(struct bf_region *regions, uint64_t root, uint64_t count)
{
	while (2 * root + 1 < count) {
		uint64_t child = 2 * root + 1;
		struct bf_region region = regions[root];

		if (child + 1 < count && regions[child].spa < regions[child + 1].spa)
			child++;
		if (region.spa >= regions[child].spa)
			return;
		regions[root] = regions[child];
		regions[child] = region;
		root = child;
	}
}

/* Heap sort by address; adjacent regions are merged. Returns how many are left. */
static uint64_t sort_and_merge(struct bf_region *regions, uint64_t count)
{
	uint64_t merged = 0;
	uint64_t i;

	for (i = count / 2; i-- > 0;)
		sift_down(regions, i, count);
	for (i = count; i-- > 1;) {
		struct bf_region largest = regions[0];

		regions[0] = regions[i];
		regions[i] = largest;
		sift_down(regions, 0, i);
	}
	for (i = 0; i < count; i++) {
		struct bf_region *last = merged ? &regions[merged - 1] : NULL;

		if (last && last->spa + last->size == regions[i].spa)
			last->size += regions[i].size;
		else
			regions[merged++] = regions[i];
	}
	return merged;
}

/* --- the machine's RAM ------------------------------------------------------------------------ */

struct ram_walk {
	struct bf_region *regions; /* NULL: only count */
	uint64_t count;
	uint64_t room;
};

static bool add_ram(void *arg, uint64_t spa, uint64_t size)
{
	struct ram_walk *walk = arg;
	uint64_t end = bsl_align_down(spa + size, BF_PAGE_SIZE);
	uint64_t start;

	if (!bsl_align_up(spa, BF_PAGE_SIZE, &start) || start >= end)
		return true;
	if (walk->regions) {
		if (walk->count == walk->room)
			return false;
		walk->regions[walk->count].spa = start;
		walk->regions[walk->count].size = end - start;
	}
	walk->count++;
	return true;
}

static enum bf_error list_ram(struct bf_loader *loader)
{
	struct bf_list *list = &loader->handoff->ram;
	struct ram_walk walk = { 0 };

	bf_os_ram(add_ram, &walk);
	walk.room = walk.count;
	walk.count = 0;
	walk.regions = bf_memory_alloc(&loader->memory, BF_MEMORY_DATA,
				       (walk.room + 1) * sizeof(*walk.regions), &list->spa);
	if (!walk.regions)
		return loader->memory.error;
	bf_os_ram(add_ram, &walk);
	list->count = walk.count;
	return BF_ERR_OK;
}

/* --- pools and what Linux must not see -------------------------------------------------------- */

/* Called after all other allocations: only the window's tables take more blocks. */
static enum bf_error list_memory(struct bf_loader *loader)
{
	struct bf_memory *memory = &loader->memory;
	struct bf_handoff *handoff = loader->handoff;
	/* The tables take less than one more block for each block. */
	uint64_t room = 2 * (uint64_t)bf_memory_count(memory) + 16;
	struct bf_region *owned;
	struct bf_region *pool;
	const struct bf_block *block;
	enum bf_error error;
	uint64_t count = 0;

	owned = bf_memory_alloc(memory, BF_MEMORY_DATA, room * sizeof(*owned), &handoff->owned.spa);
	if (!owned)
		return memory->error;
	pool = bf_memory_alloc(memory, BF_MEMORY_DATA, room * sizeof(*pool),
			       &handoff->page_pool.spa);
	if (!pool)
		return memory->error;
	error = bf_aspace_finish(loader);
	if (error)
		return error;
	if (bf_memory_count(memory) >= room)
		return BF_ERR_NO_MEMORY;
	for (block = memory->first; block; block = block->next) {
		owned[count].spa = block->spa;
		owned[count++].size = block->size;
		if (block->kind == BF_MEMORY_POOL) {
			pool[handoff->page_pool.count].spa = block->spa;
			pool[handoff->page_pool.count++].size = block->size;
		}
	}
	handoff->owned.count = sort_and_merge(owned, count);
	pool[handoff->page_pool.count].size =
		bf_memory_arena_tail(memory, &pool[handoff->page_pool.count].spa);
	if (pool[handoff->page_pool.count].size)
		handoff->page_pool.count++;
	return BF_ERR_OK;
}

/* The pool also gets the rest of the block of tables and lists, so it can be smaller by that. */
static enum bf_error make_pools(struct bf_loader *loader, const struct bf_start *start)
{
	struct bf_memory *memory = &loader->memory;
	uint64_t size = pool_size_of(loader->nr_pps, start->nr_exts, start->pool_size);
	uint64_t huge = huge_size_of(start->huge_size);
	enum bf_error error;
	uint64_t spa;
	uint64_t rest = bf_memory_arena_tail(memory, &spa);

	if (size > BF_POOL_MAX || huge > BF_HUGE_MAX)
		return BF_ERR_NO_MEMORY;
	error = bf_memory_alloc_region(memory, BF_MEMORY_HUGE, huge, &loader->handoff->huge_pool);
	if (error || size <= rest)
		return error;
	size -= rest;
	if (start->stays)
		size += loader->nr_pps * (uint64_t)BF_POOL_TO_BIND;
	if (!start->pool_size)
		size = (size + WHOLE_BLOCK - 1) & ~(uint64_t)(WHOLE_BLOCK - 1);
	return bf_memory_fill_pool(memory, size);
}

/* --- PPs and images --------------------------------------------------------------------------- */

static enum bf_error fill_pps(struct bf_loader *loader, const uint32_t *cpus)
{
	uint32_t i;
	enum bf_error error;

	error = bf_block_alloc(&loader->status, loader->nr_pps * (uint64_t)BF_PAGE_SIZE);
	if (error)
		return error;
	loader->pps = bf_os_alloc(loader->nr_pps * sizeof(*loader->pps));
	if (!loader->pps)
		return BF_ERR_NO_MEMORY;
	for (i = 0; i < loader->nr_pps; i++) {
		loader->pps[i].loader = loader;
		loader->pps[i].ppid = i;
		loader->pps[i].cpu = cpus[i];
		loader->pps[i].apic_id = bf_os_apic_id(cpus[i]);
		loader->pps[i].status = (struct bf_pp_status *)(void *)loader->status.va + i;
	}
	return bf_trace_alloc(loader);
}

/* CPUs get their PP numbers in the order of their launch; those offline come last. */
static enum bf_error make_pps(struct bf_loader *loader)
{
	struct bf_handoff *handoff = loader->handoff;
	uint32_t *cpus = bf_os_alloc(BF_MAX_PPS * sizeof(*cpus));
	enum bf_error error = BF_ERR_TOO_MANY_CPUS;

	if (!cpus)
		return BF_ERR_NO_MEMORY;
	loader->nr_pps = bf_os_cpus(cpus, BF_MAX_PPS, &loader->nr_online);
	if (loader->nr_pps <= BF_MAX_PPS)
		error = fill_pps(loader, cpus);
	if (error)
		loader->nr_pps = 0;
	handoff->nr_pps = loader->nr_pps;
	handoff->nr_online = loader->nr_online;
	handoff->status.spa = loader->status.spa;
	handoff->status.size = loader->nr_pps * (uint64_t)BF_PAGE_SIZE;
	bf_os_free(cpus);
	return error;
}

/*
 * Whether the microkernel was made for this loader; if not, detail has both versions. Its file has
 * been validated.
 */
static bool is_ours(const struct bf_source *file, uint64_t *detail)
{
	struct bsl_elf_segment segment;
	struct bsl_elf elf;
	uint32_t index = 0;
	struct bf_mk_head head;
	uint64_t nothing;

	if (bsl_elf_open(&elf, file->data, file->size, BF_MK_BASE, BF_MK_SIZE, &nothing) ||
	    !bsl_elf_next(&elf, &index, &segment) || segment.va != BF_MK_BASE ||
	    segment.filesz < sizeof(head))
		return false;
	bsl_memcpy(&head, segment.data, sizeof(head));
	if (head.magic != BF_HANDOFF_MAGIC)
		return false;
	if (head.version == BF_HANDOFF_VERSION)
		return true;
	*detail = BF_VERSION_DETAIL(head.version, BF_HANDOFF_VERSION);
	return false;
}

static enum bf_error load_images(struct bf_loader *loader, const struct bf_start *start,
				 struct bf_image *microkernel)
{
	struct bf_memory *memory = &loader->memory;
	struct bf_failure *failure = &loader->failure;
	enum bf_error error;
	uint32_t i;

	error = bf_image_load(microkernel, memory, start->microkernel.data, start->microkernel.size,
			      BF_MK_BASE, BF_MK_SIZE, &failure->detail);
	if (!error && !is_ours(&start->microkernel, &failure->detail))
		error = BF_ERR_MK_VERSION;
	for (i = 0; !error && i < start->nr_exts; i++) {
		failure->image = i + 1;
		error = bf_image_load(&loader->handoff->exts[i], memory, start->exts[i].data,
				      start->exts[i].size, MK1_EXT_CODE_BASE, MK1_EXT_CODE_SIZE,
				      &failure->detail);
	}
	if (!error)
		failure->image = 0;
	loader->handoff->nr_exts = start->nr_exts;
	loader->entry = microkernel->entry;
	return error;
}

static bool are_rights(const struct bf_start *start)
{
	uint32_t i;

	for (i = 0; i < BF_MAX_EXTS; i++)
		if (start->denied[i] & ~BF_ALL_RIGHTS || (start->denied[i] && i >= start->nr_exts))
			return false;
	if (start->nr_grants > BF_MAX_GRANTS)
		return false;
	for (i = 0; i < start->nr_grants; i++)
		if (!bf_grant_is_valid(&start->grants[i], start->nr_exts))
			return false;
	return true;
}

static bool are_args(const struct bf_start *start)
{
	uint32_t i;

	for (i = 0; i < BF_MAX_EXTS; i++)
		if (!bf_args_are_valid(start->args[i].data, start->args[i].size) ||
		    (start->args[i].size && i >= start->nr_exts))
			return false;
	return true;
}

/* A page for each extension, also where it has no arguments. */
static enum bf_error hand_off_args(struct bf_loader *loader, const struct bf_start *start)
{
	struct bf_region *args = loader->handoff->args;
	uint32_t i;

	for (i = 0; i < start->nr_exts; i++) {
		void *page = bf_memory_alloc(&loader->memory, BF_MEMORY_DATA, MK2_ARGS_MAX,
					     &args[i].spa);

		if (!page)
			return loader->memory.error;
		args[i].size = start->args[i].size;
		if (args[i].size)
			bsl_memcpy(page, start->args[i].data, args[i].size);
	}
	return BF_ERR_OK;
}

static enum bf_error make_handoff(struct bf_loader *loader, const struct bf_start *start)
{
	struct bf_handoff *handoff = bf_memory_alloc(&loader->memory, BF_MEMORY_DATA,
						     sizeof(*handoff), &loader->handoff_spa);

	uint32_t outer_flags;

	if (!handoff)
		return loader->memory.error;
	loader->handoff = handoff;
	handoff->magic = BF_HANDOFF_MAGIC;
	handoff->version = BF_HANDOFF_VERSION;
	bf_features_hand_off(&loader->features, handoff);
	handoff->serial_port = start->serial_port;
	handoff->outer = (uint8_t)bf_outer_detect(&outer_flags);
	handoff->outer_flags = (uint8_t)outer_flags;
	handoff->tsc_khz = bf_os_tsc_khz();
	handoff->watchdog_ns = loader->watchdog_ns;
	handoff->repeats = loader->repeats;
	handoff->flags = (start->stays ? BF_HANDOFF_STAYS : 0) |
			 (loader->keep_cpus ? BF_HANDOFF_KEEP_CPUS : 0);
	handoff->table = start->table;
	bsl_memcpy(handoff->denied, start->denied, sizeof(handoff->denied));
	bsl_memcpy(handoff->grants, start->grants, sizeof(handoff->grants));
	handoff->nr_grants = start->nr_grants;
	handoff->ring.spa = loader->ring.spa;
	handoff->ring.size = loader->ring.size;
	handoff->ended.spa = loader->ended.spa;
	handoff->ended.size = loader->ended.size;
	return BF_ERR_OK;
}

enum bf_error bf_prepare(struct bf_loader *loader, const struct bf_start *start)
{
	struct bf_image microkernel;
	enum bf_error error;
	uint32_t i;

	if (!start->nr_exts)
		return BF_ERR_BAD_REQUEST;
	if (start->nr_exts > BF_MAX_EXTS)
		return BF_ERR_TOO_MANY_EXTS;
	if (!are_rights(start) || !are_args(start) ||
	    !bf_channel_size_is_valid(start->channel_size))
		return BF_ERR_BAD_REQUEST;
	error = make_handoff(loader, start);
	if (!error)
		error = hand_off_args(loader, start);
	if (!error)
		error = bf_channels_make(loader, start);
	if (!error)
		error = load_images(loader, start, &microkernel);
	if (!error)
		error = make_pps(loader);
	if (!error)
		error = bf_aspace_init(loader, &microkernel);
	for (i = 0; !error && i < loader->nr_pps; i++)
		error = bf_aspace_init_pp(&loader->pps[i]);
	if (!error)
		error = list_ram(loader);
	if (!error)
		error = make_pools(loader, start);
	return error ? error : list_memory(loader);
}
