/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The direct maps of a VM: pages of physical memory, chosen by the extension. Each extension has
 * one of its own for each VM, which each PP on which the VM is active finds in its PML4.
 */
#ifndef MK_DIRECT_MAP_H
#define MK_DIRECT_MAP_H

#include <abi/handoff.h>
#include <abi/layout.h>
#include <abi/types.h>

#define DIRECT_MAP_SLOTS (MK1_DIRECT_MAP_SIZE >> 39) /* PML4 entries of a direct map */

struct direct_maps {
	bool open; /* the VM exists */
	uint8_t used[BF_MAX_EXTS]; /* by extension: all slots from this one on are empty */
	uint64_t slots[BF_MAX_EXTS][DIRECT_MAP_SLOTS]; /* PML4 entries, by extension */
};

/*
 * The status of vm_map_direct: MK1_SUCCESS; MK1_INVALID_INPUT_REG(2): the page is the hypervisor's;
 * MK1_FAILURE_UNKNOWN: the VM is gone, no memory for a table, or the page is there already.
 */
uint64_t direct_map_page(struct direct_maps *maps, uint16_t extid, uint64_t spa);
bool direct_unmap_page(struct direct_maps *maps, uint16_t extid, uint64_t va);

/*
 * Whether any extension has mapped a page of [spa, spa + size). What becomes the hypervisor's
 * before this is asked is not mapped from then on.
 */
bool direct_maps_show(struct direct_maps *maps, uint64_t spa, uint64_t size);

/* The VM goes, and with it all its direct maps. */
void direct_maps_close(struct direct_maps *maps);

/*
 * Puts the direct map of an extension into a PML4 in place of another one; NULL: none. loaded is
 * kept for the PML4: its slots from this one on are empty.
 */
void direct_map_load(uint64_t *pml4, uint8_t *loaded, const struct direct_maps *maps,
		     uint16_t extid);

/*
 * A fault at va. Returns true if this PML4 lacked a table that the direct map has by now: it is
 * there, try again.
 */
bool direct_map_fault(uint64_t *pml4, uint8_t *loaded, const struct direct_maps *maps,
		      uint16_t extid, uint64_t va);

#endif
