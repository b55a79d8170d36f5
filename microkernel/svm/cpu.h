/* SPDX-License-Identifier: GPL-2.0-only */
/* What the CPUs offer, and SVM on and off. */
#ifndef MK_SVM_CPU_H
#define MK_SVM_CPU_H

#include <abi/errors.h>
#include <abi/types.h>

struct pp;

void svm_probe(void);
enum bf_error svm_cpu_enable(struct pp *pp);
void svm_cpu_disable(struct pp *pp);
void svm_set_host(struct pp *pp, uint64_t cr3, uint64_t fs_base);

#endif
