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

static uint32_t verify_passed, verify_failed;

#define VERIFY(condition) verify(condition, __FILE__, __LINE__, #condition)
/* The call answers with this status. */
#define VERIFY_STATUS(call, wanted) verify_status(call, wanted, __FILE__, __LINE__, #call)

static inline bool verify(bool ok, const char *file, int line, const char *what)
{
	__atomic_add_fetch(ok ? &verify_passed : &verify_failed, 1, __ATOMIC_RELAXED);
	if (!ok)
		ext_print("verify: %s:%d: PP %u: %s\n", file, line, (unsigned int)mk1_tls_ppid(),
			  what);
	return ok;
}

static inline bool verify_status(uint64_t status, uint64_t wanted, const char *file, int line,
				 const char *what)
{
	if (status != wanted)
		ext_print("verify: 0x%llx, not 0x%llx\n", (unsigned long long)status,
			  (unsigned long long)wanted);
	return verify(status == wanted, file, line, what);
}

/* Call this first in the vmexit hook: it comes back unless the exit asks for the verdict. */
static inline void verify_answer(void)
{
	if ((uint32_t)mk1_rax() != VERIFY_LEAF)
		return;
	mk1_set_rax(__atomic_load_n(&verify_passed, __ATOMIC_RELAXED));
	mk1_set_rbx(__atomic_load_n(&verify_failed, __ATOMIC_RELAXED));
	mk1_set_rcx(0);
	mk1_set_rdx(0);
	mk1_vs_advance_ip_and_run_current(MK1_HANDLE);
	ext_exit();
}

#endif
