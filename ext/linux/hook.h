/* SPDX-License-Identifier: MIT */
/* Hidden breakpoints, for the files of this folder: ext/libext/hook.h is for everybody. */
#ifndef EXT_LINUX_HOOK_H
#define EXT_LINUX_HOOK_H

#include <ext/libext/hook.h>

/* An access to watched memory. true: it is about a page with hooks, and e says what Linux does. */
bool hooked_fault(struct ext_exit *e, const struct ext_fault *fault);

/*
 * INT3. true: it is a hook's, whose function has been called, and e says what Linux does. false:
 * Linux takes it, as it has one of its own, perhaps in the same place.
 */
bool hooked_breakpoint(struct ext_exit *e);

/* A step is over: Linux may have written to a page with hooks, and is in none of them now. */
void hooked_stepped(void);

#endif
