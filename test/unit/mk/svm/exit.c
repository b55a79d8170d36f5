// SPDX-License-Identifier: GPL-2.0-only
/* svm/exit.c: exits before an extension sees them. See vendor/exit.c for more. */
#include "svm.h"
#include "../suites.h"

START_TEST(exits_are_counted_by_reason)
{
	running();
	guest_exit(SVM_EXIT_EFER_WRITE_TRAP);
	guest_exit(0x90);
	guest_exit(SVM_EXIT_AVIC_NOACCEL);
	guest_exit(0x404);
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_uint_eq(status_of(0)->exit_count[0x8F], 1);
	ck_assert_uint_eq(status_of(0)->exit_count[0xF2], 1);
	ck_assert_uint_eq(status_of(0)->exit_count[0xFF], 2);
	ck_assert_uint_eq(status_of(0)->exits, 5);
	ck_assert_uint_eq(ended.arg1, SVM_EXIT_CPUID);
}
END_TEST

/* Linux may be in its NMI handler, where interrupts are off, too. */
START_TEST(nmis_are_unblocked)
{
	unsigned int before;

	running();
	before = cpu->count[INSN_IRET];
	vmcb()->rflags |= RFLAGS_IF;
	guest_exit(SVM_EXIT_IOIO);
	ck_assert_uint_eq(cpu->count[INSN_IRET], before);
	vmcb()->rflags &= ~(uint64_t)RFLAGS_IF;
	guest_exit(SVM_EXIT_IOIO);
	ck_assert_uint_eq(cpu->count[INSN_IRET], before + 1);
	ck_assert_int_eq(ended.end, END_RING3);
}
END_TEST

/* The leaf by which Linux's kernel talks to the extension; a process finds nothing there. */
/* One of Linux's that nobody has asked for: it goes on. */
START_TEST(nmi_of_linux)
{
	running();
	guest_exit(SVM_EXIT_NMI);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(status_of(0)->exits, 1);
	ck_assert_uint_eq(status_of(0)->ext_exits[0], 0);
}
END_TEST

START_TEST(cpuid_leaf)
{
	running();
	cpuid_set(MK1_CPUID_LEAF, MK1_CPUID_STOP, 0x11, 0x22, 0x33, 0x44);
	vmcb()->cpl = 3;
	vmcb()->rip = 0x1000;
	vmcb()->nrip = 0x1002;
	vmcb()->rax = 0xABCD00000000 | MK1_CPUID_LEAF;
	abi_gprs()[BF_RCX] = 0xABCD00000000 | MK1_CPUID_STOP;
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->rip, 0x1002);
	ck_assert_uint_eq(vmcb()->rax, 0x11);
	ck_assert_uint_eq(abi_gprs()[BF_RBX], 0x22);
	ck_assert_uint_eq(abi_gprs()[BF_RCX], 0x33);
	ck_assert_uint_eq(abi_gprs()[BF_RDX], 0x44);
	/* its length cannot be told: it is executed again */
	vmcb()->rax = MK1_CPUID_LEAF;
	vmcb()->nrip = 0;
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->rip, 0x1002);
	ck_assert_uint_eq(vmcb()->rax, MK1_CPUID_LEAF);
	/* another instruction; another leaf; the kernel */
	guest_exit(SVM_EXIT_IOIO);
	ck_assert_int_eq(ended.end, END_RING3);
	vmcb()->rax = MK1_CPUID_LEAF + 1;
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_int_eq(ended.end, END_RING3);
	vmcb()->rax = MK1_CPUID_LEAF;
	vmcb()->cpl = 0;
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(abi_gprs()[BF_RAX], MK1_CPUID_LEAF);
	/* its trap is an event, or the exit that somebody has asked for */
	vmcb()->cpl = 3;
	vmcb()->nrip = 0x1004;
	vmcb()->rflags |= RFLAGS_TF;
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->eventinj, EVENT(3, VECTOR_DB));
	vmcb()->eventinj = 0;
	vmcb()->rax = MK1_CPUID_LEAF;
	vmcb()->nrip = 0x1006;
	reg_write(0, MK1_AMD_intercept_exception, 1u << VECTOR_DB);
	guest_exit(SVM_EXIT_CPUID);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, SVM_EXIT_EXCEPTION + VECTOR_DB);
	ck_assert_uint_eq(vmcb()->rip, 0x1006);
	ck_assert_uint_eq(vmcb()->eventinj, 0);
}
END_TEST

/* VMMCALL is #UD for everyone but the driver; and for an extension that asks, an exit. */
START_TEST(vmmcall)
{
	running();
	vmcb()->rax = BF_HYPERCALL_STOP + 1;
	guest_exit(SVM_EXIT_VMMCALL);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->eventinj, EVENT(3, VECTOR_UD));
	vmcb()->eventinj = 0;
	vmcb()->rax = BF_HYPERCALL_STOP;
	vmcb()->cpl = 3;
	vmcb()->nrip = 0x1003;
	guest_exit(SVM_EXIT_VMMCALL);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->eventinj, EVENT(3, VECTOR_UD));
	/* it cannot be read any more: it is executed again */
	vmcb()->cpl = 0;
	vmcb()->nrip = 0;
	vmcb()->eventinj = 0;
	guest_exit(SVM_EXIT_VMMCALL);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->eventinj, 0);
	ck_assert_uint_eq(vmcb()->rax, BF_HYPERCALL_STOP);
	vmcb()->cpl = 3;
	guest_exit(SVM_EXIT_CPUID);
	reg_write(0, MK1_AMD_intercept_instruction2, SVM_INSTR2_VMMCALL);
	guest_exit(SVM_EXIT_VMMCALL);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, SVM_EXIT_VMMCALL);
	/* not Linux */
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	SYS(vs_run, HANDLE, 0, 0, 1);
	vmcb()->rax = BF_HYPERCALL_STOP;
	guest_exit(SVM_EXIT_VMMCALL);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->eventinj, EVENT(3, VECTOR_UD));
}
END_TEST

/* To an extension, too, QEMU's interrupts and NMIs are no exceptions. */
START_TEST(interrupted_events)
{
	static const uint64_t events[][2] = { { EVENT(3, 14), EVENT(3, 14) },
					      { EVENT(3, 2), EVENT(2, 2) },
					      { EVENT(3, 32), EVENT(0, 32) },
					      { EVENT(3, 0xEC) | SVM_EVENT_ERROR_CODE,
						EVENT(0, 0xEC) },
					      { EVENT(4, 0x80), EVENT(4, 0x80) },
					      { EVENT(3, 0xEC) & ~(uint64_t)SVM_EVENT_VALID,
						EVENT(3, 0xEC) & ~(uint64_t)SVM_EVENT_VALID } };

	running();
	for (unsigned int i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		vmcb()->exitintinfo = events[i][0];
		guest_exit(SVM_EXIT_CPUID);
		ck_assert_int_eq(ended.end, END_RING3);
		ck_assert_uint_eq(reg_read(0, MK1_AMD_exitininfo), events[i][1]);
		SYS(vs_run_current, HANDLE);
	}
}
END_TEST

/* A nested fault of device memory is the microkernel's; the interrupted event goes in again. */
START_TEST(nested_faults)
{
	static const uint64_t events[][2] = { { 0, 0 },
					      { EVENT(3, 14) | SVM_EVENT_ERROR_CODE | 5ULL << 32,
						EVENT(3, 14) | SVM_EVENT_ERROR_CODE | 5ULL << 32 },
					      { EVENT(0, 0x30), EVENT(0, 0x30) },
					      { EVENT(2, 2), EVENT(2, 2) },
					      { EVENT(3, 2),
						EVENT(2, 2) }, /* as QEMU reports them */
					      { EVENT(3, 0xEC), EVENT(0, 0xEC) },
					      { EVENT(4, 0x80), 0 }, /* comes again */
					      { EVENT(3, 3), 0 },
					      { EVENT(3, 4), 0 } };

	running();
	for (unsigned int i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		vmcb()->exitinfo2 = RAM_TOP + i * (1ULL << 30);
		vmcb()->exitintinfo = events[i][0];
		vmcb()->eventinj = 0;
		guest_exit(SVM_EXIT_NPF);
		ck_assert_int_eq(ended.end, END_GUEST);
		ck_assert_uint_eq(vmcb()->eventinj, events[i][1]);
	}
	/* a breakpoint that exits was injected */
	vmcb()->exceptions |= 1u << VECTOR_BP;
	vmcb()->exitinfo2 += 1ULL << 30;
	vmcb()->exitintinfo = EVENT(3, 3);
	guest_exit(SVM_EXIT_NPF);
	ck_assert_uint_eq(vmcb()->eventinj, EVENT(3, 3));
	/* an event that is to go in already stays */
	vmcb()->exitintinfo = EVENT(3, 14);
	vmcb()->eventinj = EVENT(2, 2);
	guest_exit(SVM_EXIT_NPF);
	ck_assert_uint_eq(vmcb()->eventinj, EVENT(2, 2));
	/* cannot be mended, or is another table: the extension's */
	vmcb()->exitinfo2 = 1ULL << 48;
	guest_exit(SVM_EXIT_NPF);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, SVM_EXIT_NPF);
	vmcb()->n_cr3 = LINUX_RAM;
	vmcb()->exitinfo2 = RAM_TOP;
	guest_exit(SVM_EXIT_NPF);
	ck_assert_int_eq(ended.end, END_RING3);
}
END_TEST

/*
 * QEMU refuses what a guest does while it runs. It is that guest's end, if the extension does not
 * change anything, and not before a second time that of the PP.
 */
START_TEST(refused_while_it_runs)
{
	in_guest(0);
	guest_exit(SVM_EXIT_CPUID);
	SYS(vs_run_current, HANDLE);
	vmcb()->rip = 0x1234;
	guest_exit((uint32_t)SVM_EXIT_INVALID);
	ck_assert(!host_pp->fallback);
	expect_told(refused_reason());
	ck_assert_uint_eq(vmcb()->rip, 0x1234);
	SYS(vs_run_current, HANDLE);
	guest_exit((uint32_t)SVM_EXIT_INVALID);
	ck_assert(host_pp->fallback);
	expect_failed(BF_ERR_VS_INVALID);
}
END_TEST

TCase *svm_exit_tests(void)
{
	TCase *tc = tcase_create("svm_exit");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, exits_are_counted_by_reason);
	tcase_add_test(tc, nmis_are_unblocked);
	tcase_add_test(tc, nmi_of_linux);
	tcase_add_test(tc, cpuid_leaf);
	tcase_add_test(tc, vmmcall);
	tcase_add_test(tc, interrupted_events);
	tcase_add_test(tc, nested_faults);
	tcase_add_test(tc, refused_while_it_runs);
	return tc;
}
