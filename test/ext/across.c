// SPDX-License-Identifier: GPL-2.0-only
/*
 * The default extension, which is called by another one (beside.c), and calls it: a CPUID with EAX
 * = ACROSS_LEAF has it call the entry of extension 1 with ECX, 2, 3 and 4. The answer: EAX whether
 * all was as it should be (1), EBX the status of the call in short, ECX its first result.
 */
#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>
#include <ext/libext/mk2_sys.h>

#include "test/kselftest/caller/beside.h"

#include "test/ext/lib/hooks.h"
#include "test/ext/lib/verify.h"

#define KEPT(n) (0x1111111111111111 * (n))

/* What a function preserves is preserved, and each register of the VS that is active. */
static uint64_t call(uint64_t *args)
{
	uint64_t status = MK2_RAX(MK2_OP_EXT, 1), reg0 = MK2_HANDLE, reg1 = 1, reg2 = args[0];
	uint64_t rbx = KEPT(1), vs_rbp = mk1_rbp(), vs_r15 = mk1_r15();
	register uint64_t r10 __asm__("r10") = args[1];
	register uint64_t r8 __asm__("r8") = args[2];
	register uint64_t r9 __asm__("r9") = args[3];
	register uint64_t r12 __asm__("r12") = KEPT(2);
	register uint64_t r13 __asm__("r13") = KEPT(3);
	register uint64_t r14 __asm__("r14") = KEPT(4);
	register uint64_t r15 __asm__("r15") = KEPT(5);

	__asm__ volatile("syscall"
			 : "+a"(status), "+D"(reg0), "+S"(reg1), "+d"(reg2), "+r"(r10), "+b"(rbx),
			   "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15), "+r"(r8), "+r"(r9)
			 :
			 : "rcx", "r11", "cc", "memory");
	args[0] = reg0;
	args[1] = reg1;
	args[2] = reg2;
	args[3] = r10;
	VERIFY(rbx == KEPT(1) && r12 == KEPT(2) && r13 == KEPT(3) && r14 == KEPT(4) &&
	       r15 == KEPT(5));
	VERIFY(mk1_rbp() == vs_rbp && mk1_r15() == vs_r15);
	return status;
}

/* By the other extension: the registers of the active VS are not to be seen. */
static void in_entry(uint64_t caller, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	VERIFY(caller == 1 && mk1_rax() == 0);
	VERIFY_STATUS(mk1_vs_run_current(MK1_HANDLE), MK1_FAILURE_UNKNOWN);
	mk2_ext_reply(MK2_HANDLE, a + b + c + d, a, b, c);
	VERIFY(false);
}

static int in_started(void)
{
	uint64_t handle;

	VERIFY_STATUS(mk1_handle_open_handle(MK2_SPEC_ID, &handle), MK1_SUCCESS);
	VERIFY_STATUS(mk2_ext_set_entry(MK2_HANDLE, (uint64_t)in_entry), MK1_SUCCESS);
	return 0;
}

static void in_vmexit(uint64_t vsid, uint64_t reason)
{
	uint64_t args[4] = { (uint32_t)mk1_rcx(), 2, 3, 4 };
	uint32_t failed = verify_failed;
	uint64_t status;

	verify_answer();
	if (reason != (is_svm ? (uint64_t)SVM_EXIT_CPUID : (uint64_t)VMX_EXIT_CPUID) ||
	    (uint32_t)mk1_rax() != ACROSS_LEAF)
		return;
	status = call(args);
	if (status == MK1_SUCCESS)
		VERIFY(args[1] == 2 && args[2] == 3 && args[3] == 4);
	mk1_set_rax(verify_failed == failed);
	mk1_set_rbx((uint32_t)(status >> 16 | status));
	mk1_set_rcx(status == MK1_SUCCESS ? args[0] : 0);
	resume_next(vsid);
}

const struct ext_hooks ext_hooks = {
	.started = in_started,
	.vmexit = in_vmexit,
};
