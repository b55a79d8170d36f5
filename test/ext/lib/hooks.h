/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The default extension with hooks: a test extension is linked with hooks.c, which has ext_start,
 * and defines ext_hooks. A member that is NULL stands for none.
 */
#ifndef TEST_EXT_HOOKS_H
#define TEST_EXT_HOOKS_H

#include <abi/mk1_regs_amd.h>
#include <abi/mk1_regs_intel.h>
#include <ext/linux/linux.h>

struct ext_hooks {
	int (*start)(uint64_t specs); /* first of all; anything but 0 ends the start */
	int (*started)(void); /* last of all in ext_start; the same */
	mk1_bootstrap_fn *bootstrap; /* on every PP, before it becomes a guest */
	mk1_vmexit_fn *vmexit; /* in every exit, before it is handled */
	/* The fail callback; without it there is none: the microkernel says what happened. */
	mk1_fail_fn *fail;
	/* Whether to register 'b'ootstrap, 'v'mexit, 'f'ail; without it all that there are. */
	bool (*registers)(char which);
};

extern const struct ext_hooks ext_hooks;

extern bool is_svm; /* the vendor of this CPU: from the start on */

/* What is registered: the hook, then the default extension's callback. */
mk1_bootstrap_fn hooked_bootstrap;
mk1_vmexit_fn hooked_vmexit;

#endif
