// SPDX-License-Identifier: GPL-2.0-only
/*
 * run.c, exit.c and event.c of both vendors, vmx/cr8.c: guests beside Linux. They hold nothing back
 * that is Linux's, and an entry that the CPU refuses is an exit.
 */
#include "machine.h"

#include <string.h>

#include "suites.h"

#define EVENT(type, vector) (0x80000000 | (uint64_t)(type) << 8 | (vector))
#define ANY (~0ULL)

static bool intel(void)
{
	return m.vendor == BF_VENDOR_INTEL;
}

static struct vmcb *vmcb(void)
{
	return vmcb_of(host_pp->vs);
}

static uint64_t field(uint32_t encoding)
{
	return vmcs_get(host_pp->vs->block_spa, encoding);
}

static void put_field(uint32_t encoding, uint64_t value)
{
	vmcs_put(host_pp->vs->block_spa, encoding, value);
}

static uint64_t interrupt_reason(void)
{
	return intel() ? VMX_EXIT_EXTERNAL_INTERRUPT : SVM_EXIT_INTR;
}

static uint64_t cpuid_reason(void)
{
	return intel() ? VMX_EXIT_CPUID : SVM_EXIT_CPUID;
}

static uint64_t event_to_inject(void)
{
	return intel() ? field(VMCS_vmentry_interrupt_information_field) : vmcb()->eventinj;
}

static void put_event_to_inject(uint64_t event)
{
	if (intel())
		put_field(VMCS_vmentry_interrupt_information_field, event);
	else
		vmcb()->eventinj = event;
}

static bool nmi_window(void)
{
	return field(VMCS_primary_proc_based_vm_execution_ctls) & VMX_PRIMARY_NMI_WINDOW;
}

/* A PP whose extension is in its vmexit callback and has a second VS, number 1, that is active. */
static void with_guest(int i)
{
	machine_of(i);
	start_and_launch();
	guest_exit(cpuid_reason());
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), MK1_SUCCESS);
	put_event_to_inject(0);
}

static void in_guest(int i)
{
	with_guest(i);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
}

static void expect_told(uint64_t reason)
{
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg0, 1);
	ck_assert_uint_eq(ended.arg1, reason);
	ck_assert_uint_eq(reg_read(1, intel() ? MK1_INTEL_exit_reason : MK1_AMD_exitcode), reason);
}

static struct trap_frame machine_check_in_root_mode(void)
{
	return (struct trap_frame){ .vector = VECTOR_MC, .cs = BF_SEL_KERNEL_CS };
}

/*
 * --- controls that other VSs than Linux's have -------------------------------------------------
 */

START_TEST(amd_words)
{
	static const struct {
		uint64_t reg, bit;
	} words[] = {
		{ MK1_AMD_intercept_instruction1, SVM_INSTR1_INTR },
		{ MK1_AMD_intercept_instruction1, SVM_INSTR1_NMI },
		{ MK1_AMD_intercept_exception, EXCEPTION_BIT(VECTOR_MC) },
		{ MK1_AMD_virtual_interrupt_a, SVM_V_INTR_MASKING },
	};

	with_guest(0);
	ck_assert_uint_eq(vmcb()->instruction1, SVM_INSTR1_INTR | SVM_INSTR1_NMI);
	ck_assert_uint_eq(vmcb()->exceptions, EXCEPTION_BIT(VECTOR_MC));
	ck_assert_uint_eq(vmcb()->virtual_interrupt, SVM_V_INTR_MASKING);
	for (unsigned int i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		ck_assert_uint_eq(reg_read(1, words[i].reg), 0);
		ck_assert_uint_eq(reg_write(1, words[i].reg, words[i].bit), MK1_SUCCESS);
		ck_assert_uint_eq(reg_read(1, words[i].reg), words[i].bit);
		ck_assert_uint_eq(reg_write(1, words[i].reg, 0), MK1_SUCCESS);
		ck_assert_uint_eq(reg_read(1, words[i].reg), 0);
	}
	ck_assert_uint_eq(vmcb()->instruction1, SVM_INSTR1_INTR | SVM_INSTR1_NMI);
	ck_assert_uint_eq(vmcb()->exceptions, EXCEPTION_BIT(VECTOR_MC));
	ck_assert_uint_eq(vmcb()->virtual_interrupt, SVM_V_INTR_MASKING);
	/* Linux's own has what its extension wrote */
	ck_assert_uint_eq(vmcb_of(vs_find(0))->virtual_interrupt, 0);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_intercept_exception, 0), MK1_SUCCESS);
	ck_assert_uint_eq(vmcb_of(vs_find(0))->exceptions, EXCEPTION_BIT(VECTOR_GP));
	ck_assert_uint_eq(reg_write(0, MK1_AMD_intercept_instruction1, 0), MK1_SUCCESS);
	ck_assert_uint_eq(vmcb_of(vs_find(0))->instruction1, 0);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_virtual_interrupt_a, 0), MK1_SUCCESS);
	ck_assert_uint_eq(vmcb_of(vs_find(0))->virtual_interrupt, 0);
}
END_TEST

/* A VS that is to hold Linux keeps what the extension has asked for, and loses the rest. */
START_TEST(amd_words_of_a_root_vs)
{
	uint64_t instruction1 = _i ? SVM_INSTR1_INTR | SVM_INSTR1_NMI : 0;
	uint64_t exceptions = _i ? EXCEPTION_BIT(VECTOR_MC) : 0;
	uint64_t interrupt = _i ? SVM_V_INTR_MASKING : 0;

	machine_of(0);
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert(host_pp->guest_active);
	reg_write(0, MK1_AMD_intercept_instruction1, instruction1);
	reg_write(0, MK1_AMD_intercept_exception, exceptions);
	reg_write(0, MK1_AMD_virtual_interrupt_a, interrupt);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(vmcb()->instruction1, instruction1);
	ck_assert_uint_eq(vmcb()->exceptions, exceptions | EXCEPTION_BIT(VECTOR_GP));
	ck_assert_uint_eq(vmcb()->virtual_interrupt, interrupt);
	ck_assert(!host_pp->guest_active);
}
END_TEST

#define CR8_EXITING (VMX_PRIMARY_CR8_LOAD | VMX_PRIMARY_CR8_STORE)

static const struct {
	uint64_t reg;
	uint32_t field;
	uint64_t bits;
} intel_fields[] = { { MK1_INTEL_pin_based_vm_execution_ctls, VMCS_pin_based_vm_execution_ctls,
		       VMX_PIN_INTERRUPT_EXITING | VMX_PIN_NMI_EXITING },
		     { MK1_INTEL_primary_proc_based_vm_execution_ctls,
		       VMCS_primary_proc_based_vm_execution_ctls, CR8_EXITING },
		     { MK1_INTEL_exception_bitmap, VMCS_exception_bitmap,
		       EXCEPTION_BIT(VECTOR_MC) } };

START_TEST(intel_controls)
{
	uint64_t reg = intel_fields[_i].reg, bits = intel_fields[_i].bits;
	uint32_t encoding = intel_fields[_i].field;

	with_guest(1);
	ck_assert_uint_eq(field(encoding) & bits, bits);
	ck_assert_uint_eq(reg_read(1, reg) & bits, 0);
	ck_assert_uint_eq(reg_write(1, reg, bits), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(1, reg) & bits, bits);
	ck_assert_uint_eq(reg_write(1, reg, 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(1, reg) & bits, 0);
	ck_assert_uint_eq(field(encoding) & bits, bits);
	/* Linux's own */
	ck_assert_uint_eq(reg_write(0, reg, 0), MK1_SUCCESS);
	bits &= ~(uint64_t)VMX_PIN_NMI_EXITING;
	ck_assert_uint_eq(vmcs_get(vs_find(0)->block_spa, encoding) & bits, 0);
}
END_TEST

START_TEST(intel_controls_of_a_root_vs)
{
	machine_of(1);
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	for (unsigned int i = 0; i < 3 && _i; i++)
		reg_write(0, intel_fields[i].reg, intel_fields[i].bits);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 0), MK1_SUCCESS);
	for (unsigned int i = 0; i < 3; i++) {
		uint64_t bits = intel_fields[i].bits & ~(uint64_t)VMX_PIN_NMI_EXITING;

		ck_assert_uint_eq(field(intel_fields[i].field) & bits, _i ? bits : 0);
	}
}
END_TEST

/* An interrupt is acknowledged only for an extension that takes it. */
START_TEST(acknowledging)
{
	with_guest(1);
	ck_assert_uint_eq(reg_write(1, MK1_INTEL_vmexit_ctls, VMX_EXIT_CTL_ACKNOWLEDGE),
			  MK1_SUCCESS);
	ck_assert_uint_eq(field(VMCS_vmexit_ctls) & VMX_EXIT_CTL_ACKNOWLEDGE, 0);
	ck_assert(reg_read(1, MK1_INTEL_vmexit_ctls) & VMX_EXIT_CTL_ACKNOWLEDGE);
	reg_write(1, MK1_INTEL_pin_based_vm_execution_ctls, VMX_PIN_INTERRUPT_EXITING);
	ck_assert(field(VMCS_vmexit_ctls) & VMX_EXIT_CTL_ACKNOWLEDGE);
	reg_write(1, MK1_INTEL_pin_based_vm_execution_ctls, 0);
	ck_assert_uint_eq(field(VMCS_vmexit_ctls) & VMX_EXIT_CTL_ACKNOWLEDGE, 0);
	reg_write(1, MK1_INTEL_vmexit_ctls, 0);
	ck_assert_uint_eq(reg_read(1, MK1_INTEL_vmexit_ctls) & VMX_EXIT_CTL_ACKNOWLEDGE, 0);
}
END_TEST

/* In a VS that becomes Linux's, as it was written. */
START_TEST(acknowledging_for_linux)
{
	machine_of(1);
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	reg_write(0, MK1_INTEL_vmexit_ctls, VMX_EXIT_CTL_ACKNOWLEDGE);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 0), MK1_SUCCESS);
	ck_assert(field(VMCS_vmexit_ctls) & VMX_EXIT_CTL_ACKNOWLEDGE);
}
END_TEST

/*
 * --- what is Linux's ends their run ------------------------------------------------------------
 */

START_TEST(an_interrupt)
{
	in_guest(_i);
	guest_exit(interrupt_reason());
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, interrupt_reason());
}
END_TEST

/* Again and again, until Linux runs. */
START_TEST(an_nmi)
{
	in_guest(_i);
	if (_i) {
		put_field(VMCS_exit_qualification, 0x77);
		put_field(VMCS_vmexit_interruption_information, EVENT(2, 2));
		guest_exit(VMX_EXIT_EXCEPTION_NMI);
		ck_assert_uint_eq(cpu->count[INSN_IRET], 1);
	} else {
		host_pp->nmi_pending = true; /* behind STGI */
		guest_exit(SVM_EXIT_NMI);
	}
	expect_told(interrupt_reason());
	ck_assert(host_pp->nmi_pending);
	if (_i) {
		ck_assert_uint_eq(reg_read(1, MK1_INTEL_vmexit_interruption_information), 0);
		ck_assert_uint_eq(reg_read(1, MK1_INTEL_exit_qualification), 0);
	}
	for (unsigned int i = 0; i < 3; i++) {
		uint64_t exits = status_of(0)->exits;

		abi_gprs()[BF_RAX] = 0x1234;
		SYS(vs_run_current, HANDLE);
		expect_told(interrupt_reason());
		ck_assert_uint_eq(status_of(0)->exits, exits + 1);
		ck_assert_uint_eq(host_pp->exit_gpr[BF_RAX], 0x1234);
		ck_assert(!host_pp->tlb->in_guest);
	}
	ck_assert(_i || cpu->gif);
	SYS(vs_run, HANDLE, 0, 0, 0);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(_i ? nmi_window() : !host_pp->nmi_pending, 1);
}
END_TEST

/* Mappings that have gone meanwhile are forgotten before the extension runs. */
START_TEST(an_nmi_after_a_shootdown)
{
	with_guest(_i);
	host_pp->nmi_pending = true;
	host_pp->entry_dirty = true;
	host_pp->tlb->seen--;
	SYS(vs_run_current, HANDLE);
	expect_told(interrupt_reason());
	ck_assert(_i || host_pp->tlb->seen == tlb_generation);
}
END_TEST

/* An event of the guest's goes in first. */
START_TEST(an_nmi_behind_an_event)
{
	with_guest(_i);
	put_event_to_inject(EVENT(0, 0x40));
	host_pp->nmi_pending = true;
	host_pp->entry_dirty = true;
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(event_to_inject(), EVENT(0, 0x40));
	if (!_i) {
		ck_assert_uint_eq(msr_get(cpu, MSR_X2APIC_ICR), 0x100ULL << 32 | 0x4400);
		ck_assert(!host_pp->nmi_pending); /* until it arrives */
		return;
	}
	ck_assert(nmi_window());
	put_event_to_inject(0);
	guest_exit(VMX_EXIT_NMI_WINDOW);
	expect_told(VMX_EXIT_EXTERNAL_INTERRUPT);
	ck_assert(!nmi_window());
}
END_TEST

/* The APIC is off: it comes with the next exit. */
START_TEST(an_nmi_that_cannot_be_sent)
{
	with_guest(0);
	msr_set(cpu, MSR_APIC_BASE, 0xFEE00000);
	vmcb()->eventinj = EVENT(0, 0x40);
	host_pp->nmi_pending = true;
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(host_pp->nmi_pending);
}
END_TEST

/* Between the look at what is owed and the entry. */
START_TEST(an_nmi_just_before_the_entry)
{
	struct trap_frame f = { .vector = VECTOR_NMI, .cs = BF_SEL_KERNEL_CS };

	in_guest(1);
	RUN(trap_dispatch(&f));
	ck_assert(nmi_window());
	guest_exit(VMX_EXIT_NMI_WINDOW);
	expect_told(VMX_EXIT_EXTERNAL_INTERRUPT);
}
END_TEST

/* A window that the extension waits for is its exit; Linux's NMI is next. */
START_TEST(a_window_of_the_extension)
{
	in_guest(1);
	guest_exit(VMX_EXIT_CPUID);
	reg_write(1, MK1_INTEL_primary_proc_based_vm_execution_ctls, VMX_PRIMARY_NMI_WINDOW);
	SYS(vs_run_current, HANDLE);
	host_pp->nmi_pending = true;
	host_pp->mc_pending = true;
	guest_exit(VMX_EXIT_NMI_WINDOW);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, VMX_EXIT_NMI_WINDOW);
	ck_assert(nmi_window());
}
END_TEST

/* In the guest, in root mode, and in VM entry itself. */
START_TEST(a_machine_check)
{
	struct trap_frame f = machine_check_in_root_mode();

	in_guest(_i & 1);
	switch (_i >> 1) {
	case 0:
		if (intel())
			put_field(VMCS_vmexit_interruption_information, EVENT(3, VECTOR_MC));
		guest_exit(intel() ? VMX_EXIT_EXCEPTION_NMI : (SVM_EXIT_EXCEPTION + VECTOR_MC));
		break;
	case 1:
		guest_exit(cpuid_reason());
		msr_set(cpu, MSR_MCG_STATUS, 5);
		RUN(trap_dispatch(&f));
		SYS(vs_run_current, HANDLE);
		break;
	default:
		if (!intel())
			return;
		msr_set(cpu, MSR_MCG_STATUS, 5);
		guest_exit(VMX_EXIT_ENTRY_FAILED | VMX_EXIT_ENTRY_MACHINE_CHECK);
		break;
	}
	expect_told(interrupt_reason());
	SYS(vs_run, HANDLE, 0, 0, 0);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(event_to_inject(), EVENT(3, VECTOR_MC));
	ck_assert(!host_pp->mc_pending);
}
END_TEST

/* Linux is entered again, with it. */
START_TEST(a_machine_check_as_linux_is_entered)
{
	machine_of(1);
	start_and_launch();
	put_field(VMCS_vmentry_interrupt_information_field, 0);
	msr_set(cpu, MSR_MCG_STATUS, 5);
	guest_exit(VMX_EXIT_ENTRY_FAILED | VMX_EXIT_ENTRY_MACHINE_CHECK);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(event_to_inject(), EVENT(3, VECTOR_MC));
}
END_TEST

/* It behind an event of the guest's waits for the next exit, or for the window. */
START_TEST(a_machine_check_behind_an_event)
{
	struct trap_frame f = machine_check_in_root_mode();

	with_guest(_i);
	msr_set(cpu, MSR_MCG_STATUS, 5);
	RUN(trap_dispatch(&f));
	put_event_to_inject(EVENT(0, 0x40));
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(host_pp->mc_pending);
	ck_assert_uint_eq(_i ? nmi_window() : msr_get(cpu, MSR_X2APIC_ICR) == 0, 1);
}
END_TEST

/* An extension that has asked for machine checks sees them, and Linux has them all the same. */
START_TEST(a_machine_check_that_the_extension_wants)
{
	uint64_t reason = _i ? VMX_EXIT_EXCEPTION_NMI : (SVM_EXIT_EXCEPTION + VECTOR_MC);

	with_guest(_i);
	reg_write(1, _i ? MK1_INTEL_exception_bitmap : MK1_AMD_intercept_exception, 1 << VECTOR_MC);
	reg_write(0, _i ? MK1_INTEL_exception_bitmap : MK1_AMD_intercept_exception, 1 << VECTOR_MC);
	SYS(vs_run_current, HANDLE);
	if (_i)
		put_field(VMCS_vmexit_interruption_information, EVENT(3, VECTOR_MC));
	guest_exit(reason);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, reason);
	ck_assert(host_pp->mc_pending);
	/* one of Linux's own is the extension's to deliver, as it wanted */
	host_pp->mc_pending = false;
	SYS(vs_run, HANDLE, 0, 0, 0);
	if (_i)
		put_field(VMCS_vmexit_interruption_information, EVENT(3, VECTOR_MC));
	guest_exit(reason);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert(!host_pp->mc_pending);
}
END_TEST

/* --- CR8 -------------------------------------------------------------------------------------- */

/* The one in the CPU is Linux's, whatever a guest and its extension do. */
START_TEST(cr8_is_kept_apart)
{
	uint64_t cr8 = _i ? MK1_INTEL_cr8 : MK1_AMD_cr8;

	with_guest(_i);
	ck_assert_uint_eq(reg_write(0, cr8, 3), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(1, cr8, 9), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(1, cr8, 16), MK1_INVALID_INPUT_REG(3)); /* it is active */
	ck_assert_uint_eq(reg_read(1, cr8), 9);
	ck_assert_uint_ne(cpu->cr8, 9);
	if (!_i)
		ck_assert_uint_eq(vmcb()->virtual_interrupt, SVM_V_INTR_MASKING | 9);
	SYS(vs_run, HANDLE, 0, 0, 0);
	ck_assert_uint_eq(cpu->cr8, 3);
	guest_exit(cpuid_reason());
	ck_assert_uint_eq(reg_read(0, cr8), 3);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 1), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(1, cr8), 9);
	ck_assert_uint_eq(reg_read(0, cr8), 3);
	ck_assert_uint_eq(cpu->cr8, 3);
}
END_TEST

/* MOV to (0) or from (1) CR8, by register number as instructions have it. */
static void cr8_access(uint64_t access, uint64_t reg)
{
	put_field(VMCS_exit_qualification, 8 | access << 4 | reg << 8);
	put_field(VMCS_vmexit_instruction_length, 4);
	put_field(VMCS_rip, 0x1000);
	put_field(VMCS_interruptibility_state, 0);
	put_event_to_inject(0);
	guest_exit(VMX_EXIT_CR_ACCESS);
}

START_TEST(mov_cr8)
{
	in_guest(1);
	abi_gprs()[BF_RBX] = 7;
	cr8_access(0, 3);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(field(VMCS_rip), 0x1004);
	ck_assert_uint_eq(event_to_inject(), 0);
	ck_assert_uint_ne(cpu->cr8, 7);
	cr8_access(1, 9);
	ck_assert_uint_eq(abi_gprs()[BF_R9], 7);
	put_field(VMCS_rsp, 0xC);
	cr8_access(0, 4);
	put_field(VMCS_rsp, 0);
	cr8_access(1, 4);
	ck_assert_uint_eq(field(VMCS_rsp), 0xC);
	/* reserved bits */
	abi_gprs()[BF_RBX] = 0x10;
	put_field(VMCS_cr0, CR0_PE);
	cr8_access(0, 3);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(field(VMCS_rip), 0x1000);
	ck_assert_uint_eq(event_to_inject(), EVENT(3, VECTOR_GP) | VMX_EVENT_ERROR_CODE);
	guest_exit(VMX_EXIT_CPUID);
	ck_assert_uint_eq(reg_read(1, MK1_INTEL_cr8), 0xC);
}
END_TEST

/* What the extension has asked for is its exit, and so is any other register. */
START_TEST(cr_accesses_of_the_extension)
{
	uint64_t primary = MK1_INTEL_primary_proc_based_vm_execution_ctls;

	with_guest(1);
	reg_write(1, primary, VMX_PRIMARY_CR8_LOAD);
	SYS(vs_run_current, HANDLE);
	cr8_access(0, 3);
	ck_assert_int_eq(ended.end, END_RING3);
	reg_write(1, primary, VMX_PRIMARY_CR8_STORE);
	SYS(vs_run_current, HANDLE);
	cr8_access(1, 3);
	ck_assert_int_eq(ended.end, END_RING3);
	put_field(VMCS_exit_qualification, 3);
	guest_exit(VMX_EXIT_CR_ACCESS);
	ck_assert_int_eq(ended.end, END_RING3);
	SYS(vs_run, HANDLE, 0, 0, 0);
	cr8_access(0, 3);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg0, 0);
}
END_TEST

/* --- entries that the CPU refuses ------------------------------------------------------------- */

/* The CPU refuses the entry that has just been tried, and leaves things of its own in a VMCB. */
static void refuse(void)
{
	if (intel()) {
		guest_exit(VMX_EXIT_ENTRY_FAILED | VMX_EXIT_ENTRY_GUEST_STATE);
		return;
	}
	vmcb()->rip = 0xFFFFFFFF80001000;
	vmcb()->rax = 0x77;
	vmcb()->cr3 = 0x99000;
	vmcb()->cr2 = 0x88;
	vmcb()->eventinj = 0;
	guest_exit((uint32_t)SVM_EXIT_INVALID);
}

static uint64_t refused_reason(void)
{
	return intel() ? VMX_EXIT_ENTRY_FAILED | VMX_EXIT_ENTRY_GUEST_STATE : ~0ULL;
}

static void set_rip(uint64_t rip)
{
	ck_assert_uint_eq(reg_write(1, intel() ? MK1_INTEL_rip : MK1_AMD_rip, rip), MK1_SUCCESS);
}

START_TEST(refused)
{
	with_guest(_i);
	set_rip(0x1234);
	if (!_i)
		reg_write(1, MK1_AMD_eventinj, EVENT(1, 0x30));
	abi_gprs()[BF_RAX] = 0xAAAA;
	abi_gprs()[BF_R15] = 0x1515;
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(ended.launched, false);
	refuse();
	expect_told(refused_reason());
	expect_printed(_i ? "VM entry failed: exit reason 0x80000021" :
			    "VMRUN refused the state of vs 1");
	ck_assert_uint_eq(abi_gprs()[BF_RAX], 0xAAAA);
	ck_assert_uint_eq(abi_gprs()[BF_R15], 0x1515);
	ck_assert_uint_eq(host_pp->exit_gpr[BF_RAX], 0xAAAA);
	ck_assert_uint_eq(reg_read(1, _i ? MK1_INTEL_rip : MK1_AMD_rip), 0x1234);
	ck_assert_uint_eq(status_of(0)->exit_count[_i ? VMX_EXIT_ENTRY_GUEST_STATE : 0xFF], 1);
	if (!_i) {
		ck_assert_uint_eq(vmcb()->cr3, 0);
		ck_assert_uint_eq(vmcb()->cr2, 0);
		ck_assert_uint_eq(vmcb()->eventinj, EVENT(1, 0x30));
		ck_assert_uint_eq(vmcb()->tlb_control, SVM_TLB_FLUSH_ALL);
	}
	/* mended, it is as if nothing had been */
	set_rip(0x5678);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(ended.launched, false);
	guest_exit(cpuid_reason());
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.arg1, cpuid_reason());
	if (!_i)
		return;
	/* by VMRESUME the same */
	set_rip(0x9ABC);
	SYS(vs_run_current, HANDLE);
	ck_assert_uint_eq(ended.launched, true);
	refuse();
	expect_told(refused_reason());
	SYS(vs_run, HANDLE, 0, 0, 0);
	ck_assert_int_eq(ended.end, END_GUEST);
}
END_TEST

/* Twice, with nothing written in between; Linux goes on alone. */
START_TEST(refused_twice)
{
	with_guest(_i);
	SYS(vs_run_current, HANDLE);
	refuse();
	expect_told(refused_reason());
	SYS(vs_run_current, HANDLE);
	refuse();
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert(host_pp->fallback);
	ck_assert_ptr_eq(host_pp->vs, host_pp->root_vs);
	expect_failed(BF_ERR_VS_INVALID);
}
END_TEST

/* Before Linux has run: the extension can still launch it. */
START_TEST(refused_before_the_launch)
{
	machine_of(_i);
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	SYS(vs_run, HANDLE, 0, 0, 1);
	ck_assert_int_eq(ended.end, END_GUEST);
	refuse();
	expect_told(refused_reason());
	ck_assert(!host_pp->launched);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 0), MK1_SUCCESS);
	SYS(vs_run, HANDLE, 0, 0, 0);
	ck_assert_int_eq(ended.end, END_GUEST);
	guest_exit(cpuid_reason());
	ck_assert(host_pp->launched);
}
END_TEST

/*
 * What was not written since it last ran is none that the CPU could refuse: that is no good sign.
 */
START_TEST(refused_without_a_reason)
{
	in_guest(0);
	guest_exit(SVM_EXIT_CPUID);
	SYS(vs_run_current, HANDLE);
	guest_exit((uint32_t)SVM_EXIT_INVALID);
	ck_assert(host_pp->fallback);
	expect_failed(BF_ERR_VS_INVALID);
}
END_TEST

/*
 * VMLAUNCH itself fails: control fields that do not fit together; and what is no extension's fault.
 */
START_TEST(control_fields)
{
	with_guest(1);
	SYS(vs_run_current, HANDLE);
	put_field(VMCS_vm_instruction_error, _i ? 8 : 7);
	put_field(VMCS_exit_reason, VMX_EXIT_CPUID);
	if (_i == 0) {
		put_field(VMCS_cr3_target_count, 5);
		host_pp->tlb->seen--;
	}
	RUN(vmx_entry_failed(RFLAGS_ZF));
	if (_i) {
		ck_assert(host_pp->fallback);
		expect_failed(BF_ERR_VS_INVALID);
		ck_assert_uint_eq(status_of(0)->detail, 8);
		return;
	}
	expect_told(VMX_EXIT_ENTRY_FAILED | VMX_EXIT_ENTRY_GUEST_STATE);
	expect_printed("CR3-target count");
	ck_assert_uint_eq(reg_read(1, MK1_INTEL_vm_instruction_error), 7);
	ck_assert_uint_eq(reg_write(1, MK1_INTEL_cr3_target_count, 0), MK1_SUCCESS);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(ended.launched, false);
	guest_exit(VMX_EXIT_CPUID);
	ck_assert_uint_eq(reg_read(1, MK1_INTEL_exit_reason), VMX_EXIT_CPUID);
}
END_TEST

static const struct {
	uint32_t secondary;
	uint32_t field;
	uint64_t value;
	const char *what;
} bad_controls[] = {
	{ VMX_SECONDARY_UNRESTRICTED, VMCS_ept_pointer, 0, "an unrestricted guest without EPT" },
	{ VMX_SECONDARY_VPID, VMCS_virtual_processor_identifier, 0, "VPID is 0" },
	{ VMX_SECONDARY_VPID, VMCS_virtual_processor_identifier, 1, "" },
	{ VMX_SECONDARY_EPT, VMCS_ept_pointer, 0x1E, "" },
	{ VMX_SECONDARY_EPT, VMCS_ept_pointer, 0x18, "" },
	{ VMX_SECONDARY_EPT, VMCS_ept_pointer, 0x1D, "EPT pointer" },
	{ VMX_SECONDARY_EPT, VMCS_ept_pointer, 0x0E, "EPT pointer" },
	{ VMX_SECONDARY_EPT, VMCS_ept_pointer, 0x9E, "EPT pointer" },
	{ 0, VMCS_cr3_target_count, 5, "CR3-target count" },
	{ 0, VMCS_vmexit_ctls, VMX_EXIT_CTL_SAVE_TIMER,
	  "the preemption timer is saved and not active" },
	{ 0, VMCS_vmentry_interrupt_information_field, EVENT(1, 0), "the event to be injected" },
	{ 0, VMCS_vmentry_interrupt_information_field, EVENT(3, 32), "the event to be injected" },
	{ 0, VMCS_vmentry_interrupt_information_field, EVENT(2, 3), "the event to be injected" },
	{ 0, VMCS_vmentry_interrupt_information_field, EVENT(0, 3) | 0x1000,
	  "the event to be injected" },
	{ 0, VMCS_vmentry_interrupt_information_field, EVENT(3, 3), "" }
};

START_TEST(control_checks)
{
	const char *what = bad_controls[_i].what;

	with_guest(1);
	put_field(VMCS_primary_proc_based_vm_execution_ctls,
		  bad_controls[_i].secondary ? VMX_PRIMARY_SECONDARY : 0);
	put_field(VMCS_secondary_proc_based_vm_execution_ctls, bad_controls[_i].secondary);
	put_field(bad_controls[_i].field, bad_controls[_i].value);
	(void)printed();
	vmx_current(host_pp->vs);
	vmx_print_control_checks();
	if (*what)
		ck_assert_ptr_nonnull(strstr(printed(), what));
	else
		ck_assert_str_eq(printed(), "");
}
END_TEST

TCase *guest_tests(void)
{
	TCase *tc = tcase_create("guest");

	tcase_add_test(tc, amd_words);
	tcase_add_loop_test(tc, amd_words_of_a_root_vs, 0, 2);
	tcase_add_loop_test(tc, intel_controls, 0, 3);
	tcase_add_loop_test(tc, intel_controls_of_a_root_vs, 0, 2);
	tcase_add_test(tc, acknowledging);
	tcase_add_test(tc, acknowledging_for_linux);
	tcase_add_loop_test(tc, an_interrupt, 0, 2);
	tcase_add_loop_test(tc, an_nmi, 0, 2);
	tcase_add_loop_test(tc, an_nmi_after_a_shootdown, 0, 2);
	tcase_add_loop_test(tc, an_nmi_behind_an_event, 0, 2);
	tcase_add_test(tc, an_nmi_that_cannot_be_sent);
	tcase_add_test(tc, an_nmi_just_before_the_entry);
	tcase_add_test(tc, a_window_of_the_extension);
	tcase_add_loop_test(tc, a_machine_check, 0, 6);
	tcase_add_test(tc, a_machine_check_as_linux_is_entered);
	tcase_add_loop_test(tc, a_machine_check_behind_an_event, 0, 2);
	tcase_add_loop_test(tc, a_machine_check_that_the_extension_wants, 0, 2);
	tcase_add_loop_test(tc, cr8_is_kept_apart, 0, 2);
	tcase_add_test(tc, mov_cr8);
	tcase_add_test(tc, cr_accesses_of_the_extension);
	tcase_add_loop_test(tc, refused, 0, 2);
	tcase_add_loop_test(tc, refused_twice, 0, 2);
	tcase_add_loop_test(tc, refused_before_the_launch, 0, 2);
	tcase_add_test(tc, refused_without_a_reason);
	tcase_add_loop_test(tc, control_fields, 0, 2);
	tcase_add_loop_test(tc, control_checks, 0, sizeof(bad_controls) / sizeof(bad_controls[0]));
	return tc;
}
