/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The default extension with hooks: a test extension includes this once and defines, before that,
 * the ones that it wants as macros naming a function.
 *
 *   AROUND_START      int (uint64_t specs)       first of all; anything but 0 ends the start
 *   AROUND_STARTED    int (void)                 last of all in _start; the same
 *   AROUND_BOOTSTRAP  void (uint64_t ppid)       on every PP, before it becomes a guest
 *   AROUND_VMEXIT     void (uint64_t vsid, uint64_t reason)   in every exit, before it is handled
 *   AROUND_FAIL       mk1_fail_fn                the fail callback; without it there is none, and
 *                                                the microkernel itself says what happened
 *   AROUND_REGISTER   bool (char)                whether to register 'b'ootstrap, 'v'mexit, 'f'ail
 */
#ifndef TEST_EXT_AROUND_H
#define TEST_EXT_AROUND_H

#include <ext/libext/libext.h>

static uint64_t register_bootstrap(uint64_t h, mk1_bootstrap_fn *fn);
static uint64_t register_vmexit(uint64_t h, mk1_vmexit_fn *fn);
static uint64_t register_fail(uint64_t h, mk1_fail_fn *fn);

#define mk1_register_bootstrap register_bootstrap
#define mk1_register_vmexit register_vmexit
#define mk1_register_fail register_fail
int default_start(uint64_t specs);
#define ext_start default_start
#include <ext/default/main.c>
#undef mk1_register_bootstrap
#undef mk1_register_vmexit
#undef mk1_register_fail
#undef ext_start

static mk1_bootstrap_fn *default_bootstrap;
static mk1_vmexit_fn *default_vmexit;

#ifndef AROUND_REGISTER
#define AROUND_REGISTER(which) true
#endif

static void around_bootstrap(uint64_t ppid)
{
#ifdef AROUND_BOOTSTRAP
	AROUND_BOOTSTRAP(ppid);
#endif
	default_bootstrap(ppid);
}

static void around_vmexit(uint64_t vsid, uint64_t reason)
{
#ifdef AROUND_VMEXIT
	AROUND_VMEXIT(vsid, reason);
#endif
	default_vmexit(vsid, reason);
}

static uint64_t register_bootstrap(uint64_t h, mk1_bootstrap_fn *fn)
{
	default_bootstrap = fn;
	if (!AROUND_REGISTER('b'))
		return MK1_SUCCESS;
	return mk1_callback_register_bootstrap(h, (uint64_t)around_bootstrap);
}

static uint64_t register_vmexit(uint64_t h, mk1_vmexit_fn *fn)
{
	default_vmexit = fn;
	if (!AROUND_REGISTER('v'))
		return MK1_SUCCESS;
	return mk1_callback_register_vmexit(h, (uint64_t)around_vmexit);
}

static uint64_t register_fail(uint64_t h, mk1_fail_fn *fn)
{
	(void)fn;
#ifdef AROUND_FAIL
	if (AROUND_REGISTER('f'))
		return mk1_callback_register_fail(h, (uint64_t)AROUND_FAIL);
#else
	(void)h;
#endif
	return MK1_SUCCESS;
}

int ext_start(uint64_t specs)
{
#ifdef AROUND_START
	if (AROUND_START(specs))
		return 1;
#endif
	if (default_start(specs))
		return 1;
#ifdef AROUND_STARTED
	return AROUND_STARTED();
#else
	return 0;
#endif
}

#endif
