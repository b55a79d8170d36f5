/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What test/kselftest/caller asks the extension test/ext/beside.c for: a hypercall with RAX =
 * BESIDE_CALL + one of these, and arguments in RDX and RSI. The answer is BESIDE_CALL in RAX, and
 * values in RDX and RSI.
 */
#ifndef TEST_EXT_BESIDE_H
#define TEST_EXT_BESIDE_H

#define BESIDE_CALL 0x4265736900000000
#define BESIDE_LAST (BESIDE_CALL + 0xFF)

#define BESIDE_INFO 0 /* -> RDX its number from 0 on, RSI the PP */
#define BESIDE_MAKE \
	1 /* RDX: physical address of BESIDE_PAGES pages, a guest's memory -> RDX status */
/* The guest runs on this CPU, from RIP = RDX on, or where it was for BESIDE_GO_ON. -> RDX ... */
#define BESIDE_RUN 2
#define BESIDE_FAULT 3
#define BESIDE_LOOP 4
#define BESIDE_FAULT_IN_EXIT 5 /* RUN, and the first exit that ends a run faults */
#define BESIDE_LOOP_IN_EXIT 6
#define BESIDE_DENIED \
	7 /* makes calls without rights -> RDX how many were not refused, RSI of how many */
#define BESIDE_MAP 8 /* RDX: physical address of a page that is not for guests -> RDX status */

#define BESIDE_ACROSS 9 /* calls extension 0 with RDX, 2, 3, 4 -> RDX status, RSI first result */

/* test/ext/across.c; what it asks the entry of this extension for: */
#define ACROSS_LEAF 0x4000AC05
#define ACROSS_ADD 0 /* the sum, and the other three arguments */
#define ACROSS_FAULT 1
#define ACROSS_LOOP 2
#define ACROSS_BACK 3 /* calls back, which is refused: the first result is the status */

#define BESIDE_GO_ON (~0ULL)

/* What has ended a run. */
#define BESIDE_HALTED 1
#define BESIDE_INTERRUPTED 2 /* Linux has something to do */
#define BESIDE_OTHER 3 /* RSI: the reason */

/* The guest's memory, from guest-physical 0 on. */
#define BESIDE_PAGES 8
#define BESIDE_PAGE_CODE 4
#define BESIDE_PAGE_DATA 5 /* its first word is a counter */

/* Its code: one that counts once and halts, and one that counts for ever. */
#define BESIDE_RIP_ONCE 0x4000
#define BESIDE_RIP_EVER 0x4100

#endif
