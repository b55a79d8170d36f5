/* SPDX-License-Identifier: MIT */
/* Results and flags of arithmetic, logic and bit tests, for the emulator (emulate.h). */
#ifndef LIBEXT_ALU_H
#define LIBEXT_ALU_H

#include <ext/libext/insn.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Computes op (INSN_ADD to INSN_BTC) on operands of size bytes (1, 2, 4 or 8), zero-extended, and
 * changes the flags in *rflags. Returns the result; for INSN_CMP, INSN_TEST and INSN_BT it is dst.
 * Flags that the manuals call undefined: AF is 0 after logic, a bit test changes CF alone.
 */
uint64_t alu_compute(enum insn_op op, unsigned int size, uint64_t dst, uint64_t src,
		     uint64_t *rflags);

#ifdef __cplusplus
}
#endif

#endif
