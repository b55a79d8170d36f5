/* SPDX-License-Identifier: GPL-2.0-only */
/* Nested paging (APM vol. 2 §15.25), and the TLB. */
#ifndef MK_SVM_NESTED_H
#define MK_SVM_NESTED_H

#include <abi/types.h>

struct guest_bits;
struct pp;
struct vs;

bool svm_has_nested(void);
bool svm_nested_has_page(uint64_t size);
bool svm_nested_type(uint64_t spa, uint64_t size, uint64_t *attr);
/* 090h for a VS that holds Linux: what Linux uses is there, and the hypervisor is not. */
uint64_t svm_root_np_control(void);

bool svm_view_has(uint64_t flags);
void svm_view_use(struct vs *vs, uint64_t root);

extern const struct guest_bits svm_guest_bits;
bool svm_guest_leaf(uint64_t spa, uint64_t size, uint64_t flags, uint64_t *attr);
bool svm_guest_has_dirty(void);
bool svm_guest_attach(struct vs *vs, uint64_t root);
void svm_guest_forget(struct pp *pp);

void svm_tlb_flush_gla(struct vs *vs, uint64_t gla);
void svm_tlb_flush_all(struct vs *vs);

#endif
