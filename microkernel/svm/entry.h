/* SPDX-License-Identifier: GPL-2.0-only */
/* entry.S: the world switch, and where it goes on. */
#ifndef MK_SVM_ENTRY_H
#define MK_SVM_ENTRY_H

#include <abi/types.h>
#include <bsl/compiler.h>

/* VMRUN of the VMCB at spa. */
__noreturn void svm_enter(uint64_t spa);

/* exit.c: on the PP's stack, with the general registers but RAX in the ABI page. */
__noreturn void svm_exit(void);

#endif
