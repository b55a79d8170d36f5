// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory, read through the guest's page table and the nested one, for CPUs that do not say how
 * long the instruction was that exited.
 */
#include <bsl/bits.h>
#include <bsl/tables.h>
#include <bsl/string.h>

#include "../decode.h"
#include "../intrinsics.h"
#include "../mem.h"
#include "svm.h"

#define VMCB_ATTRIB_L 0x200 /* 64-bit code */
#define VMCB_ATTRIB_D 0x400 /* 32-bit code */

/* The page of physical memory at spa, until the next call; NULL when reading could do harm. */
static const void *temp_map(uint64_t spa)
{
	struct pp *pp = this_pp();
	uint64_t *pt = window(pp->handoff.area_pt);

	if (!mem_is_ram(spa) || mem_is_owned(spa))
		return NULL;
	pt[bsl_table_index(BF_PP_TEMP, 1)] = spa | PTE_P | PTE_NX | PTE_A;
	invlpg(BF_PP_TEMP);
	return (const void *)BF_PP_TEMP;
}

/*
 * The nested table is walked in the window when it is the microkernel's own, and through the temporary
 * mapping otherwise.
 */
static bool nested_walk(const struct vmcb *vmcb, uint64_t gpa, uint64_t *spa)
{
	uint64_t table = vmcb->n_cr3 & PTE_ADDR;

	if (!(vmcb->np_control & SVM_NP_ENABLE)) {
		*spa = gpa;
		return true;
	}
	if (gpa >> 48)
		return false;
	for (unsigned int level = 4;; level--) {
		uint64_t size = BSL_LEVEL_SIZE(level);
		const uint64_t *t = mem_is_owned(table) ? window(table) : temp_map(table);
		uint64_t entry = t ? t[bsl_table_index(gpa, level)] : 0;

		if (!(entry & PTE_P))
			return false;
		if (level == 1 || (level < 4 && entry & PTE_LEAF)) {
			*spa = (entry & PTE_ADDR & ~(size - 1)) | (gpa & (size - 1));
			return true;
		}
		table = entry & PTE_ADDR;
	}
}

static bool read_guest(const struct vmcb *vmcb, uint64_t gpa, void *to, size_t size)
{
	uint64_t spa;
	const uint8_t *page;

	if (!nested_walk(vmcb, gpa, &spa))
		return false;
	page = temp_map(spa & ~(uint64_t)BF_PAGE_MASK);
	if (!page)
		return false;
	bsl_memcpy(to, page + (spa & BF_PAGE_MASK), size);
	return true;
}

/* The shape of the guest's paging (APM vol. 2 §5): levels, entry size and index width. */
struct guest_paging {
	unsigned int levels;
	unsigned int entry_size;
	unsigned int index_bits;
};

static struct guest_paging paging_of(const struct vmcb *vmcb)
{
	if (!(vmcb->cr0 & CR0_PG))
		return (struct guest_paging){ 0, 0, 0 };
	if (vmcb->efer & EFER_LMA)
		return (struct guest_paging){ vmcb->cr4 & CR4_LA57 ? 5 : 4, 8, 9 };
	if (vmcb->cr4 & CR4_PAE)
		return (struct guest_paging){ 3, 8, 9 };
	return (struct guest_paging){ 2, 4, 10 };
}

static bool translate(const struct vmcb *vmcb, uint64_t la, uint64_t *gpa)
{
	struct guest_paging p = paging_of(vmcb);
	uint64_t table = vmcb->cr3 & (p.levels == 3 ? 0xFFFFFFE0 : PTE_ADDR);

	if (!p.levels) {
		*gpa = la;
		return true;
	}
	for (unsigned int level = p.levels; level > 0; level--) {
		unsigned int shift = 12 + p.index_bits * (level - 1);
		uint64_t index = bsl_field_get(la, shift, p.index_bits), entry = 0;

		if (!read_guest(vmcb, table + index * p.entry_size, &entry, p.entry_size) ||
		    !(entry & PTE_P))
			return false;
		if (level == 1 || (entry & PTE_LEAF && level <= 3 && p.levels != level)) {
			*gpa = (entry & PTE_ADDR & ~bsl_mask(shift)) | (la & bsl_mask(shift));
			return true;
		}
		table = entry & PTE_ADDR;
	}
	return false;
}

static bool is_long_mode(const struct vmcb *vmcb)
{
	return vmcb->efer & EFER_LMA && vmcb->cs.attrib & VMCB_ATTRIB_L;
}

size_t svm_fetch(const struct vmcb *vmcb, uint8_t bytes[DECODE_MAX_LENGTH])
{
	uint64_t la = is_long_mode(vmcb) ? vmcb->rip : (uint32_t)(vmcb->cs.base + vmcb->rip);
	size_t have = 0;

	while (have < DECODE_MAX_LENGTH) {
		uint64_t at = la + have, gpa;
		size_t n = BF_PAGE_SIZE - (at & BF_PAGE_MASK);

		if (n > DECODE_MAX_LENGTH - have)
			n = DECODE_MAX_LENGTH - have;
		if (!translate(vmcb, at, &gpa) || !read_guest(vmcb, gpa, bytes + have, n))
			break;
		have += n;
	}
	return have;
}

bool svm_next_rip(const struct vmcb *vmcb, uint64_t *next)
{
	enum decode_mode mode = is_long_mode(vmcb)		 ? DECODE_64 :
				vmcb->cs.attrib & VMCB_ATTRIB_D ? DECODE_32 :
								 DECODE_16;
	uint8_t bytes[DECODE_MAX_LENGTH];
	unsigned int length = decode_length(bytes, svm_fetch(vmcb, bytes), mode);

	*next = vmcb->rip + length;
	if (mode != DECODE_64)
		*next = (uint32_t)*next;
	return length != 0;
}
