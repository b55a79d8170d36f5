/* SPDX-License-Identifier: MIT */
/*
 * What of physical memory a VM has, by Mk#2 (docs/abi/mk2.md): the microkernel owns the nested
 * tables, and gives no VM a page of the hypervisor's or of another VM.
 */
#ifndef EXT_GUESTS_NESTED_H
#define EXT_GUESTS_NESTED_H

#include <abi/types.h>

/* In ext_start: whether the microkernel speaks Mk#2. specs is what that got. */
bool nested_start(uint64_t specs);

/*
 * Maps a page of 4 KiB, or a large one of 2 MiB; gpa is below 2^GUESTS_GPA_BITS. Once more the
 * same is good, too. Returns enum guests_status.
 */
uint32_t nested_map(uint64_t vmid, uint64_t gpa, uint64_t spa, bool write, bool large);

/*
 * Takes pages away, as far as they are there, large ones as a whole, 1 GiB at most. false: refused.
 * Guests may access them until nested_flush of this generation.
 */
bool nested_unmap(uint64_t vmid, uint64_t gpa, uint64_t pages, uint64_t *generation);

/* GUESTS_OK: no CPU can access them any more. GUESTS_BUSY: a CPU does not answer, and may. */
uint32_t nested_flush(uint64_t vmid, uint64_t generation);

/* Whether the page of 4 KiB at gpa is mapped, where, and whether it may be written. */
bool nested_query(uint64_t vmid, uint64_t gpa, uint64_t *spa, bool *write);

/* Gives the table of its VM to a VS. false: the microkernel refuses. */
bool nested_attach(uint64_t vsid);

#endif
