/* SPDX-License-Identifier: MIT */
/*
 * The shape of page tables in each mode that a guest may have chosen (APM vol. 2 §5, SDM vol. 3
 * chapter 5), for those who walk them.
 */
#ifndef BSL_GUEST_PAGING_H
#define BSL_GUEST_PAGING_H

#include <abi/hw/x86.h>
#include <bsl/bits.h>
#include <bsl/paging.h>

struct bsl_guest_paging {
	unsigned int levels; /* 2: 32-bit paging, 3: PAE, 4, 5; 0: paging is off */
	unsigned int entry_size; /* bytes */
	unsigned int index_bits; /* of an address, a level */
	bool page_size_extension; /* CR4.PSE */
};

static inline struct bsl_guest_paging bsl_guest_paging_of(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	struct bsl_guest_paging p = { 0, 0, 0, (cr4 & CR4_PSE) != 0 };

	if (!(cr0 & CR0_PG))
		return p;
	p.entry_size = 8;
	p.index_bits = 9;
	if (efer & EFER_LMA) {
		p.levels = cr4 & CR4_LA57 ? 5 : 4;
	} else if (cr4 & CR4_PAE) {
		p.levels = 3;
	} else {
		p.levels = 2;
		p.entry_size = 4;
		p.index_bits = 10;
	}
	return p;
}

/* Where the uppermost table is, which with PAE has only four entries. */
static inline uint64_t bsl_guest_root(const struct bsl_guest_paging *p, uint64_t cr3)
{
	return cr3 & (p->levels == 3 ? 0xFFFFFFE0 : BSL_PTE_SPA);
}

/* An entry of this level spans so many bytes, as a power of 2. */
static inline unsigned int bsl_guest_shift(const struct bsl_guest_paging *p, unsigned int level)
{
	return 12 + p->index_bits * (level - 1);
}

/* Where the entry for la is in the table of this level that begins at table. */
static inline uint64_t bsl_guest_entry(const struct bsl_guest_paging *p, uint64_t table,
				       unsigned int level, uint64_t la)
{
	return table + bsl_field_get(la, bsl_guest_shift(p, level), p->index_bits) * p->entry_size;
}

/*
 * Whether an entry of this level maps memory: then its base is *base. The PS bit is reserved in the
 * uppermost level, but for the page directory of 32-bit paging, where CR4.PSE enables 4 MiB pages
 * with bits 39:32 of their address in bits 20:13 (APM vol. 2 §5.2.2).
 */
static inline bool bsl_guest_leaf(const struct bsl_guest_paging *p, unsigned int level,
				  uint64_t entry, uint64_t *base)
{
	*base = entry & BSL_PTE_SPA;
	if (level > 1 && !(entry & BSL_PTE_PS))
		return false;
	if (p->levels == 2 && level == 2) {
		*base = (entry & 0xFFC00000) | bsl_field_get(entry, 13, 8) << 32;
		return p->page_size_extension;
	}
	*base &= ~bsl_mask(bsl_guest_shift(p, level));
	return level == 1 || (level <= 3 && level != p->levels);
}

#endif
