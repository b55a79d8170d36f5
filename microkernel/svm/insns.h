/* SPDX-License-Identifier: GPL-2.0-only */
/* Which instructions exit with which code. */
#ifndef MK_SVM_INSNS_H
#define MK_SVM_INSNS_H

#include <abi/types.h>

struct vmcb;

/*
 * Whether the exit can have been one of the instruction whose opcode, the first of n bytes, this
 * is. Exits that belong to no instruction fit all of them.
 */
bool svm_insn_fits(const struct vmcb *vmcb, const uint8_t *bytes, size_t n);

#endif
