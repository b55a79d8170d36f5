/* SPDX-License-Identifier: GPL-2.0-only */
/* What vm.c and vm_cxx.cc share. */
#ifndef TEST_EXT_VM_H
#define TEST_EXT_VM_H

#ifdef __cplusplus
extern "C" {
#endif

#include <test/ext/lib/verify.h>

/* The VM in C++ goes on: "more", or "done" after its last exit. */
const char *cxx_go(void);

/* VMs whose objects come and go, and what is refused. */
void cxx_many(void);

#ifdef __cplusplus
}
#endif

#endif
