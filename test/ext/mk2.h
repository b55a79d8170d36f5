/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What test/kselftest/src/mk2.c asks the extension test/ext/mk2.c for: a CPUID with EAX =
 * MK2_TEST_LEAF and ECX one of these.
 */
#ifndef TEST_EXT_MK2_H
#define TEST_EXT_MK2_H

#define MK2_TEST_LEAF 0x40005F22

/*
 * A syscall with RAX = RBX and REG0 to REG5 = RDX, RSI, RDI, R8, R9, R10. Results: RAX the status,
 * RBX and RDX what is in REG0 and REG1 then.
 */
#define MK2_TEST_CALL 0
/*
 * Runs VS RDI of VM RDX and VP RSI. RAX: the reason of the exit that ends it; an interrupt does so
 * only once MK2_TEST_STOP has been asked for. RBX: RIP then; RDX: the guest-physical address that
 * is not mapped so.
 */
#define MK2_TEST_RUN 1
/* Ends the run on PP RDX: RAX the status of the kick. */
#define MK2_TEST_STOP 2
/* RAX: the address of a page of the extension's. */
#define MK2_TEST_BUFFER 3
/* RAX: its word number RDX, which becomes RSI with MK2_TEST_PUT. */
#define MK2_TEST_GET 4
#define MK2_TEST_PUT 5

#endif
