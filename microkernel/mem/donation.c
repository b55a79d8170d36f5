// SPDX-License-Identifier: GPL-2.0-only
#include "mem/donation.h"

#include <abi/mk2.h>
#include <bsl/string.h>

#include "mem/hidden.h"
#include "mem/mem.h"
#include "mem/owner.h"
#include "mem/prune.h"
#include "mem/tlb.h"
#include "mem/window.h"
#include "pp.h"

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
	uint64_t generation;

	if (users->show(spa, size))
		return MK1_INVALID_PERM_DENIED;
	if (!window_map(spa, size) || !users->make_tables(spa, size) ||
	    !hidden_hide(spa, size, &generation)) {
		(void)withdraw(spa, size, users);
		return MK2_FAILURE_NO_MEMORY;
	}
	pool_open(spa, generation);
	return MK1_SUCCESS;
}

static uint64_t take(uint64_t spa, uint64_t size, const struct donation_users *users)
{
	uint64_t status;

	if (!hidden_is_linux(spa, size) || pool_overlaps(spa, size))
		return MK1_INVALID_PERM_DENIED;
	if (!pool_add(spa, size))
		return MK2_FAILURE_NO_MEMORY;
	/* To the nested tables of guests, it is that of a VM which is none of theirs. */
	status = owner_take(spa, size, MK1_INVALID_ID);
	if (status == MK1_SUCCESS) {
		status = take_marked(spa, size, users);
		if (status != MK1_SUCCESS)
			owner_free(spa, size);
	}
	if (status != MK1_SUCCESS)
		pool_remove(spa);
	return status;
}

uint64_t donation_take(uint64_t spa, uint64_t size, const struct donation_users *users)
{
	uint64_t status;

	hidden_lock();
	status = take(spa, size, users);
	hidden_unlock();
	return status;
}

/* What the pool has closed. What can lack memory comes first. */
static uint64_t give_back(uint64_t spa, uint64_t size, uint64_t generation,
			  const struct donation_users *users)
{
	/* Not if a PP did not answer the last time. */
	if (window_shows(spa, size))
		bsl_memset(phys_to_virt(spa), 0, size);
	if (!hidden_show(spa, size)) {
		pool_open(spa, generation);
		return MK2_FAILURE_NO_MEMORY;
	}
	if (!withdraw(spa, size, users))
		return MK1_FAILURE_UNKNOWN;
	owner_free(spa, size);
	pool_remove(spa);
	return MK1_SUCCESS;
}

uint64_t donation_return(uint64_t spa, uint64_t *size, const struct donation_users *users)
{
	uint64_t status, generation;

	hidden_lock();
	*size = pool_part_size(spa);
	if (!*size)
		status = MK1_INVALID_INPUT_REG(1);
	else if (!pool_close(spa, &generation))
		status = MK2_FAILURE_BUSY;
	else
		status = give_back(spa, *size, generation, users);
	hidden_unlock();
	return status;
}
