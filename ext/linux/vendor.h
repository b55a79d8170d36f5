/* SPDX-License-Identifier: MIT */
/*
 * What differs between the vendors. start prepares what all PPs share, setup the controls of a root
 * VS that has Linux's state already; both return false, after a message, when this machine cannot
 * do it.
 */
#ifndef EXT_LINUX_VENDOR_H
#define EXT_LINUX_VENDOR_H

#include <ext/libext/libext.h>

bool svm_start(void);
bool svm_setup(uint64_t vsid);
mk1_vmexit_fn svm_vmexit;

bool vmx_start(void);
bool vmx_setup(uint64_t vsid);
mk1_vmexit_fn vmx_vmexit;

#endif
