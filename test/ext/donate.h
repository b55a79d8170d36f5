/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What test/kselftest/src/donate.c asks the extension test/ext/donate.c for: a CPUID with EAX =
 * DONATE_LEAF and ECX one of these.
 */
#ifndef TEST_EXT_DONATE_H
#define TEST_EXT_DONATE_H

#define DONATE_LEAF 0x4000D0A7

/* mem_donate of RSI bytes at RDX: RAX the status. */
#define DONATE_GIVE 0
/* mem_return of what begins at RDX: RAX the status, RBX the size. */
#define DONATE_RETURN 1
/*
 * Takes all pages of the pool, and writes to them: RAX how many, RBX how many words of them were
 * not 0.
 */
#define DONATE_TAKE 2
/* RAX: how many of the pages taken lie in the RSI bytes at RDX. */
#define DONATE_COUNT 3
/* Gives all of them back. */
#define DONATE_FREE 4
/* RAX: the address of a page of the hypervisor's. */
#define DONATE_POOL_PAGE 5
/* RAX: which of the RSI pages from RDX on is the first one of the debug ring, 0: none. */
#define DONATE_FIND_RING 6

#endif
