// SPDX-License-Identifier: GPL-2.0-only
#include "test/ext/lib/verify.h"

uint32_t verify_passed, verify_failed;

bool verify(bool ok, const char *file, int line, const char *what)
{
	__atomic_add_fetch(ok ? &verify_passed : &verify_failed, 1, __ATOMIC_RELAXED);
	if (!ok)
		ext_print("verify: %s:%d: PP %u: %s\n", file, line, (unsigned int)mk1_tls_ppid(),
			  what);
	return ok;
}

bool verify_status(uint64_t status, uint64_t wanted, const char *file, int line, const char *what)
{
	if (status != wanted)
		ext_print("verify: 0x%llx, not 0x%llx\n", (unsigned long long)status,
			  (unsigned long long)wanted);
	return verify(status == wanted, file, line, what);
}

void verify_answer(void)
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
