/* SPDX-License-Identifier: GPL-2.0-only */
/* The instruction that exited, read through the page tables of the guest. */
#ifndef MK_SVM_FETCH_H
#define MK_SVM_FETCH_H

#include "pp.h"
#include "svm/decode.h"

struct vmcb;

/*
 * The bytes at the guest's RIP, as many as can be read, and the address behind the instruction that
 * they are; false: not, or not any more, the one that exited.
 */
size_t svm_fetch(const struct vmcb *vmcb, uint8_t bytes[DECODE_MAX_LENGTH]);
enum decode_mode svm_decode_mode(const struct vmcb *vmcb);
bool svm_next_rip(const struct vmcb *vmcb, uint64_t *next);

/*
 * The 8 bytes of the guest's memory at the linear address la; false: they are not mapped, or not
 * memory, or on two pages.
 */
bool svm_read_guest(const struct vmcb *vmcb, uint64_t la, uint64_t *value);

/* The page that the guest executed last may be another one under other nested tables. */
static inline void svm_forget_code(struct pp *pp)
{
	pp->svm.code.page = ~(uint64_t)0;
}

#endif
