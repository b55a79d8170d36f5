/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest that has no extension any more. */
#ifndef MK_SVM_FALLBACK_H
#define MK_SVM_FALLBACK_H

#include <abi/types.h>

struct vs;

/* Nothing exits any more but what SVM forces to. */
void svm_fallback_init(struct vs *vs);
/* Handles an exit that nobody else has handled. */
void svm_fallback_exit(struct vs *vs);

#endif
