/* SPDX-License-Identifier: GPL-2.0-only */
/* What Linux writes to its local APIC, and that it does not do so unseen: svm/startup.h. */
#ifndef MK_SVM_APIC_H
#define MK_SVM_APIC_H

#include <abi/types.h>

struct vmcb;
struct vs;

/* What Linux's VS always intercepts: the first word, with what the extension wants of it. */
uint32_t svm_root_intercepts(uint32_t wanted);

/* Its permission map, for which spa is wanted: the MSRs that are seen to here exit. */
uint64_t svm_root_msrpm(uint64_t spa);

/* Whether a nested page fault was about a write to the page of local APICs. */
bool svm_hits_apic(const struct vmcb *vmcb);

/*
 * A write to the page of local APICs, which a nested page fault was about; or to an MSR. false: it
 * is not seen to here.
 */
bool svm_write_apic(struct vs *vs);
bool svm_write_apic_msr(struct vs *vs, uint32_t msr);

#endif
