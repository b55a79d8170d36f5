/* SPDX-License-Identifier: GPL-2.0-only */
/* Tables of root mode that have become empty, and go. */
#ifndef MK_PRUNE_H
#define MK_PRUNE_H

#include <abi/types.h>

struct bsl_tables;

/*
 * Takes the tables of the levels 1 and 2 that are empty, of those that map [va, va + size), out of
 * the tree at root, and puts them into the list, which is 0 if it is empty. CPUs may still look
 * into them, where they find nothing.
 */
void prune(const struct bsl_tables *t, uint64_t root, uint64_t va, uint64_t size, uint64_t *list);

/* Behind a shootdown. */
void prune_free(uint64_t list);

#endif
