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

/* Exits by these control registers, and by all debug registers if there are any: access_set. */
void vmx_watch_access(uint64_t vsid, unsigned int crs, unsigned int drs, bool on);

/* Sets bits in the permission map (EXT_MSR_READ, EXT_MSR_WRITE); false: there are none for it. */
bool svm_intercept_msr(uint32_t msr, unsigned int access);
bool vmx_intercept_msr(uint32_t msr, unsigned int access);

/* An MSR as Linux is to see it; false: it takes #GP. */
bool svm_read_msr(uint64_t vsid, uint32_t msr, uint64_t *value);
bool svm_write_msr(uint64_t vsid, uint32_t msr, uint64_t value);
bool vmx_read_msr(uint64_t vsid, uint32_t msr, uint64_t *value);
bool vmx_write_msr(uint64_t vsid, uint32_t msr, uint64_t value);

#endif
