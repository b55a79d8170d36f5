/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exits without progress. An extension that does not advance past the instruction that exited, or
 * answers a nested fault without a mapping, has the guest execute the same instruction again, which
 * exits again, for ever: with Linux's interrupts off, nothing else is left to end that.
 *
 * One exit of many is watched (STALL_SAMPLE). If the entry that follows it is at the same RIP and
 * delivers no event, the next exit is watched, too, and so on: a series, which ends with the first
 * exit or entry that is different. A loop that polls a port makes progress: its exits are all the
 * same, but the entries in between are behind the instruction. So do string instructions, which
 * count in RCX, RSI or RDI. But CPUID without an advance exits with its results, which may include
 * RCX, as the next leaf. So the exits need not all be the same: it is a stall if they come back to
 * one of them (Brent's algorithm). And a loop around an instruction that an extension lets pass
 * most of the time, as it samples accesses to a page, runs for long in between.
 */
#ifndef MK_STALL_H
#define MK_STALL_H

#include <abi/types.h>

#include "pp.h"

#define STALL_SAMPLE 1024

/* The mean time in the guest that does not look like progress. */
#define STALL_LONGEST_ENTRY_NS 1000000

/*
 * The vendors call these for a watched exit, before its callback, and a watched entry, before
 * anything is injected that the extension has not asked for. name is that of the exit; NULL: it is
 * one that may come back, as the guest waits, or has been interrupted. event: one is delivered.
 */
void stall_exit(struct pp *pp, struct vs *vs, const struct stall_exit *exit, const char *name);
void stall_entry(struct pp *pp, const struct vs *vs, uint64_t rip, bool event);

#endif
