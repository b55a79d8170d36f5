/* SPDX-License-Identifier: GPL-2.0-only */
/* What is expected of each register on Intel, by its name: EXPECT_INTEL_name. See registers.h. */
#ifndef TEST_EXT_EXPECT_INTEL_H
#define TEST_EXT_EXPECT_INTEL_H

#include <ext/linux/vmx.h>

#include "registers.h"

/*
 * What the microkernel needs, and what it never has on: posted interrupts; TPR shadow and tertiary
 * controls; what writes to memory or to the VMCS by physical addresses, or needs another EPT;
 * secondary exit controls.
 */
#define PIN_NEEDED 0x20
#define PIN_NEVER 0x80
#define PRIMARY_NEVER 0x220000
#define SECONDARY_NEVER 0x90E66311
#define EXIT_NEEDED 0x3C0204
#define EXIT_NEVER 0x80000000
#define ENTRY_NEEDED 0xC004

/*
 * State that the CPU exchanges at exits and entries if it has all the controls for that:
 * performance counters, processor trace, branch records, supervisor protection keys, CET.
 */
static const struct {
	uint32_t entry, exit;
} exchanges[] = {
	{ VMX_ENTRY_CTL_LOAD_PERF, VMX_EXIT_CTL_LOAD_PERF | VMX_EXIT_CTL_SAVE_PERF },
	{ VMX_ENTRY_CTL_LOAD_RTIT, VMX_EXIT_CTL_CLEAR_RTIT },
	{ VMX_ENTRY_CTL_LOAD_LBR, VMX_EXIT_CTL_CLEAR_LBR },
	{ VMX_ENTRY_CTL_LOAD_PKRS, VMX_EXIT_CTL_LOAD_PKRS },
	{ VMX_ENTRY_CTL_LOAD_CET, VMX_EXIT_CTL_LOAD_CET },
};

static uint64_t capability(uint32_t msr)
{
	uint64_t value = 0;

	VERIFY_STATUS(mk1_intrinsic_rdmsr(MK1_HANDLE, msr, &value), MK1_SUCCESS);
	return value;
}

static uint64_t true_capability(uint32_t msr)
{
	if (capability(MSR_VMX_BASIC) & VMX_BASIC_TRUE_CONTROLS)
		msr += MSR_VMX_TRUE_PINBASED_CTLS - MSR_VMX_PINBASED_CTLS;
	return capability(msr);
}

/*
 * Each bit by itself; follows are those that are not the writer's to choose. What the CPU lacks,
 * and what the field has no room for, is dropped.
 */
static void controls(const struct reg *reg, uint64_t capabilities, uint32_t needed, uint32_t never,
		     uint32_t follows)
{
	uint32_t always = (uint32_t)capabilities | needed;
	uint32_t may = (uint32_t)(capabilities >> 32);

	accepts_as(reg, 0, always);
	for (unsigned int i = 0; i < 32; i++) {
		uint32_t bit = 1u << i;

		if (bit & may & never)
			refuses(reg, bit);
		else
			accepts_as(reg, bit, (bit & may & ~follows) | always);
	}
	accepts_as(reg, 0xFFFFFFFF00000000, always);
	accepts_as(reg, ~never, (may & ~never & ~follows) | always);
}

static void pin_controls(const struct reg *reg)
{
	controls(reg, true_capability(MSR_VMX_PINBASED_CTLS), PIN_NEEDED, PIN_NEVER, 0);
}

static void primary_controls(const struct reg *reg)
{
	controls(reg, true_capability(MSR_VMX_PROCBASED_CTLS), 0, PRIMARY_NEVER, 0);
}

static void secondary_controls(const struct reg *reg)
{
	controls(reg, capability(MSR_VMX_PROCBASED_CTLS2), 0, SECONDARY_NEVER, 0);
}

/* Which of those controls the CPU needs to have on. */
static void exchanged(uint32_t *entry, uint32_t *exit)
{
	uint64_t entry_may = true_capability(MSR_VMX_ENTRY_CTLS) >> 32;
	uint64_t exit_may = true_capability(MSR_VMX_EXIT_CTLS) >> 32;

	*entry = 0;
	*exit = 0;
	for (unsigned int i = 0; i < sizeof(exchanges) / sizeof(exchanges[0]); i++) {
		if ((exchanges[i].entry & ~entry_may) || (exchanges[i].exit & ~exit_may))
			continue;
		*entry |= exchanges[i].entry;
		*exit |= exchanges[i].exit;
	}
}

static void exit_controls(const struct reg *reg)
{
	uint32_t entry, exit;

	exchanged(&entry, &exit);
	controls(reg, true_capability(MSR_VMX_EXIT_CTLS), EXIT_NEEDED | exit, EXIT_NEVER, 0);
}

/* "IA-32e mode guest" is what EFER.LMA is. */
static void entry_controls(const struct reg *reg)
{
	uint64_t capabilities = true_capability(MSR_VMX_ENTRY_CTLS);
	uint32_t needed, exit, always;

	exchanged(&needed, &exit);
	needed |= ENTRY_NEEDED;
	always = (uint32_t)capabilities | needed;
	controls(reg, capabilities, needed, 0, VMX_ENTRY_CTL_IA32E_GUEST);
	VERIFY_STATUS(mk1_vs_write(MK1_HANDLE, reg_vsid, MK1_INTEL_efer, EFER_LMA), MK1_SUCCESS);
	accepts_as(reg, 0, always | VMX_ENTRY_CTL_IA32E_GUEST);
	VERIFY_STATUS(mk1_vs_write(MK1_HANDLE, reg_vsid, MK1_INTEL_efer, 0), MK1_SUCCESS);
	VERIFY(read_reg(reg_vsid, reg->number) == always);
}

/* A page of the extension's own, which it must have. */
static void bitmap(const struct reg *reg)
{
	uint64_t open = read_reg(reg_vsid, reg->number), va, page, huge_va, huge;

	VERIFY_STATUS(mk1_mem_alloc_page(MK1_HANDLE, &va, &page), MK1_SUCCESS);
	VERIFY_STATUS(mk1_mem_alloc_huge(MK1_HANDLE, BF_PAGE_SIZE, &huge_va, &huge), MK1_SUCCESS);
	accepts(reg, page);
	accepts(reg, huge);
	accepts(reg, open); /* the one that makes nothing exit */
	refuses(reg, page + 8);
	refuses(reg, 0);
	refuses(reg, BF_PAGE_SIZE);
	refuses(reg, page | 1ULL << 44);
	refuses(reg, page | 1ULL << 63);
	refuses(reg, ~0xFFFULL);
	VERIFY_STATUS(mk1_mem_free_page(MK1_HANDLE, va), MK1_SUCCESS);
	VERIFY_STATUS(mk1_mem_free_huge(MK1_HANDLE, huge_va), MK1_SUCCESS);
	refuses(reg, page);
	refuses(reg, huge);
}

/* There is no VMCS shadowing. */
static void link_pointer(const struct reg *reg)
{
	accepts(reg, ~0ULL);
	refuses(reg, 0);
	refuses(reg, BF_PAGE_SIZE);
	for (unsigned int bit = 0; bit < 64; bit++)
		refuses(reg, ~(1ULL << bit));
}

static void ept(const struct reg *reg)
{
	accepts(reg, 0x1E);
	accepts(reg, MK1_SPA_LIMIT - 1);
	accepts(reg, 0);
	for (unsigned int bit = 44; bit < 64; bit++)
		refuses(reg, 1ULL << bit);
}

#define EXPECT_INTEL_rax ALWAYS(plain)
#define EXPECT_INTEL_rbx ALWAYS(plain)
#define EXPECT_INTEL_rcx ALWAYS(plain)
#define EXPECT_INTEL_rdx ALWAYS(plain)
#define EXPECT_INTEL_rbp ALWAYS(plain)
#define EXPECT_INTEL_rsi ALWAYS(plain)
#define EXPECT_INTEL_rdi ALWAYS(plain)
#define EXPECT_INTEL_r8 ALWAYS(plain)
#define EXPECT_INTEL_r9 ALWAYS(plain)
#define EXPECT_INTEL_r10 ALWAYS(plain)
#define EXPECT_INTEL_r11 ALWAYS(plain)
#define EXPECT_INTEL_r12 ALWAYS(plain)
#define EXPECT_INTEL_r13 ALWAYS(plain)
#define EXPECT_INTEL_r14 ALWAYS(plain)
#define EXPECT_INTEL_r15 ALWAYS(plain)
#define EXPECT_INTEL_cr2 ALWAYS(plain)
#define EXPECT_INTEL_dr6 ALWAYS(low_32_bits)
#define EXPECT_INTEL_star ALWAYS(plain)
#define EXPECT_INTEL_lstar ALWAYS(canonical)
#define EXPECT_INTEL_cstar ALWAYS(canonical)
#define EXPECT_INTEL_fmask ALWAYS(low_32_bits)
#define EXPECT_INTEL_kernel_gs_base ALWAYS(canonical)
#define EXPECT_INTEL_virtual_processor_identifier OPTIONAL(plain)
#define EXPECT_INTEL_posted_interrupt_notification_vector OPTIONAL(plain)
#define EXPECT_INTEL_eptp_index OPTIONAL(plain)
#define EXPECT_INTEL_es_selector ALWAYS(plain)
#define EXPECT_INTEL_cs_selector ALWAYS(plain)
#define EXPECT_INTEL_ss_selector ALWAYS(plain)
#define EXPECT_INTEL_ds_selector ALWAYS(plain)
#define EXPECT_INTEL_fs_selector ALWAYS(plain)
#define EXPECT_INTEL_gs_selector ALWAYS(plain)
#define EXPECT_INTEL_ldtr_selector ALWAYS(plain)
#define EXPECT_INTEL_tr_selector ALWAYS(plain)
#define EXPECT_INTEL_interrupt_status OPTIONAL(plain)
#define EXPECT_INTEL_pml_index OPTIONAL(plain)
#define EXPECT_INTEL_address_of_io_bitmap_a ALWAYS(bitmap)
#define EXPECT_INTEL_address_of_io_bitmap_b ALWAYS(bitmap)
#define EXPECT_INTEL_address_of_msr_bitmaps ALWAYS(bitmap)
#define EXPECT_INTEL_vmexit_msr_store_address ALWAYS(zero)
#define EXPECT_INTEL_vmexit_msr_load_address ALWAYS(zero)
#define EXPECT_INTEL_vmentry_msr_load_address ALWAYS(zero)
#define EXPECT_INTEL_executive_vmcs_pointer OPTIONAL(zero)
#define EXPECT_INTEL_pml_address OPTIONAL(zero)
#define EXPECT_INTEL_tsc_offset ALWAYS(plain)
#define EXPECT_INTEL_virtual_apic_address OPTIONAL(zero)
#define EXPECT_INTEL_apic_access_address OPTIONAL(zero)
#define EXPECT_INTEL_posted_interrupt_descriptor_address OPTIONAL(zero)
#define EXPECT_INTEL_vm_function_controls OPTIONAL(zero)
#define EXPECT_INTEL_ept_pointer OPTIONAL(ept)
#define EXPECT_INTEL_eoi_exit_bitmap0 OPTIONAL(plain)
#define EXPECT_INTEL_eoi_exit_bitmap1 OPTIONAL(plain)
#define EXPECT_INTEL_eoi_exit_bitmap2 OPTIONAL(plain)
#define EXPECT_INTEL_eoi_exit_bitmap3 OPTIONAL(plain)
#define EXPECT_INTEL_eptp_list_address OPTIONAL(zero)
#define EXPECT_INTEL_vmread_bitmap_address OPTIONAL(zero)
#define EXPECT_INTEL_vmwrite_bitmap_address OPTIONAL(zero)
#define EXPECT_INTEL_virt_exception_information_address OPTIONAL(zero)
#define EXPECT_INTEL_xss_exiting_bitmap OPTIONAL(plain)
#define EXPECT_INTEL_encls_exiting_bitmap OPTIONAL(plain)
#define EXPECT_INTEL_sub_page_permission_table_pointer OPTIONAL(zero)
#define EXPECT_INTEL_tsc_multiplier OPTIONAL(plain)
#define EXPECT_INTEL_physical_address OPTIONAL(read_only)
#define EXPECT_INTEL_vmcs_link_pointer ALWAYS(link_pointer)
#define EXPECT_INTEL_debugctl ALWAYS(plain)
#define EXPECT_INTEL_pat ALWAYS(plain)
#define EXPECT_INTEL_efer ALWAYS(plain)
#define EXPECT_INTEL_perf_global_ctrl OPTIONAL(plain)
#define EXPECT_INTEL_pdpte0 OPTIONAL(plain)
#define EXPECT_INTEL_pdpte1 OPTIONAL(plain)
#define EXPECT_INTEL_pdpte2 OPTIONAL(plain)
#define EXPECT_INTEL_pdpte3 OPTIONAL(plain)
#define EXPECT_INTEL_bndcfgs OPTIONAL(plain)
#define EXPECT_INTEL_rtit_ctl OPTIONAL(plain)
#define EXPECT_INTEL_pin_based_vm_execution_ctls ALWAYS(pin_controls)
#define EXPECT_INTEL_primary_proc_based_vm_execution_ctls ALWAYS(primary_controls)
#define EXPECT_INTEL_exception_bitmap ALWAYS(plain)
#define EXPECT_INTEL_page_fault_error_code_mask ALWAYS(plain)
#define EXPECT_INTEL_page_fault_error_code_match ALWAYS(plain)
#define EXPECT_INTEL_cr3_target_count ALWAYS(plain)
#define EXPECT_INTEL_vmexit_ctls ALWAYS(exit_controls)
#define EXPECT_INTEL_vmexit_msr_store_count ALWAYS(zero)
#define EXPECT_INTEL_vmexit_msr_load_count ALWAYS(zero)
#define EXPECT_INTEL_vmentry_ctls ALWAYS(entry_controls)
#define EXPECT_INTEL_vmentry_msr_load_count ALWAYS(zero)
#define EXPECT_INTEL_vmentry_interrupt_information_field ALWAYS(plain)
#define EXPECT_INTEL_vmentry_exception_error_code ALWAYS(plain)
#define EXPECT_INTEL_vmentry_instruction_length ALWAYS(plain)
#define EXPECT_INTEL_tpr_threshold OPTIONAL(plain)
#define EXPECT_INTEL_secondary_proc_based_vm_execution_ctls OPTIONAL(secondary_controls)
#define EXPECT_INTEL_ple_gap OPTIONAL(plain)
#define EXPECT_INTEL_ple_window OPTIONAL(plain)
#define EXPECT_INTEL_vm_instruction_error ALWAYS(read_only)
#define EXPECT_INTEL_exit_reason ALWAYS(read_only)
#define EXPECT_INTEL_vmexit_interruption_information ALWAYS(read_only)
#define EXPECT_INTEL_vmexit_interruption_error_code ALWAYS(read_only)
#define EXPECT_INTEL_idt_vectoring_information_field ALWAYS(read_only)
#define EXPECT_INTEL_idt_vectoring_error_code ALWAYS(read_only)
#define EXPECT_INTEL_vmexit_instruction_length ALWAYS(read_only)
#define EXPECT_INTEL_vmexit_instruction_information ALWAYS(read_only)
#define EXPECT_INTEL_es_limit ALWAYS(plain)
#define EXPECT_INTEL_cs_limit ALWAYS(plain)
#define EXPECT_INTEL_ss_limit ALWAYS(plain)
#define EXPECT_INTEL_ds_limit ALWAYS(plain)
#define EXPECT_INTEL_fs_limit ALWAYS(plain)
#define EXPECT_INTEL_gs_limit ALWAYS(plain)
#define EXPECT_INTEL_ldtr_limit ALWAYS(plain)
#define EXPECT_INTEL_tr_limit ALWAYS(plain)
#define EXPECT_INTEL_gdtr_limit ALWAYS(plain)
#define EXPECT_INTEL_idtr_limit ALWAYS(plain)
#define EXPECT_INTEL_es_attrib ALWAYS(plain)
#define EXPECT_INTEL_cs_attrib ALWAYS(plain)
#define EXPECT_INTEL_ss_attrib ALWAYS(plain)
#define EXPECT_INTEL_ds_attrib ALWAYS(plain)
#define EXPECT_INTEL_fs_attrib ALWAYS(plain)
#define EXPECT_INTEL_gs_attrib ALWAYS(plain)
#define EXPECT_INTEL_ldtr_attrib ALWAYS(plain)
#define EXPECT_INTEL_tr_attrib ALWAYS(plain)
#define EXPECT_INTEL_interruptibility_state ALWAYS(plain)
#define EXPECT_INTEL_activity_state ALWAYS(plain)
#define EXPECT_INTEL_smbase OPTIONAL(plain)
#define EXPECT_INTEL_sysenter_cs ALWAYS(plain)
#define EXPECT_INTEL_vmx_preemption_timer_value OPTIONAL(plain)
#define EXPECT_INTEL_cr0_guest_host_mask ALWAYS(plain)
#define EXPECT_INTEL_cr4_guest_host_mask ALWAYS(plain)
#define EXPECT_INTEL_cr0_read_shadow ALWAYS(plain)
#define EXPECT_INTEL_cr4_read_shadow ALWAYS(plain)
#define EXPECT_INTEL_cr3_target_value0 OPTIONAL(plain)
#define EXPECT_INTEL_cr3_target_value1 OPTIONAL(plain)
#define EXPECT_INTEL_cr3_target_value2 OPTIONAL(plain)
#define EXPECT_INTEL_cr3_target_value3 OPTIONAL(plain)
#define EXPECT_INTEL_exit_qualification ALWAYS(read_only)
#define EXPECT_INTEL_io_rcx OPTIONAL(read_only)
#define EXPECT_INTEL_io_rsi OPTIONAL(read_only)
#define EXPECT_INTEL_io_rdi OPTIONAL(read_only)
#define EXPECT_INTEL_io_rip OPTIONAL(read_only)
#define EXPECT_INTEL_linear_address ALWAYS(read_only)
#define EXPECT_INTEL_cr0 ALWAYS(plain)
#define EXPECT_INTEL_cr3 ALWAYS(plain)
#define EXPECT_INTEL_cr4 ALWAYS(plain)
#define EXPECT_INTEL_es_base ALWAYS(plain)
#define EXPECT_INTEL_cs_base ALWAYS(plain)
#define EXPECT_INTEL_ss_base ALWAYS(plain)
#define EXPECT_INTEL_ds_base ALWAYS(plain)
#define EXPECT_INTEL_fs_base ALWAYS(plain)
#define EXPECT_INTEL_gs_base ALWAYS(plain)
#define EXPECT_INTEL_ldtr_base ALWAYS(plain)
#define EXPECT_INTEL_tr_base ALWAYS(plain)
#define EXPECT_INTEL_gdtr_base ALWAYS(plain)
#define EXPECT_INTEL_idtr_base ALWAYS(plain)
#define EXPECT_INTEL_dr7 ALWAYS(plain)
#define EXPECT_INTEL_rsp ALWAYS(plain)
#define EXPECT_INTEL_rip ALWAYS(plain)
#define EXPECT_INTEL_rflags ALWAYS(plain)
#define EXPECT_INTEL_pending_debug_exceptions ALWAYS(plain)
#define EXPECT_INTEL_sysenter_esp ALWAYS(plain)
#define EXPECT_INTEL_sysenter_eip ALWAYS(plain)
#define EXPECT_INTEL_cr8 ALWAYS(plain)
#define EXPECT_INTEL_dr0 ALWAYS(plain)
#define EXPECT_INTEL_dr1 ALWAYS(plain)
#define EXPECT_INTEL_dr2 ALWAYS(plain)
#define EXPECT_INTEL_dr3 ALWAYS(plain)
#define EXPECT_INTEL_xcr0 ALWAYS(extended_state)

#endif
