/* SPDX-License-Identifier: GPL-2.0-only */
/* The channels: rings of records from extensions to Linux, see abi/channel.h. */
#ifndef MK_CHANNEL_H
#define MK_CHANNEL_H

#include <abi/types.h>

struct pp;

/* All are empty. Called once, on PP 0. */
void channels_init(void);

/*
 * Adds a record of the active extension's with size bytes at va, 1 to MK2_EMIT_MAX. A lossless one
 * takes the place of none that has not been consumed: BUSY, and it is counted as dropped. Any other
 * takes that of the oldest. INVALID_INPUT_REG1: another PP has unmapped the memory meanwhile.
 * *number is that of the record.
 */
uint64_t channel_emit(struct pp *pp, uint64_t va, uint64_t size, bool lossless, uint64_t *number);

#endif
