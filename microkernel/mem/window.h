/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The window in which root mode sees the hypervisor's pages, for those that come and go while it
 * runs. Each PP's PML4 has entries of its own, but the tables below them are the same for all.
 */
#ifndef MK_WINDOW_H
#define MK_WINDOW_H

#include <abi/types.h>

/*
 * Whether all PPs would see what is mapped for [spa, spa + size), which is at most 512 GiB: the
 * PML4s have had entries for it since the start.
 */
bool window_reaches(uint64_t spa, uint64_t size);

/* Whether any of it is mapped. */
bool window_shows(uint64_t spa, uint64_t size);

/* Maps all of it, which is not mapped; false: no memory, and part of it is mapped. */
bool window_map(uint64_t spa, uint64_t size);

/*
 * Takes all of it out, and tables that are empty then, for prune_free. PPs may know all of that
 * until a shootdown.
 */
void window_unmap(uint64_t spa, uint64_t size, uint64_t *pruned);

#endif
