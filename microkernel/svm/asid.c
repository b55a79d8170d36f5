// SPDX-License-Identifier: GPL-2.0-only
#include "svm/asid.h"

#include <bsl/string.h>

#include "svm/svm.h"

void svm_own_asid(struct pp *pp, struct vs *vs)
{
	struct vmcb *vmcb = vmcb_of(vs);
	uint64_t *owner = &pp->svm.asid_owners[vmcb->asid % SVM_NR_ASID_OWNERS];

	if (*owner == vs->svm.tag)
		return;
	*owner = vs->svm.tag;
	pp->flush_due = true;
	vmcb->clean = 0; /* it may have run elsewhere (APM vol. 2 §15.15.2) */
}

void svm_disown_asids(struct pp *pp)
{
	bsl_memset(pp->svm.asid_owners, 0, sizeof(pp->svm.asid_owners));
}

void svm_drop_translations(struct vs *vs)
{
	static uint64_t last;

	vs->svm.tag = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
	if (this_pp()->vs == vs)
		svm_own_asid(this_pp(), vs);
}

bool svm_claim_root_asid(uint32_t asid)
{
	uint32_t chosen = 0;

	return !svm.has_invlpgb ||
	       __atomic_compare_exchange_n(&svm.root_asid, &chosen, asid, false, __ATOMIC_RELAXED,
					   __ATOMIC_RELAXED) ||
	       chosen == asid;
}
