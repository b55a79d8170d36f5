/* SPDX-License-Identifier: GPL-2.0-only */
/* Into the guest: VMRUN, and what may have to be done before it. */
#ifndef MK_SVM_RUN_H
#define MK_SVM_RUN_H

#include <bsl/compiler.h>

#include "mem/tlb.h"
#include "pp.h"
#include "svm/entry.h"
#include "svm/svm.h"

__noreturn void svm_vs_run(struct vs *vs);
/* Last of all before VMRUN, with GIF clear: what pp->before_entry says. May not come back. */
__cold noinline void svm_before_entry(struct pp *pp, struct vs *vs);
/* Or an NMI first: tlb.h. */
__cold noinline __noreturn void svm_run_kicked(struct pp *pp, struct vs *vs);
/* An exit without an entry before it, with GIF clear; info is EXITINFO1. */
__noreturn void svm_exit_at_once(struct pp *pp, struct vs *vs, uint64_t code, uint64_t info);
/* What an exit changes of a VMCB. */
void svm_copy_vmcb(void *to, const void *from);

/* Into the guest. From here on NMIs wait for it: VMRUN sets GIF. */
static __always_inline __noreturn void svm_run(struct pp *pp, struct vs *vs)
{
	clgi();
	vmcb_of(vs)->rax = abi_gprs()[BF_RAX];
	if (unlikely(!tlb_enter_guest(pp)))
		svm_run_kicked(pp, vs);
	if (unlikely(pp->before_entry))
		svm_before_entry(pp, vs);
	svm_enter(vs->block_spa);
}

#endif
