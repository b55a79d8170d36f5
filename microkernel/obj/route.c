// SPDX-License-Identifier: GPL-2.0-only
#include "obj/route.h"

#include <abi/mk2.h>

#include "lock.h"

static struct mk_lock lock = MK_LOCK(LOCK_OBJECTS);
static struct route routes[MK2_MAX_ROUTES];
static unsigned int nr_routes; /* exits look without the lock: what is counted does not change */

static bool is_taken(const struct route *route)
{
	bool taken = false;

	for (unsigned int i = 0; i < nr_routes && !taken; i++)
		taken = route->first <= routes[i].last && routes[i].first <= route->last;
	return taken;
}

uint64_t route_add(const struct route *route)
{
	uint64_t status = MK1_SUCCESS;

	mk_lock(&lock);
	if (is_taken(route)) {
		status = MK2_FAILURE_EXISTS;
	} else if (nr_routes == MK2_MAX_ROUTES) {
		status = MK2_FAILURE_NO_MEMORY;
	} else {
		routes[nr_routes] = *route;
		__atomic_store_n(&nr_routes, nr_routes + 1, __ATOMIC_RELEASE);
	}
	mk_unlock(&lock);
	return status;
}

const struct route *route_find(uint64_t number)
{
	unsigned int count = __atomic_load_n(&nr_routes, __ATOMIC_ACQUIRE);
	const struct route *found = NULL;

	for (unsigned int i = 0; i < count && !found; i++) {
		if (number >= routes[i].first && number <= routes[i].last)
			found = &routes[i];
	}
	return found;
}
