// SPDX-License-Identifier: GPL-2.0-only
/* The page pool and the huge pool. One lock each; pages are zeroed when they are handed out. */
#include "mem/mem.h"

#include <abi/mk2.h>
#include <bsl/bits.h>
#include <bsl/fault.h>
#include <bsl/string.h>

#include "debug.h"
#include "lock.h"
#include "mem/tlb.h"
#include "mk.h"

#define HUGE_SLOTS 64

struct free_page {
	uint64_t next; /* SPA, or MK_NO_PAGE */
};

static struct {
	struct mk_lock lock;
	const struct bf_region *regions; /* pages never handed out yet, region by region */
	uint64_t nr_regions;
	uint64_t region; /* the one we are in */
	uint64_t offset; /* bytes of it that are taken */
	uint64_t free; /* list of pages that came back */
	uint64_t total;
	uint64_t used;
} pool = { .lock = MK_LOCK(LOCK_POOL) };

/*
 * What Linux has given: a part of its own, which is used when nothing else is left, the oldest
 * first, so that those which came late are free again early.
 */
enum part_state {
	PART_CLOSED, /* it is not used, or not any more */
	PART_WAITING, /* for the PPs to see its generation */
	PART_OPEN
};

static struct part {
	uint64_t spa;
	uint64_t size;
	uint64_t offset; /* bytes that have been handed out once */
	uint64_t free; /* list of pages that came back */
	uint64_t used;
	uint64_t generation;
	enum part_state state;
} parts[MK2_MAX_DONATIONS];
static unsigned int nr_parts; /* changes with the lock of the pool, and may be read without */

struct huge_slot {
	uint64_t spa;
	uint64_t size;
	bool claimed;
};

static struct {
	struct mk_lock lock;
	struct bf_region all;
	struct huge_slot slots[HUGE_SLOTS]; /* allocations, ascending by SPA */
	unsigned int count;
} huge = { .lock = MK_LOCK(LOCK_POOL) };

void pool_init(const struct bf_region *regions, uint64_t count, const struct bf_region *huge_region)
{
	pool.regions = regions;
	pool.nr_regions = count;
	pool.region = 0;
	pool.offset = 0;
	pool.free = MK_NO_PAGE;
	pool.total = 0;
	pool.used = 0;
	nr_parts = 0;
	for (uint64_t i = 0; i < count; i++)
		pool.total += regions[i].size >> BF_PAGE_SHIFT;
	huge.all = *huge_region;
	huge.count = 0;
}

static uint64_t take_fresh(void)
{
	ASSERT_LOCKED(&pool.lock);
	while (pool.region < pool.nr_regions) {
		const struct bf_region *r = &pool.regions[pool.region];

		if (pool.offset < r->size) {
			uint64_t spa = r->spa + pool.offset;

			pool.offset += BF_PAGE_SIZE;
			return spa;
		}
		pool.region++;
		pool.offset = 0;
	}
	return MK_NO_PAGE;
}

/* From a list of pages that came back. */
static uint64_t take_free(uint64_t *list)
{
	uint64_t spa = *list;

	ASSERT_LOCKED(&pool.lock);
	if (spa != MK_NO_PAGE)
		*list = ((const struct free_page *)phys_to_virt(spa))->next;
	return spa;
}

static void put_free(uint64_t *list, uint64_t spa)
{
	ASSERT_LOCKED(&pool.lock);
	((struct free_page *)phys_to_virt(spa))->next = *list;
	*list = spa;
}

static uint64_t take_of_part(struct part *part)
{
	uint64_t spa;

	if (part->state == PART_WAITING && tlb_have_seen(part->generation))
		part->state = PART_OPEN;
	if (part->state != PART_OPEN)
		return MK_NO_PAGE;
	spa = take_free(&part->free);
	if (spa == MK_NO_PAGE && part->offset < part->size) {
		spa = part->spa + part->offset;
		part->offset += BF_PAGE_SIZE;
	}
	if (spa != MK_NO_PAGE)
		part->used++;
	return spa;
}

uint64_t pool_alloc(void)
{
	uint64_t spa;

	if (FAULT_POINT(pool))
		return MK_NO_PAGE;
	mk_lock(&pool.lock);
	spa = take_free(&pool.free);
	if (spa == MK_NO_PAGE)
		spa = take_fresh();
	if (spa != MK_NO_PAGE)
		pool.used++;
	for (unsigned int i = 0; spa == MK_NO_PAGE && i < nr_parts; i++)
		spa = take_of_part(&parts[i]);
	mk_unlock(&pool.lock);
	if (spa != MK_NO_PAGE)
		bsl_memset(phys_to_virt(spa), 0, BF_PAGE_SIZE);
	return spa;
}

/* The part with a page of [spa, spa + size), or NULL. */
static struct part *part_with(uint64_t spa, uint64_t size)
{
	ASSERT_LOCKED(&pool.lock);
	for (unsigned int i = 0; i < nr_parts; i++) {
		if (spa < parts[i].spa + parts[i].size && parts[i].spa < spa + size)
			return &parts[i];
	}
	return NULL;
}

void pool_free(uint64_t spa)
{
	struct part *part;

	mk_lock(&pool.lock);
	part = part_with(spa, BF_PAGE_SIZE);
	put_free(part ? &part->free : &pool.free, spa);
	if (part)
		part->used--;
	else
		pool.used--;
	mk_unlock(&pool.lock);
}

bool pool_add(uint64_t spa, uint64_t size)
{
	bool added;

	mk_lock(&pool.lock);
	added = nr_parts < MK2_MAX_DONATIONS;
	if (added) {
		parts[nr_parts] = (struct part){ .spa = spa, .size = size };
		__atomic_store_n(&nr_parts, nr_parts + 1, __ATOMIC_RELEASE);
	}
	mk_unlock(&pool.lock);
	return added;
}

void pool_open(uint64_t spa, uint64_t generation)
{
	struct part *part;

	mk_lock(&pool.lock);
	part = part_with(spa, BF_PAGE_SIZE);
	part->offset = 0;
	part->free = MK_NO_PAGE;
	part->generation = generation;
	part->state = PART_WAITING;
	mk_unlock(&pool.lock);
}

bool pool_close(uint64_t spa, uint64_t *generation)
{
	struct part *part;
	bool closed;

	mk_lock(&pool.lock);
	part = part_with(spa, BF_PAGE_SIZE);
	closed = !part->used;
	if (closed)
		part->state = PART_CLOSED;
	*generation = part->generation;
	mk_unlock(&pool.lock);
	return closed;
}

void pool_remove(uint64_t spa)
{
	mk_lock(&pool.lock);
	for (struct part *part = part_with(spa, BF_PAGE_SIZE); part < &parts[nr_parts - 1]; part++)
		*part = part[1];
	__atomic_store_n(&nr_parts, nr_parts - 1, __ATOMIC_RELEASE);
	mk_unlock(&pool.lock);
}

uint64_t pool_part_size(uint64_t spa)
{
	const struct part *part;
	uint64_t size = 0;

	mk_lock(&pool.lock);
	part = part_with(spa, 1);
	if (part && part->spa == spa)
		size = part->size;
	mk_unlock(&pool.lock);
	return size;
}

bool pool_overlaps(uint64_t spa, uint64_t size)
{
	bool overlaps;

	/* Usually Linux has given nothing. */
	if (!__atomic_load_n(&nr_parts, __ATOMIC_ACQUIRE))
		return false;
	mk_lock(&pool.lock);
	overlaps = part_with(spa, size);
	mk_unlock(&pool.lock);
	return overlaps;
}

uint64_t pool_table_alloc(void *ctx)
{
	(void)ctx;
	return pool_alloc();
}

uint64_t *pool_table_at(void *ctx, uint64_t spa)
{
	(void)ctx;
	return phys_to_virt(spa);
}

/* First fit between the allocations; slot is where the new one belongs. */
static uint64_t huge_find(uint64_t size, unsigned int *slot)
{
	uint64_t start = huge.all.spa;

	ASSERT_LOCKED(&huge.lock);
	for (*slot = 0; *slot < huge.count; (*slot)++) {
		const struct huge_slot *r = &huge.slots[*slot];

		if (size <= r->spa - start)
			return start;
		start = r->spa + r->size;
	}
	return size <= huge.all.spa + huge.all.size - start ? start : MK_NO_PAGE;
}

uint64_t huge_alloc(uint64_t size)
{
	uint64_t spa = MK_NO_PAGE;
	unsigned int slot;

	if (!size || !bsl_align_up(size, BF_PAGE_SIZE, &size) || FAULT_POINT(pool))
		return MK_NO_PAGE;
	mk_lock(&huge.lock);
	if (huge.count < HUGE_SLOTS)
		spa = huge_find(size, &slot);
	if (spa != MK_NO_PAGE) {
		for (unsigned int i = huge.count; i > slot; i--)
			huge.slots[i] = huge.slots[i - 1];
		huge.slots[slot].spa = spa;
		huge.slots[slot].size = size;
		huge.slots[slot].claimed = true;
		huge.count++;
	}
	mk_unlock(&huge.lock);
	if (spa != MK_NO_PAGE)
		bsl_memset(phys_to_virt(spa), 0, size);
	return spa;
}

/* The slot of the allocation that begins at spa, or huge.count. */
static unsigned int huge_slot(uint64_t spa)
{
	unsigned int i = 0;

	ASSERT_LOCKED(&huge.lock);
	while (i < huge.count && huge.slots[i].spa != spa)
		i++;
	return i;
}

uint64_t huge_claim(uint64_t spa)
{
	uint64_t size = 0;
	unsigned int i;

	mk_lock(&huge.lock);
	i = huge_slot(spa);
	if (i < huge.count && !huge.slots[i].claimed) {
		huge.slots[i].claimed = true;
		size = huge.slots[i].size;
	}
	mk_unlock(&huge.lock);
	return size;
}

void huge_unclaim(uint64_t spa)
{
	mk_lock(&huge.lock);
	huge.slots[huge_slot(spa)].claimed = false;
	mk_unlock(&huge.lock);
}

void huge_free(uint64_t spa)
{
	mk_lock(&huge.lock);
	for (unsigned int i = huge_slot(spa) + 1; i < huge.count; i++)
		huge.slots[i - 1] = huge.slots[i];
	huge.count--;
	mk_unlock(&huge.lock);
}

bool huge_owns(uint64_t spa)
{
	return bsl_range_within(spa, 1, huge.all.spa, huge.all.size);
}

void pool_dump(void)
{
	mk_print("page pool: %llu of %llu pages used\n", (unsigned long long)pool.used,
		 (unsigned long long)pool.total);
	for (unsigned int i = 0; i < nr_parts; i++)
		mk_print("  of Linux, at 0x%llx: %llu of %llu pages used\n",
			 (unsigned long long)parts[i].spa, (unsigned long long)parts[i].used,
			 (unsigned long long)(parts[i].size >> BF_PAGE_SHIFT));
}

void huge_dump(void)
{
	mk_print("huge pool: 0x%llx bytes at 0x%llx, %u allocations\n",
		 (unsigned long long)huge.all.size, (unsigned long long)huge.all.spa, huge.count);
	for (unsigned int i = 0; i < huge.count; i++)
		mk_print("  0x%llx bytes at 0x%llx\n", (unsigned long long)huge.slots[i].size,
			 (unsigned long long)huge.slots[i].spa);
}

/*
 * The first of the regions that ends behind spa, or count. The lists are ascending and may have
 * thousands of entries: binary search.
 */
static uint64_t first_behind(const struct bf_list *list, uint64_t spa)
{
	const struct bf_region *r = phys_to_virt(list->spa);
	uint64_t low = 0, high = list->count;

	while (low < high) {
		uint64_t mid = low + (high - low) / 2;

		if (r[mid].spa + r[mid].size <= spa)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool region_overlaps(const struct bf_list *list, uint64_t spa, uint64_t size)
{
	const struct bf_region *r = phys_to_virt(list->spa);
	uint64_t i = first_behind(list, spa);

	return i < list->count && r[i].spa < spa + size;
}

bool region_covers(const struct bf_list *list, uint64_t spa, uint64_t size)
{
	const struct bf_region *r = phys_to_virt(list->spa);
	uint64_t end = spa + size;

	for (uint64_t i = first_behind(list, spa); i < list->count && r[i].spa <= spa; i++) {
		spa = r[i].spa + r[i].size;
		if (spa >= end)
			return true;
	}
	return false;
}

bool mem_is_owned(uint64_t spa)
{
	return region_overlaps(&mk.handoff->owned, spa, BF_PAGE_SIZE) ||
	       pool_overlaps(spa, BF_PAGE_SIZE);
}

bool mem_is_ram(uint64_t spa)
{
	return region_overlaps(&mk.handoff->ram, spa, BF_PAGE_SIZE);
}

const struct bf_region *mem_ram_behind(uint64_t spa)
{
	const struct bf_list *list = &mk.handoff->ram;
	uint64_t i = first_behind(list, spa);

	return i < list->count ? (const struct bf_region *)phys_to_virt(list->spa) + i : NULL;
}
