// SPDX-License-Identifier: GPL-2.0-only
/* The default extension on AMD, exit by exit, with the microkernel of fake_mk1.h. */
#include "fake_mk1.h"

#include <ext/linux/access.c>
#include <ext/linux/access_insn.c>
#include <ext/linux/cpuid.c>
#include <ext/linux/exception.c>
#include <ext/linux/exit.c>
#include <ext/linux/frame.c>
#include <ext/linux/inject.c>
#include <ext/linux/live.c>
#include <ext/linux/main.c>
#include <ext/linux/msr.c>
#include <ext/linux/reg.c>
#include <ext/linux/svm.c>
#include <ext/linux/svm_exception.c>
#include <ext/linux/svm_init.c>
#include <ext/linux/svm_step.c>
#include <ext/linux/watch.c>
#include <ext/linux/watched.c>

const char ext_name[] = "default";

WITHOUT(vmx)

bool vmx_can_step(UNUSED uint64_t vsid)
{
	abort();
}

void vmx_watch_access(UNUSED uint64_t vsid, UNUSED unsigned int crs, UNUSED unsigned int drs,
		      UNUSED bool on)
{
	abort();
}

void vmx_inject(UNUSED uint64_t vsid, UNUSED const struct ext_exception *x)
{
	abort();
}

WITHOUT_FOLLOWERS
WITHOUT_HOOKS
WITH_CODE

#define INJECTED_UD (SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCEPTION | VECTOR_UD)
#define INJECTED_GP (SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCEPTION | SVM_EVENT_ERROR_CODE | VECTOR_GP)
#define LINUX_EFER 0xD01ull /* SCE, LME, LMA, NXE */

static uint64_t *fake_reg(uint64_t reg)
{
	ck_assert_uint_gt(reg, 0);
	ck_assert_uint_lt(reg, MK1_AMD_NR_REGS);
	if (reg == MK1_AMD_rax)
		return &fake.gpr[BF_RAX];
	return reg <= MK1_AMD_r15 ? &fake.gpr[reg] : &fake.reg[reg];
}

static void setup(void)
{
	fake_reset();
	fake.reg[MK1_AMD_rip] = 0xFFFFFFFFC0001000;
	fake.reg[MK1_AMD_efer] = LINUX_EFER;
	fake.reg[MK1_AMD_cr0] = 0x80050033;
	fake.reg[MK1_AMD_cr4] = CR4_OSXSAVE;
	fake.reg[MK1_AMD_cs_attrib] = SEG_ATTRIB_L;
	is_svm = true;
	is_open = true;
	ck_assert(svm_start());
	ck_assert(svm_setup(0));
	report = false;
	memory = false;
	ports = NULL;
	watched_crs = watched_drs = 0;
	watched = 0;
	svm_step_reset();
}

static void teardown(void)
{
	fake_reset();
}

static enum ended exit_with(uint64_t reason)
{
	return fake_run(svm_vmexit, 0, reason);
}

static enum ended msr_exit(uint32_t msr, bool write, uint64_t value)
{
	fake.reg[MK1_AMD_eventinj] = 0;
	fake.reg[MK1_AMD_exitinfo1] = write;
	fake.gpr[BF_RCX] = 0xABCD00000000 | msr; /* the upper half does not count */
	fake.gpr[BF_RAX] = 0x5555000000000000 | (uint32_t)value;
	fake.gpr[BF_RDX] = 0x5555000000000000 | value >> 32;
	return exit_with(SVM_EXIT_MSR);
}

static uint64_t edx_eax(void)
{
	ck_assert_uint_eq(fake.gpr[BF_RAX] >> 32, 0);
	ck_assert_uint_eq(fake.gpr[BF_RDX] >> 32, 0);
	return fake.gpr[BF_RDX] << 32 | fake.gpr[BF_RAX];
}

START_TEST(permission_map_holds_four_msrs)
{
	const uint8_t *map = fake.memory[1];
	unsigned int bits = 0;

	for (size_t i = 0; i < SVM_MSRPM_SIZE; i++)
		bits += (unsigned int)__builtin_popcount(map[i]);
	ck_assert_uint_eq(bits, 8);
	ck_assert_uint_eq(map[0x800 + 0x20], 0x03); /* EFER */
	ck_assert_uint_eq(map[0x1000 + 0x08], 0x03); /* the patch loader */
	ck_assert_uint_eq(map[0x1000 + 0x45], 0xC3); /* VM_CR and VM_HSAVE_PA */
}
END_TEST

START_TEST(controls_keep_what_is_set)
{
	fake.reg[MK1_AMD_intercept_instruction1] = 0x8; /* INIT */
	fake.reg[MK1_AMD_intercept_instruction2] = 0x80;
	ck_assert(svm_setup(0));
	ck_assert_uint_eq(fake.reg[MK1_AMD_intercept_instruction1], 0x94440008);
	ck_assert_uint_eq(fake.reg[MK1_AMD_intercept_instruction2], 0xFD);
	ck_assert_uint_eq(fake.reg[MK1_AMD_guest_asid], 1);
	ck_assert_uint_eq(fake.reg[MK1_AMD_msrpm_base_pa], 0x123000);
	ck_assert_uint_eq(fake.reg[MK1_AMD_efer], LINUX_EFER | EFER_SVME);
}
END_TEST

START_TEST(start_up)
{
	memset(fake.gpr, 0x55, sizeof(fake.gpr));
	fake.reg[MK1_AMD_cr0] |= CR0_CD;
	fake.reg[MK1_AMD_eventinj] = INJECTED_UD;
	fake.reg[MK1_AMD_cpl] = 3;
	fake.reg[MK1_AMD_exitinfo1] = 0x9A;
	ck_assert_int_eq(exit_with(SVM_EXIT_INIT), RESUMED);
	ck_assert(fake.flushed);
	ck_assert_uint_eq(fake.reg[MK1_AMD_cr0], CR0_CD | 0x10);
	ck_assert_uint_eq(fake.reg[MK1_AMD_cr3], 0);
	ck_assert_uint_eq(fake.reg[MK1_AMD_cr4], 0);
	ck_assert_uint_eq(fake.reg[MK1_AMD_efer], EFER_SVME);
	ck_assert_uint_eq(fake.reg[MK1_AMD_cpl], 0);
	ck_assert_uint_eq(fake.reg[MK1_AMD_eventinj], 0);
	ck_assert_uint_eq(fake.reg[MK1_AMD_dr6], 0xFFFF0FF0);
	ck_assert_uint_eq(fake.reg[MK1_AMD_rflags], 2);
	for (unsigned int i = 0; i < BF_NR_GPRS; i++)
		ck_assert_uint_eq(fake.gpr[i], i == BF_RDX ? cpuid(1, 0).eax : 0);
	ck_assert_uint_eq(fake.reg[MK1_AMD_cs_selector], 0x9A00);
	ck_assert_uint_eq(fake.reg[MK1_AMD_cs_base], 0x9A000);
	ck_assert_uint_eq(fake.reg[MK1_AMD_cs_limit], 0xFFFF);
	ck_assert_uint_eq(fake.reg[MK1_AMD_rip], 0);
}
END_TEST

START_TEST(cpuid_is_the_cpus_own)
{
	static const uint32_t leaves[] = { 0, 2, 0x80000000, 0x80000002, 0x80000008, 0x40000000 };

	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		struct cpuid_regs r = cpuid(leaves[i], 0);
		unsigned int calls = fake.calls;

		fake.gpr[BF_RAX] = 0xFFFFFFFF00000000 | leaves[i];
		fake.gpr[BF_RCX] = 0xFFFFFFFF00000000;
		ck_assert_int_eq(exit_with(SVM_EXIT_CPUID), RESUMED_NEXT);
		ck_assert_uint_eq(fake.calls, calls + 1); /* one syscall, no more */
		ck_assert_uint_eq(fake.gpr[BF_RAX], r.eax);
		ck_assert_uint_eq(fake.gpr[BF_RBX], r.ebx);
		ck_assert_uint_eq(fake.gpr[BF_RCX], r.ecx);
		ck_assert_uint_eq(fake.gpr[BF_RDX], r.edx);
	}
}
END_TEST

START_TEST(cpuid_hides_and_follows_cr4)
{
	for (int osxsave = 0; osxsave < 2; osxsave++) {
		fake.reg[MK1_AMD_cr4] = osxsave ? CR4_OSXSAVE : 0;
		fake.gpr[BF_RAX] = 1;
		ck_assert_int_eq(exit_with(SVM_EXIT_CPUID), RESUMED_NEXT);
		ck_assert_uint_eq(fake.gpr[BF_RCX] >> 27 & 1, (unsigned int)osxsave);
		ck_assert_uint_eq(fake.gpr[BF_RCX] & 0x60, 0);
	}
	fake.gpr[BF_RAX] = 0x8000000A;
	ck_assert_int_eq(exit_with(SVM_EXIT_CPUID), RESUMED_NEXT);
	if (cpuid_has_extended(0x8000000A))
		ck_assert_uint_eq(fake.gpr[BF_RAX] | fake.gpr[BF_RBX] | fake.gpr[BF_RCX] |
					  fake.gpr[BF_RDX],
				  0);
	else
		ck_assert_uint_eq(fake.gpr[BF_RAX], cpuid(0x8000000A, 0).eax);
}
END_TEST

static enum ended loader_leaf(uint32_t ecx, uint64_t cpl)
{
	fake.gpr[BF_RAX] = MK1_CPUID_LEAF;
	fake.gpr[BF_RCX] = ecx;
	fake.reg[MK1_AMD_cpl] = cpl;
	return exit_with(SVM_EXIT_CPUID);
}

START_TEST(stop_promotes_from_cpl_0_only)
{
	struct cpuid_regs native = cpuid(MK1_CPUID_LEAF, MK1_CPUID_STOP);

	for (uint64_t cpl = 1; cpl < 4; cpl++) {
		ck_assert_int_eq(loader_leaf(MK1_CPUID_STOP, cpl), RESUMED_NEXT);
		ck_assert_uint_eq(fake.gpr[BF_RAX], native.eax);
		ck_assert_uint_eq(fake.gpr[BF_RBX], native.ebx);
		ck_assert_uint_eq(fake.gpr[BF_RCX], native.ecx);
		ck_assert_uint_eq(fake.gpr[BF_RDX], native.edx);
	}
	ck_assert_int_eq(loader_leaf(MK1_CPUID_STOP, 0), PROMOTED);
	ck_assert_uint_eq(fake.gpr[BF_RAX], 0);
	ck_assert(fake.advanced);
}
END_TEST

/* The CPUID that stops makes three calls: cpl, advance, promote. */
START_TEST(stop_that_fails_says_so)
{
	fake.fail_at = fake.calls + 2;
	ck_assert_int_eq(loader_leaf(MK1_CPUID_STOP, 0), RESUMED_NEXT);
	ck_assert_uint_eq(fake.gpr[BF_RAX], 1);
	fake.fail_at = fake.calls + 3;
	ck_assert_int_eq(loader_leaf(MK1_CPUID_STOP, 0), RESUMED);
	ck_assert_uint_eq(fake.gpr[BF_RAX], 1);
}
END_TEST

START_TEST(report_is_switched)
{
	ck_assert_int_eq(loader_leaf(MK1_CPUID_REPORT_ON, 3), RESUMED_NEXT);
	ck_assert(!report);
	ck_assert_int_eq(loader_leaf(MK1_CPUID_REPORT_ON, 0), RESUMED_NEXT);
	ck_assert(report);
	ck_assert_uint_eq(fake.gpr[BF_RAX], 0);
	ck_assert_int_eq(exit_with(SVM_EXIT_INVD), RESUMED_NEXT);
	ck_assert_ptr_nonnull(strstr(fake.text, "exit 0x76"));
	ck_assert_int_eq(loader_leaf(MK1_CPUID_REPORT_OFF, 0), RESUMED_NEXT);
	ck_assert(!report);
	/* A request that does not exist is a leaf like any other. */
	ck_assert_int_eq(loader_leaf(MK1_CPUID_REPORT_OFF + 1, 0), RESUMED_NEXT);
	ck_assert_uint_eq(fake.gpr[BF_RAX], cpuid(MK1_CPUID_LEAF, MK1_CPUID_REPORT_OFF + 1).eax);
}
END_TEST

START_TEST(svm_instructions_are_undefined)
{
	static const uint64_t reasons[] = { 0x7A, 0x80, 0x82, 0x83, 0x84, 0x85, 0x86 };

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		fake.reg[MK1_AMD_eventinj] = 0;
		ck_assert_int_eq(exit_with(reasons[i]), RESUMED);
		ck_assert_uint_eq(fake.reg[MK1_AMD_eventinj], INJECTED_UD);
	}
	ck_assert_int_eq(exit_with(SVM_EXIT_INVD), RESUMED_NEXT);
	fake.reg[MK1_AMD_cpl] = 3;
	ck_assert_int_eq(exit_with(SVM_EXIT_INVD), RESUMED);
	ck_assert_uint_eq(fake.reg[MK1_AMD_eventinj], INJECTED_GP);
}
END_TEST

/* KVM must find SVM in use; a write that clears the bit does no harm. */
START_TEST(efer_shows_svme)
{
	ck_assert_int_eq(msr_exit(MSR_EFER, false, 0), RESUMED_NEXT);
	ck_assert_uint_eq(edx_eax(), LINUX_EFER | EFER_SVME);
	ck_assert_int_eq(msr_exit(MSR_EFER, true, LINUX_EFER | EFER_SVME), RESUMED_NEXT);
	ck_assert_uint_eq(fake.reg[MK1_AMD_efer], LINUX_EFER | EFER_SVME);
	ck_assert_int_eq(msr_exit(MSR_EFER, true, LINUX_EFER), RESUMED_NEXT);
	ck_assert_int_eq(msr_exit(MSR_EFER, true, LINUX_EFER & ~1ull), RESUMED_NEXT);
	ck_assert_uint_eq(fake.reg[MK1_AMD_efer], (LINUX_EFER & ~1ull) | EFER_SVME);
	ck_assert_int_eq(msr_exit(MSR_EFER, false, 0), RESUMED_NEXT);
	ck_assert_uint_eq(edx_eax(), (LINUX_EFER & ~1ull) | EFER_SVME);
}
END_TEST

/* To what the firmware starts there is no SVM. */
START_TEST(efer_of_firmware)
{
	fake.reg[MK1_AMD_rip] = 0x7E123456;
	ck_assert(svm_setup(0));
	ck_assert_uint_eq(fake.reg[MK1_AMD_efer], LINUX_EFER | EFER_SVME);
	ck_assert_int_eq(msr_exit(MSR_EFER, false, 0), RESUMED_NEXT);
	ck_assert_uint_eq(edx_eax(), LINUX_EFER);
	ck_assert_int_eq(msr_exit(MSR_EFER, true, LINUX_EFER & ~1ull), RESUMED_NEXT);
	ck_assert_uint_eq(fake.reg[MK1_AMD_efer], (LINUX_EFER & ~1ull) | EFER_SVME);
	ck_assert_int_eq(msr_exit(MSR_EFER, true, LINUX_EFER | EFER_SVME), RESUMED);
	ck_assert_uint_eq(fake.reg[MK1_AMD_eventinj], INJECTED_GP);
}
END_TEST

START_TEST(efer_refuses_what_a_cpu_refuses)
{
	static const uint64_t flips[] = { EFER_LMA,   EFER_LME,   1ull << 1,  1ull << 9, 1ull << 13,
					  1ull << 19, 1ull << 22, 1ull << 32, 1ull << 63 };

	for (size_t i = 0; i < sizeof(flips) / sizeof(flips[0]); i++) {
		ck_assert_int_eq(msr_exit(MSR_EFER, true, LINUX_EFER ^ flips[i]), RESUMED);
		ck_assert_uint_eq(fake.reg[MK1_AMD_eventinj], INJECTED_GP);
		ck_assert_uint_eq(fake.reg[MK1_AMD_efer], LINUX_EFER | EFER_SVME);
	}
	/* Without paging LME is free, and in real mode #GP has no error code. */
	fake.reg[MK1_AMD_cr0] = 0x10;
	fake.reg[MK1_AMD_efer] = EFER_SVME;
	ck_assert_int_eq(msr_exit(MSR_EFER, true, EFER_LME), RESUMED_NEXT);
	ck_assert_uint_eq(fake.reg[MK1_AMD_efer], EFER_LME | EFER_SVME);
	ck_assert_int_eq(msr_exit(MSR_EFER, true, EFER_LME | EFER_LMA), RESUMED);
	ck_assert_uint_eq(fake.reg[MK1_AMD_eventinj], INJECTED_GP & ~0x800ull);
}
END_TEST

START_TEST(svm_looks_disabled_by_firmware)
{
	ck_assert_int_eq(msr_exit(MSR_VM_CR, false, 0), RESUMED_NEXT);
	ck_assert_uint_eq(edx_eax(), 0x18);
	ck_assert_int_eq(msr_exit(MSR_VM_CR, true, 0), RESUMED);
	ck_assert_uint_eq(fake.reg[MK1_AMD_eventinj], INJECTED_GP);
	ck_assert_int_eq(msr_exit(MSR_VM_HSAVE_PA, false, 0), RESUMED_NEXT);
	ck_assert_uint_eq(edx_eax(), 0);
	ck_assert_int_eq(msr_exit(MSR_VM_HSAVE_PA, true, 0), RESUMED_NEXT);
	ck_assert_int_eq(msr_exit(MSR_VM_HSAVE_PA, true, 0x1000), RESUMED);
	ck_assert_uint_eq(fake.reg[MK1_AMD_eventinj], INJECTED_GP);
}
END_TEST

static uint64_t some_msr(uint32_t msr, bool *ok)
{
	*ok = msr == 0x4B564D00;
	return 0x1122334455667788;
}

START_TEST(other_msrs_are_the_microkernels_decision)
{
	/* Microcode is not loaded. */
	ck_assert_int_eq(msr_exit(0xC0010020, true, 0xFFFF888000000000), RESUMED_NEXT);
	ck_assert_int_eq(msr_exit(0xC0010020, false, 0), RESUMED);
	ck_assert_int_eq(msr_exit(0x40000000, false, 0), RESUMED);
	ck_assert_uint_eq(fake.reg[MK1_AMD_eventinj], INJECTED_GP);
	fake.rdmsr = some_msr;
	ck_assert_int_eq(msr_exit(0x4B564D00, false, 0), RESUMED_NEXT);
	ck_assert_uint_eq(edx_eax(), 0x1122334455667788);
	ck_assert_int_eq(msr_exit(0x4B564D00, true, 5), RESUMED);
	ck_assert_uint_eq(fake.reg[MK1_AMD_eventinj], INJECTED_GP);
	fake.wrmsr_msr = 0x4B564D00;
	ck_assert_int_eq(msr_exit(0x4B564D00, true, 0xFEDCBA9876543210), RESUMED_NEXT);
	ck_assert_uint_eq(fake.wrmsr_value, 0xFEDCBA9876543210);
}
END_TEST

START_TEST(the_rest_ends_the_run)
{
	ck_assert_int_eq(exit_with(SVM_EXIT_SHUTDOWN), EXITED);
	ck_assert_ptr_nonnull(strstr(fake.text, "triple fault"));
	ck_assert_int_eq(exit_with(SVM_EXIT_NPF), EXITED);
	ck_assert_ptr_nonnull(strstr(fake.text, "unexpected exit 0x400"));
	ck_assert_int_eq(exit_with(SVM_EXIT_INVALID), EXITED);
	fake.text[0] = 0;
	ck_assert_int_eq(fake_run(linux_fail, 0x20000000E, 0x1234), EXITED);
	ck_assert_ptr_nonnull(strstr(fake.text, "vector 14, error code 0x2, address 0x1234"));
}
END_TEST

static void run_bootstrap(uint64_t ppid, UNUSED uint64_t unused)
{
	linux_bootstrap(ppid);
}

/* Every call of a bootstrap may fail: it ends with exit and a message, never with a run. */
START_TEST(bootstrap_runs_or_gives_up)
{
	unsigned int n;

	is_svm = true;
	for (n = 1;; n++) {
		fake_reset();
		fake.active = false;
		fake.fail_at = n;
		if (fake_run(run_bootstrap, 0, 0) == RESUMED)
			break;
		ck_assert_int_eq(fake.ended, EXITED);
		ck_assert_str_ne(fake.text, "");
	}
	ck_assert_uint_eq(fake.calls + 1, n);
	ck_assert(fake.active && fake.flushed);
}
END_TEST

#define CPUID_EXIT SVM_EXIT_CPUID
#define REG(name) MK1_AMD_##name
#define EVENT fake.reg[MK1_AMD_eventinj]

/* An access to watched memory, and an IN or OUT of one byte. */
static enum ended fault_exit(uint64_t gpa, unsigned int access)
{
	fake.reg[MK1_AMD_exitinfo1] = (access == EXT_WRITE ? SVM_NPF_WRITE : 0) |
				      (access == EXT_EXECUTE ? SVM_NPF_FETCH : 0);
	fake.reg[MK1_AMD_exitinfo2] = gpa;
	return exit_with(SVM_EXIT_NPF);
}

static enum ended io_exit(uint16_t port, bool in)
{
	fake.reg[MK1_AMD_exitinfo1] = (uint64_t)port << 16 | 1 << 4 | (in ? SVM_IOIO_IN : 0);
	return exit_with(SVM_EXIT_IOIO);
}

/* MOV between RSI and a register: 0F 20 to 23 /r, without decode assists. */
static enum ended mov_exit(uint64_t code, uint8_t opcode, unsigned int number, uint64_t value)
{
	const uint8_t bytes[] = { 0x0F, opcode, (uint8_t)(0xC6 | number << 3) };

	memcpy(fake.code, bytes, sizeof(bytes));
	fake.code_bytes = sizeof(bytes);
	fake.gpr[BF_RSI] = value;
	fake.reg[MK1_AMD_exitinfo1] = 0;
	return exit_with(code + number);
}

static enum ended cr_exit(unsigned int number, uint64_t value)
{
	return mov_exit(SVM_EXIT_CR_WRITE, 0x22, number, value);
}

static enum ended dr_exit(unsigned int number, bool write, uint64_t value)
{
	return write ? mov_exit(SVM_EXIT_DR_WRITE, 0x23, number, value) :
		       mov_exit(SVM_EXIT_DR_READ, 0x21, number, value);
}

static enum ended exception_exit(uint8_t vector, uint32_t code, uint64_t address)
{
	fake.reg[MK1_AMD_exitinfo1] = code;
	fake.reg[MK1_AMD_exitinfo2] = address;
	return exit_with(SVM_EXIT_EXCEPTION + vector);
}

#define ERROR_CODE (fake.reg[MK1_AMD_eventinj] >> 32)
#define RECALLED SVM_EXIT_INTR
#define EXITING_EXCEPTIONS fake.reg[MK1_AMD_intercept_exception]
#define IO_EXITS (fake.reg[MK1_AMD_iopm_base_pa] == ports_spa)
#define EXITS_OF_CR0 (fake.reg[MK1_AMD_intercept_cr_write] & 1)
#define DRS_EXIT (fake.reg[MK1_AMD_intercept_dr_write] & fake.reg[MK1_AMD_intercept_dr_read] & 0x80)
#define HYPERCALL_EXIT SVM_EXIT_VMMCALL
#define STEPPED (fake.reg[MK1_AMD_rflags] & RFLAGS_TF)
#define STEPPED_EXIT (SVM_EXIT_EXCEPTION + VECTOR_DB)
#define INTERRUPTED fake.reg[MK1_AMD_exitininfo]
#define SHADOW fake.reg[MK1_AMD_virtual_interrupt_b]
#include "frame_tests.h"

static uint64_t branch_trap(uint32_t msr, bool *ok)
{
	*ok = msr == MSR_DEBUGCTL;
	return DEBUGCTL_BTF;
}

/* What is behind an instruction that was done in Linux's place: no shadow, and its own trap. */
START_TEST(an_instruction_in_its_place)
{
	fake.reg[MK1_AMD_rflags] = 0x202;
	fake.reg[MK1_AMD_virtual_interrupt_b] = SVM_INTERRUPT_SHADOW;
	fake.reg[MK1_AMD_dr6] = DR6_RESET;
	EVENT = 0;
	inject_after_insn(0);
	ck_assert_uint_eq(fake.reg[MK1_AMD_virtual_interrupt_b], 0);
	ck_assert_uint_eq(EVENT, 0);
	fake.reg[MK1_AMD_rflags] = 0x302;
	inject_after_insn(0);
	ck_assert_uint_eq(EVENT, SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCEPTION | VECTOR_DB);
	ck_assert_uint_eq(fake.reg[MK1_AMD_dr6], DR6_RESET | DR6_BS);
	ck_assert_uint_eq(fake.reg[MK1_AMD_rflags], 0x302); /* a trap has no RF */
	EVENT = 0;
	fake.rdmsr = branch_trap;
	inject_after_insn(0);
	ck_assert_uint_eq(EVENT, 0);
}
END_TEST

/* Registers that a step changes are as they were when it is over. */
static void begin_step(void)
{
	with_hooks();
	ck_assert(watch_memory());
	ck_assert(watch_begin(0));
	fake.reg[MK1_AMD_rflags] = 0x202;
	fake.reg[MK1_AMD_intercept_exception] = 0x40000;
	fake.reg[MK1_AMD_dr6] = DR6_RESET;
	fake.reg[MK1_AMD_virtual_interrupt_b] = 0;
	EVENT = INTERRUPTED = 0;
	ck_assert_int_eq(fault_exit(0x5000, EXT_WRITE), RESUMED);
	ck_assert_uint_eq(fake.view, 0);
	ck_assert_uint_eq(fake.reg[MK1_AMD_rflags], 0x302);
	ck_assert_uint_eq(fake.reg[MK1_AMD_intercept_exception], 0x40000 | EXCEPTIONS);
	ck_assert_uint_eq(fake.reg[MK1_AMD_efer] & EFER_SCE, 0);
	ck_assert_uint_eq(fake.reg[MK1_AMD_virtual_interrupt_b], SVM_INTERRUPT_SHADOW);
}

static void expect_over(void)
{
	ck_assert_uint_eq(fake.reg[MK1_AMD_rflags], 0x202);
	ck_assert_uint_eq(fake.reg[MK1_AMD_intercept_exception], 0x40000);
	ck_assert_uint_eq(fake.reg[MK1_AMD_efer], LINUX_EFER | EFER_SVME);
}

START_TEST(a_step_leaves_nothing)
{
	uint64_t before = fake.reg[MK1_AMD_intercept_instruction1];

	begin_step();
	fake.reg[MK1_AMD_virtual_interrupt_b] = 0; /* the CPU does that */
	fake.reg[MK1_AMD_dr6] = DR6_RESET | DR6_BS;
	ck_assert_int_eq(exit_with(STEPPED_EXIT), RESUMED);
	expect_over();
	ck_assert_uint_eq(fake.view, 1);
	ck_assert_uint_eq(fake.reg[MK1_AMD_intercept_instruction1], before);
	ck_assert_uint_eq(fake.reg[MK1_AMD_dr6], DR6_RESET);
	ck_assert_uint_eq(EVENT, 0);
	/* a breakpoint of Linux's own */
	begin_step();
	fake.reg[MK1_AMD_dr6] = DR6_RESET | DR6_BS | 2;
	ck_assert_int_eq(exit_with(STEPPED_EXIT), RESUMED);
	ck_assert_uint_eq(fake.reg[MK1_AMD_dr6], DR6_RESET | 2);
	ck_assert_uint_eq(EVENT, SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCEPTION | VECTOR_DB);
	/* any other exit ends it, and is answered */
	begin_step();
	ck_assert_int_eq(cpuid_exit(0), RESUMED_NEXT);
	expect_over();
	ck_assert_uint_eq(fake.view, 1);
	ck_assert_uint_eq(fake.reg[MK1_AMD_virtual_interrupt_b], 0);
}
END_TEST

/* The step's trap may clear what Linux has not read yet. */
START_TEST(a_step_keeps_dr6)
{
	static const struct {
		bool writes; /* the instruction writes DR6 */
		uint64_t then, result; /* causes */
	} cases[] = { { false, 0, 1 }, { false, 1, 1 }, { false, 2, 3 }, { true, 0, 0 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin_step();
		ck_assert_uint_eq(fake.reg[MK1_AMD_intercept_dr_write], 0);
		(void)exit_with(STEPPED_EXIT);
		fake.reg[MK1_AMD_dr6] = (DR6_RESET | 1) & ~(uint64_t)DR6_NO_BUS_LOCK;
		ck_assert_int_eq(fault_exit(0x5000, EXT_WRITE), RESUMED);
		ck_assert_uint_eq(fake.reg[MK1_AMD_intercept_dr_write], 0x50);
		if (cases[i].writes) {
			fake.reg[MK1_AMD_virtual_interrupt_b] = 0;
			ck_assert_int_eq(exit_with(SVM_EXIT_DR_WRITE + 6), RESUMED);
			ck_assert_uint_eq(fake.reg[MK1_AMD_intercept_dr_write], 0);
			ck_assert_uint_eq(fake.reg[MK1_AMD_virtual_interrupt_b],
					  SVM_INTERRUPT_SHADOW);
			ck_assert_uint_eq(fake.view, 0);
		}
		fake.reg[MK1_AMD_dr6] = DR6_RESET | DR6_BS | cases[i].then;
		ck_assert_int_eq(exit_with(STEPPED_EXIT), RESUMED);
		expect_over();
		ck_assert_uint_eq(fake.reg[MK1_AMD_intercept_dr_write], 0);
		ck_assert_uint_eq(fake.reg[MK1_AMD_dr6],
				  (DR6_RESET & ~(cases[i].writes ? 0 : DR6_NO_BUS_LOCK)) |
					  cases[i].result);
		ck_assert_uint_eq(EVENT,
				  cases[i].then & ~1u ?
					  SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCEPTION | VECTOR_DB :
					  0);
	}
}
END_TEST

/* Linux steps itself: its trap is its own. */
START_TEST(a_step_of_a_step)
{
	begin_step();
	(void)exit_with(STEPPED_EXIT);
	fake.reg[MK1_AMD_rflags] = 0x302;
	ck_assert_int_eq(fault_exit(0x5000, EXT_WRITE), RESUMED);
	fake.reg[MK1_AMD_dr6] = DR6_RESET | DR6_BS;
	ck_assert_int_eq(exit_with(STEPPED_EXIT), RESUMED);
	ck_assert_uint_eq(fake.reg[MK1_AMD_rflags], 0x302);
	ck_assert_uint_eq(fake.reg[MK1_AMD_dr6], DR6_RESET | DR6_BS);
	ck_assert_uint_eq(EVENT, SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCEPTION | VECTOR_DB);
}
END_TEST

/* A trap flag that the instruction loads is Linux's; one that it does not is not. */
START_TEST(what_loads_flags)
{
	static const struct {
		uint64_t reason, bit;
	} loads[] = { { SVM_EXIT_POPF, SVM_INSTR1_POPF }, { SVM_EXIT_IRET, SVM_INSTR1_IRET } };
	uint64_t gp = (uint64_t)0x18 << 32 | INJECTED_GP;
	uint64_t before = fake.reg[MK1_AMD_intercept_instruction1];

	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		for (uint64_t loaded = 0; loaded <= RFLAGS_TF; loaded += RFLAGS_TF) {
			begin_step();
			ck_assert(fake.reg[MK1_AMD_intercept_instruction1] & loads[i].bit);
			fake.reg[MK1_AMD_virtual_interrupt_b] = 0;
			ck_assert_int_eq(exit_with(loads[i].reason), RESUMED);
			ck_assert_uint_eq(fake.view, 0);
			ck_assert_uint_eq(fake.reg[MK1_AMD_rflags], 0x302);
			ck_assert(!(fake.reg[MK1_AMD_intercept_instruction1] & loads[i].bit));
			ck_assert_uint_eq(fake.reg[MK1_AMD_virtual_interrupt_b],
					  SVM_INTERRUPT_SHADOW);
			fake.reg[MK1_AMD_rflags] = 0x202 | loaded;
			fake.reg[MK1_AMD_virtual_interrupt_b] = 0;
			/* Bochs has nothing in DR6 then. */
			fake.reg[MK1_AMD_dr6] = DR6_RESET | (i ? DR6_BS : 0);
			ck_assert_int_eq(exit_with(STEPPED_EXIT), RESUMED);
			ck_assert_uint_eq(fake.reg[MK1_AMD_rflags], 0x202 | loaded);
			ck_assert_uint_eq(fake.reg[MK1_AMD_dr6], DR6_RESET);
			ck_assert_uint_eq(EVENT, 0);
			ck_assert_uint_eq(fake.view, 1);
			ck_assert_uint_eq(fake.reg[MK1_AMD_intercept_instruction1], before);
		}
		/* it faults: the flag is still the step's; and IRET is not done over again */
		begin_step();
		ck_assert_int_eq(exit_with(loads[i].reason), RESUMED);
		fake.reg[MK1_AMD_exitinfo1] = 0x18;
		ck_assert_int_eq(exit_with(SVM_EXIT_EXCEPTION + VECTOR_GP), RESUMED);
		ck_assert_uint_eq(EVENT, loads[i].reason == SVM_EXIT_IRET ? gp : 0);
		ck_assert(!(fake.reg[MK1_AMD_rflags] & RFLAGS_TF));
		ck_assert_uint_eq(fake.view, 0);
		EVENT = 0;
		ck_assert_int_eq(exit_with(SVM_EXIT_IRET), RESUMED);
		ck_assert_uint_eq(fake.view, 1);
		/* an NMI's handler returns to the instruction: the flag is the step's still */
		begin_step();
		fake.reg[MK1_AMD_rflags] = 2;
		ck_assert_int_eq(exit_with(loads[i].reason), RESUMED);
		ck_assert_uint_eq(fake.view, 0);
		fake.reg[MK1_AMD_rflags] = 0x302;
		fake.reg[MK1_AMD_dr6] = DR6_RESET | DR6_BS;
		ck_assert_int_eq(exit_with(STEPPED_EXIT), RESUMED);
		expect_over();
		/* nor does the next step have it */
		begin_step();
		fake.reg[MK1_AMD_dr6] = DR6_RESET | DR6_BS;
		ck_assert_int_eq(exit_with(STEPPED_EXIT), RESUMED);
		expect_over();
	}
}
END_TEST

/* What would show the flag is done over again without it, up to an IRET. */
START_TEST(what_stores_flags)
{
	static const uint64_t reasons[] = { SVM_EXIT_PUSHF,
					    SVM_EXIT_SWINT,
					    SVM_EXIT_ICEBP,
					    SVM_EXIT_VMMCALL,
					    SVM_EXIT_EXCEPTION + VECTOR_PF,
					    SVM_EXIT_EXCEPTION + VECTOR_UD,
					    SVM_EXIT_EXCEPTION + VECTOR_BP };
	uint64_t before = fake.reg[MK1_AMD_intercept_instruction1];
	uint64_t before2 = fake.reg[MK1_AMD_intercept_instruction2];

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		begin_step();
		ck_assert_uint_eq(fake.reg[MK1_AMD_intercept_instruction2],
				  before2 | SVM_INSTR2_ICEBP | SVM_INSTR2_VMMCALL);
		ck_assert_int_eq(exit_with(reasons[i]), RESUMED);
		ck_assert_uint_eq(fake.reg[MK1_AMD_intercept_instruction2], before2);
		expect_over();
		ck_assert_uint_eq(fake.view, 0);
		ck_assert_uint_eq(EVENT, 0);
		ck_assert_uint_eq(fake.reg[MK1_AMD_intercept_instruction1],
				  before | SVM_INSTR1_IRET);
		ck_assert_int_eq(exit_with(SVM_EXIT_IRET), RESUMED);
		ck_assert_uint_eq(fake.view, 1);
		ck_assert_uint_eq(fake.reg[MK1_AMD_intercept_instruction1], before);
	}
	begin_step();
	ck_assert_int_eq(exit_with(SVM_EXIT_PUSHF), RESUMED);
	ck_assert_int_eq(cpuid_exit(0), RESUMED_NEXT);
	ck_assert_uint_eq(fake.view, 1);
	/* an interrupt whose delivery was interrupted */
	INTERRUPTED = SVM_EVENT_VALID | 0x30;
	ck_assert_int_eq(fault_exit(0x5000, EXT_WRITE), RESUMED);
	ck_assert_uint_eq(EVENT, SVM_EVENT_VALID | 0x30);
	ck_assert(!STEPPED);
	ck_assert_uint_eq(fake.view, 0);
	ck_assert_int_eq(exit_with(SVM_EXIT_IRET), RESUMED);
	ck_assert_uint_eq(fake.view, 1);
}
END_TEST

/* What an instruction raises comes again with it. */
START_TEST(instructions_in_delivery)
{
	static const uint64_t events[] = {
		SVM_EVENT_VALID | SVM_EVENT_TYPE_SOFTWARE | 0x80,
		SVM_EVENT_VALID | SVM_EVENT_TYPE_SOFTWARE | VECTOR_BP,
		SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCEPTION | VECTOR_BP,
		SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCEPTION | VECTOR_OF,
	};
	uint64_t injected = SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCEPTION | VECTOR_BP;

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		begin_step();
		ck_assert_int_eq(exit_with(SVM_EXIT_EXCEPTION + VECTOR_DB), RESUMED);
		EVENT = 0;
		INTERRUPTED = events[i];
		ck_assert_int_eq(fault_exit(0x5000, EXT_WRITE), RESUMED);
		ck_assert_uint_eq(EVENT, 0);
		ck_assert(STEPPED);
		ck_assert_int_eq(exit_with(SVM_EXIT_SWINT), RESUMED);
		ck_assert_int_eq(exit_with(SVM_EXIT_IRET), RESUMED);
	}
	/* one that was injected is behind its instruction */
	fake.reg[MK1_AMD_intercept_exception] |= 1u << VECTOR_BP;
	INTERRUPTED = injected;
	ck_assert_int_eq(fault_exit(0x5000, EXT_WRITE), RESUMED);
	ck_assert_uint_eq(EVENT, injected);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ext_svm");
	TCase *tc = tcase_create("ext_svm");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, permission_map_holds_four_msrs);
	tcase_add_test(tc, controls_keep_what_is_set);
	tcase_add_test(tc, start_up);
	tcase_add_test(tc, cpuid_is_the_cpus_own);
	tcase_add_test(tc, cpuid_hides_and_follows_cr4);
	tcase_add_test(tc, stop_promotes_from_cpl_0_only);
	tcase_add_test(tc, stop_that_fails_says_so);
	tcase_add_test(tc, report_is_switched);
	tcase_add_test(tc, svm_instructions_are_undefined);
	tcase_add_test(tc, efer_shows_svme);
	tcase_add_test(tc, efer_of_firmware);
	tcase_add_test(tc, efer_refuses_what_a_cpu_refuses);
	tcase_add_test(tc, svm_looks_disabled_by_firmware);
	tcase_add_test(tc, other_msrs_are_the_microkernels_decision);
	tcase_add_test(tc, the_rest_ends_the_run);
	tcase_add_test(tc, bootstrap_runs_or_gives_up);
	add_frame_tests(tc);
	tcase_add_test(tc, a_step_leaves_nothing);
	tcase_add_test(tc, an_instruction_in_its_place);
	tcase_add_test(tc, a_step_keeps_dr6);
	tcase_add_test(tc, a_step_of_a_step);
	tcase_add_test(tc, what_loads_flags);
	tcase_add_test(tc, what_stores_flags);
	tcase_add_test(tc, instructions_in_delivery);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
