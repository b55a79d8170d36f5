/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Checks made in ring 3, counted over all PPs. Whoever runs the test asks for the verdict with
 * CPUID, EAX = VERIFY_LEAF: the extension answers in its exit (verify_answer) with EAX = how many
 * held and EBX = how many did not. Those are in the debug ring with file and line.
 */
#ifndef TEST_EXT_VERIFY_H
#define TEST_EXT_VERIFY_H

#include <ext/libext/libext.h>

#define VERIFY_LEAF 0x4000F00D

extern uint32_t verify_passed, verify_failed;

#define VERIFY(condition) verify(condition, __FILE__, __LINE__, #condition)
/* The call answers with this status. */
#define VERIFY_STATUS(call, wanted) verify_status(call, wanted, __FILE__, __LINE__, #call)

bool verify(bool ok, const char *file, int line, const char *what);
bool verify_status(uint64_t status, uint64_t wanted, const char *file, int line, const char *what);

/* Call this first in the vmexit hook: it comes back unless the exit asks for the verdict. */
void verify_answer(void);

#endif
