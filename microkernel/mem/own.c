// SPDX-License-Identifier: GPL-2.0-only
#include "mem/own.h"

#include <abi/mk2.h>

#include "debug.h"
#include "mem/guest_nested.h"
#include "mem/hidden.h"
#include "mem/owner.h"
#include "pp.h"

/* With the lock of what is hidden, as the share of each VM in them. */
static uint64_t owned_bytes;
static bool scrubbed; /* a PP has left, or is about to */

/* What nobody new gets any more, and whether anybody had it. */
static uint64_t hide(uint64_t spa, uint64_t size, bool (*show)(uint64_t spa, uint64_t size),
		     uint64_t *generation)
{
	if (show(spa, size))
		return MK1_INVALID_PERM_DENIED;
	return hidden_hide(spa, size, generation) ? MK1_SUCCESS : MK2_FAILURE_NO_MEMORY;
}

static uint64_t take(struct guest_nested *g, uint64_t spa, uint64_t size,
		     bool (*show)(uint64_t spa, uint64_t size))
{
	uint64_t status, before, generation = 0;

	if (scrubbed)
		return MK1_FAILURE_UNSUPPORTED;
	if (!hidden_is_linux(spa, size))
		return MK1_INVALID_PERM_DENIED;
	if (owned_bytes + size > MK2_OWN_MAX_TOTAL)
		return MK2_FAILURE_NO_MEMORY;
	/* Not to be mapped before each PP has forgotten it, nor by a VM that is being destroyed. */
	if (!guest_nested_await(g, GUEST_NESTED_NEVER, &before))
		return MK1_INVALID_INPUT_REG(1);
	status = owner_take(spa, size, g->vmid);
	if (status == MK1_SUCCESS) {
		status = hide(spa, size, show, &generation);
		if (status != MK1_SUCCESS)
			owner_free(spa, size);
	}
	if (status == MK1_SUCCESS) {
		g->owned += size;
		owned_bytes += size;
		before = generation;
	}
	(void)guest_nested_await(g, before, &before);
	return status;
}

uint64_t own_take(struct guest_nested *g, uint64_t spa, uint64_t size,
		  bool (*show)(uint64_t spa, uint64_t size))
{
	uint64_t status;

	hidden_lock();
	status = take(g, spa, size, show);
	hidden_unlock();
	return status;
}

/* It is nobody's for as long as this takes: it is not mapped, and cannot be any more. */
static uint64_t give_back(struct guest_nested *g, uint64_t spa, uint64_t size)
{
	uint64_t status = owner_pass(spa, size, g->vmid, MK1_INVALID_ID);

	if (status != MK1_SUCCESS)
		return status;
	hidden_scrub(spa, size);
	if (!hidden_show(spa, size)) {
		(void)owner_pass(spa, size, MK1_INVALID_ID, g->vmid);
		return MK2_FAILURE_NO_MEMORY;
	}
	owner_free(spa, size);
	g->owned -= size;
	owned_bytes -= size;
	return MK1_SUCCESS;
}

uint64_t own_give_back(struct guest_nested *g, uint64_t spa, uint64_t size)
{
	uint64_t status;

	hidden_lock();
	status = give_back(g, spa, size);
	hidden_unlock();
	return status;
}

bool own_give_all_back(struct guest_nested *g)
{
	uint64_t spa = 0, size;
	bool ok = true;

	hidden_lock();
	while (ok && g->owned && owner_next(g->vmid, spa, &spa, &size))
		ok = give_back(g, spa, size) == MK1_SUCCESS;
	hidden_unlock();
	return ok;
}

/* Whatever the VM has mapped is taken away first: a guest may run on another PP. */
static void scrub(struct guest_nested *g, bool (*runs)(uint16_t vmid, uint32_t ppid))
{
	uint64_t spa = 0, size, generation = 0;

	(void)guest_nested_unmap(g, 0, 1ULL << MK2_NESTED_GPA_BITS, &generation);
	if (guest_nested_flush(g, runs, generation, &generation) != MK1_SUCCESS)
		mk_print("pp %u: vm %u still uses memory of its own\n", this_pp()->handoff.ppid,
			 g->vmid);
	while (owner_next(g->vmid, spa, &spa, &size)) {
		hidden_scrub(spa, size);
		spa += size;
	}
}

void own_scrub(struct guest_nested *(*nth)(uint16_t n), bool (*runs)(uint16_t vmid, uint32_t ppid))
{
	struct guest_nested *g;

	owner_close();
	hidden_lock();
	for (uint16_t i = 0; !scrubbed && (g = nth(i)); i++) {
		if (g->owned)
			scrub(g, runs);
	}
	scrubbed = true;
	hidden_unlock();
}
