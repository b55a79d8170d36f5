/* SPDX-License-Identifier: MIT */
/* What the files of the SVM side share. */
#ifndef EXT_LINUX_SVM_H
#define EXT_LINUX_SVM_H

#include <ext/linux/linux.h>

/* svm_init.c: what an INIT, and the start-up IPI after it, do to a CPU, done to the VS. */
void svm_startup(uint64_t vsid, uint64_t vector);

#endif
