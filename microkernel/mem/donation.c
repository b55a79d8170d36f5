// SPDX-License-Identifier: GPL-2.0-only
#include "mem/donation.h"

#include <abi/mk2.h>
#include <bsl/bits.h>
#include <bsl/paging.h>
#include <bsl/string.h>

#include "lock.h"
#include "mem/mem.h"
#include "mem/nested.h"
#include "mem/owner.h"
#include "mem/prune.h"
#include "mem/tlb.h"
#include "mem/window.h"
#include "mk.h"

static struct mk_lock lock = MK_LOCK(LOCK_DONATIONS);

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

/* --- whose it is: to the nested tables of guests, that of a VM which is none of theirs -------- */

static unsigned int level_at(uint64_t spa, uint64_t left)
{
	return bsl_is_aligned(spa, BSL_LEVEL_SIZE(2)) && left >= BSL_LEVEL_SIZE(2) ? 2 : 1;
}

static void unmark(uint64_t spa, uint64_t size)
{
	unsigned int level;

	for (uint64_t off = 0; off < size; off += BSL_LEVEL_SIZE(level)) {
		level = level_at(spa + off, size - off);
		owner_remove(spa + off, level);
	}
}

static uint64_t mark(uint64_t spa, uint64_t size)
{
	uint64_t status;
	unsigned int level;

	for (uint64_t off = 0; off < size; off += BSL_LEVEL_SIZE(level)) {
		level = level_at(spa + off, size - off);
		status = owner_add(spa + off, level, MK1_INVALID_ID, false);
		if (status != MK1_SUCCESS) {
			/* As far as it has come, which is where the levels are the same. */
			for (uint64_t at = 0; at < off; at += BSL_LEVEL_SIZE(level)) {
				level = level_at(spa + at, size - at);
				owner_remove(spa + at, level);
			}
			return status;
		}
	}
	return MK1_SUCCESS;
}

/* --- the calls -------------------------------------------------------------------------------- */

/* Nobody sees or uses it any more. false: a PP did not answer, and may still see it. */
static bool withdraw(uint64_t spa, uint64_t size, const struct donation_users *users)
{
	uint64_t pruned = 0;

	window_unmap(spa, size, &pruned);
	users->prune(spa, size, &pruned);
	if (!tlb_shootdown(this_pp()))
		return false;
	prune_free(pruned);
	return true;
}

/*
 * What has been marked, so that nobody new gets it. Linux loses it last: all else can be taken back
 * without memory, whatever the MTRRs are by then.
 */
static uint64_t take_marked(uint64_t spa, uint64_t size, const struct donation_users *users)
{
	struct nested_spare spare = room_for_spare();
	uint64_t generation;

	if (users->show(spa, size))
		return MK1_INVALID_PERM_DENIED;
	if (!window_map(spa, size) || !users->make_tables(spa, size) ||
	    !nested_hide(spa, size, &spare)) {
		retire(&spare, tlb_move_on(this_pp()));
		(void)withdraw(spa, size, users);
		return MK2_FAILURE_NO_MEMORY;
	}
	/* Behind this generation no PP has a translation of it from before. */
	generation = tlb_move_on(this_pp());
	pool_open(spa, generation);
	return MK1_SUCCESS;
}

static uint64_t take(uint64_t spa, uint64_t size, const struct donation_users *users)
{
	uint64_t status;

	if (!region_covers(&mk.handoff->ram, spa, size) ||
	    region_overlaps(&mk.handoff->owned, spa, size) || pool_overlaps(spa, size) ||
	    window_shows(spa, size))
		return MK1_INVALID_PERM_DENIED;
	if (!pool_add(spa, size))
		return MK2_FAILURE_NO_MEMORY;
	status = mark(spa, size);
	if (status == MK1_SUCCESS) {
		status = take_marked(spa, size, users);
		if (status != MK1_SUCCESS)
			unmark(spa, size);
	}
	if (status != MK1_SUCCESS)
		pool_remove(spa);
	return status;
}

uint64_t donation_take(uint64_t spa, uint64_t size, const struct donation_users *users)
{
	uint64_t status;

	mk_lock(&lock);
	free_retired();
	status = take(spa, size, users);
	mk_unlock(&lock);
	return status;
}

/* What the pool has closed. What can lack memory comes first. */
static uint64_t give_back(uint64_t spa, uint64_t size, uint64_t generation,
			  const struct donation_users *users)
{
	struct nested_spare spare = room_for_spare();

	/* Not if a PP did not answer the last time. */
	if (window_shows(spa, size))
		bsl_memset(phys_to_virt(spa), 0, size);
	if (!nested_show(spa, size, &spare)) {
		pool_open(spa, generation);
		return MK2_FAILURE_NO_MEMORY;
	}
	retire(&spare, tlb_move_on(this_pp()));
	if (!withdraw(spa, size, users))
		return MK1_FAILURE_UNKNOWN;
	unmark(spa, size);
	pool_remove(spa);
	return MK1_SUCCESS;
}

uint64_t donation_return(uint64_t spa, uint64_t *size, const struct donation_users *users)
{
	uint64_t status, generation;

	mk_lock(&lock);
	free_retired();
	*size = pool_part_size(spa);
	if (!*size)
		status = MK1_INVALID_INPUT_REG(1);
	else if (!pool_close(spa, &generation))
		status = MK2_FAILURE_BUSY;
	else
		status = give_back(spa, *size, generation, users);
	mk_unlock(&lock);
	return status;
}
