// SPDX-License-Identifier: GPL-2.0-only
/* Nested paging (APM vol. 2 §15.25), and the TLB. */
#include "mk.h"
#include "svm/asid.h"
#include "svm/nested.h"
#include "svm/svm.h"

uint64_t svm_root_np_control(void)
{
	return (mk.root_npt ? SVM_NP_ENABLE : 0) | (svm.has_invlpgb ? SVM_INVLPGB_ENABLE : 0);
}

bool svm_has_nested(void)
{
	return svm.has_np;
}

/* Memory types need nothing here: the CPU combines the guest's PAT with the MTRRs (§15.25.8). */
bool svm_nested_leaf(uint64_t spa, uint64_t size, uint64_t *attr)
{
	(void)spa;
	*attr = 0;
	return size < (1ULL << 30) || svm.has_1g_pages;
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
