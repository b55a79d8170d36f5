/* SPDX-License-Identifier: MIT */
/*
 * INS and OUTS in the terms of the emulator: INS is STOS of what the port gives in place of rAX,
 * OUTS is LODS of what the port gets. Addresses, segments, repetition and faults are the same.
 */
#ifndef EXT_GUESTS_INSN_IO_H
#define EXT_GUESTS_INSN_IO_H

#include <abi/types.h>

/*
 * Makes STOS of INS, LODS of OUTS, in place. false: these bytes, of which avail are known, are
 * neither, and are as they were.
 */
bool insn_io_replace(uint8_t *bytes, size_t avail, bool code_64);

/*
 * How many elements of size bytes INS can take at once: of those that are left as many as lie in
 * the page of gpa from there on, and in limit bytes. One at least.
 */
unsigned int insn_io_count(uint64_t gpa, unsigned int size, uint64_t left, unsigned int limit);

#endif
