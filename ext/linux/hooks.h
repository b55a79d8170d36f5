/* SPDX-License-Identifier: MIT */
/*
 * Where exits meet the hooks of ext/libext/frame.h: those of this extension, then those of others
 * (follow.h). Each returns false if nobody says that it is his.
 */
#ifndef EXT_LINUX_HOOKS_H
#define EXT_LINUX_HOOKS_H

#include <ext/libext/frame.h>

extern const struct ext_ops *hooks; /* of this extension; never NULL */

bool hook_exit(struct ext_exit *e);
bool hook_cpuid(struct ext_exit *e, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *regs);
bool hook_rdmsr(struct ext_exit *e, uint32_t msr);
bool hook_wrmsr(struct ext_exit *e, uint32_t msr, uint64_t value);

void hook_cpu_out(uint64_t vsid);
/* delivering: it was part of the delivery of an event, which no fault can take the place of. */
void hook_memory(struct ext_exit *e, const struct ext_fault *fault, bool delivering);

/*
 * A hook of all exits has answered one that interrupted the delivery of an event, by a nested fault
 * or an exception. The event is delivered, with nothing watched if the hook does not say how else
 * it gets through: no instruction was being executed that could fault, or be left out.
 */
void hook_delivers(struct ext_exit *e, bool nested_fault);
/* If nobody answers it, e says that Linux executes it itself. */
void hook_io(struct ext_exit *e, const struct ext_io *io);

/* Whether hypercalls exit on AMD, too, where that has to be asked for. */
extern bool hooks_hypercalls;

/* VMCALL or VMMCALL: if nobody answers it, e says #UD. */
void hook_hypercall(struct ext_exit *e);

/* false: it is Linux's. */
bool hook_exception(struct ext_exit *e, const struct ext_exception *exception);

/* false: Linux is to execute it itself. */
bool hook_cr(struct ext_exit *e, const struct ext_cr *cr);
bool hook_dr(struct ext_exit *e, const struct ext_dr *dr, uint64_t *value);

/*
 * Whether exits that somebody is to be asked about, or that may end a step, can be CPUID's: all
 * take the longer way then.
 */
extern bool hooks_see_all;

/*
 * Somebody changes what is watched while Linux runs (live.h); written in ext_start and in the first
 * bootstrap, then only read.
 */
extern bool hooks_live;

/*
 * hook.c: what has changed of hidden breakpoints is so on this PP: they exit. Its view is the
 * caller's to change.
 */
void hook_apply(uint64_t vsid);

static inline void hooks_see_all_now(void)
{
	__atomic_store_n(&hooks_see_all, true, __ATOMIC_RELEASE);
}

#endif
