// SPDX-License-Identifier: MIT
/* Translation through a guest's page tables: see paging.h. */
#include <bsl/guest_paging.h>
#include <ext/libext/paging.h>

#define MAX_LEVELS 5

/* PDPTEs of PAE have no rights: bits 2:1 and 8:5 are reserved (SDM vol. 3, "PDPTE Registers"). */
#define PAE_PDPTE_RESERVED 0x1E6
/* What QEMU's SVM sets of them, and accepts: the walk must find what it has found. */
#define PAE_PDPTE_QEMU 0x20
#define BIT_8 0x100

/* The entries on the way to a page. */
struct walk {
	struct bsl_guest_paging shape;
	unsigned int count; /* of those that have accessed bits */
	uint64_t gpa[MAX_LEVELS];
	uint64_t entry[MAX_LEVELS];
	uint64_t granted; /* BSL_PTE_W and BSL_PTE_U if all entries have them */
	uint64_t denied; /* BSL_PTE_NX if one has it */
	uint64_t base; /* of the page */
	unsigned int shift; /* its size, as a power of 2 */
};

/* The bits that must be 0 in an entry (SDM vol. 3, tables of the formats of entries). */
static uint64_t reserved_bits(const struct paging_regs *regs, const struct bsl_guest_paging *p,
			      unsigned int level, bool leaf)
{
	uint64_t too_high = ~bsl_mask(regs->physical_bits), reserved;

	if (p->levels == 2) {
		/* Bits 20:13 of a large page are bits 39:32 of its address. */
		return leaf && level == 2 ? BSL_BIT(21) | bsl_field_get(too_high, 32, 8) << 13 : 0;
	}
	if (p->levels == 3 && level == 3)
		return too_high |
		       (regs->is_amd ? PAE_PDPTE_RESERVED & ~PAE_PDPTE_QEMU : PAE_PDPTE_RESERVED);
	reserved = too_high & (p->levels == 3 ? ~BSL_PTE_NX : BSL_PTE_SPA);
	if (!(regs->efer & EFER_NXE))
		reserved |= BSL_PTE_NX;
	if (leaf)
		/* The address is aligned, and bit 12 is the PAT's. */
		return reserved | (bsl_mask(bsl_guest_shift(p, level)) & ~bsl_mask(13));
	if (level < 3)
		return reserved;
	return reserved | BSL_PTE_PS | (regs->is_amd ? BIT_8 : 0);
}

/* A leaf, unless the guest's CPU has none that large. */
static bool is_leaf(const struct paging_regs *regs, const struct bsl_guest_paging *p,
		    unsigned int level, uint64_t entry, uint64_t *base)
{
	return bsl_guest_leaf(p, level, entry, base) && (level < 3 || regs->has_1gib_pages);
}

static enum paging_status fault(unsigned int access, uint32_t reason, uint32_t *error)
{
	*error = reason | (access & (PF_ERROR_W | PF_ERROR_U | PF_ERROR_I));
	return PAGING_FAULT;
}

/* Goes down to the page. */
static enum paging_status walk_down(const struct paging_regs *regs, const struct paging_ops *ops,
				    void *ctx, uint64_t la, unsigned int access, struct walk *w,
				    uint32_t *error)
{
	const struct bsl_guest_paging *p = &w->shape;
	uint64_t table = bsl_guest_root(p, regs->cr3);

	for (unsigned int level = p->levels;; level--) {
		uint64_t gpa = bsl_guest_entry(p, table, level, la), entry;
		bool pdpte = p->levels == 3 && level == 3, leaf;

		if (pdpte && regs->pdptes)
			entry = regs->pdptes[bsl_field_get(la, 30, 2)];
		else if (!ops->read(ctx, gpa, p->entry_size, &entry))
			return PAGING_UNREACHABLE;
		if (!(entry & BSL_PTE_P))
			return fault(access, 0, error);
		leaf = is_leaf(regs, p, level, entry, &w->base);
		if (entry & reserved_bits(regs, p, level, leaf))
			return fault(access, PF_ERROR_P | PF_ERROR_RSV, error);
		if (!pdpte) {
			w->gpa[w->count] = gpa;
			w->entry[w->count++] = entry;
			w->granted &= entry;
			w->denied |= entry & BSL_PTE_NX;
		}
		if (leaf) {
			w->shift = bsl_guest_shift(p, level);
			return PAGING_OK;
		}
		table = entry & BSL_PTE_SPA;
	}
}

/* Whether the page's protection key forbids the access (SDM vol. 3, "Protection Keys"). */
static bool key_forbids(const struct paging_regs *regs, const struct walk *w, unsigned int access)
{
	bool user_page = w->granted & BSL_PTE_U;
	uint32_t rights = user_page ? regs->pkru : regs->pkrs;

	if (w->shape.levels < 4 || access & PAGING_FETCH ||
	    !(regs->cr4 & (user_page ? CR4_PKE : CR4_PKS)))
		return false;
	rights >>= 2 * bsl_field_get(w->entry[w->count - 1], 59, 4);
	if (rights & 1) /* AD: no access */
		return true;
	return rights & 2 && access & PAGING_WRITE && /* WD: no write */
	       (access & PAGING_USER || regs->cr0 & CR0_WP);
}

/* Whether the entries forbid the access (SDM vol. 3, "Determination of Access Rights"). */
static bool is_forbidden(const struct paging_regs *regs, const struct walk *w, unsigned int access)
{
	bool user_page = w->granted & BSL_PTE_U;

	if (access & PAGING_FETCH && w->denied)
		return true;
	if (access & PAGING_USER)
		return !user_page || (access & PAGING_WRITE && !(w->granted & BSL_PTE_W));
	if (access & PAGING_WRITE && !(w->granted & BSL_PTE_W) && regs->cr0 & CR0_WP)
		return true;
	if (!user_page)
		return false;
	if (access & PAGING_FETCH)
		return regs->cr4 & CR4_SMEP;
	return regs->cr4 & CR4_SMAP && (access & PAGING_IMPLICIT || !(regs->rflags & RFLAGS_AC));
}

/* Sets accessed bits from the root on, and the dirty bit of the page. */
static enum paging_status mark(const struct paging_ops *ops, void *ctx, struct walk *w,
			       unsigned int access)
{
	for (unsigned int i = 0; i < w->count; i++) {
		bool dirty = access & PAGING_WRITE && i == w->count - 1 &&
			     (!(access & PAGING_ANY) || w->granted & BSL_PTE_W);
		uint64_t value = w->entry[i] | BSL_PTE_A | (dirty ? BSL_PTE_D : 0);
		enum paging_status status = PAGING_OK;

		if (value != w->entry[i])
			status = ops->exchange(ctx, w->gpa[i], w->shape.entry_size, w->entry[i],
					       value);
		if (status != PAGING_OK)
			return status;
	}
	return PAGING_OK;
}

enum paging_status paging_translate(const struct paging_regs *regs, const struct paging_ops *ops,
				    void *ctx, uint64_t la, unsigned int access, uint64_t *gpa,
				    uint32_t *error)
{
	struct walk w = {
		.shape = bsl_guest_paging_of(regs->cr0, regs->cr4, regs->efer),
		.granted = BSL_PTE_W | BSL_PTE_U,
	};
	/* The error code tells fetches apart only where some can be forbidden. */
	unsigned int told = regs->cr4 & CR4_SMEP || (w.shape.levels > 2 && regs->efer & EFER_NXE) ?
				    access :
				    access & ~(unsigned int)PAGING_FETCH;
	enum paging_status status;
	bool key;

	if (!w.shape.levels) {
		*gpa = la;
		return PAGING_OK;
	}
	status = walk_down(regs, ops, ctx, la, told, &w, error);
	if (status != PAGING_OK)
		return status;
	key = key_forbids(regs, &w, access);
	if (!(access & PAGING_ANY) && (key || is_forbidden(regs, &w, access)))
		return fault(told, PF_ERROR_P | (key ? PF_ERROR_PK : 0), error);
	if (ops->exchange)
		status = mark(ops, ctx, &w, access);
	*gpa = w.base | (la & bsl_mask(w.shift));
	return status;
}
