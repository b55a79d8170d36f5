/* SPDX-License-Identifier: GPL-2.0-only */
/* The instruction that exited, read through the page tables of the guest. */
#ifndef MK_SVM_FETCH_H
#define MK_SVM_FETCH_H

#include <abi/hw/svm.h>

#include "pp.h"
#include "svm/decode.h"

/*
 * The bytes at the guest's RIP, as many as can be read, and the address behind the instruction that
 * they are; false: not, or not any more, the one that exited.
 */
size_t svm_fetch(const struct vmcb *vmcb, uint8_t bytes[DECODE_MAX_LENGTH]);

/* Whether the page at rip is the one that svm_fetch read last, in the slot of SLOT_CODE. */
static __always_inline bool svm_code_is_at_hand(const struct pp *pp, const struct vmcb *vmcb,
						uint64_t rip)
{
	const struct code_window *w = &pp->svm.code;

	if (w->page != rip >> BF_PAGE_SHIFT || w->cr3 != vmcb->cr3 || w->efer != vmcb->efer ||
	    w->cs_attrib != vmcb->cs.attrib)
		return false;
	for (unsigned int i = 0; i < w->levels; i++) {
		if (*w->entry[i] != w->value[i])
			return false;
	}
	return true;
}

/* As svm_fetch, after a nested page fault, of which the CPU may tell the bytes (§15.8.4). */
size_t svm_code(struct pp *pp, const struct vmcb *vmcb, uint8_t bytes[DECODE_MAX_LENGTH]);

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
