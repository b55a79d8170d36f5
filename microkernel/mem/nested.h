/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Nested paging of the root VM (NPT: APM vol. 2 §15.25, EPT: SDM vol. 3 §31.3): the machine's
 * physical memory one to one, in the largest pages possible, except for what the hypervisor owns:
 * in its place Linux finds the same decoy page everywhere.
 */
#ifndef MK_NESTED_H
#define MK_NESTED_H

#include <abi/errors.h>
#include <abi/types.h>

/* Builds the table for RAM and the first 4 GiB into mk.root_npt, if the CPU has nested paging. */
enum bf_error nested_init(void);

/*
 * The guest touched gpa, which is not mapped: device memory above, mapped now. false: it cannot be.
 */
bool nested_fault(uint64_t gpa);

/* Tables that are not used any more, but that CPUs which are in Linux may still look into. */
#define NESTED_MAX_SPARE 4

struct nested_spare {
	uint64_t spa[NESTED_MAX_SPARE];
	unsigned int count;
	unsigned int room; /* at most so many: what would be one more stays in use */
};

/*
 * Linux finds the decoy in place of [spa, spa + size) from now on, which is RAM that it has found
 * as it is, or the reverse, in pages as large as possible. false: no memory, and nothing has
 * changed for Linux. CPUs may know what was there, until they forget it (tlb_move_on).
 */
bool nested_hide(uint64_t spa, uint64_t size, struct nested_spare *spare);
bool nested_show(uint64_t spa, uint64_t size, struct nested_spare *spare);

/* An MTRR of this PP was written: the table follows, and this PP forgets what it knew of it. */
void nested_follow_mtrrs(void);

/* --- what the views of it are made from: view.h ----------------------------------------------- */

/* The lock of the table, and of its views. */
void nested_lock(void);
void nested_unlock(void);

/*
 * With the lock: from now on views share the tables below this one, none of which goes any more;
 * changed is called, with the lock, whenever one of them has changed.
 */
void nested_has_views(void (*changed)(void));

/* What the table says of the range of one entry of this level; a larger page is cut. 0: nothing. */
uint64_t nested_entry(uint64_t gpa, unsigned int level);

/* The same of a page of 4 KiB; device memory is mapped if it was not. 0: there is nothing. */
uint64_t nested_page(uint64_t gpa);

/* An entry of 4 KiB, with all rights, that shows this page. */
uint64_t nested_leaf(uint64_t spa);

/* Whether an entry of a page of 4 KiB shows the decoy. */
bool nested_is_decoy(uint64_t entry);

#endif
