/* SPDX-License-Identifier: MIT */
/*
 * Calls that this microkernel has in addition to Mk#1: docs/abi/calling.md. Their signature is one
 * of their own, so that Mk#1 stays as it is, and a microkernel without them answers
 * MK1_FAILURE_UNSUPPORTED, as it does any signature that it does not know.
 */
#ifndef BF_ABI_EXT_CALLS_H
#define BF_ABI_EXT_CALLS_H

#include <abi/types.h>

/*
 * RAX of ext_more_time: "bf" in bits 63:48, call 0. REG0: ns by which this callback may take longer
 * than the watchdog's limit. MK1_SUCCESS, or INVALID_INPUT_REG0: more than BF_MORE_TIME_MAX_NS in
 * all.
 */
#define BF_CALL_MORE_TIME 0x6662000000000000

#define BF_MORE_TIME_MAX_NS 10000000000ULL

#endif
