/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Length of an x86 instruction: for CPUs whose SVM has no next-RIP save (APM vol. 2 §15.7.1). Such
 * CPUs are AMD's, so where vendors differ (a near branch with an operand-size prefix in 64-bit
 * mode) the answer is AMD's (APM vol. 3 §1.2.2).
 */
#ifndef MICROKERNEL_DECODE_H
#define MICROKERNEL_DECODE_H

#include <abi/types.h>

#define DECODE_MAX_LENGTH 15

/* The default operand and address size: CS.L and CS.D of the code segment. */
enum decode_mode { DECODE_16, DECODE_32, DECODE_64 };

/*
 * The length, 1..15, of the instruction that starts at bytes, of which avail may be read. 0: it
 * does not end within avail bytes, is longer than 15 bytes, or its opcode does not exist in this
 * mode. Operands are not checked: an instruction that has a length may still raise #UD.
 */
unsigned int decode_length(const uint8_t *bytes, size_t avail, enum decode_mode mode);

/* How many prefixes stand in front of the opcode: avail if there is no more than those. */
unsigned int decode_prefixes(const uint8_t *bytes, size_t avail, enum decode_mode mode);

#endif
