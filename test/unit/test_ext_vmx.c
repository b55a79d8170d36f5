// SPDX-License-Identifier: GPL-2.0-only
/* The default extension on Intel, exit by exit, with the microkernel of fake_mk1.h. */
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
#include <ext/linux/vmx.c>
#include <ext/linux/vmx_access.c>
#include <ext/linux/vmx_cr.c>
#include <ext/linux/vmx_exception.c>
#include <ext/linux/vmx_init.c>
#include <ext/linux/vmx_setup.c>
#include <ext/linux/vmx_step.c>
#include <ext/linux/watch.c>
#include <ext/linux/watched.c>

const char ext_name[] = "default";

WITHOUT(svm)
void svm_step_writes_dr6(UNUSED uint64_t value)
{
	abort();
}

void svm_inject(UNUSED uint64_t vsid, UNUSED const struct ext_exception *x)
{
	abort();
}

WITHOUT_FOLLOWERS
WITHOUT_HOOKS
WITH_CODE

#define INJECTED_UD (VMX_EVENT_VALID | VMX_EVENT_TYPE_EXCEPTION | VECTOR_UD)
#define INJECTED_GP (VMX_EVENT_VALID | VMX_EVENT_TYPE_EXCEPTION | VMX_EVENT_ERROR_CODE | VECTOR_GP)
#define LINUX_CR0 0x80050033ull
#define LINUX_CR4 0x7706F0ull /* with OSXSAVE, PCIDE, SMEP, SMAP, PKE; without VMXE */

#define PRIMARY MK1_INTEL_primary_proc_based_vm_execution_ctls
#define SECONDARY MK1_INTEL_secondary_proc_based_vm_execution_ctls
#define EVENT fake.reg[MK1_INTEL_vmentry_interrupt_information_field]

static uint64_t *fake_reg(uint64_t reg)
{
	ck_assert_uint_gt(reg, 0);
	ck_assert_uint_lt(reg, MK1_INTEL_NR_REGS);
	return reg <= MK1_INTEL_r15 ? &fake.gpr[reg - MK1_INTEL_rax] : &fake.reg[reg];
}

static uint64_t basic = VMX_BASIC_TRUE_CONTROLS;
static uint64_t secondary_allowed = 0xFFFFFFFF;
static uint64_t cr4_allowed = 0x7727FF;

/* Capability MSRs of a CPU of today (SDM vol. 3, appendix A). */
static uint64_t capabilities(uint32_t msr, bool *ok)
{
	*ok = true;
	switch (msr) {
	case 0x3A:
		return 0x100005; /* LMCE, VMX outside of SMX, locked */
	case MSR_VMX_BASIC:
		return basic;
	case MSR_VMX_PINBASED_CTLS:
	case MSR_VMX_TRUE_PINBASED_CTLS:
		return 0xFF00000016;
	case MSR_VMX_PROCBASED_CTLS:
		return 0xFFF9FFFE0401E172;
	case MSR_VMX_TRUE_PROCBASED_CTLS:
		return 0xFFF9FFFE04006172;
	case MSR_VMX_EXIT_CTLS:
	case MSR_VMX_TRUE_EXIT_CTLS:
		return 0x01FFFFFF00036DFB;
	case MSR_VMX_ENTRY_CTLS:
	case MSR_VMX_TRUE_ENTRY_CTLS:
		return 0x0003FFFF000011FB;
	case MSR_VMX_CR0_FIXED0:
		return 0x80000021;
	case MSR_VMX_CR4_FIXED0:
		return 0x2000;
	case MSR_VMX_CR4_FIXED1:
		return cr4_allowed;
	case MSR_VMX_PROCBASED_CTLS2:
		return secondary_allowed << 32;
	default:
		*ok = false;
		return 0;
	}
}

static void setup(void)
{
	is_open = true;
	fake_reset();
	basic = VMX_BASIC_TRUE_CONTROLS;
	secondary_allowed = 0xFFFFFFFF;
	cr4_allowed = 0x7727FF;
	fake.rdmsr = capabilities;
	fake.reg[SECONDARY] = 0x2; /* the microkernel's EPT */
	fake.reg[MK1_INTEL_efer] = 0xD01;
	fake.reg[MK1_INTEL_cr0] = LINUX_CR0;
	fake.reg[MK1_INTEL_cr4] = LINUX_CR4 | CR4_VMXE;
	fake.reg[MK1_INTEL_cr4_read_shadow] = LINUX_CR4;
	fake.reg[MK1_INTEL_cs_attrib] = 0xA09B;
	fake.reg[MK1_INTEL_ss_attrib] = 0xC093;
	memory = false;
	ports = NULL;
	watched_crs = watched_drs = 0;
	watched = 0;
	vmx_step_reset();
	ck_assert(vmx_start());
	ck_assert(vmx_setup(0));
	report = false;
}

static void teardown(void)
{
	fake_reset();
}

static enum ended exit_with(uint64_t reason)
{
	EVENT = 0;
	return fake_run(vmx_vmexit, 0, reason);
}

static void expect_gp(enum ended ended)
{
	ck_assert_int_eq(ended, RESUMED);
	ck_assert_uint_eq(EVENT, INJECTED_GP);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_vmentry_exception_error_code], 0);
}

START_TEST(bitmap_holds_what_hides_vmx)
{
	const uint8_t *map = fake.memory[0];
	unsigned int bits = 0;

	for (size_t i = 0; i < BF_PAGE_SIZE; i++)
		bits += (unsigned int)__builtin_popcount(map[i]);
	ck_assert_uint_eq(bits, 22 + 1 + 64 + 1 + 2 + 8 + 1);
	ck_assert_uint_eq(map[0x007], 0x04); /* reads of FEATURE_CONTROL */
	ck_assert_uint_eq(map[0x807], 0x04); /* writes */
	ck_assert_uint_eq(map[0x090], 0xFF); /* reads of 0x480..0x493 */
	ck_assert_uint_eq(map[0x091], 0xFF);
	ck_assert_uint_eq(map[0x092], 0x0F);
	ck_assert_uint_eq(map[0x80F], 0x02); /* microcode */
	ck_assert_uint_eq(map[0x840], 0xFF); /* MTRRs: variable, fixed, default */
	ck_assert_uint_eq(map[0x847], 0xFF);
	ck_assert_uint_eq(map[0x84A], 0x01);
	ck_assert_uint_eq(map[0x84B], 0x03);
	ck_assert_uint_eq(map[0x84D], 0xFF);
	ck_assert_uint_eq(map[0x84E], 0x00); /* PAT is the guest's own */
	ck_assert_uint_eq(map[0x85F], 0x80);
}
END_TEST

START_TEST(controls_are_what_the_cpu_allows)
{
	/* 1-settings of true controls, MSR bitmaps and secondary controls; no CR3 exits. */
	ck_assert_uint_eq(fake.reg[PRIMARY], 0x94006172);
	ck_assert_uint_eq(fake.reg[SECONDARY], 0x2 | SECONDARY_WANTED | VMX_SECONDARY_UNRESTRICTED);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_pin_based_vm_execution_ctls], 0x16);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_vmexit_ctls] & EXIT_WANTED, EXIT_WANTED);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_vmentry_ctls],
			  0x11FB | ENTRY_WANTED | VMX_ENTRY_CTL_IA32E_GUEST);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_virtual_processor_identifier], 1);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_address_of_msr_bitmaps], 0x123000);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_vmcs_link_pointer], ~0ull);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_cr0_guest_host_mask], 0x20); /* unrestricted */
	ck_assert_uint_eq(fake.reg[MK1_INTEL_cr0], LINUX_CR0);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_cr4_guest_host_mask], CR4_VMXE | 0xFFFFFFFFE408C000);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_cr4], LINUX_CR4 | CR4_VMXE);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_cr4_read_shadow], LINUX_CR4);
}
END_TEST

START_TEST(older_cpus)
{
	/* No EPT: not unrestricted, PE and PG are forced; no VPID: the field is 0 again. */
	fake.reg[SECONDARY] = 0;
	secondary_allowed = VMX_SECONDARY_RDTSCP;
	ck_assert(vmx_setup(0));
	ck_assert_uint_eq(fake.reg[SECONDARY], VMX_SECONDARY_RDTSCP);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_virtual_processor_identifier], 0);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_cr0_guest_host_mask], 0x80000021);
	/* No true controls: CR3 exits cannot be turned off, which is said. */
	basic = 0;
	ck_assert(!vmx_setup(0));
	ck_assert_ptr_nonnull(strstr(fake.text, "exits for CR3"));
}
END_TEST

START_TEST(cpuid_hides_and_follows_cr4)
{
	struct cpuid_regs r = cpuid(0, 0);
	unsigned int calls = fake.calls;

	fake.gpr[BF_RAX] = 0xFFFFFFFF00000000;
	fake.gpr[BF_RCX] = 0;
	ck_assert_int_eq(exit_with(VMX_EXIT_CPUID), RESUMED_NEXT);
	ck_assert_uint_eq(fake.calls, calls + 1); /* one syscall, no more */
	ck_assert_uint_eq(fake.gpr[BF_RAX], r.eax);
	ck_assert_uint_eq(fake.gpr[BF_RBX], r.ebx);
	ck_assert_uint_eq(fake.gpr[BF_RCX], r.ecx);
	ck_assert_uint_eq(fake.gpr[BF_RDX], r.edx);
	fake.gpr[BF_RAX] = 1;
	ck_assert_int_eq(exit_with(VMX_EXIT_CPUID), RESUMED_NEXT);
	ck_assert_uint_eq(fake.gpr[BF_RCX] & 0x8000060, 0x8000000);
	fake.reg[MK1_INTEL_cr4] &= ~(uint64_t)CR4_OSXSAVE;
	fake.gpr[BF_RAX] = 1;
	ck_assert_int_eq(exit_with(VMX_EXIT_CPUID), RESUMED_NEXT);
	ck_assert_uint_eq(fake.gpr[BF_RCX] & 0x8000060, 0);
}
END_TEST

START_TEST(stop_promotes_from_cpl_0_only)
{
	fake.gpr[BF_RAX] = MK1_CPUID_LEAF;
	fake.gpr[BF_RCX] = MK1_CPUID_STOP;
	fake.reg[MK1_INTEL_ss_attrib] = 0xC0F3;
	ck_assert_int_eq(exit_with(VMX_EXIT_CPUID), RESUMED_NEXT);
	ck_assert_uint_eq(fake.gpr[BF_RAX], cpuid(MK1_CPUID_LEAF, MK1_CPUID_STOP).eax);
	fake.gpr[BF_RAX] = MK1_CPUID_LEAF;
	fake.gpr[BF_RCX] = MK1_CPUID_STOP;
	fake.reg[MK1_INTEL_ss_attrib] = 0xC093;
	ck_assert_int_eq(exit_with(VMX_EXIT_CPUID), PROMOTED);
	ck_assert_uint_eq(fake.gpr[BF_RAX], 0);
	ck_assert(fake.advanced);
}
END_TEST

static enum ended mov_to_cr(unsigned int cr, uint64_t value)
{
	fake.flushed = false;
	fake.gpr[BF_RSI] = value;
	fake.reg[MK1_INTEL_exit_qualification] = cr | 6 << 8; /* from RSI */
	return exit_with(VMX_EXIT_CR_ACCESS);
}

START_TEST(cr4_vmxe_lives_in_the_shadow)
{
	ck_assert_int_eq(mov_to_cr(4, LINUX_CR4 | CR4_VMXE), RESUMED_NEXT);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_cr4], LINUX_CR4 | CR4_VMXE);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_cr4_read_shadow], LINUX_CR4 | CR4_VMXE);
	ck_assert(!fake.flushed);
	ck_assert_int_eq(exit_with(VMX_EXIT_VMXON), RESUMED);
	ck_assert_uint_eq(EVENT, INJECTED_UD);
	/* The rest of the value takes effect. */
	ck_assert_int_eq(mov_to_cr(4, LINUX_CR4 & ~(uint64_t)CR4_PGE), RESUMED_NEXT);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_cr4], (LINUX_CR4 | CR4_VMXE) & ~(uint64_t)CR4_PGE);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_cr4_read_shadow], LINUX_CR4 & ~(uint64_t)CR4_PGE);
	ck_assert(fake.flushed);
}
END_TEST

START_TEST(cr4_refuses_what_a_cpu_refuses)
{
	const uint64_t vmxe = LINUX_CR4 | CR4_VMXE;

	expect_gp(mov_to_cr(4, vmxe | 1ull << 32)); /* reserved */
	expect_gp(mov_to_cr(4, vmxe | CR4_CET)); /* not on this CPU */
	expect_gp(mov_to_cr(4, vmxe | CR4_LA57));
	cr4_allowed = ~0ull;
	ck_assert_ptr_null(strstr(fake.text, "CR4"));
	expect_gp(mov_to_cr(4, vmxe | 1ull << 26)); /* nobody knows what it is */
	ck_assert_ptr_nonnull(strstr(fake.text, "sets bit 26 of CR4"));
	expect_gp(mov_to_cr(4, vmxe | 1ull << 32));
	ck_assert_ptr_nonnull(strstr(fake.text, "sets bit 32 of CR4"));
	ck_assert_int_eq(mov_to_cr(4, vmxe | 1ull << 27), RESUMED_NEXT); /* LASS */
	ck_assert_int_eq(mov_to_cr(4, vmxe), RESUMED_NEXT);
	expect_gp(mov_to_cr(4, vmxe & ~(uint64_t)CR4_PAE));
	fake.reg[MK1_INTEL_cr4] &= ~(uint64_t)CR4_PCIDE;
	fake.reg[MK1_INTEL_cr3] = 0x1001;
	expect_gp(mov_to_cr(4, vmxe)); /* PCIDE with a PCID that is not 0 */
	fake.reg[MK1_INTEL_cr3] = 0x1000;
	ck_assert_int_eq(mov_to_cr(4, vmxe), RESUMED_NEXT);
}
END_TEST

START_TEST(cr0_ne_is_forced)
{
	ck_assert_int_eq(mov_to_cr(0, LINUX_CR0 & ~0x20ull), RESUMED_NEXT);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_cr0], LINUX_CR0);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_cr0_read_shadow], LINUX_CR0 & ~0x20ull);
	ck_assert_int_eq(mov_to_cr(0, LINUX_CR0 & ~0x10000ull), RESUMED_NEXT);
	ck_assert(fake.flushed); /* WP */
	expect_gp(mov_to_cr(0, LINUX_CR0 | 1ull << 32));
	expect_gp(mov_to_cr(0, LINUX_CR0 | CR0_NW));
	expect_gp(mov_to_cr(0, LINUX_CR0 & ~(uint64_t)CR0_PG));
	expect_gp(mov_to_cr(0, LINUX_CR0 & ~(uint64_t)CR0_PE));
	fake.reg[MK1_INTEL_cr4] |= CR4_CET;
	expect_gp(mov_to_cr(0, LINUX_CR0 & ~(uint64_t)CR0_WP));
}
END_TEST

/* Every operand number reads the register of that number (SDM vol. 3 table 28-3). */
START_TEST(cr_operands)
{
	static const unsigned int order[] = { BF_RAX, BF_RCX, BF_RDX, BF_RBX, BF_NR_GPRS, BF_RBP,
					      BF_RSI, BF_RDI, BF_R8,  BF_R9,  BF_R10,     BF_R11,
					      BF_R12, BF_R13, BF_R14, BF_R15 };

	for (unsigned int i = 0; i < 16; i++) {
		uint64_t *source = i == 4 ? &fake.reg[MK1_INTEL_rsp] : &fake.gpr[order[i]];

		memset(fake.gpr, 0, sizeof(fake.gpr));
		fake.reg[MK1_INTEL_rsp] = 0;
		*source = LINUX_CR4 | CR4_VMXE;
		fake.reg[MK1_INTEL_cr4_read_shadow] = LINUX_CR4;
		fake.reg[MK1_INTEL_exit_qualification] = 4 | i << 8;
		ck_assert_int_eq(exit_with(VMX_EXIT_CR_ACCESS), RESUMED_NEXT);
		ck_assert_uint_eq(fake.reg[MK1_INTEL_cr4_read_shadow], LINUX_CR4 | CR4_VMXE);
	}
	fake.reg[MK1_INTEL_exit_qualification] = 2 << 4; /* CLTS: TS is the guest's */
	ck_assert_int_eq(exit_with(VMX_EXIT_CR_ACCESS), EXITED);
	fake.reg[MK1_INTEL_exit_qualification] = 3;
	ck_assert_int_eq(exit_with(VMX_EXIT_CR_ACCESS), EXITED);
}
END_TEST

static enum ended xsetbv(uint64_t index, uint64_t value)
{
	fake.gpr[BF_RCX] = index;
	fake.gpr[BF_RAX] = 0x9900000000 | (uint32_t)value;
	fake.gpr[BF_RDX] = 0x9900000000 | value >> 32;
	return exit_with(VMX_EXIT_XSETBV);
}

START_TEST(xsetbv_asks_the_microkernel)
{
	ck_assert_int_eq(xsetbv(0xFF00000000, 0x200000007), RESUMED_NEXT);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_xcr0], 0x200000007);
	expect_gp(xsetbv(1, 7));
	fake.refused_reg = MK1_INTEL_xcr0;
	expect_gp(xsetbv(0, 0));
	fake.refused_reg = 0;
	fake.reg[MK1_INTEL_ss_attrib] = 0xC0F3; /* CPL 3 */
	expect_gp(xsetbv(0, 7));
	fake.reg[MK1_INTEL_cr4] &= ~(uint64_t)CR4_OSXSAVE;
	ck_assert_int_eq(xsetbv(0, 7), RESUMED);
	ck_assert_uint_eq(EVENT, INJECTED_UD);
}
END_TEST

static enum ended msr_exit(uint32_t msr, bool write, uint64_t value)
{
	fake.gpr[BF_RCX] = 0xAB00000000 | msr;
	fake.gpr[BF_RAX] = (uint32_t)value;
	fake.gpr[BF_RDX] = value >> 32;
	return exit_with(write ? VMX_EXIT_WRMSR : VMX_EXIT_RDMSR);
}

START_TEST(vmx_looks_disabled_by_firmware)
{
	ck_assert_int_eq(msr_exit(0x3A, false, 0), RESUMED_NEXT);
	ck_assert_uint_eq(fake.gpr[BF_RAX], 0x100001);
	ck_assert_uint_eq(fake.gpr[BF_RDX], 0);
	expect_gp(msr_exit(0x3A, true, 5));
	for (uint32_t msr = MSR_VMX_BASIC; msr <= MSR_VMX_EXIT_CTLS2; msr++)
		expect_gp(msr_exit(msr, false, 0));
	expect_gp(msr_exit(0x40000000, false, 0));
	expect_gp(msr_exit(0x40000000, true, 0));
	fake.wrmsr_msr = 0x40000000;
	ck_assert_int_eq(msr_exit(0x40000000, true, 0x1122334455667788), RESUMED_NEXT);
	ck_assert_uint_eq(fake.wrmsr_value, 0x1122334455667788);
	/* MTRRs are the microkernel's to write; microcode is not loaded. */
	fake.wrmsr_msr = 0x2FF;
	ck_assert_int_eq(msr_exit(0x2FF, true, 0xC06), RESUMED_NEXT);
	ck_assert_uint_eq(fake.wrmsr_value, 0xC06);
	fake.wrmsr_msr = 0x79;
	ck_assert_int_eq(msr_exit(0x79, true, 0xFFFF888000000030), RESUMED_NEXT);
	ck_assert_uint_eq(fake.wrmsr_value, 0xC06);
	/* No error code in real mode. */
	fake.reg[MK1_INTEL_cr0] = 0x30;
	ck_assert_int_eq(msr_exit(MSR_VMX_BASIC, false, 0), RESUMED);
	ck_assert_uint_eq(EVENT, INJECTED_GP & ~0x800ull);
}
END_TEST

START_TEST(vmx_instructions_are_undefined)
{
	static const uint64_t reasons[] = { 11, 18, 19, 20, 21, 22, 23, 24,
					    25, 26, 27, 50, 53, 59, 76, 77 };

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		ck_assert_int_eq(exit_with(reasons[i]), RESUMED);
		ck_assert_uint_eq(EVENT, INJECTED_UD);
		/* in an SGX enclave, where they exit before they are undefined */
		ck_assert_int_eq(exit_with(reasons[i] | 1u << 27), RESUMED);
		ck_assert_uint_eq(EVENT, INJECTED_UD);
	}
	/* with MOV SS right before it, and a trap flag */
	fake.reg[MK1_INTEL_interruptibility_state] = VMX_BLOCKING_BY_MOV_SS;
	ck_assert_int_eq(exit_with(reasons[0]), RESUMED);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_interruptibility_state], 0);
	ck_assert_int_eq(exit_with(VMX_EXIT_INVD), RESUMED_NEXT);
	fake.reg[MK1_INTEL_ss_attrib] = 0xC0F3;
	expect_gp(exit_with(VMX_EXIT_INVD));
}
END_TEST

/* Paging and IA-32e mode begin with a write that also sets NE, as Linux's trampoline does it. */
START_TEST(a_cpu_that_starts_changes_modes)
{
	fake.reg[MK1_INTEL_exit_qualification] = 0x9A;
	ck_assert_int_eq(exit_with(VMX_EXIT_SIPI), RESUMED);
	fake.reg[MK1_INTEL_cr0] = 0x31; /* PE: it does not exit */
	fake.reg[MK1_INTEL_cs_attrib] = 0xC09B;
	fake.reg[MK1_INTEL_efer] = EFER_LME;
	expect_gp(mov_to_cr(0, LINUX_CR0)); /* without PAE */
	fake.reg[MK1_INTEL_cr4] |= CR4_PAE;
	expect_gp(mov_to_cr(0, LINUX_CR0 & ~(uint64_t)CR0_PE));
	ck_assert_int_eq(mov_to_cr(0, LINUX_CR0), RESUMED_NEXT);
	ck_assert(fake.flushed);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_cr0], LINUX_CR0);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_efer], EFER_LME | EFER_LMA);
	ck_assert(fake.reg[MK1_INTEL_vmentry_ctls] & VMX_ENTRY_CTL_IA32E_GUEST);
	/* and back, from its compatibility mode only */
	fake.reg[MK1_INTEL_cs_attrib] = 0xA09B;
	expect_gp(mov_to_cr(0, 0x11));
	fake.reg[MK1_INTEL_cs_attrib] = 0xC09B;
	ck_assert_int_eq(mov_to_cr(0, 0x11), RESUMED_NEXT);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_efer], EFER_LME);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_vmentry_ctls] & VMX_ENTRY_CTL_IA32E_GUEST, 0);
	/* paging without that mode, but with page-directory-pointer-table registers */
	fake.reg[MK1_INTEL_efer] = 0;
	expect_gp(mov_to_cr(0, LINUX_CR0));
	fake.reg[MK1_INTEL_cr4] &= ~(uint64_t)CR4_PAE;
	ck_assert_int_eq(mov_to_cr(0, LINUX_CR0), RESUMED_NEXT);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_efer], 0);
}
END_TEST

START_TEST(start_up)
{
	memset(fake.gpr, 0x55, sizeof(fake.gpr));
	fake.reg[MK1_INTEL_cr0] |= CR0_CD;
	fake.reg[MK1_INTEL_activity_state] = VMX_ACTIVITY_WAIT_FOR_SIPI;
	fake.reg[MK1_INTEL_exit_qualification] = 0x9A;
	/* what such an exit may report, and VM entry refuses afterwards: SMIs blocked */
	fake.reg[MK1_INTEL_interruptibility_state] = 4;
	ck_assert_int_eq(exit_with(VMX_EXIT_SIPI), RESUMED);
	ck_assert(fake.flushed);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_cr0], CR0_CD | 0x30); /* NE is forced */
	ck_assert_uint_eq(fake.reg[MK1_INTEL_cr0_read_shadow], CR0_CD | 0x10);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_cr4], CR4_VMXE);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_cr4_read_shadow], 0);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_efer], 0);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_vmentry_ctls] & VMX_ENTRY_CTL_IA32E_GUEST, 0);
	for (unsigned int i = 0; i < BF_NR_GPRS; i++)
		ck_assert_uint_eq(fake.gpr[i], i == BF_RDX ? cpuid(1, 0).eax : 0);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_interruptibility_state], 0);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_activity_state], 0);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_cs_selector], 0x9A00);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_cs_base], 0x9A000);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_rip], 0);
}
END_TEST

START_TEST(the_rest_ends_the_run)
{
	ck_assert_int_eq(exit_with(VMX_EXIT_TRIPLE_FAULT), EXITED);
	ck_assert_ptr_nonnull(strstr(fake.text, "triple fault"));
	ck_assert_int_eq(exit_with(VMX_EXIT_EPT_VIOLATION), EXITED);
	ck_assert_ptr_nonnull(strstr(fake.text, "unexpected exit 0x30"));
	ck_assert_int_eq(exit_with(VMX_EXIT_ENTRY_FAILED | VMX_EXIT_ENTRY_GUEST_STATE), EXITED);
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

	is_svm = false;
	for (n = 1;; n++) {
		fake_reset();
		fake.rdmsr = capabilities;
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

/* Which exits only for an extension that asks for it. */
START_TEST(efer_of_an_extension)
{
	uint64_t efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE, value;

	fake.reg[MK1_INTEL_efer] = efer;
	ck_assert_int_eq(msr_exit(MSR_EFER, true, efer), RESUMED_NEXT);
	ck_assert_int_eq(msr_exit(MSR_EFER, true, EFER_LME), RESUMED_NEXT);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_efer], EFER_LME | EFER_LMA);
	ck_assert(ext_msr_read(0, MSR_EFER, &value));
	ck_assert_uint_eq(value, EFER_LME | EFER_LMA);
	expect_gp(msr_exit(MSR_EFER, true, 0)); /* LME, with paging */
	expect_gp(msr_exit(MSR_EFER, true, efer | 0x200));
	expect_gp(msr_exit(MSR_EFER, true, efer | EFER_SVME));
	fake.reg[MK1_INTEL_cr0] &= ~(uint64_t)CR0_PG;
	fake.reg[MK1_INTEL_efer] = 0;
	ck_assert_int_eq(msr_exit(MSR_EFER, true, EFER_LME), RESUMED_NEXT);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_efer], EFER_LME);
}
END_TEST

#define CPUID_EXIT VMX_EXIT_CPUID
#define REG(name) MK1_INTEL_##name
/* An access to watched memory, and an IN or OUT of one byte. */
static enum ended fault_exit(uint64_t gpa, unsigned int access)
{
	fake.reg[MK1_INTEL_exit_qualification] = access == EXT_WRITE   ? VMX_QUAL_EPT_WRITE :
						 access == EXT_EXECUTE ? VMX_QUAL_EPT_FETCH :
									 VMX_QUAL_EPT_READ;
	fake.reg[MK1_INTEL_physical_address] = gpa;
	return exit_with(VMX_EXIT_EPT_VIOLATION);
}

static enum ended io_exit(uint16_t port, bool in)
{
	fake.reg[MK1_INTEL_exit_qualification] = (uint64_t)port << 16 | (in ? VMX_QUAL_IO_IN : 0);
	return exit_with(VMX_EXIT_IO);
}

static enum ended cr_exit(unsigned int number, uint64_t value)
{
	return mov_to_cr(number, value);
}

static enum ended dr_exit(unsigned int number, bool write, uint64_t value)
{
	fake.gpr[BF_RSI] = value;
	fake.reg[MK1_INTEL_exit_qualification] = number | 6 << 8 |
						 (write ? 0 : (uint64_t)VMX_QUAL_DR_FROM);
	return exit_with(VMX_EXIT_DR_ACCESS);
}

static enum ended exception_exit(uint8_t vector, uint32_t code, uint64_t address)
{
	fake.reg[MK1_INTEL_vmexit_interruption_information] =
		VMX_EVENT_VALID | VMX_EVENT_TYPE_EXCEPTION | vector |
		(VECTOR_HAS_ERROR_CODE(vector) ? (uint64_t)VMX_EVENT_ERROR_CODE : 0);
	fake.reg[MK1_INTEL_vmexit_interruption_error_code] = code;
	fake.reg[MK1_INTEL_exit_qualification] = address;
	return exit_with(VMX_EXIT_EXCEPTION_NMI);
}

#define ERROR_CODE fake.reg[MK1_INTEL_vmentry_exception_error_code]
#define RECALLED VMX_EXIT_EXTERNAL_INTERRUPT
#define EXITING_EXCEPTIONS fake.reg[MK1_INTEL_exception_bitmap]
#define IO_EXITS (fake.reg[PRIMARY] & VMX_PRIMARY_IO_BITMAPS)
#define EXITS_OF_CR0 (fake.reg[MK1_INTEL_cr0_guest_host_mask] == ~0ull)
#define DRS_EXIT (fake.reg[PRIMARY] & VMX_PRIMARY_MOV_DR)
#define HYPERCALL_EXIT VMX_EXIT_VMCALL
#define STEPPED \
	(fake.reg[MK1_INTEL_primary_proc_based_vm_execution_ctls] & VMX_PRIMARY_MONITOR_TRAP)
#define STEPPED_EXIT VMX_EXIT_MONITOR_TRAP_FLAG
#define INTERRUPTED fake.reg[MK1_INTEL_idt_vectoring_information_field]
#define SHADOW fake.reg[MK1_INTEL_interruptibility_state]
#include "frame_tests.h"

/* What is behind an instruction that was done in Linux's place: no shadow, and its own trap. */
START_TEST(an_instruction_in_its_place)
{
	fake.reg[MK1_INTEL_rflags] = 0x202;
	fake.reg[MK1_INTEL_interruptibility_state] = VMX_BLOCKING_BY_STI | VMX_BLOCKING_BY_NMI;
	fake.reg[MK1_INTEL_pending_debug_exceptions] = 0;
	inject_after_insn(0);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_interruptibility_state], VMX_BLOCKING_BY_NMI);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_pending_debug_exceptions], 0);
	fake.reg[MK1_INTEL_rflags] = 0x302;
	inject_after_insn(0);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_pending_debug_exceptions], VMX_PENDING_DEBUG_BS);
	fake.reg[MK1_INTEL_pending_debug_exceptions] = 0x1; /* a breakpoint on data */
	fake.reg[MK1_INTEL_debugctl] = DEBUGCTL_BTF;
	inject_after_insn(0);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_pending_debug_exceptions], 0x1);
	fake.reg[MK1_INTEL_debugctl] = 0;
	inject_after_insn(0);
	ck_assert_uint_eq(fake.reg[MK1_INTEL_pending_debug_exceptions], 0x1 | VMX_PENDING_DEBUG_BS);
}
END_TEST

/* A breakpoint on data of an instruction before: an entry that injects would lose it. */
START_TEST(a_trap_before_an_interrupt)
{
	struct ext_exit e = { 0 };

	fake.reg[MK1_INTEL_rflags] = 0x202;
	fake.reg[MK1_INTEL_interruptibility_state] = 0;
	fake.reg[MK1_INTEL_pending_debug_exceptions] = 0x1001;
	EVENT = INTERRUPTED = 0;
	ck_assert_ptr_nonnull(ext_inject_interrupt(&e, 0x20));
	ck_assert_uint_eq(EVENT, 0);
	fake.reg[MK1_INTEL_pending_debug_exceptions] = 0;
	ck_assert_ptr_null(ext_inject_interrupt(&e, 0x20));
}
END_TEST

/* A pending interrupt waits for the instruction, unless something is delivered first. */
START_TEST(a_step_holds_interrupts)
{
	uint64_t *state = &fake.reg[MK1_INTEL_interruptibility_state];

	with_hooks();
	ck_assert(watch_memory() && watch_begin(0));
	fake.reg[MK1_INTEL_rflags] = RFLAGS_FIXED | RFLAGS_IF;
	INTERRUPTED = 0;
	EVENT = 0;
	ck_assert_int_eq(fault_exit(0x5000, EXT_WRITE), RESUMED);
	ck_assert_uint_eq(*state, VMX_BLOCKING_BY_STI);
	/* another exit than the trap: VM entry would refuse the bit where IF is clear by then */
	ck_assert_int_eq(cpuid_exit(0), RESUMED_NEXT);
	ck_assert_uint_eq(*state, 0);
	fake.reg[MK1_INTEL_rflags] = RFLAGS_FIXED;
	ck_assert_int_eq(fault_exit(0x5000, EXT_WRITE), RESUMED);
	ck_assert_uint_eq(*state, 0);
	ck_assert_int_eq(exit_with(STEPPED_EXIT), RESUMED);
	fake.reg[MK1_INTEL_rflags] = RFLAGS_FIXED | RFLAGS_IF;
	*state = VMX_BLOCKING_BY_MOV_SS;
	ck_assert_int_eq(fault_exit(0x5000, EXT_WRITE), RESUMED);
	ck_assert_uint_eq(*state, VMX_BLOCKING_BY_MOV_SS);
	ck_assert_int_eq(exit_with(STEPPED_EXIT), RESUMED);
	*state = 0;
	fake.reg[MK1_INTEL_rflags] |= RFLAGS_TF;
	ck_assert_int_eq(fault_exit(0x5000, EXT_WRITE), RESUMED);
	ck_assert_uint_eq(*state, 0);
	ck_assert_int_eq(exit_with(STEPPED_EXIT), RESUMED);
	fake.reg[MK1_INTEL_rflags] &= ~(uint64_t)RFLAGS_TF;
	INTERRUPTED = 0x80000030;
	ck_assert_int_eq(fault_exit(0x5000, EXT_WRITE), RESUMED);
	ck_assert_uint_eq(*state, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ext_vmx");
	TCase *tc = tcase_create("ext_vmx");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, bitmap_holds_what_hides_vmx);
	tcase_add_test(tc, controls_are_what_the_cpu_allows);
	tcase_add_test(tc, older_cpus);
	tcase_add_test(tc, cpuid_hides_and_follows_cr4);
	tcase_add_test(tc, stop_promotes_from_cpl_0_only);
	tcase_add_test(tc, cr4_vmxe_lives_in_the_shadow);
	tcase_add_test(tc, cr4_refuses_what_a_cpu_refuses);
	tcase_add_test(tc, cr0_ne_is_forced);
	tcase_add_test(tc, cr_operands);
	tcase_add_test(tc, xsetbv_asks_the_microkernel);
	tcase_add_test(tc, vmx_looks_disabled_by_firmware);
	tcase_add_test(tc, vmx_instructions_are_undefined);
	tcase_add_test(tc, start_up);
	tcase_add_test(tc, a_cpu_that_starts_changes_modes);
	tcase_add_test(tc, the_rest_ends_the_run);
	tcase_add_test(tc, bootstrap_runs_or_gives_up);
	tcase_add_test(tc, efer_of_an_extension);
	add_frame_tests(tc);
	tcase_add_test(tc, a_step_holds_interrupts);
	tcase_add_test(tc, an_instruction_in_its_place);
	tcase_add_test(tc, a_trap_before_an_interrupt);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
