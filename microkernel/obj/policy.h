/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an extension may do: rights to groups of calls (abi/loader.h), and to the objects that a
 * call names. What an extension can always do is in ext->may, and the dispatch of syscalls tests
 * nothing else; all other calls are decided here.
 */
#ifndef MK_POLICY_H
#define MK_POLICY_H

#include <abi/types.h>

#include "arch/trap.h"
#include "obj/ext.h"

/* Once, on PP 0, after exts_init. */
void policy_init(void);

/* The handle of this specification is open from now on, or closed. */
void policy_open(struct ext *ext, enum spec spec, bool open);

/* The extension has ended: it can make no call any more. */
void policy_end(struct ext *ext);

/* Whether ext, the one of this PP, may make the call with these arguments. */
bool policy_allows(const struct ext *ext, enum spec spec, unsigned int number,
		   const struct syscall_frame *f);

/*
 * To be called before an allowed call of an extension that has no right to Linux's VM: Linux may
 * run by it, and then its hypercall is answered.
 */
void policy_note_run(enum spec spec, unsigned int number, const struct syscall_frame *f);

#endif
