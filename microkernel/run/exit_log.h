/* SPDX-License-Identifier: GPL-2.0-only */
/* The last exits of each PP, which exit_count() in exit.h writes. */
#ifndef MK_EXIT_LOG_H
#define MK_EXIT_LOG_H

#include <abi/types.h>

#include "pp.h"

/* Gives a PP that comes in a log; false: no memory. */
bool exit_log_init(struct pp *pp);

/*
 * Prints the last exits of any PP, up to MK_EXIT_LOG_ENTRIES, oldest first; false: no such PP has
 * been here.
 */
bool exit_log_dump(uint32_t ppid, unsigned int count);

#endif
