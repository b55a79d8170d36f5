/* SPDX-License-Identifier: GPL-2.0-only */
/* The hypervisor below this machine, if Linux runs in a virtual one. */
#ifndef BF_CORE_OUTER_H
#define BF_CORE_OUTER_H

#include <abi/errors.h>
#include <abi/handoff.h>

/* By CPUID on this CPU; *flags receives BF_OUTER_FLUSHES or 0. */
enum bf_outer bf_outer_detect(uint32_t *flags);

/* OK, or why the hypervisor cannot work above this one. */
enum bf_error bf_outer_check(enum bf_outer outer);

#endif
