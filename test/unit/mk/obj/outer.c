// SPDX-License-Identifier: GPL-2.0-only
/* obj/outer.c, hypercall.S: the hypervisor below, and MSRs that no permission map covers. */
#include <string.h>

#include "../guest.h"
#include "../suites.h"

#define SMCA_MSR 0xC0002003
#define KVM_STEAL_TIME 0x4B564D03

/* A PP that runs Linux, above this outer hypervisor; i as in machine_of. */
static void running_above(int i, uint8_t outer, uint8_t flags)
{
	machine_defaults(i ? BF_VENDOR_INTEL : BF_VENDOR_AMD);
	m.outer = outer;
	m.outer_flags = flags;
	machine_init();
	start_and_launch();
	guest_exit(i ? VMX_EXIT_CPUID : SVM_EXIT_CPUID);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
}

static uint64_t rip(void)
{
	return intel() ? field(VMCS_rip) : vmcb()->rip;
}

/* An instruction of three bytes exits, at this privilege level and with this in RAX. */
static void instruction(uint64_t reason, uint8_t cpl, uint64_t rax)
{
	abi_gprs()[BF_RAX] = rax;
	if (intel()) {
		vmcs_put(host_pp->vs->block_spa, VMCS_rip, 0x1000);
		vmcs_put(host_pp->vs->block_spa, VMCS_vmexit_instruction_length, 3);
		vmcs_put(host_pp->vs->block_spa, VMCS_ss_attrib, 0xC093 | (unsigned int)cpl << 5);
		vmcs_put(host_pp->vs->block_spa, VMCS_vmentry_interrupt_information_field, 0);
		vmcs_put(host_pp->vs->block_spa, VMCS_idt_vectoring_information_field, 0);
	} else {
		vmcb()->rip = 0x1000;
		vmcb()->nrip = 0x1003;
		vmcb()->cpl = cpl;
		vmcb()->rax = rax;
		vmcb()->eventinj = 0;
	}
	guest_exit(reason);
}

static void hypercall(uint8_t cpl, uint64_t rax)
{
	instruction(intel() ? VMX_EXIT_VMCALL : SVM_EXIT_VMMCALL, cpl, rax);
}

static void msr_exit(bool write, uint64_t msr, uint64_t value)
{
	abi_gprs()[BF_RCX] = msr;
	abi_gprs()[BF_RDX] = value >> 32;
	if (!intel())
		vmcb()->exitinfo1 = write;
	instruction(!intel() ? SVM_EXIT_MSR :
		    write    ? VMX_EXIT_WRMSR :
			       VMX_EXIT_RDMSR,
		    0, (uint32_t)value);
}

static void expect_stepped(void)
{
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(rip(), 0x1003);
}

static void expect_event(uint64_t event)
{
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(rip(), 0x1000);
	ck_assert_uint_eq(intel() ? field(VMCS_vmentry_interrupt_information_field) :
				    vmcb()->eventinj,
			  0x80000000 | event);
}

#define UD_EVENT 0x306
#define GP_EVENT 0xB0D

/* What the outer hypervisor got, and answers. */
static uint64_t got[BF_NR_GPRS];
static enum insn got_insn;
static bool answers;

static bool outer(enum insn insn, uint64_t *gpr)
{
	got_insn = insn;
	memcpy(got, gpr, sizeof(got));
	for (unsigned int i = 0; i < BF_NR_GPRS; i++)
		gpr[i] = 0xA000 + i;
	return answers;
}

static void teardown(void)
{
	cpu_outer = NULL;
}

/* Every general register goes there and comes back. */
START_TEST(a_call_of_kvm)
{
	running_above(_i, BF_OUTER_KVM, 0);
	cpu_outer = outer;
	answers = true;
	for (unsigned int i = 0; i < BF_NR_GPRS; i++)
		abi_gprs()[i] = 0xB000 + i;
	hypercall(0, 5);
	expect_stepped();
	ck_assert_int_eq(got_insn, _i ? INSN_VMCALL : INSN_VMMCALL);
	ck_assert_uint_eq(got[BF_RAX], 5);
	for (unsigned int i = 0; i < BF_NR_GPRS; i++) {
		if (i)
			ck_assert_uint_eq(got[i], 0xB000 + i);
		ck_assert_uint_eq(abi_gprs()[i], 0xA000 + i);
	}
	/* from user space KVM answers without a look */
	got_insn = INSN_OUT;
	hypercall(3, 5);
	expect_stepped();
	ck_assert_int_eq(got_insn, INSN_OUT);
	ck_assert_uint_eq(abi_gprs()[BF_RAX], (uint64_t)-1);
}
END_TEST

/* Nor is KVM asked to write where the hypervisor's memory is, nor what nobody here knows. */
START_TEST(calls_that_kvm_does_not_get)
{
	static const struct {
		uint64_t rax, rbx, answer; /* 0: KVM's own */
	} calls[] = { { 9, LINUX_RAM, 0 },
		      { 9, PHYS_BASE + 0x123040, -14ULL },
		      { 9, ODD_OWNED - 64, 0 },
		      { 9, ODD_OWNED - 63, -14ULL },
		      { 9, ODD_OWNED + BF_PAGE_SIZE - 1, -14ULL },
		      { 9, ODD_OWNED + BF_PAGE_SIZE, 0 },
		      { 1, ODD_OWNED, 0 },
		      { 10, ODD_OWNED, 0 },
		      { 11, ODD_OWNED, 0 },
		      { 12, LINUX_RAM, -1000ULL },
		      { 0, 0, -1000ULL },
		      { 0xFF, 0, -1000ULL } };

	running_above(_i, BF_OUTER_KVM, 0);
	cpu_outer = outer;
	answers = true;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		got_insn = INSN_OUT;
		abi_gprs()[BF_RBX] = calls[i].rbx;
		hypercall(0, calls[i].rax);
		expect_stepped();
		ck_assert_int_eq(got_insn != INSN_OUT, !calls[i].answer);
		ck_assert_uint_eq(abi_gprs()[BF_RAX], calls[i].answer ? calls[i].answer : 0xA000);
	}
}
END_TEST

/* A number that is none of KVM's is what it is on a bare CPU, or the extension's. */
START_TEST(not_a_call_of_kvm)
{
	running_above(_i, BF_OUTER_KVM, 0);
	cpu_outer = outer;
	answers = true;
	got_insn = INSN_OUT;
	hypercall(0, 0x100);
	if (_i)
		ck_assert_int_eq(ended.end, END_RING3);
	else
		expect_event(UD_EVENT);
	ck_assert_int_eq(got_insn, INSN_OUT);
}
END_TEST

/* VMMCALL that the extension asked for: KVM's own numbers are not among them. */
START_TEST(a_claim)
{
	running_above(0, BF_OUTER_KVM, 0);
	cpu_outer = outer;
	answers = true;
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_intercept_instruction2, 2), MK1_SUCCESS);
	SYS(vs_run_current, HANDLE);
	hypercall(0, 0xFF);
	expect_stepped();
	ck_assert_uint_eq(abi_gprs()[BF_RAX], (uint64_t)-1000);
	hypercall(0, 0x100);
	ck_assert_int_eq(ended.end, END_RING3);
	/* an unknown one gets what nobody claims */
	SYS(vs_run_current, HANDLE);
	m.handoff->outer = BF_OUTER_OTHER;
	hypercall(0, 5);
	ck_assert_int_eq(ended.end, END_RING3);
}
END_TEST

START_TEST(a_call_of_vmware)
{
	running_above(_i, BF_OUTER_VMWARE, 0);
	cpu_outer = outer;
	answers = true;
	for (uint8_t cpl = 0; cpl < 4; cpl += 3) {
		hypercall(cpl, 0x564D5868);
		expect_stepped();
		ck_assert_uint_eq(got[BF_RAX], 0x564D5868);
	}
	hypercall(0, 0x564D5869);
	if (_i)
		ck_assert_int_eq(ended.end, END_RING3);
	else
		expect_event(UD_EVENT);
}
END_TEST

START_TEST(a_call_of_another)
{
	running_above(_i, BF_OUTER_OTHER, 0);
	cpu_outer = outer;
	answers = true;
	hypercall(0, 0x123456789ABCDEF0);
	expect_stepped();
	ck_assert_uint_eq(got[BF_RAX], 0x123456789ABCDEF0);
	hypercall(3, 5);
	expect_event(UD_EVENT);
}
END_TEST

/* VMfail, and #UD: the guest meets #UD, and its registers are as they were. */
START_TEST(a_call_that_nobody_answers)
{
	running_above(_i, BF_OUTER_KVM, 0);
	cpu_outer = outer;
	answers = false;
	abi_gprs()[BF_RBX] = 0x77;
	hypercall(0, 5);
	expect_event(UD_EVENT);
	ck_assert_uint_eq(abi_gprs()[BF_RBX], 0x77);
	cpu_outer = NULL;
	hypercall(0, 5);
	expect_event(UD_EVENT);
	ck_assert_uint_eq(abi_gprs()[BF_RBX], 0x77);
}
END_TEST

/* Linux without an extension calls on. */
START_TEST(a_call_in_fallback)
{
	running_above(_i, BF_OUTER_KVM, 0);
	cpu_outer = outer;
	answers = true;
	guest_exit(_i ? VMX_EXIT_CPUID : SVM_EXIT_CPUID);
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(host_pp->fallback);
	hypercall(0, 5);
	expect_stepped();
	/* and its modules call an extension that is not there any more */
	hypercall(0, 0x100);
	expect_stepped();
	ck_assert_uint_eq(abi_gprs()[BF_RAX], MK1_FAILURE_UNSUPPORTED);
	hypercall(3, 0x100);
	expect_event(UD_EVENT);
	/* and uses its MSRs */
	msr_set(cpu, KVM_STEAL_TIME, 0);
	if (_i) {
		msr_exit(true, KVM_STEAL_TIME, LINUX_RAM | 1);
		expect_stepped();
		ck_assert_uint_eq(msr_get(cpu, KVM_STEAL_TIME), LINUX_RAM | 1);
	}
}
END_TEST

/* The driver's stop is ours, whatever is below. */
START_TEST(the_stop)
{
	running_above(_i, BF_OUTER_OTHER, 0);
	cpu_outer = outer;
	answers = true;
	got_insn = INSN_OUT;
	hypercall(0, BF_HYPERCALL_STOP);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_int_eq(got_insn, INSN_OUT);
	ck_assert_uint_eq(ended.sp->cpu.gpr[BF_RAX], BF_HYPERCALL_STOPPED);
}
END_TEST

/* --- MSRs ------------------------------------------------------------------------------------- */

START_TEST(msrs_that_no_map_covers)
{
	static const uint32_t msrs[] = { SMCA_MSR,   0x2000,     0x40000000, 0xBFFFFFFF,
					 0xC0002000, 0xC0012000, 0xFFFFFFFF };

	running_above(_i, BF_OUTER_NONE, 0);
	for (size_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
		/* the CPU lacks it */
		msr_exit(false, msrs[i], 0x1122334455667788);
		expect_event(GP_EVENT);
		ck_assert_uint_eq(abi_gprs()[BF_RDX], 0x11223344);
		msr_exit(true, msrs[i], 1);
		expect_event(GP_EVENT);
		/* it has it */
		msr_set(cpu, msrs[i], 0x1234567890ABCDEF);
		msr_exit(false, msrs[i] | 1ULL << 32, 0);
		expect_stepped();
		ck_assert_uint_eq(abi_gprs()[BF_RAX], 0x90ABCDEF);
		ck_assert_uint_eq(abi_gprs()[BF_RDX], 0x12345678);
		msr_exit(true, msrs[i], 0xFEDCBA9876543210);
		expect_stepped();
		ck_assert_uint_eq(msr_get(cpu, msrs[i]), 0xFEDCBA9876543210);
		msr_drop(cpu, msrs[i]);
	}
	/* in real mode an exception pushes no error code */
	if (_i)
		vmcs_put(host_pp->vs->block_spa, VMCS_cr0, field(VMCS_cr0) & ~(uint64_t)CR0_PE);
	else
		vmcb()->cr0 &= ~(uint64_t)CR0_PE;
	msr_exit(false, SMCA_MSR, 0);
	expect_event(0x30D);
}
END_TEST

/* Those that a map covers are the extension's, and all of a guest of its own. */
START_TEST(msrs_of_the_extension)
{
	static const uint32_t msrs[] = {
		0, 0x1FFF, 0xC0000000, 0xC0001FFF, 0xC0010000, 0xC0011FFF
	};

	running_above(_i, BF_OUTER_NONE, 0);
	for (size_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
		msr_exit(i & 1, msrs[i], 0);
		if (_i && msrs[i] >> 16 == 0xC001)
			expect_event(GP_EVENT); /* Intel's bitmap does not have them */
		else
			ck_assert_int_eq(ended.end, END_RING3);
		SYS(vs_run_current, HANDLE);
	}
	guest_exit(_i ? VMX_EXIT_CPUID : SVM_EXIT_CPUID);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	SYS(vs_run, HANDLE, 0, 0, 1);
	ck_assert_int_eq(ended.end, END_GUEST);
	msr_exit(false, SMCA_MSR, 0);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg0, 1);
}
END_TEST

/* KVM is not told to write where the hypervisor's memory is. */
START_TEST(msrs_that_name_memory)
{
	running_above(_i, BF_OUTER_KVM, 0);
	msr_set(cpu, KVM_STEAL_TIME, 0);
	msr_exit(true, KVM_STEAL_TIME, LINUX_RAM | 1);
	expect_stepped();
	ck_assert_uint_eq(msr_get(cpu, KVM_STEAL_TIME), LINUX_RAM | 1);
	msr_exit(true, KVM_STEAL_TIME, (PHYS_BASE + 0x123000) | 0x41);
	expect_event(GP_EVENT);
	ck_assert_uint_eq(msr_get(cpu, KVM_STEAL_TIME), LINUX_RAM | 1);
	msr_exit(true, KVM_STEAL_TIME, ODD_OWNED | 1);
	expect_event(GP_EVENT);
	msr_exit(true, KVM_STEAL_TIME, 0);
	expect_stepped();
}
END_TEST

/* --- TLB -------------------------------------------------------------------------------------- */

/* No translation of the guest's outlives an exit where KVM flushes for Linux. */
START_TEST(flushes_of_kvm)
{
	bool flushes = _i & 1;

	running_above(_i >> 1, BF_OUTER_KVM, flushes ? BF_OUTER_FLUSHES : 0);
	if (!intel()) {
		guest_exit(SVM_EXIT_CPUID);
		SYS(vs_run_current, HANDLE);
		ck_assert_uint_eq(vmcb()->tlb_control, flushes ? SVM_TLB_FLUSH_ALL : 0);
		return;
	}
	guest_exit(VMX_EXIT_CPUID);
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_virtual_processor_identifier, 1), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_secondary_proc_based_vm_execution_ctls,
				    VMX_SECONDARY_VPID | VMX_SECONDARY_RDTSCP),
			  MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(0, MK1_INTEL_secondary_proc_based_vm_execution_ctls) &
				  (VMX_SECONDARY_VPID | VMX_SECONDARY_RDTSCP),
			  VMX_SECONDARY_RDTSCP | (flushes ? 0 : VMX_SECONDARY_VPID));
}
END_TEST

TCase *obj_outer_tests(void)
{
	TCase *tc = tcase_create("obj_outer");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_loop_test(tc, a_call_of_kvm, 0, 2);
	tcase_add_loop_test(tc, calls_that_kvm_does_not_get, 0, 2);
	tcase_add_loop_test(tc, not_a_call_of_kvm, 0, 2);
	tcase_add_test(tc, a_claim);
	tcase_add_loop_test(tc, a_call_of_vmware, 0, 2);
	tcase_add_loop_test(tc, a_call_of_another, 0, 2);
	tcase_add_loop_test(tc, a_call_that_nobody_answers, 0, 2);
	tcase_add_loop_test(tc, a_call_in_fallback, 0, 2);
	tcase_add_loop_test(tc, the_stop, 0, 2);
	tcase_add_loop_test(tc, msrs_that_no_map_covers, 0, 2);
	tcase_add_loop_test(tc, msrs_of_the_extension, 0, 2);
	tcase_add_loop_test(tc, msrs_that_name_memory, 0, 2);
	tcase_add_loop_test(tc, flushes_of_kvm, 0, 4);
	return tc;
}
