// SPDX-License-Identifier: GPL-2.0-only
/*
 * The default extension, with both handles open, which does for a process of Linux what mk2.h says:
 * it makes the calls of Mk#1 and Mk#2, and runs guests. What is tested is in that process, whose
 * memory is the guests': test/kselftest/src/mk2.c.
 */
#include "test/ext/mk2.h"

#include <abi/handoff.h>
#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>
#include <ext/libext/mk2_sys.h>

#include "test/ext/lib/hooks.h"
#include "test/ext/lib/verify.h"

static uint64_t buffer[BF_PAGE_SIZE / 8] __attribute__((aligned(BF_PAGE_SIZE)));

/* By PP: the run of a guest, if there is one, and the VS that asked for it. */
static struct run {
	bool runs;
	bool stop; /* by another PP */
	uint64_t vsid;
	uint64_t linux_vpid, linux_vsid;
} pps[BF_MAX_PPS];

static uint64_t reg(uint64_t amd, uint64_t intel)
{
	return is_svm ? amd : intel;
}

static int in_started(void)
{
	uint64_t handle;

	VERIFY_STATUS(mk1_handle_open_handle(MK2_SPEC_ID, &handle), MK1_SUCCESS);
	VERIFY(handle == MK2_HANDLE);
	return 0;
}

/* What is asked for is in the registers of Linux, which are the active ones. */
static void call(void)
{
	uint64_t rax = mk1_rbx(), reg0 = mk1_rdx(), reg1 = mk1_rsi(), reg2 = mk1_rdi();
	uint64_t reg3 = mk1_r8(), reg4 = mk1_r9(), reg5 = mk1_r10();
	register uint64_t r10 __asm__("r10") = reg3;
	register uint64_t r8 __asm__("r8") = reg4;
	register uint64_t r9 __asm__("r9") = reg5;

	__asm__ volatile("syscall"
			 : "+a"(rax), "+D"(reg0), "+S"(reg1)
			 : "d"(reg2), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "cc", "memory");
	mk1_set_rax(rax);
	mk1_set_rbx(reg0);
	mk1_set_rdx(reg1);
}

/* Linux has something to do; its CPUID is executed again, and goes on with the guest. */
static __noreturn void let_linux_run(struct run *run)
{
	VERIFY_STATUS(
		mk1_vs_set_active(MK1_HANDLE, MK1_ROOT_VMID, run->linux_vpid, run->linux_vsid),
		MK1_SUCCESS);
	resume(run->linux_vsid);
}

static __noreturn void end_run(struct run *run, uint64_t reason)
{
	uint64_t rip = vs_get(run->vsid, reg(MK1_AMD_rip, MK1_INTEL_rip));
	uint64_t gpa = vs_get(run->vsid, reg(MK1_AMD_exitinfo2, MK1_INTEL_physical_address));

	run->runs = false;
	VERIFY_STATUS(
		mk1_vs_set_active(MK1_HANDLE, MK1_ROOT_VMID, run->linux_vpid, run->linux_vsid),
		MK1_SUCCESS);
	mk1_set_rax(reason);
	mk1_set_rbx(rip);
	mk1_set_rdx(gpa);
	resume_next(run->linux_vsid);
}

static void on_guest_exit(struct run *run, uint64_t reason)
{
	if (reason == reg(SVM_EXIT_INTR, VMX_EXIT_EXTERNAL_INTERRUPT) &&
	    !__atomic_exchange_n(&run->stop, false, __ATOMIC_ACQ_REL))
		let_linux_run(run);
	end_run(run, reason);
}

static void start_run(struct run *run)
{
	run->linux_vpid = mk1_tls_vpid();
	run->linux_vsid = mk1_tls_vsid();
	run->vsid = mk1_rdi();
	run->runs = true;
	mk1_set_rax(mk1_vs_run(MK1_HANDLE, mk1_rdx(), mk1_rsi(), mk1_rdi()));
	run->runs = false;
}

static void stop(uint64_t ppid)
{
	__atomic_store_n(&pps[ppid % BF_MAX_PPS].stop, true, __ATOMIC_RELEASE);
	mk1_set_rax(mk2_pp_kick(MK2_HANDLE, ppid));
}

static void in_vmexit(uint64_t vsid, uint64_t reason)
{
	struct run *run = &pps[mk1_tls_ppid() % BF_MAX_PPS];
	uint64_t *word = &buffer[mk1_rdx() % (BF_PAGE_SIZE / 8)];

	if (run->runs && vsid == run->vsid)
		on_guest_exit(run, reason);
	verify_answer();
	if (reason != reg(SVM_EXIT_CPUID, VMX_EXIT_CPUID) || (uint32_t)mk1_rax() != MK2_TEST_LEAF)
		return;
	switch ((uint32_t)mk1_rcx()) {
	case MK2_TEST_CALL:
		call();
		break;
	case MK2_TEST_RUN:
		start_run(run);
		break;
	case MK2_TEST_STOP:
		stop(mk1_rdx());
		break;
	case MK2_TEST_BUFFER:
		mk1_set_rax((uint64_t)buffer);
		break;
	case MK2_TEST_PUT:
		*word = mk1_rsi();
		break;
	default:
		mk1_set_rax(*word);
		break;
	}
	resume_next(vsid);
}

const struct ext_hooks ext_hooks = {
	.started = in_started,
	.vmexit = in_vmexit,
};
