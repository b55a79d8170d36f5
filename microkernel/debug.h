/* SPDX-License-Identifier: GPL-2.0-only */
/* Debug output: the ring that Linux reads and, when asked for, a serial port. */
#ifndef MK_DEBUG_H
#define MK_DEBUG_H

#include <abi/types.h>

/* Takes the ring and the port of the handoff. */
void debug_init(void);

/*
 * Writes length bytes, on a new line if another writer has left its own unfinished. A writer is the
 * microkernel or an extension on one PP, as a number. Never from an NMI handler: it takes a lock.
 */
void debug_write(uint32_t writer, const char *text, size_t length);

#define DEBUG_WRITER(ppid, ext) ((uint32_t)(ppid) << 16 | (uint16_t)(ext))
#define DEBUG_WRITER_EXT(writer) ((uint16_t)(writer)) /* MK1_INVALID_ID: the microkernel */

/* Formatted as bsl_format does, at most 255 bytes. */
void mk_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
