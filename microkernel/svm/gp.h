/* SPDX-License-Identifier: GPL-2.0-only */
/* #GP, which exits on SVM to be turned into what a CPU without a hypervisor raises. */
#ifndef MK_SVM_GP_H
#define MK_SVM_GP_H

#include <abi/types.h>

struct vs;

/* false: the exit is the extension's, as a shutdown if that is what the #GP has become. */
bool svm_handle_gp(struct vs *vs);

#endif
