/* SPDX-License-Identifier: GPL-2.0-only */
/* What is expected of each register on AMD, by its name: EXPECT_AMD_name. See registers.h. */
#ifndef TEST_EXT_EXPECT_AMD_H
#define TEST_EXT_EXPECT_AMD_H

#include <abi/hw/svm.h>

#include "registers.h"

static struct cpuid_regs svm_features(void)
{
	return cpuid(0x8000000A, 0);
}

/* Bits for which the register has no room are dropped. */
static void intercepts_with(const struct reg *reg, uint64_t forced)
{
	accepts_as(reg, 0, forced);
	for (unsigned int bit = 0; bit < 64; bit++)
		accepts_as(reg, 1ULL << bit, ((1ULL << bit) & reg_mask(reg)) | forced);
	accepts_as(reg, ~0ULL, reg_mask(reg));
}

static void intercepts(const struct reg *reg)
{
	intercepts_with(reg, 0);
}

/* VMRUN exits, always (APM vol. 2 §15.5.1); that VMMCALL does is not shown. */
static void instruction2(const struct reg *reg)
{
	intercepts_with(reg, SVM_INSTR2_VMRUN);
}

/* Permission maps lie in memory that is contiguous and the hypervisor's: in the huge pool. */
static void permission_map(const struct reg *reg)
{
	uint64_t map_va, map, page_va, page;

	VERIFY_STATUS(mk1_mem_alloc_huge(MK1_HANDLE, 3 * BF_PAGE_SIZE, &map_va, &map), MK1_SUCCESS);
	VERIFY_STATUS(mk1_mem_alloc_page(MK1_HANDLE, &page_va, &page), MK1_SUCCESS);
	accepts(reg, map);
	refuses(reg, map + 8);
	refuses(reg, map + 0x800);
	refuses(reg, page);
	refuses(reg, 0);
	refuses(reg, BF_PAGE_SIZE);
	refuses(reg, map + (1ULL << 30));
	refuses(reg, map | 1ULL << 52);
	refuses(reg, ~0xFFFULL);
	VERIFY_STATUS(mk1_mem_free_page(MK1_HANDLE, page_va), MK1_SUCCESS);
	VERIFY_STATUS(mk1_mem_free_huge(MK1_HANDLE, map_va), MK1_SUCCESS);
}

/* 0 is the host's. */
static void asid(const struct reg *reg)
{
	uint64_t count = svm_features().ebx;

	accepts(reg, 1);
	accepts(reg, count - 1);
	refuses(reg, 0);
	refuses(reg, count);
	refuses(reg, 0xFFFFFFFF);
	refuses_wider(reg);
}

/* APM vol. 2, table 15-9 */
static void tlb_control(const struct reg *reg)
{
	for (uint64_t value = 0; value < 256; value++) {
		if (value == 0 || value == 1 || value == 3 || value == 7)
			accepts(reg, value);
		else
			refuses(reg, value);
	}
	refuses_wider(reg);
}

/* A feature that no guest gets: refused where the CPU has it, dropped where it lacks it. */
static void for_no_guest(const struct reg *reg, uint64_t bit, bool cpu_has)
{
	if (cpu_has)
		refuses(reg, bit);
	else
		accepts_as(reg, bit, 0);
}

/* AMD's memory encryption, CPUID 8000_001F EAX */
static uint32_t encryption_features(void)
{
	return cpuid(0x80000000, 0).eax >= 0x8000001F ? cpuid(0x8000001F, 0).eax : 0;
}

/* All but AVIC. */
static void virtual_interrupt(const struct reg *reg)
{
	accepts(reg, 0);
	accepts(reg, ~(1ULL << 31));
	for_no_guest(reg, 1ULL << 31, svm_features().edx & 1U << 13);
}

/* Nested paging, and INVLPGB in the guest, where there are any; no encryption, no trace. */
static void nested_control(const struct reg *reg)
{
	uint32_t features = svm_features().edx, encryption = encryption_features();
	bool has_invlpgb = features & 1U << 24 && cpuid(0x80000008, 0).ebx & 1U << 3;
	const bool cpu_has[] = {
		[1] = encryption >> 1 & 1, [2] = encryption >> 3 & 1,  [3] = features >> 17 & 1,
		[4] = features >> 19 & 1,  [5] = encryption >> 16 & 1, [6] = features >> 21 & 1
	};

	accepts(reg, 0);
	for (unsigned int bit = 0; bit < 64; bit++) {
		if ((bit == 0 && features & 1) || (bit == 7 && has_invlpgb))
			accepts(reg, 1ULL << bit);
		else
			for_no_guest(reg, 1ULL << bit,
				     bit < sizeof(cpu_has) / sizeof(cpu_has[0]) && cpu_has[bit]);
	}
}

/* LBR, VMLOAD and VMSAVE, IBS: none is virtualised. */
static void virtual_extensions(const struct reg *reg)
{
	static const unsigned int feature[] = { 1, 15, 26 };

	accepts(reg, 0);
	for (unsigned int bit = 0; bit < 64; bit++)
		for_no_guest(reg, 1ULL << bit, bit < 3 && svm_features().edx >> feature[bit] & 1);
}

static void nested_cr3(const struct reg *reg)
{
	accepts(reg, 0);
	accepts(reg, BF_PAGE_SIZE);
	accepts(reg, MK1_SPA_LIMIT - BF_PAGE_SIZE);
	for (unsigned int bit = 0; bit < BF_PAGE_SHIFT; bit++)
		refuses(reg, 1ULL << bit);
	for (unsigned int bit = 44; bit < 64; bit++)
		refuses(reg, 1ULL << bit);
}

/* The microkernel's own: every write has it begin anew. */
static void clean_bits(const struct reg *reg)
{
	accepts_as(reg, 0, 0);
	accepts_as(reg, 0xFFFFFFFF, 0);
	refuses_wider(reg);
}

static void privilege_level(const struct reg *reg)
{
	for (uint64_t value = 0; value < 4; value++)
		accepts(reg, value);
	for (uint64_t value = 4; value < 256; value++)
		refuses(reg, value);
	refuses_wider(reg);
}

/* VMRUN insists on SVME. */
static void extended_features(const struct reg *reg)
{
	any_value(reg, EFER_SVME);
}

#define EXPECT_AMD_rbx ALWAYS(plain)
#define EXPECT_AMD_rcx ALWAYS(plain)
#define EXPECT_AMD_rdx ALWAYS(plain)
#define EXPECT_AMD_rbp ALWAYS(plain)
#define EXPECT_AMD_rsi ALWAYS(plain)
#define EXPECT_AMD_rdi ALWAYS(plain)
#define EXPECT_AMD_r8 ALWAYS(plain)
#define EXPECT_AMD_r9 ALWAYS(plain)
#define EXPECT_AMD_r10 ALWAYS(plain)
#define EXPECT_AMD_r11 ALWAYS(plain)
#define EXPECT_AMD_r12 ALWAYS(plain)
#define EXPECT_AMD_r13 ALWAYS(plain)
#define EXPECT_AMD_r14 ALWAYS(plain)
#define EXPECT_AMD_r15 ALWAYS(plain)
#define EXPECT_AMD_intercept_cr_read ALWAYS(intercepts)
#define EXPECT_AMD_intercept_cr_write ALWAYS(intercepts)
#define EXPECT_AMD_intercept_dr_read ALWAYS(intercepts)
#define EXPECT_AMD_intercept_dr_write ALWAYS(intercepts)
#define EXPECT_AMD_intercept_exception ALWAYS(intercepts)
#define EXPECT_AMD_intercept_instruction1 ALWAYS(intercepts)
#define EXPECT_AMD_intercept_instruction2 ALWAYS(instruction2)
#define EXPECT_AMD_intercept_instruction3 ALWAYS(intercepts)
#define EXPECT_AMD_pause_filter_threshold ALWAYS(plain)
#define EXPECT_AMD_pause_filter_count ALWAYS(plain)
#define EXPECT_AMD_iopm_base_pa ALWAYS(permission_map)
#define EXPECT_AMD_msrpm_base_pa ALWAYS(permission_map)
#define EXPECT_AMD_tsc_offset ALWAYS(plain)
#define EXPECT_AMD_guest_asid ALWAYS(asid)
#define EXPECT_AMD_tlb_control ALWAYS(tlb_control)
#define EXPECT_AMD_virtual_interrupt_a ALWAYS(virtual_interrupt)
#define EXPECT_AMD_virtual_interrupt_b ALWAYS(plain)
#define EXPECT_AMD_exitcode ALWAYS(plain)
#define EXPECT_AMD_exitinfo1 ALWAYS(plain)
#define EXPECT_AMD_exitinfo2 ALWAYS(plain)
#define EXPECT_AMD_exitininfo ALWAYS(plain)
#define EXPECT_AMD_ctls1 ALWAYS(nested_control)
#define EXPECT_AMD_avic_apic_bar ALWAYS(zero)
#define EXPECT_AMD_guest_pa_of_ghcb ALWAYS(zero)
#define EXPECT_AMD_eventinj ALWAYS(plain)
#define EXPECT_AMD_n_cr3 ALWAYS(nested_cr3)
#define EXPECT_AMD_ctls2 ALWAYS(virtual_extensions)
#define EXPECT_AMD_vmcb_clean_bits ALWAYS(clean_bits)
#define EXPECT_AMD_nrip ALWAYS(plain)
#define EXPECT_AMD_number_of_bytes_fetched ALWAYS(plain)
#define EXPECT_AMD_avic_apic_backing_page_ptr ALWAYS(zero)
#define EXPECT_AMD_avic_logical_table_ptr ALWAYS(zero)
#define EXPECT_AMD_avic_physical_table_ptr ALWAYS(zero)
#define EXPECT_AMD_vmsa_ptr ALWAYS(zero)
#define EXPECT_AMD_es_selector ALWAYS(plain)
#define EXPECT_AMD_es_attrib ALWAYS(plain)
#define EXPECT_AMD_es_limit ALWAYS(plain)
#define EXPECT_AMD_es_base ALWAYS(plain)
#define EXPECT_AMD_cs_selector ALWAYS(plain)
#define EXPECT_AMD_cs_attrib ALWAYS(plain)
#define EXPECT_AMD_cs_limit ALWAYS(plain)
#define EXPECT_AMD_cs_base ALWAYS(plain)
#define EXPECT_AMD_ss_selector ALWAYS(plain)
#define EXPECT_AMD_ss_attrib ALWAYS(plain)
#define EXPECT_AMD_ss_limit ALWAYS(plain)
#define EXPECT_AMD_ss_base ALWAYS(plain)
#define EXPECT_AMD_ds_selector ALWAYS(plain)
#define EXPECT_AMD_ds_attrib ALWAYS(plain)
#define EXPECT_AMD_ds_limit ALWAYS(plain)
#define EXPECT_AMD_ds_base ALWAYS(plain)
#define EXPECT_AMD_fs_selector ALWAYS(plain)
#define EXPECT_AMD_fs_attrib ALWAYS(plain)
#define EXPECT_AMD_fs_limit ALWAYS(plain)
#define EXPECT_AMD_fs_base ALWAYS(plain)
#define EXPECT_AMD_gs_selector ALWAYS(plain)
#define EXPECT_AMD_gs_attrib ALWAYS(plain)
#define EXPECT_AMD_gs_limit ALWAYS(plain)
#define EXPECT_AMD_gs_base ALWAYS(plain)
#define EXPECT_AMD_gdtr_selector ALWAYS(plain)
#define EXPECT_AMD_gdtr_attrib ALWAYS(plain)
#define EXPECT_AMD_gdtr_limit ALWAYS(plain)
#define EXPECT_AMD_gdtr_base ALWAYS(plain)
#define EXPECT_AMD_ldtr_selector ALWAYS(plain)
#define EXPECT_AMD_ldtr_attrib ALWAYS(plain)
#define EXPECT_AMD_ldtr_limit ALWAYS(plain)
#define EXPECT_AMD_ldtr_base ALWAYS(plain)
#define EXPECT_AMD_idtr_selector ALWAYS(plain)
#define EXPECT_AMD_idtr_attrib ALWAYS(plain)
#define EXPECT_AMD_idtr_limit ALWAYS(plain)
#define EXPECT_AMD_idtr_base ALWAYS(plain)
#define EXPECT_AMD_tr_selector ALWAYS(plain)
#define EXPECT_AMD_tr_attrib ALWAYS(plain)
#define EXPECT_AMD_tr_limit ALWAYS(plain)
#define EXPECT_AMD_tr_base ALWAYS(plain)
#define EXPECT_AMD_cpl ALWAYS(privilege_level)
#define EXPECT_AMD_efer ALWAYS(extended_features)
#define EXPECT_AMD_cr4 ALWAYS(plain)
#define EXPECT_AMD_cr3 ALWAYS(plain)
#define EXPECT_AMD_cr0 ALWAYS(plain)
#define EXPECT_AMD_dr7 ALWAYS(plain)
#define EXPECT_AMD_dr6 ALWAYS(plain)
#define EXPECT_AMD_rflags ALWAYS(plain)
#define EXPECT_AMD_rip ALWAYS(plain)
#define EXPECT_AMD_rsp ALWAYS(plain)
#define EXPECT_AMD_rax ALWAYS(plain)
#define EXPECT_AMD_star ALWAYS(plain)
#define EXPECT_AMD_lstar ALWAYS(plain)
#define EXPECT_AMD_cstar ALWAYS(plain)
#define EXPECT_AMD_fmask ALWAYS(plain)
#define EXPECT_AMD_kernel_gs_base ALWAYS(plain)
#define EXPECT_AMD_sysenter_cs ALWAYS(plain)
#define EXPECT_AMD_sysenter_esp ALWAYS(plain)
#define EXPECT_AMD_sysenter_eip ALWAYS(plain)
#define EXPECT_AMD_cr2 ALWAYS(plain)
#define EXPECT_AMD_pat ALWAYS(plain)
#define EXPECT_AMD_dbgctl ALWAYS(plain)
#define EXPECT_AMD_br_from ALWAYS(plain)
#define EXPECT_AMD_br_to ALWAYS(plain)
#define EXPECT_AMD_lastexcpfrom ALWAYS(plain)
#define EXPECT_AMD_lastexcpto ALWAYS(plain)
#define EXPECT_AMD_cr8 ALWAYS(plain)
#define EXPECT_AMD_dr0 ALWAYS(plain)
#define EXPECT_AMD_dr1 ALWAYS(plain)
#define EXPECT_AMD_dr2 ALWAYS(plain)
#define EXPECT_AMD_dr3 ALWAYS(plain)
#define EXPECT_AMD_xcr0 ALWAYS(extended_state)

#endif
