/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hypercalls of Linux's kernel that go to the extension which has registered for their numbers, and
 * not to the one that treats Linux. A route stays for ever: when its extension has ended, the calls
 * are answered for it.
 */
#ifndef MK_ROUTE_H
#define MK_ROUTE_H

#include <abi/types.h>

struct ext;

struct route {
	uint64_t first, last;
	struct ext *ext;
	uint64_t fn; /* its callback */
};

/* The call hypercall_route, arguments checked: SUCCESS, EXISTS or NO_MEMORY. */
uint64_t route_add(const struct route *route);

/* The route of this number; NULL: it is the hypercall of whoever treats Linux. */
const struct route *route_find(uint64_t number);

#endif
