/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether a guest gets on: what run/stall.c looks at. */
#ifndef MK_SVM_STALL_H
#define MK_SVM_STALL_H

#include <abi/types.h>
#include <bsl/compiler.h>

struct pp;
struct vs;

__cold noinline void svm_watch_exit(struct pp *pp, struct vs *vs);
__cold noinline void svm_watch_entry(struct pp *pp, const struct vs *vs);

#endif
