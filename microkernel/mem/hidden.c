// SPDX-License-Identifier: GPL-2.0-only
#include "mem/hidden.h"

#include <bsl/paging.h>
#include <bsl/string.h>

#include "arch/intrinsics.h"
#include "lock.h"
#include "mem/mem.h"
#include "mem/nested.h"
#include "mem/owner.h"
#include "mem/tlb.h"
#include "mem/window.h"
#include "mk.h"

static struct mk_lock lock = MK_LOCK(LOCK_HIDDEN);

/* --- tables of the nested table that are no more in it ---------------------------------------- */

#define MAX_RETIRED 16

/* A CPU that is in Linux may look into them until it has come out once. */
static struct {
	uint64_t spa;
	uint64_t generation;
} retired[MAX_RETIRED];
static unsigned int nr_retired;

static void retire(const struct nested_spare *spare, uint64_t generation)
{
	for (unsigned int i = 0; i < spare->count; i++) {
		retired[nr_retired].spa = spare->spa[i];
		retired[nr_retired++].generation = generation;
	}
}

static void free_retired(void)
{
	unsigned int kept = 0;

	ASSERT_LOCKED(&lock);
	for (unsigned int i = 0; i < nr_retired; i++) {
		if (tlb_have_seen(retired[i].generation))
			pool_free(retired[i].spa);
		else
			retired[kept++] = retired[i];
	}
	nr_retired = kept;
}

static struct nested_spare room_for_spare(void)
{
	unsigned int room = MAX_RETIRED - nr_retired;

	return (struct nested_spare){ .room = room < NESTED_MAX_SPARE ? room : NESTED_MAX_SPARE };
}

/* ---------------------------------------------------------------------------------------------- */

void hidden_lock(void)
{
	mk_lock(&lock);
	free_retired();
}

void hidden_unlock(void)
{
	mk_unlock(&lock);
}

bool hidden_is_linux(uint64_t spa, uint64_t size)
{
	return region_covers(&mk.handoff->ram, spa, size) &&
	       !region_overlaps(&mk.handoff->owned, spa, size) && !window_shows(spa, size);
}

bool hidden_hide(uint64_t spa, uint64_t size, uint64_t *generation)
{
	struct nested_spare spare = room_for_spare();
	bool ok;

	ASSERT_LOCKED(&lock);
	ok = nested_hide(spa, size, &spare);
	*generation = tlb_move_on(this_pp());
	retire(&spare, *generation);
	return ok;
}

bool hidden_show(uint64_t spa, uint64_t size)
{
	struct nested_spare spare = room_for_spare();

	ASSERT_LOCKED(&lock);
	if (!nested_show(spa, size, &spare))
		return false;
	retire(&spare, tlb_move_on(this_pp()));
	return true;
}

/* In a slot that only this PP has, so no other one has to forget it. */
void hidden_scrub(uint64_t spa, uint64_t size)
{
	const uint64_t va = BF_PP_TEMP + MK_TEMP_TABLE * (uint64_t)BF_PAGE_SIZE;
	uint64_t *pt = phys_to_virt(this_pp()->handoff.area_pt);
	uint64_t *entry = &pt[bsl_pt_index(va, 1)];

	for (uint64_t off = 0; off < size; off += BF_PAGE_SIZE) {
		*entry = (spa + off) | BSL_PTE_P | BSL_PTE_W | BSL_PTE_NX | BSL_PTE_A | BSL_PTE_D;
		invlpg(va);
		bsl_memset((void *)va, 0, BF_PAGE_SIZE);
	}
	*entry = 0;
	invlpg(va);
}

bool hidden_has(uint64_t spa)
{
	return mem_is_owned(spa) || owner_has_taken(spa, BF_PAGE_SIZE);
}
