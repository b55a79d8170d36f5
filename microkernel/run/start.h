/* SPDX-License-Identifier: GPL-2.0-only */
/* The steps of a PP's start that a syscall (wait) continues. */
#ifndef MK_START_H
#define MK_START_H

#include <abi/types.h>
#include <bsl/compiler.h>

struct pp;

/* _start of the extension, or, when there is none of this id, on to the bootstrap. */
__noreturn void start_ext(struct pp *pp, uint16_t extid);

/* The bootstrap callback for this PP. */
__noreturn void pp_bootstrap(struct pp *pp);

#endif
