// SPDX-License-Identifier: GPL-2.0-only
/* run/stall.c and {svm,vmx}/stall.c: extensions that run a guest which does not get on, or does. */
#include "microkernel/run/stall.h"
#include "../suites.h"
#include "run.h"

#define REPEATS 200
#define MANY 2000
#define FEW 600

static uint64_t code_rip;

/* rip of the guest, as an exit finds it. */
static void put_rip(uint64_t rip)
{
	if (intel())
		put_field(VMCS_rip, rip);
	else
		vmcb()->rip = rip;
}

static void put_info(uint64_t first, uint64_t second)
{
	if (intel()) {
		put_field(VMCS_exit_qualification, first);
		put_field(VMCS_physical_address, second);
		put_field(VMCS_vmexit_interruption_information, 0);
	} else {
		vmcb()->exitinfo1 = first;
		vmcb()->exitinfo2 = second;
	}
}

static void limit(void)
{
	m.handoff->repeats = REPEATS;
	m.handoff->watchdog_ns = 0;
	m.handoff->tsc_khz *= 1000; /* as quick as a CPU */
}

static void running(int vendor)
{
	machine_of(vendor);
	machine_has_x2apics();
	msr_set(&m.cpus[0], MSR_APIC_BASE, 0xFEE00C00); /* an INIT is not the machine's */
	limit();
	start_and_launch();
	code_rip = linux_page(5) + 0xFF0;
	put_rip(code_rip);
}

static uint64_t nested_reason(void)
{
	return intel() ? VMX_EXIT_EPT_MISCONFIGURATION : SVM_EXIT_NPF;
}

/* What the guest does until its nth exit, and what the extension does then. */
typedef void (*step)(unsigned int n);

static bool every_sample = true; /* else one of many, as outside of tests */

/* The number of the exit with which the PP failed; 0: none. */
static unsigned int fails_after(uint64_t reason, step guest, step extension)
{
	for (unsigned int n = 1; n <= (every_sample ? FEW : MANY); n++) {
		host_pp->watched |= every_sample;
		if (guest)
			guest(n);
		guest_exit(reason);
		if (host_pp->fallback)
			return n;
		ck_assert_int_eq(ended.end, END_RING3);
		if (extension)
			extension(n);
		SYS(vs_run_current, HANDLE);
		ck_assert_int_eq(ended.end, END_GUEST);
	}
	return 0;
}

static void expect_stall(unsigned int n, uint64_t reason)
{
	ck_assert_uint_ge(n, REPEATS);
	ck_assert_uint_le(n, STALL_SAMPLE + 2 * REPEATS);
	ck_assert_uint_eq(status_of(0)->detail, reason);
	ck_assert_uint_eq(status_of(0)->rip, code_rip);
	ck_assert_uint_eq(status_of(0)->image, 1);
	expect_alone(BF_ERR_EXT_STALLED);
}

START_TEST(no_advance)
{
	unsigned int n;

	every_sample = false;
	running(_i);
	n = fails_after(cpuid_reason(), NULL, NULL);
	expect_printed(_i ? "vs 0 does not get on: exit CPUID (0xa) at rip" :
			    "vs 0 does not get on: exit CPUID (0x72) at rip");
	expect_stall(n, cpuid_reason());
}
END_TEST

/* CPUID gives RAX to RDX new values each time, which come back sooner or later. */
static void results(unsigned int n)
{
	abi_gprs()[BF_RAX] = n;
	abi_gprs()[BF_RBX] = 3 * n;
	abi_gprs()[BF_RDX] = ~n;
	abi_gprs()[BF_RCX] = n < 30 ? n : 0x1000 + n % 7;
}

START_TEST(no_advance_with_results)
{
	running(_i);
	expect_stall(fails_after(cpuid_reason(), NULL, results), cpuid_reason());
}
END_TEST

static void other_page(unsigned int n)
{
	put_info(7, 0x5000 + n % 2 * PAGE);
}

/* One page is mapped in place of the other that the same instruction needs. */
START_TEST(nested_faults)
{
	running(_i);
	if (!_i)
		vmcb()->n_cr3 = linux_page(9); /* the extension's own */
	expect_stall(fails_after(nested_reason(), other_page, NULL), nested_reason());
}
END_TEST

/* At one place, the guest exits for two reasons in turns, or with other information. */
START_TEST(two_exits)
{
	uint64_t reasons[2];
	unsigned int n = 0;

	running(_i % 2);
	reasons[0] = _i % 2 ? VMX_EXIT_IO : SVM_EXIT_IOIO;
	reasons[1] = _i / 2 ? reasons[0] : cpuid_reason();
	while (!host_pp->fallback && n++ < FEW) {
		host_pp->watched = true;
		put_info(_i / 2 ? n % 2 : 7, 0);
		guest_exit(reasons[n % 2]);
		if (!host_pp->fallback)
			SYS(vs_run_current, HANDLE);
	}
	ck_assert_uint_le(n, FEW);
	expect_stall(n, reasons[n % 2]);
}
END_TEST

/* What gets on between two exits, of which the extension knows nothing. */
static void elsewhere(unsigned int n)
{
	put_rip(code_rip + n % 2);
}

START_TEST(gets_on_by_itself)
{
	running(_i);
	ck_assert_uint_eq(fails_after(cpuid_reason(), elsewhere, NULL), 0);
}
END_TEST

static void poll(unsigned int n)
{
	(void)n;
	put_rip(code_rip);
}

static void advance(unsigned int n)
{
	(void)n;
	reg_write(host_pp->vsid, intel() ? MK1_INTEL_rip : MK1_AMD_rip, code_rip + 2);
}

START_TEST(polling)
{
	running(_i);
	ck_assert_uint_eq(fails_after(_i ? VMX_EXIT_IO : SVM_EXIT_IOIO, poll, advance), 0);
}
END_TEST

static void count_down(unsigned int n)
{
	abi_gprs()[BF_RCX] = MANY - n;
}

START_TEST(string_instructions)
{
	running(_i);
	ck_assert_uint_eq(fails_after(_i ? VMX_EXIT_IO : SVM_EXIT_IOIO, NULL, count_down), 0);
}
END_TEST

static void long_lap(unsigned int n)
{
	abi_gprs()[BF_RDI] = n % 100;
}

START_TEST(counters)
{
	running(_i);
	ck_assert_uint_eq(fails_after(_i ? VMX_EXIT_IO : SVM_EXIT_IOIO, NULL, long_lap), 0);
}
END_TEST

/* A page that is touched all the time, and of which the extension samples the accesses. */
static void run_long(unsigned int n)
{
	(void)n;
	host_pp->stall.entry -= 2 * tsc_ticks(STALL_LONGEST_ENTRY_NS);
}

static void other_pointer(unsigned int n)
{
	abi_gprs()[BF_R14] = n;
}

START_TEST(samples)
{
	running(_i);
	if (!_i)
		vmcb()->n_cr3 = linux_page(9); /* the extension's own */
	ck_assert_uint_eq(fails_after(nested_reason(), run_long, NULL), 0);
	ck_assert_uint_eq(fails_after(nested_reason(), other_pointer, NULL), 0);
}
END_TEST

static void inject(unsigned int n)
{
	(void)n;
	put_event_to_inject(EVENT(3, VECTOR_UD));
}

static void inject_virtual(unsigned int n)
{
	(void)n;
	vmcb()->rflags |= RFLAGS_IF;
	vmcb()->virtual_interrupt |= SVM_V_IRQ;
}

static void pend_virtual(unsigned int n)
{
	(void)n;
	vmcb()->rflags &= ~(uint64_t)RFLAGS_IF;
	vmcb()->virtual_interrupt |= SVM_V_IRQ;
}

START_TEST(events)
{
	running(_i);
	ck_assert_uint_eq(fails_after(cpuid_reason(), NULL, inject), 0);
	if (_i)
		return;
	put_event_to_inject(0);
	ck_assert_uint_eq(fails_after(cpuid_reason(), NULL, inject_virtual), 0);
	/* it is not delivered */
	ck_assert_uint_ne(fails_after(cpuid_reason(), NULL, pend_virtual), 0);
}
END_TEST

static const uint64_t waits_svm[] = {
	SVM_EXIT_INTR,     SVM_EXIT_SMI,      SVM_EXIT_INIT,  SVM_EXIT_VINTR,
	SVM_EXIT_PAUSE,    SVM_EXIT_HLT,      SVM_EXIT_MWAIT, SVM_EXIT_MWAIT_ARMED,
	SVM_EXIT_IDLE_HLT, SVM_EXIT_BUS_LOCK, SVM_EXIT_NMI,   SVM_EXIT_EXCEPTION + VECTOR_DB
};
static const uint64_t waits_vmx[] = { VMX_EXIT_EXTERNAL_INTERRUPT,
				      VMX_EXIT_INIT,
				      VMX_EXIT_SIPI,
				      VMX_EXIT_IO_SMI,
				      VMX_EXIT_OTHER_SMI,
				      VMX_EXIT_INTERRUPT_WINDOW,
				      VMX_EXIT_HLT,
				      VMX_EXIT_MWAIT,
				      VMX_EXIT_PAUSE,
				      VMX_EXIT_MONITOR_TRAP_FLAG,
				      VMX_EXIT_TPAUSE,
				      VMX_EXIT_UMWAIT,
				      VMX_EXIT_PREEMPTION_TIMER,
				      VMX_EXIT_BUS_LOCK,
				      VMX_EXIT_EXCEPTION_NMI };

static size_t nr_waits(void)
{
	return intel() ? sizeof(waits_vmx) / 8 : sizeof(waits_svm) / 8;
}

static const uint64_t *waits(void)
{
	return intel() ? waits_vmx : waits_svm;
}

START_TEST(waiting)
{
	running(_i);
	if (_i)
		put_field(VMCS_vmexit_interruption_information, EVENT(3, VECTOR_DB));
	else
		host_pp->vs->nmi_exiting = true;
	for (size_t i = 0; i < nr_waits(); i++)
		ck_assert_uint_eq(fails_after(waits()[i], NULL, NULL), 0);
}
END_TEST

/* An exception that is neither injected nor done away with; NMIs of Linux's come in between. */
static void nmi(unsigned int n)
{
	if (intel() && n % 3 == 0) {
		put_field(VMCS_vmexit_interruption_information, EVENT(2, VECTOR_NMI));
		guest_exit(VMX_EXIT_EXCEPTION_NMI);
		ck_assert_int_eq(ended.end, END_GUEST);
		guest_exit(VMX_EXIT_NMI_WINDOW);
		ck_assert_int_eq(ended.end, END_GUEST);
		put_event_to_inject(0); /* it has been delivered */
		put_field(VMCS_vmexit_interruption_information, EVENT(3, VECTOR_PF));
	} else if (!intel()) {
		host_pp->nmi_pending = n % 3 == 0;
	}
}

START_TEST(exceptions)
{
	uint64_t reason = _i ? VMX_EXIT_EXCEPTION_NMI : SVM_EXIT_EXCEPTION + VECTOR_PF;
	unsigned int n;

	running(_i);
	if (_i)
		put_field(VMCS_vmexit_interruption_information, EVENT(3, VECTOR_PF));
	n = fails_after(reason, nmi, NULL);
	expect_printed(_i ? "exit EXCEPTION_NMI (0x0)" : "exit EXCEPTION (0x4e)");
	expect_stall(n, reason);
}
END_TEST

/* A debugger may stop at the same place for ever, as with NMIs. */
START_TEST(debug_exceptions)
{
	running(_i);
	if (_i)
		put_field(VMCS_vmexit_interruption_information, EVENT(3, VECTOR_DB));
	ck_assert_uint_eq(fails_after(_i ? VMX_EXIT_EXCEPTION_NMI : SVM_EXIT_EXCEPTION + VECTOR_DB,
				      NULL, NULL),
			  0);
}
END_TEST

START_TEST(names)
{
	static const struct {
		uint64_t reason;
		const char *name;
	} cases[] = { { SVM_EXIT_CR_READ + 3, "exit CR (0x3)" },
		      { SVM_EXIT_DR_WRITE, "exit DR (0x30)" },
		      { 0xA7, "exit OTHER (0xa7)" },
		      { 35, "exit OTHER (0x23)" } };

	running(_i == 3);
	ck_assert_uint_ne(fails_after(cases[_i].reason, NULL, NULL), 0);
	expect_printed(cases[_i].name);
}
END_TEST

#define NAMED(reason, name) { reason, "exit " #name " (" },
#define NUMBER(reason, name) reason,

static const struct {
	uint64_t reason;
	const char *name;
} named[] = { SVM_EXITS(NAMED) VMX_EXITS(NAMED) };
static const uint64_t named_svm[] = { SVM_EXITS(NUMBER) };

#define NR_NAMED ((int)(sizeof(named) / sizeof(named[0])))
#define NR_NAMED_SVM ((int)(sizeof(named_svm) / sizeof(named_svm[0])))

/* All of them but those that no extension gets to see, and those with which a guest waits. */
START_TEST(each_name)
{
	bool waiting = false;

	running(_i >= NR_NAMED_SVM);
	for (size_t i = 0; i < nr_waits(); i++)
		waiting |= waits()[i] == named[_i].reason;
	guest_exit(named[_i].reason);
	if (ended.end == END_GUEST)
		return;
	SYS(vs_run_current, HANDLE);
	if (fails_after(named[_i].reason, NULL, NULL))
		expect_printed(named[_i].name);
	else
		ck_assert(waiting);
}
END_TEST

/* Another guest, which never lets Linux have its interrupt, or its NMI. */
START_TEST(another_guest)
{
	bool owed = _i / 2;
	unsigned int n;

	with_guest(_i % 2);
	limit();
	put_rip(code_rip = 0x1234);
	host_pp->nmi_pending = owed;
	host_pp->entry_dirty = true;
	if (owed) {
		for (n = 0; n < MANY && !host_pp->fallback; n++)
			SYS(vs_run_current, HANDLE);
	} else {
		SYS(vs_run_current, HANDLE);
		n = fails_after(interrupt_reason(), NULL, NULL);
	}
	expect_printed("vs 1 does not get on");
	ck_assert_uint_ge(n, REPEATS);
	ck_assert_uint_lt(n, STALL_SAMPLE + 2 * REPEATS);
	ck_assert_uint_eq(status_of(0)->detail, interrupt_reason());
	ck_assert_ptr_eq(host_pp->vs, host_pp->root_vs);
	expect_failed(BF_ERR_EXT_STALLED);
}
END_TEST

static void alternate(unsigned int n)
{
	SYS(vs_set_active, HANDLE, 0, 0, n % 2);
}

static void other_guest(unsigned int n)
{
	(void)n;
	SYS(vs_set_active, HANDLE, 0, 0, 1);
}

/* One that is not Linux may do whatever it likes, as long as Linux gets its interrupts. */
START_TEST(two_guests)
{
	with_guest(_i);
	limit();
	SYS(vs_run_current, HANDLE);
	ck_assert_uint_eq(fails_after(cpuid_reason(), NULL, alternate), 0);
	ck_assert_uint_eq(fails_after(cpuid_reason(), NULL, other_guest), 0);
	ck_assert_ptr_ne(host_pp->vs, host_pp->root_vs);
}
END_TEST

START_TEST(off)
{
	running(_i);
	m.handoff->repeats = 0;
	ck_assert_uint_eq(fails_after(cpuid_reason(), NULL, NULL), 0);
}
END_TEST

/* As many exits, but not for as long. */
START_TEST(in_time)
{
	running(_i);
	m.handoff->watchdog_ns = 1000000000000000;
	ck_assert_uint_eq(fails_after(cpuid_reason(), NULL, NULL), 0);
	m.handoff->watchdog_ns = 1000;
	ck_assert_uint_eq(fails_after(cpuid_reason(), NULL, NULL), 1);
}
END_TEST

/* The bytes up to the end of the page, and where there is nothing to be read. */
START_TEST(the_code)
{
	static const uint8_t code[16] = { 0x0F, 0xA2, 0x90 };
	const uint64_t offset = _i / 4 ? 0xFFA : 0xFF0, va = 0x7FFFFFFFF000 + offset;
	uint64_t *table[4];
	uint64_t cr3 = _i & 1 ? MK1_INTEL_cr3 : MK1_AMD_cr3;

	running(_i & 1);
	for (unsigned int i = 0; i < 4; i++)
		table[i] = phys_at(linux_page(i));
	for (unsigned int level = 4; level > 1; level--)
		table[level - 1][va >> (12 + 9 * (level - 1)) & 511] = linux_page(level - 2) |
								       BSL_PTE_P;
	memcpy(phys_at(linux_page(5) + offset), code, PAGE - offset);
	if (!(_i & 2))
		table[0][va >> 12 & 511] = linux_page(5) | BSL_PTE_P;
	guest_exit(cpuid_reason());
	ck_assert_uint_eq(reg_write(0, cr3, linux_page(3)), MK1_SUCCESS);
	SYS(vs_run_current, HANDLE);
	put_rip(code_rip = va);
	ck_assert_uint_ne(fails_after(cpuid_reason(), NULL, NULL), 0);
	expect_printed(_i & 2 ? ", code not readable\n" :
		       _i / 4 ? "at rip 0x7ffffffffffa, code 0f a2 90 00 00 00\n" :
				"at rip 0x7ffffffffff0, code 0f a2 90 00 00 00 00 00 00 00 00");
	ck_assert_uint_eq(status_of(0)->rip, va);
}
END_TEST

TCase *run_stall_tests(void)
{
	TCase *tc = tcase_create("run_stall");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, no_advance, 0, 2);
	tcase_add_loop_test(tc, no_advance_with_results, 0, 2);
	tcase_add_loop_test(tc, nested_faults, 0, 2);
	tcase_add_loop_test(tc, two_exits, 0, 4);
	tcase_add_loop_test(tc, gets_on_by_itself, 0, 2);
	tcase_add_loop_test(tc, polling, 0, 2);
	tcase_add_loop_test(tc, string_instructions, 0, 2);
	tcase_add_loop_test(tc, counters, 0, 2);
	tcase_add_loop_test(tc, samples, 0, 2);
	tcase_add_loop_test(tc, events, 0, 2);
	tcase_add_loop_test(tc, waiting, 0, 2);
	tcase_add_loop_test(tc, exceptions, 0, 2);
	tcase_add_loop_test(tc, debug_exceptions, 0, 2);
	tcase_add_loop_test(tc, names, 0, 4);
	tcase_add_loop_test(tc, each_name, 0, NR_NAMED);
	tcase_add_loop_test(tc, another_guest, 0, 4);
	tcase_add_loop_test(tc, two_guests, 0, 2);
	tcase_add_loop_test(tc, off, 0, 2);
	tcase_add_loop_test(tc, in_time, 0, 2);
	tcase_add_loop_test(tc, the_code, 0, 8);
	return tc;
}
