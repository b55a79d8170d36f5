// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory, read through the guest's page table and the nested one, for CPUs that do not say
 * how long the instruction was that exited.
 */
#include <bsl/bits.h>
#include <bsl/guest_paging.h>
#include <bsl/paging.h>
#include <bsl/string.h>

#include "arch/intrinsics.h"
#include "mem/mem.h"
#include "mem/view.h"
#include "mk.h"
#include "obj/objects.h"
#include "obj/peek.h"
#include "svm/fetch.h"
#include "svm/insns.h"
#include "svm/svm.h"

/* The slots: the code page, the guest's page tables by level. */
#define SLOT_CODE 0
BF_STATIC_ASSERT(MK_TEMP_TABLE > 5 && MK_TEMP_APIC > MK_TEMP_TABLE &&
			 MK_TEMP_APIC < BF_PP_TEMP_SLOTS,
		 "5 levels of page tables lie between");

/*
 * The nested table is walked in the window when it is the microkernel's own; where an extension's
 * leads is not known. That of another VM than Linux's changes meanwhile.
 */
static bool nested_walk(const struct vmcb *vmcb, uint64_t gpa, uint64_t *spa)
{
	const struct vs *vs = this_pp()->vs;
	bool own = vmcb->n_cr3 == mk.root_npt || view_is_one(vmcb->n_cr3);
	uint64_t table = own ? mk.root_npt : vmcb->n_cr3 & BSL_PTE_SPA;
	unsigned int level = own ? mk.nested_levels : 4;

	if (!(vmcb->np_control & SVM_NP_ENABLE)) {
		*spa = gpa;
		return true;
	}
	if (vs && vs->block == vmcb && vs->nested)
		return guest_nested_walk(&vm_find(vs->vmid)->nested, gpa, spa);
	if (gpa >> (12 + 9 * level))
		return false;
	if (!own && mk.nested_levels == 5) {
		/* What the extension gave is below a level of ours: regs.c. */
		if (!table)
			return false;
		table = *(const uint64_t *)phys_to_virt(table) & BSL_PTE_SPA;
	}
	for (;; level--) {
		/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): 1 to 5 */
		uint64_t size = BSL_LEVEL_SIZE(level);
		const uint64_t *t = own ? phys_to_virt(table) : peek_page(MK_TEMP_TABLE, table);
		uint64_t entry = t ? t[bsl_pt_index(gpa, level)] : 0;

		if (!(entry & BSL_PTE_P))
			return false;
		if (level == 1 || (level < 4 && entry & BSL_PTE_PS)) {
			*spa = (entry & BSL_PTE_SPA & ~(size - 1)) | (gpa & (size - 1));
			return true;
		}
		table = entry & BSL_PTE_SPA;
	}
}

/* Guest physical memory at gpa, up to the end of the page, in a slot. */
static const void *guest_page(const struct vmcb *vmcb, uint64_t gpa, unsigned int slot)
{
	uint64_t spa;
	const uint8_t *page;

	if (!nested_walk(vmcb, gpa, &spa))
		return NULL;
	page = peek_page(slot, spa & ~(uint64_t)BF_PAGE_MASK);
	return page ? page + (spa & BF_PAGE_MASK) : NULL;
}

/* Walks the guest's tables for la; each table stays mapped in the slot of its level. */
static bool translate(const struct vmcb *vmcb, uint64_t la, uint64_t *gpa, struct code_window *w)
{
	struct bsl_guest_paging p = bsl_guest_paging_of(vmcb->cr0, vmcb->cr4, vmcb->efer);
	uint64_t table = bsl_guest_root(&p, vmcb->cr3);

	w->levels = 0;
	if (!p.levels) {
		*gpa = la;
		return true;
	}
	for (unsigned int level = p.levels;; level--) {
		uint64_t entry = 0, base;
		const void *at = guest_page(vmcb, bsl_guest_entry(&p, table, level, la), level);

		if (!at)
			return false;
		bsl_memcpy(&entry, at, p.entry_size);
		if (!(entry & BSL_PTE_P))
			return false;
		if (p.levels >= 4) {
			w->entry[w->levels] = at;
			w->value[w->levels++] = entry;
		}
		if (bsl_guest_leaf(&p, level, entry, &base)) {
			*gpa = base | (la & bsl_mask(bsl_guest_shift(&p, level)));
			return true;
		}
		table = entry & BSL_PTE_SPA;
	}
}

static bool is_long_mode(const struct vmcb *vmcb)
{
	return vmcb->efer & EFER_LMA && vmcb->cs.attrib & SEG_ATTRIB_L;
}

size_t svm_fetch(const struct vmcb *vmcb, uint8_t bytes[DECODE_MAX_LENGTH])
{
	uint64_t la = is_long_mode(vmcb) ? vmcb->rip : (uint32_t)(vmcb->cs.base + vmcb->rip);
	struct code_window *w = &this_pp()->svm.code;
	size_t have = 0;

	w->page = ~(uint64_t)0;
	while (have < DECODE_MAX_LENGTH) {
		uint64_t at = la + have, gpa;
		size_t n = BF_PAGE_SIZE - (at & BF_PAGE_MASK);
		const void *code;

		if (n > DECODE_MAX_LENGTH - have)
			n = DECODE_MAX_LENGTH - have;
		code = translate(vmcb, at, &gpa, w) ? guest_page(vmcb, gpa, SLOT_CODE) : NULL;
		if (!code)
			return have;
		bsl_memcpy(bytes + have, code, n);
		have += n;
	}
	/* Worth remembering if it is one page, reached through tables that we can look at again. */
	if (w->levels && is_long_mode(vmcb) && (la & BF_PAGE_MASK) + have <= BF_PAGE_SIZE &&
	    (vmcb->n_cr3 == mk.root_npt || !(vmcb->np_control & SVM_NP_ENABLE))) {
		w->page = la >> BF_PAGE_SHIFT;
		w->cr3 = vmcb->cr3;
		w->efer = vmcb->efer;
		w->cs_attrib = vmcb->cs.attrib;
	}
	return have;
}

size_t svm_code(struct pp *pp, const struct vmcb *vmcb, uint8_t bytes[DECODE_MAX_LENGTH])
{
	uint64_t offset = vmcb->rip & BF_PAGE_MASK;

	if (svm.has_decode_assists && vmcb->nr_insn_bytes) {
		bsl_memcpy(bytes, vmcb->insn_bytes, DECODE_MAX_LENGTH);
		return vmcb->nr_insn_bytes & 0xF;
	}
	if (offset > BF_PAGE_SIZE - DECODE_MAX_LENGTH || !svm_code_is_at_hand(pp, vmcb, vmcb->rip))
		return svm_fetch(vmcb, bytes);
	bsl_memcpy(bytes, (const void *)(BF_PP_TEMP + offset), DECODE_MAX_LENGTH);
	return DECODE_MAX_LENGTH;
}

bool svm_read_guest(const struct vmcb *vmcb, uint64_t la, uint64_t *value)
{
	const void *at;
	uint64_t gpa;

	svm_forget_code(this_pp()); /* whose slots these are */
	if ((la & BF_PAGE_MASK) > BF_PAGE_SIZE - sizeof(*value) ||
	    !translate(vmcb, la, &gpa, &this_pp()->svm.code))
		return false;
	at = guest_page(vmcb, gpa, SLOT_CODE);
	if (at)
		bsl_memcpy(value, at, sizeof(*value));
	return at;
}

enum decode_mode svm_decode_mode(const struct vmcb *vmcb)
{
	if (is_long_mode(vmcb))
		return DECODE_64;
	return vmcb->cs.attrib & SEG_ATTRIB_DB ? DECODE_32 : DECODE_16;
}

bool svm_next_rip(const struct vmcb *vmcb, uint64_t *next)
{
	enum decode_mode mode = svm_decode_mode(vmcb);
	uint8_t bytes[DECODE_MAX_LENGTH];
	size_t n = svm_fetch(vmcb, bytes);
	unsigned int length = decode_length(bytes, n, mode);
	unsigned int prefixes = decode_prefixes(bytes, n, mode);

	if (!length || !svm_insn_fits(vmcb, bytes + prefixes, length - prefixes))
		return false;
	*next = vmcb->rip + length;
	if (mode != DECODE_64)
		*next = (uint32_t)*next;
	return true;
}
