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

/* An MTRR of this PP was written: the table follows, and this PP forgets what it knew of it. */
void nested_follow_mtrrs(void);

#endif
