// SPDX-License-Identifier: GPL-2.0-only
/* Nested paging (APM vol. 2 §15.25), and the TLB. */
#include <abi/mk2.h>
#include <bsl/paging.h>

#include "mk.h"
#include "svm/asid.h"
#include "svm/fetch.h"
#include "svm/nested.h"
#include "svm/svm.h"
#include "vendor.h"

uint64_t svm_root_np_control(void)
{
	return (mk.root_npt ? SVM_NP_ENABLE : 0) | (svm.has_invlpgb ? SVM_INVLPGB_ENABLE : 0);
}

bool svm_has_nested(void)
{
	return svm.has_np;
}

bool svm_nested_has_page(uint64_t size)
{
	return size < (1ULL << 30) || svm.has_1g_pages;
}

/* Memory types need nothing here: the CPU combines the guest's PAT with the MTRRs (§15.25.8). */
bool svm_nested_type(uint64_t spa, uint64_t size, uint64_t *attr)
{
	(void)spa;
	(void)size;
	*attr = 0;
	return true;
}

/* A page that is there can be read (§15.25.5). */
bool svm_view_has(uint64_t flags)
{
	return !flags || flags & MK2_NESTED_R;
}

/* The TLB knows ASIDs, but not nested tables (§15.16). */
void svm_view_use(struct vs *vs, uint64_t root)
{
	struct vmcb *vmcb = vmcb_of(vs);

	svm_forget_code(this_pp());
	vmcb->n_cr3 = root;
	vmcb->clean = 0;
	svm_drop_translations(vs);
}

/* To a nested table every access is one of user mode (§15.25.5). */
const struct guest_bits svm_guest_bits = {
	.always = BSL_PTE_P | BSL_PTE_U,
	.write = BSL_PTE_W,
	.no_execute = BSL_PTE_NX,
	.accessed = BSL_PTE_A,
	.dirty = BSL_PTE_D,
};

/* What these bits choose from root mode's PAT is combined with the guest's (§15.25.8). */
bool svm_guest_leaf(uint64_t spa, uint64_t size, uint64_t flags, uint64_t *attr)
{
	uint64_t type = flags & MK2_NESTED_TYPE;

	if (!svm_nested_has_page(size))
		return false;
	(void)svm_nested_type(spa, size, attr);
	if (type == MK2_NESTED_UC)
		*attr |= BSL_PTE_UC;
	else if (type == MK2_NESTED_WT)
		*attr |= SVM_NPT_WT;
	return true;
}

bool svm_guest_has_dirty(void)
{
	return true; /* every nested table has it (§15.25.6) */
}

bool svm_guest_attach(struct vs *vs, uint64_t root)
{
	struct vmcb *vmcb = vmcb_of(vs);

	svm_forget_code(this_pp());
	vmcb->n_cr3 = root;
	vmcb->np_control |= SVM_NP_ENABLE;
	vmcb->clean = 0;
	svm_drop_translations(vs);
	return true;
}

void svm_guest_forget(struct pp *pp)
{
	svm_forget_code(pp);
	pp->flush_due = true;
}

void svm_tlb_flush_gla(struct vs *vs, uint64_t gla)
{
	__asm__ volatile("invlpga %%rax, %%ecx" : : "a"(gla), "c"(vmcb_of(vs)->asid) : "memory");
}

void svm_tlb_flush_all(struct vs *vs)
{
	/* The other VSs see to it when they become active. */
	svm_disown_asids(this_pp());
	if (vs) {
		svm_own_asid(this_pp(), vs);
		vmcb_of(vs)->tlb_control = SVM_TLB_FLUSH_ALL;
	}
}
