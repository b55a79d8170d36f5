/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A way out for a system that was not there at the start (BF_HANDOFF_STAYS). What a CPU needs to
 * leave lies where the loader had it, which is nowhere in that system. So the system tells each PP
 * where it has the PP's switch page and the code, the same as ours (BF_HYPERCALL_BIND). When the PP
 * leaves, its page tables get both in these places.
 */
#ifndef MK_BIND_H
#define MK_BIND_H

#include <abi/types.h>

struct pp;
struct vs;

/* Whether it was this hypercall, which is answered then. */
bool bind_hypercall(struct vs *vs, unsigned int cpl);

/* Where the system that runs now has the switch page, and the code that leaves. */
uint64_t bind_switch_page(const struct pp *pp);
uint64_t bind_leave(const struct pp *pp);

/* The PP leaves: from here on it does so by them. Nothing happens if it is not bound. */
void bind_use(struct pp *pp);

#endif
