/* SPDX-License-Identifier: GPL-2.0-only */
/* The VMCB of a VS. */
#ifndef MK_SVM_VS_H
#define MK_SVM_VS_H

#include <abi/cpu_state.h>
#include <abi/errors.h>
#include <abi/types.h>

struct vs;

bool svm_vs_init(struct vs *vs);
void svm_vs_fini(struct vs *vs);
enum bf_error svm_vs_init_as_root(struct vs *vs, const struct bf_cpu_state *state);
void svm_vs_capture(struct vs *vs, struct bf_cpu_state *state);
void svm_vs_xsetbv_exits(struct vs *vs);
void svm_vs_clear(struct vs *vs);
bool svm_vs_load(struct vs *vs);
void svm_vs_unload(struct vs *vs);
unsigned int svm_vs_cpl(const struct vs *vs);
void svm_vs_dump(struct vs *vs);

#endif
