/* SPDX-License-Identifier: MIT */
/* Several extensions with hooks: follow.c. */
#ifndef EXT_LINUX_FOLLOW_H
#define EXT_LINUX_FOLLOW_H

#include <ext/libext/frame.h>

/* --- of the first extension, which treats Linux ---------------------------------------------- */

/* From now on others can join. Without Mk#2 they cannot. */
void follow_lead(uint64_t specs);

/*
 * Finds out what those that have joined want, before the first CPU runs Linux. false, after a
 * message: one of them wants what cannot be.
 */
bool follow_prepare(void);

/* Again, once Linux runs: what those watch that may change it then. */
void follow_ask_again(void);

/* Their hooks: false if none of them says that it is its; cpu_in: if one of them refuses. */
bool follow_cpu_in(uint64_t vsid);
bool follow_exit(struct ext_exit *e);
bool follow_cpuid(struct ext_exit *e, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *regs);
bool follow_rdmsr(struct ext_exit *e, uint32_t msr, uint64_t *value);
bool follow_wrmsr(struct ext_exit *e, uint32_t msr, uint64_t value);
bool follow_fault(struct ext_exit *e, const struct ext_fault *fault);
bool follow_io(struct ext_exit *e, const struct ext_io *io, uint32_t *value);
bool follow_cr(struct ext_exit *e, const struct ext_cr *cr);
bool follow_dr(struct ext_exit *e, const struct ext_dr *dr, uint64_t *value);
bool follow_hypercall(struct ext_exit *e, struct ext_hypercall *hypercall);
bool follow_exception(struct ext_exit *e, const struct ext_exception *exception);
void follow_cpu_out(uint64_t vsid);

/* --- of those after it ------------------------------------------------------------------------ */

/* Instead of the callbacks, which another extension has. false, after a message: it cannot be. */
bool follow_start(uint64_t specs);
bool follow_is_one(void);

/* Keeps what the first one will ask for. false, after a message: too many. */
bool follow_wants_msr(uint32_t msr, unsigned int access);
bool follow_wants_io(uint32_t first, uint32_t count);
void follow_wants_registers(unsigned int crs, unsigned int drs, uint32_t vectors);

#endif
