/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A call of one extension into another, on the same PP: ext_call and ext_reply of Mk#2. What is
 * called has its own address space and stack, and gets registers, but not those of the active VS.
 * It makes no such call itself.
 */
#ifndef MK_CROSS_H
#define MK_CROSS_H

#include <abi/types.h>
#include <bsl/compiler.h>

struct ext;
struct pp;

#define CROSS_WORDS 4 /* of arguments, and of results */

/* Calls the entry of callee, and returns the call's status; the results are in pp->crossing. */
uint64_t cross_call(struct pp *pp, struct ext *callee, const uint64_t *args);

/* Goes back to the caller, with the call's status. */
__noreturn void cross_return(struct pp *pp, uint64_t status);

#endif
