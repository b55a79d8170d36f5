// SPDX-License-Identifier: GPL-2.0-only
/* arch/barrier.c: what a CPU needs around guests that may be hostile, and when it is done. */
#include "../mk2.h"
#include "../suites.h"

#include "microkernel/arch/barrier.h"

#define ALL_INTEL (CPUID_7_EDX_IBRS_IBPB | CPUID_7_EDX_L1D_FLUSH | CPUID_7_EDX_ARCH_CAPABILITIES)
#define MMIO_NO (ARCH_CAP_SBDR_SSDP_NO | ARCH_CAP_FBSDP_NO | ARCH_CAP_PSDP_NO)
#define EIBRS (ARCH_CAP_RDCL_NO | ARCH_CAP_IBRS_ALL | ARCH_CAP_PBRSB_NO)
#define APART (EIBRS | ARCH_CAP_BHI_NO | ARCH_CAP_ITS_NO)

static void give_msrs(uint64_t caps, uint64_t spec_ctrl)
{
	msr_set(&m.cpus[0], MSR_ARCH_CAPABILITIES, caps);
	msr_set(&m.cpus[0], MSR_SPEC_CTRL, spec_ctrl);
	msr_set(&m.cpus[0], MSR_PRED_CMD, 0);
	msr_set(&m.cpus[0], MSR_FLUSH_CMD, 0);
}

static const struct {
	uint32_t edx;
	uint64_t caps, spec_ctrl;
	uint8_t needs;
} intel_cpus[] = {
	/* one that knows of nothing */
	{ 0, 0, 0, BARRIER_RETURNS },
	{ CPUID_7_EDX_MD_CLEAR, 0, 0, BARRIER_BUFFERS | BARRIER_RETURNS },
	{ CPUID_7_EDX_IBRS_IBPB, 0, 0, BARRIER_IBPB | BARRIER_IBPB_BACK | BARRIER_RETURNS },
	{ CPUID_7_EDX_L1D_FLUSH, 0, 0, BARRIER_L1D | BARRIER_RETURNS },
	{ ALL_INTEL, ARCH_CAP_SKIP_L1DFL_VMENTRY, 0,
	  BARRIER_IBPB | BARRIER_IBPB_BACK | BARRIER_RETURNS },
	{ ALL_INTEL, APART, SPEC_CTRL_IBRS, BARRIER_IBPB },
	/* of what it takes to be apart, something is missing */
	{ ALL_INTEL, APART, 0, BARRIER_IBPB | BARRIER_IBPB_BACK },
	{ ALL_INTEL, APART & ~ARCH_CAP_BHI_NO, SPEC_CTRL_IBRS, BARRIER_IBPB | BARRIER_IBPB_BACK },
	{ ALL_INTEL, APART & ~ARCH_CAP_ITS_NO, SPEC_CTRL_IBRS, BARRIER_IBPB | BARRIER_IBPB_BACK },
	{ ALL_INTEL, APART & ~(uint64_t)ARCH_CAP_PBRSB_NO, SPEC_CTRL_IBRS,
	  BARRIER_IBPB | BARRIER_RETURNS },
	{ ALL_INTEL, APART & ~(uint64_t)ARCH_CAP_IBRS_ALL, SPEC_CTRL_IBRS,
	  BARRIER_IBPB | BARRIER_IBPB_BACK | BARRIER_RETURNS },
	/* buffers: each of the ways to have some */
	{ ALL_INTEL | CPUID_7_EDX_MD_CLEAR, APART | ARCH_CAP_MDS_NO, SPEC_CTRL_IBRS,
	  BARRIER_IBPB | BARRIER_BUFFERS },
	{ ALL_INTEL | CPUID_7_EDX_MD_CLEAR, APART | ARCH_CAP_MDS_NO | ARCH_CAP_TAA_NO,
	  SPEC_CTRL_IBRS, BARRIER_IBPB },
	{ ALL_INTEL, APART | ARCH_CAP_FB_CLEAR | ARCH_CAP_PSDP_NO, SPEC_CTRL_IBRS,
	  BARRIER_IBPB | BARRIER_BUFFERS },
	{ ALL_INTEL, APART | ARCH_CAP_FB_CLEAR | MMIO_NO, SPEC_CTRL_IBRS, BARRIER_IBPB },
	{ ALL_INTEL, APART | ARCH_CAP_RFDS_CLEAR, SPEC_CTRL_IBRS, BARRIER_IBPB | BARRIER_BUFFERS },
};

START_TEST(what_intel_needs)
{
	machine_of(1);
	on_pp(0);
	give_msrs(intel_cpus[_i].caps, intel_cpus[_i].spec_ctrl);
	cpuid_set(7, 0, 0, 0, 0, intel_cpus[_i].edx);
	ck_assert_uint_eq(barrier_probe(true), intel_cpus[_i].needs);
}
END_TEST

/* CPUs that can keep the history of branches out are not subject to ITS, and do not say so. */
START_TEST(what_intel_needs_with_bhi_ctrl)
{
	static const struct {
		uint64_t caps, spec_ctrl;
		uint8_t needs;
	} cases[] = {
		{ EIBRS, SPEC_CTRL_IBRS | SPEC_CTRL_BHI_DIS_S, BARRIER_IBPB },
		{ EIBRS | ARCH_CAP_BHI_NO, SPEC_CTRL_IBRS, BARRIER_IBPB },
		{ EIBRS, SPEC_CTRL_IBRS, BARRIER_IBPB | BARRIER_IBPB_BACK },
		{ EIBRS | ARCH_CAP_BHI_NO, 0, BARRIER_IBPB | BARRIER_IBPB_BACK },
	};

	machine_of(1);
	on_pp(0);
	give_msrs(cases[_i].caps, cases[_i].spec_ctrl);
	cpuid_set(7, 0, 0, 0, 0, ALL_INTEL);
	cpuid_set(7, 2, 0, 0, 0, CPUID_7_2_EDX_BHI_CTRL);
	ck_assert_uint_eq(barrier_probe(true), cases[_i].needs);
}
END_TEST

/* Family 0x17, 0x19 and 0x1A, as CPUID 1 has them in EAX. */
#define ZEN2 0x830F10
#define ZEN4 0xA10F11
#define ZEN5 0xB00F21
#define AIBRS CPUID_80000021_EAX_AIBRS
#define TSA_NO (CPUID_80000021_ECX_TSA_SQ_NO | CPUID_80000021_ECX_TSA_L1_NO)
#define BACK (BARRIER_IBPB_BACK | BARRIER_RETURNS)

static const struct {
	uint32_t leaf1, eax, ecx; /* of 0x80000021 */
	uint64_t efer;
	uint8_t needs;
} amd_cpus[] = {
	{ ZEN2, 0, 0, 0, BARRIER_IBPB | BACK },
	{ ZEN4, AIBRS, 0, EFER_AIBRSE, BARRIER_IBPB | BACK },
	{ ZEN4, AIBRS | CPUID_80000021_EAX_SRSO_NO, 0, EFER_AIBRSE, BARRIER_IBPB },
	{ ZEN4, AIBRS | CPUID_80000021_EAX_SRSO_NO, 0, 0, BARRIER_IBPB | BACK },
	{ ZEN5, AIBRS, 0, EFER_AIBRSE, BARRIER_IBPB },
	{ ZEN5, 0, 0, 0, BARRIER_IBPB | BACK },
	{ ZEN5, AIBRS | CPUID_80000021_EAX_VERW_CLEAR, CPUID_80000021_ECX_TSA_SQ_NO, EFER_AIBRSE,
	  BARRIER_IBPB | BARRIER_BUFFERS },
	{ ZEN5, AIBRS | CPUID_80000021_EAX_VERW_CLEAR, TSA_NO, EFER_AIBRSE, BARRIER_IBPB },
};

static void be_amd(uint32_t leaf1, uint32_t eax, uint32_t ecx)
{
	cpuid_set(1, 0, leaf1, 0, 1U << 26, 1U << 12);
	cpuid_set(0x80000000, 0, 0x80000021, 0, 0, 0);
	cpuid_set(0x80000008, 0, 0x3030, CPUID_80000008_EBX_IBPB, 0, 0);
	cpuid_set(0x80000021, 0, eax, 0, ecx, 0);
}

START_TEST(what_amd_needs)
{
	machine_of(0);
	on_pp(0);
	give_msrs(0, 0);
	be_amd(amd_cpus[_i].leaf1, amd_cpus[_i].eax, amd_cpus[_i].ecx);
	msr_set(&m.cpus[0], MSR_EFER, EFER_SCE | EFER_NXE | amd_cpus[_i].efer);
	ck_assert_uint_eq(barrier_probe(false), amd_cpus[_i].needs);
}
END_TEST

/* CPUID may promise, below another hypervisor, what a write then does not find. */
START_TEST(a_command_that_is_refused)
{
	machine_of(_i);
	on_pp(0);
	be_amd(ZEN2, 0, 0);
	cpuid_set(7, 0, 0, 0, 0, ALL_INTEL);
	ck_assert_uint_eq(barrier_probe(_i), BARRIER_RETURNS);
}
END_TEST

START_TEST(an_old_cpu_of_amd)
{
	machine_of(0);
	on_pp(0);
	cpuid_set(0x80000021, 0, AIBRS | CPUID_80000021_EAX_VERW_CLEAR, 0, 0, 0);
	ck_assert_uint_eq(barrier_probe(false), BARRIER_RETURNS);
}
END_TEST

/* --- when ------------------------------------------------------------------------------------- */

static unsigned int commands[2];

static void count_commands(enum insn insn, uint64_t arg)
{
	if (insn == INSN_WRMSR && arg == MSR_PRED_CMD)
		commands[0]++;
	if (insn == INSN_WRMSR && arg == MSR_FLUSH_CMD)
		commands[1]++;
}

static void expect_commands(unsigned int ibpb, unsigned int l1d)
{
	ck_assert_uint_eq(commands[0], ibpb);
	ck_assert_uint_eq(commands[1], l1d);
	commands[0] = 0;
	commands[1] = 0;
}

static uint16_t make_guest(uint16_t vmid)
{
	uint16_t vsid = make_vs(vmid, 0);

	ck_assert_uint_eq(SYS2(vs_nested_attach, HANDLE2, vsid), MK1_SUCCESS);
	return vsid;
}

/* A machine whose CPUs have all of it, and two VMs with a VS each. */
static void with_guests(int i, uint16_t vs[2])
{
	machine_of(i);
	give_msrs(0, 0);
	if (i)
		cpuid_set(7, 0, 0, 1U | 1U << 7 | 1U << 20, 1U << 2,
			  ALL_INTEL | CPUID_7_EDX_MD_CLEAR);
	else
		be_amd(ZEN2, CPUID_80000021_EAX_VERW_CLEAR, 0);
	open_and_launch();
	vs[0] = make_guest(1);
	ck_assert_uint_eq(make_vm(), 2);
	vs[1] = make_guest(2);
	cpu_watch = count_commands;
	expect_commands(0, 0);
}

/* An exit by an NMI that is a kick. */
static void nmi_exit(void)
{
	struct trap_frame f = { .vector = VECTOR_NMI, .cs = BF_SEL_KERNEL_CS };

	if (intel()) {
		put_field(VMCS_vmexit_interruption_information, EVENT(2, VECTOR_NMI));
		guest_exit(VMX_EXIT_EXCEPTION_NMI);
		return;
	}
	trap_dispatch(&f); /* as entry.S sets GIF */
	guest_exit(SVM_EXIT_NMI);
}

static void run(uint16_t vsid)
{
	const struct vs *vs = vs_find(vsid);

	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vs->vmid, vs->vpid, vsid), MK1_SUCCESS);
	put_event_to_inject(0);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
}

static void run_linux(void)
{
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	guest_exit(cpuid_reason());
	ck_assert_int_eq(ended.end, END_RING3);
}

/* Only Intel has an L1D that leaks. That buffers are cleared shows nowhere. */
START_TEST(around_guests)
{
	unsigned int irets;
	uint16_t vs[2];

	with_guests(_i, vs);
	ck_assert(host_pp->needs_barriers & BARRIER_BUFFERS);
	ck_assert_uint_eq(host_pp->status->exit_ibpb, 1);
	run_linux();
	expect_commands(0, 0);
	/* The first one may find what Linux's user left, or whatever. */
	run(vs[0]);
	expect_commands(1, _i);
	irets = cpu->count[INSN_IRET];
	guest_exit(cpuid_reason());
	ck_assert_int_eq(ended.end, END_RING3);
	expect_commands(1, 0);
	/* With interrupts off, NMIs reach root mode all the same. */
	ck_assert_uint_eq(cpu->count[INSN_IRET], irets + !_i);
	/* The same VM again, with Linux in between: that is the affair of Linux. */
	run_linux();
	expect_commands(0, 0);
	run(vs[0]);
	expect_commands(0, _i);
	/* With interrupts on, nothing blocks NMIs. */
	if (!_i)
		vmcb()->rflags |= RFLAGS_IF;
	irets = cpu->count[INSN_IRET];
	guest_exit(cpuid_reason());
	expect_commands(1, 0);
	ck_assert_uint_eq(cpu->count[INSN_IRET], irets);
	run(vs[1]);
	expect_commands(1, _i);
	/* An exit that no extension sees is one, too. */
	host_pp->tlb->kick = KICK_SENT;
	nmi_exit();
	ck_assert_int_eq(ended.end, END_GUEST);
	expect_commands(1, _i);
}
END_TEST

/* Linux is told so: it sees to the process that runs the guest. */
START_TEST(no_ibpb_behind_exits)
{
	machine_of(_i);
	give_msrs(APART, SPEC_CTRL_IBRS);
	if (_i) {
		cpuid_set(7, 0, 0, 1U | 1U << 7 | 1U << 20, 1U << 2, ALL_INTEL);
	} else {
		be_amd(ZEN5, AIBRS, 0);
		msr_set(&m.cpus[0], MSR_EFER,
			EFER_SCE | EFER_NXE | EFER_LME | EFER_LMA | EFER_AIBRSE);
	}
	open_and_launch();
	ck_assert_uint_eq(host_pp->needs_barriers & (BARRIER_IBPB | BARRIER_IBPB_BACK),
			  BARRIER_IBPB);
	ck_assert_uint_eq(host_pp->status->exit_ibpb, 0);
}
END_TEST

/* Nothing is flushed before, and once is enough. */
START_TEST(behind_a_shootdown)
{
	uint16_t vs[2];

	with_guests(_i, vs);
	run(vs[0]);
	expect_commands(1, _i);
	tlb_generation++;
	guest_exit(cpuid_reason());
	ck_assert_int_eq(ended.end, END_RING3);
	expect_commands(1, 0);
	/* Nor is the next one left out. */
	run(vs[0]);
	expect_commands(0, _i);
	guest_exit(cpuid_reason());
	expect_commands(1, 0);
}
END_TEST

/* Guests of Mk#1 are the extension's affair. */
START_TEST(guests_of_mk1)
{
	uint16_t vs[2], vsid;

	with_guests(_i, vs);
	vsid = make_vs(1, 0);
	run(vsid);
	guest_exit(cpuid_reason());
	ck_assert_int_eq(ended.end, END_RING3);
	expect_commands(0, 0);
	/* One that is active becomes one of Mk#2. */
	ck_assert_uint_eq(SYS2(vs_nested_attach, HANDLE2, vsid), MK1_SUCCESS);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	expect_commands(1, _i);
}
END_TEST

TCase *arch_barrier_tests(void)
{
	TCase *tc = tcase_create("arch_barrier");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, what_intel_needs, 0, sizeof(intel_cpus) / sizeof(*intel_cpus));
	tcase_add_loop_test(tc, what_intel_needs_with_bhi_ctrl, 0, 4);
	tcase_add_loop_test(tc, what_amd_needs, 0, sizeof(amd_cpus) / sizeof(*amd_cpus));
	tcase_add_loop_test(tc, a_command_that_is_refused, 0, 2);
	tcase_add_test(tc, an_old_cpu_of_amd);
	tcase_add_loop_test(tc, around_guests, 0, 2);
	tcase_add_loop_test(tc, no_ibpb_behind_exits, 0, 2);
	tcase_add_loop_test(tc, behind_a_shootdown, 0, 2);
	tcase_add_loop_test(tc, guests_of_mk1, 0, 2);
	return tc;
}
