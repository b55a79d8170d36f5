/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The trace of exits: when each came, and how long it took. A PP that is not traced pays nothing:
 * pp->traced is one of the reasons for which an exit takes its longer way, which all that are
 * traced do.
 */
#ifndef MK_TRACE_H
#define MK_TRACE_H

#include <abi/types.h>

#include "pp.h"

struct ext;
struct vs;

/* A PP that comes in is traced if the driver wants it. */
void trace_init(struct pp *pp);

/*
 * BF_HYPERCALL_TRACE: from now on this PP is traced, or not, as the driver wants it. false: the
 * hypercall is another one.
 */
bool trace_hypercall(struct vs *vs, unsigned int cpl);

/* An exit of a PP that is traced. slot is the index in bf_pp_status.exit_count. */
void trace_exit(struct pp *pp, const struct vs *vs, unsigned int slot, uint64_t rip);

/* An extension is asked about it. */
void trace_asked(struct pp *pp, const struct ext *ext);

/* The entry that follows: pp->entry_watched is set then. */
void trace_entry(struct pp *pp);

#endif
