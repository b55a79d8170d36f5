// SPDX-License-Identifier: GPL-2.0-only
/* vmx/regs.c: the registers of a VS by their numbers. */
#include "vmx.h"
#include "../suites.h"

enum access { NONE, RW, RO, GPR, LIVE };

static const struct {
	const char *name;
	uint16_t field;
	uint8_t bytes;
	uint8_t access;
} regs_of[MK1_INTEL_NR_REGS] = {
#define ENTRY(number, name, field, bytes, access) [number] = { #name, field, bytes, access },
	MK1_INTEL_REGS(ENTRY)
};

/* A value that the register takes and gives back as it is. */
static uint64_t plain_value(unsigned int number, uint8_t bytes, uint64_t own_page)
{
	switch (number) {
	case MK1_INTEL_pin_based_vm_execution_ctls:
		return 0x3F;
	case MK1_INTEL_primary_proc_based_vm_execution_ctls:
		return 0x86186172;
	case MK1_INTEL_exception_bitmap:
		return 0x12345678 | EXCEPTION_BIT(VECTOR_MC);
	case MK1_INTEL_secondary_proc_based_vm_execution_ctls:
		return 0xAA; /* EPT, RDTSCP, VPID, unrestricted */
	case MK1_INTEL_vmexit_ctls:
		return 0x3F6FFF;
	case MK1_INTEL_vmentry_ctls:
		return 0xD3FF;
	case MK1_INTEL_address_of_io_bitmap_a:
	case MK1_INTEL_address_of_io_bitmap_b:
	case MK1_INTEL_address_of_msr_bitmaps:
		return own_page;
	case MK1_INTEL_vmcs_link_pointer:
		return ~0ULL;
	case MK1_INTEL_ept_pointer:
		return 0x12345601E;
	case MK1_INTEL_executive_vmcs_pointer:
	case MK1_INTEL_pml_address:
	case MK1_INTEL_virtual_apic_address:
	case MK1_INTEL_apic_access_address:
	case MK1_INTEL_posted_interrupt_descriptor_address:
	case MK1_INTEL_vm_function_controls:
	case MK1_INTEL_eptp_list_address:
	case MK1_INTEL_vmread_bitmap_address:
	case MK1_INTEL_vmwrite_bitmap_address:
	case MK1_INTEL_virt_exception_information_address:
	case MK1_INTEL_sub_page_permission_table_pointer:
	case MK1_INTEL_vmexit_msr_store_address:
	case MK1_INTEL_vmexit_msr_load_address:
	case MK1_INTEL_vmentry_msr_load_address:
	case MK1_INTEL_vmexit_msr_store_count:
	case MK1_INTEL_vmexit_msr_load_count:
	case MK1_INTEL_vmentry_msr_load_count:
		return 0;
	case MK1_INTEL_cr0:
		return 0x80050033;
	case MK1_INTEL_cr4:
		return 0x3526F8;
	case MK1_INTEL_efer:
		return 0xD01;
	case MK1_INTEL_dr6:
	case MK1_INTEL_fmask:
		return 0x12345678;
	case MK1_INTEL_lstar:
	case MK1_INTEL_cstar:
	case MK1_INTEL_kernel_gs_base:
		return 0xFFFFFFFF81234560;
	default:
		return 0x1122334455667788 >> (64 - 8 * bytes);
	}
}

static bool is_live(unsigned int number)
{
	return number == MK1_INTEL_cr8 || number == MK1_INTEL_xcr0 ||
	       (number >= MK1_INTEL_dr0 && number <= MK1_INTEL_dr3);
}

static bool is_control(unsigned int number)
{
	return number == MK1_INTEL_pin_based_vm_execution_ctls ||
	       number == MK1_INTEL_primary_proc_based_vm_execution_ctls ||
	       number == MK1_INTEL_secondary_proc_based_vm_execution_ctls ||
	       number == MK1_INTEL_vmexit_ctls || number == MK1_INTEL_vmentry_ctls;
}

/* Every register of the active VS and of another one. */
START_TEST(every_register)
{
	uint16_t vsid = (uint16_t)_i;
	uint64_t own_page;

	in_vmexit();
	ck_assert_uint_eq(SYS(mem_alloc_page, HANDLE), MK1_SUCCESS);
	own_page = regs.reg[1];
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	for (unsigned int n = 1; n < MK1_INTEL_NR_REGS; n++) {
		uint64_t value = plain_value(n, regs_of[n].bytes, own_page);
		const char *name = regs_of[n].name;

		if (is_live(n))
			continue;
		if (regs_of[n].access == RO) {
			ck_assert_msg(reg_write(vsid, n, 0) == MK1_INVALID_INPUT_REG(3), "%s",
				      name);
			vmcs_put(vs_find(vsid)->block_spa, regs_of[n].field, 0x77);
			ck_assert_msg(reg_read(vsid, n) == 0x77, "%s", name);
			continue;
		}
		ck_assert_msg(reg_write(vsid, n, value) == MK1_SUCCESS, "%s", name);
		ck_assert_msg(reg_read(vsid, n) == value, "%s: 0x%llx", name,
			      (unsigned long long)reg_read(vsid, n));
		if (regs_of[n].access == RW && value)
			ck_assert_uint_eq(vmcs_get(vs_find(vsid)->block_spa, regs_of[n].field),
					  value);
		if (regs_of[n].access == RW && regs_of[n].bytes < 8 && !is_control(n))
			ck_assert_msg(reg_write(vsid, n, 1ULL << (8 * regs_of[n].bytes)) ==
					      MK1_INVALID_INPUT_REG(3),
				      "%s", name);
	}
	ck_assert_uint_eq(msr_get(cpu, MSR_CSTAR) == 0xFFFFFFFF81234560, !_i);
	ck_assert_uint_eq(msr_get(cpu, MSR_KERNEL_GS_BASE) == 0xFFFFFFFF81234560, !_i);
	ck_assert_uint_eq(SYS(vs_read, HANDLE, vsid, 0), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vs_read, HANDLE, vsid, MK1_INTEL_NR_REGS), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vs_write, HANDLE, vsid, 0, 0), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vs_write, HANDLE, vsid, ~0ULL, 0), MK1_INVALID_INPUT_REG(2));
}
END_TEST

START_TEST(refused_values)
{
	static const struct {
		unsigned int number;
		uint64_t value;
	} bad[] = {
		{ MK1_INTEL_pin_based_vm_execution_ctls, VMX_PIN_POSTED_INTERRUPTS },
		{ MK1_INTEL_primary_proc_based_vm_execution_ctls, VMX_PRIMARY_TPR_SHADOW },
		{ MK1_INTEL_secondary_proc_based_vm_execution_ctls, VMX_SECONDARY_APIC_ACCESS },
		{ MK1_INTEL_secondary_proc_based_vm_execution_ctls, VMX_SECONDARY_X2APIC },
		{ MK1_INTEL_secondary_proc_based_vm_execution_ctls, VMX_SECONDARY_APIC_REGISTERS },
		{ MK1_INTEL_secondary_proc_based_vm_execution_ctls,
		  VMX_SECONDARY_VIRTUAL_INTERRUPTS },
		{ MK1_INTEL_secondary_proc_based_vm_execution_ctls, VMX_SECONDARY_VMFUNC },
		{ MK1_INTEL_secondary_proc_based_vm_execution_ctls, VMX_SECONDARY_SHADOW_VMCS },
		{ MK1_INTEL_secondary_proc_based_vm_execution_ctls, VMX_SECONDARY_PML },
		{ MK1_INTEL_secondary_proc_based_vm_execution_ctls, VMX_SECONDARY_EPT_VE },
		{ MK1_INTEL_secondary_proc_based_vm_execution_ctls, VMX_SECONDARY_SUB_PAGE },
		{ MK1_INTEL_address_of_io_bitmap_a, 0 },
		{ MK1_INTEL_address_of_io_bitmap_b, PHYS_BASE },
		{ MK1_INTEL_address_of_msr_bitmaps, LINUX_RAM },
		{ MK1_INTEL_address_of_msr_bitmaps, 8 },
		{ MK1_INTEL_address_of_msr_bitmaps, MK1_SPA_LIMIT },
		{ MK1_INTEL_vmcs_link_pointer, 0 },
		{ MK1_INTEL_ept_pointer, MK1_SPA_LIMIT },
		{ MK1_INTEL_executive_vmcs_pointer, 1 },
		{ MK1_INTEL_pml_address, 0x1000 },
		{ MK1_INTEL_virtual_apic_address, 0x1000 },
		{ MK1_INTEL_apic_access_address, 0x1000 },
		{ MK1_INTEL_posted_interrupt_descriptor_address, 0x1000 },
		{ MK1_INTEL_vm_function_controls, 1 },
		{ MK1_INTEL_eptp_list_address, 0x1000 },
		{ MK1_INTEL_vmread_bitmap_address, 0x1000 },
		{ MK1_INTEL_vmwrite_bitmap_address, 0x1000 },
		{ MK1_INTEL_virt_exception_information_address, 0x1000 },
		{ MK1_INTEL_sub_page_permission_table_pointer, 0x1000 },
		{ MK1_INTEL_vmexit_msr_store_address, 0x1000 },
		{ MK1_INTEL_vmexit_msr_load_address, 0x1000 },
		{ MK1_INTEL_vmentry_msr_load_address, 0x1000 },
		{ MK1_INTEL_vmexit_msr_store_count, 1 },
		{ MK1_INTEL_vmexit_msr_load_count, 1 },
		{ MK1_INTEL_vmentry_msr_load_count, 1 },
		{ MK1_INTEL_dr6, 1ULL << 32 },
		{ MK1_INTEL_fmask, 1ULL << 32 },
		{ MK1_INTEL_lstar, 1ULL << 47 },
		{ MK1_INTEL_cstar, 0xFFFF7FFFFFFFFFFF },
		{ MK1_INTEL_kernel_gs_base, 1ULL << 63 },
		{ MK1_INTEL_cr8, 16 },
		{ MK1_INTEL_xcr0, 8 },
	};

	in_vmexit();
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t before = reg_read(0, bad[i].number);

		ck_assert_msg(reg_write(0, bad[i].number, bad[i].value) == MK1_INVALID_INPUT_REG(3),
			      "%s", regs_of[bad[i].number].name);
		ck_assert_uint_eq(reg_read(0, bad[i].number), before);
	}
	ck_assert_uint_eq(field(VMCS_vmexit_msr_store_count), VMX_NR_MSRS);
	/* of a CPU with 57 bits, whatever root mode's page tables are */
	vmx.cr4_fixed1 |= CR4_LA57;
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_kernel_gs_base, 1ULL << 47), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_kernel_gs_base, 1ULL << 56),
			  MK1_INVALID_INPUT_REG(3));
	/* what a bitmap is at first */
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_address_of_io_bitmap_a,
				    reg_read(0, MK1_INTEL_address_of_io_bitmap_a)),
			  MK1_SUCCESS);
}
END_TEST

/* What is found in a field can be put back into it, the bitmap included that makes nothing exit. */
START_TEST(the_first_bitmap_comes_back)
{
	static const uint16_t numbers[] = { MK1_INTEL_address_of_io_bitmap_a,
					    MK1_INTEL_address_of_io_bitmap_b,
					    MK1_INTEL_address_of_msr_bitmaps };
	uint64_t own_page;

	in_vmexit();
	ck_assert_uint_eq(SYS(mem_alloc_page, HANDLE), MK1_SUCCESS);
	own_page = regs.reg[1];
	for (unsigned int i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uint64_t first = reg_read(0, numbers[i]);

		ck_assert_uint_eq(first, vmx.passthrough_bitmaps);
		ck_assert_uint_eq(reg_write(0, numbers[i], own_page), MK1_SUCCESS);
		ck_assert_uint_eq(reg_write(0, numbers[i], first), MK1_SUCCESS);
		ck_assert_uint_eq(reg_read(0, numbers[i]), first);
	}
}
END_TEST

START_TEST(ept_pointer_of_our_own_or_not)
{
	uint64_t eptp;

	in_vmexit();
	eptp = field(VMCS_ept_pointer);
	ck_assert_uint_eq(eptp, mk.root_npt | 0x1E);
	ck_assert(host_pp->vs->vmx.own_ept);
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_ept_pointer, 0x1E), MK1_SUCCESS);
	ck_assert(!host_pp->vs->vmx.own_ept);
	/* what the extension changed in tables of its own is flushed, too */
	cpu->count[INSN_INVEPT] = 0;
	ck_assert_uint_eq(SYS(vm_tlb_flush, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->count[INSN_INVEPT], 1);
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_ept_pointer, eptp), MK1_SUCCESS);
	ck_assert(host_pp->vs->vmx.own_ept);
	ck_assert_uint_eq(cpu->arg[INSN_INVEPT][0], 2);
	cpu->count[INSN_INVEPT] = 0;
	ck_assert_uint_eq(SYS(vm_tlb_flush, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->count[INSN_INVEPT], 0);
	mk.root_npt = 0;
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_ept_pointer, 0x1E), MK1_SUCCESS);
	ck_assert(!host_pp->vs->vmx.own_ept);
}
END_TEST

TCase *vmx_regs_tests(void)
{
	TCase *tc = tcase_create("vmx_regs");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, every_register, 0, 2);
	tcase_add_test(tc, refused_values);
	tcase_add_test(tc, the_first_bitmap_comes_back);
	tcase_add_test(tc, ept_pointer_of_our_own_or_not);
	return tc;
}
