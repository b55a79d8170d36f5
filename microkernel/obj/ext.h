/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Extensions: ring-3 programs, each in an address space of its own.
 *
 * An extension has one PML4 per PP, because stacks, TLS and the active VM's direct map are a PP's
 * own; the tables below are shared. lock guards the shared tables.
 */
#ifndef MK_EXT_H
#define MK_EXT_H

#include <abi/handoff.h>
#include <abi/types.h>
#include <bsl/compiler.h>

#include "lock.h"
#include "pp.h"

enum spec { SPEC_MK1, SPEC_MK2, NR_SPECS };

#define NR_CALLS 256 /* 16 opcodes with 16 calls each */

struct ext {
	uint16_t id;
	bool handle_open;
	bool mk2_open; /* the same for Mk#2 */
	const struct bf_image *image;
	struct mk_lock lock;
	uint64_t root; /* SPA of the PML4 with what all PPs share */
	uint64_t bootstrap; /* callbacks: address, 0: not registered */
	uint64_t vmexit;
	uint64_t fail;
	uint64_t entry; /* for calls of other extensions */
	uint64_t rights; /* enum bf_right */
	bool noted; /* why it ends, by the first PP that has found that it does */
	bool ended; /* it has failed, and Linux goes on without it: run/ended.h */
	/*
	 * By specification and number of the call: whether it can be made as it is. The handle is
	 * open, and no right to it depends on what is in the registers: policy.h.
	 */
	uint8_t may[NR_SPECS][NR_CALLS];
	uint8_t told[NR_SPECS][NR_CALLS]; /* that it was refused */
};

/* Loads all images of the handoff. Once, on PP 0. */
enum bf_error exts_init(void);

/* Stacks, TLS and PML4 for this PP, where they do not exist yet. */
enum bf_error exts_prepare_pp(struct pp *pp);

struct ext *ext_find(uint16_t id);

/* Makes ext's address space the one of this PP; the active VS's registers come along. */
void ext_switch(struct pp *pp, struct ext *ext);

/* The FS base of ring 3, which it can lose. */
void ext_load_fs(const struct pp *pp);

/* Writes the active ids into the ABI page. */
void ext_publish_ids(struct pp *pp);

/* Enters ring 3 at rip, on this PP's stack or its fail stack. */
__noreturn void ext_call(struct pp *pp, struct ext *ext, enum phase phase, uint64_t rip,
			 uint64_t arg0, uint64_t arg1);

/* Whether rip lies in a page that the extension may execute. */
bool ext_is_code(const struct ext *ext, uint64_t rip);

/* Whether [va, va + size) is mapped for ring 3 on this PP. */
bool ext_is_mapped(struct pp *pp, uint64_t va, uint64_t size);

/* Copies size bytes at va of ring 3's memory; false: part of it is not mapped for ring 3. */
bool ext_read(struct pp *pp, void *to, uint64_t va, uint64_t size);

/* The reverse; false: part of it is not mapped for ring 3, or not to be written to. */
bool ext_write(struct pp *pp, uint64_t va, const void *from, uint64_t size);

/* Whether spa is that of a page of the pools that the active extension was given. */
bool ext_has_page(struct pp *pp, uint64_t spa);

/* Memory of the pools appears in the extension's window; false: no memory for a table. */
bool ext_map_pool(struct ext *ext, uint64_t spa, uint64_t size);
/* It disappears again; false: it was not all there. Of two PPs that try, one succeeds. */
bool ext_unmap_pool(struct ext *ext, uint64_t spa, uint64_t size);

/*
 * Tables for pages of [spa, spa + size) in the windows of all extensions. false: no memory, and
 * some are there. And those that are empty go, for prune_free.
 */
bool exts_make_tables(uint64_t spa, uint64_t size);
void exts_prune(uint64_t spa, uint64_t size, uint64_t *pruned);

/* Gives this PP the direct map of its active VM. */
void ext_load_direct_map(struct pp *pp);

/*
 * A fault of ring 3, or ours for it, at va. Returns true if this PP had not seen a new table of the
 * direct map: it has now, try again.
 */
bool ext_direct_map_fault(struct pp *pp, uint64_t va);

void ext_dump(uint16_t id);

#endif
