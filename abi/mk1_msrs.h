/* SPDX-License-Identifier: MIT */
/*
 * The MSRs that intrinsic_rdmsr and intrinsic_wrmsr reach. All others belong to the microkernel.
 *
 * X(first, last, rights, what)
 *   rights  R: rdmsr, RW: wrmsr too
 */
#ifndef BF_ABI_MK1_MSRS_H
#define BF_ABI_MK1_MSRS_H

#define MK1_MSRS(X) \
	X(0x00000010, 0x00000010, R, "TSC") \
	X(0x00000017, 0x00000017, R, "PLATFORM_ID") \
	X(0x0000001B, 0x0000001B, R, "APIC_BASE") \
	X(0x0000003A, 0x0000003A, R, "FEATURE_CONTROL") \
	X(0x000000CE, 0x000000CE, R, "PLATFORM_INFO") \
	X(0x000000FE, 0x000000FE, R, "MTRRCAP") \
	X(0x0000010A, 0x0000010A, R, "ARCH_CAPABILITIES") \
	X(0x00000174, 0x00000176, R, "SYSENTER_CS, SYSENTER_ESP, SYSENTER_EIP") \
	X(0x000001A0, 0x000001A0, R, "MISC_ENABLE") \
	X(0x000001D9, 0x000001D9, R, "DEBUGCTL") \
	X(0x00000200, 0x0000023F, RW, "variable MTRRs") \
	X(0x00000250, 0x00000250, RW, "fixed MTRRs, 64 KiB") \
	X(0x00000258, 0x00000259, RW, "fixed MTRRs, 16 KiB") \
	X(0x00000268, 0x0000026F, RW, "fixed MTRRs, 4 KiB") \
	X(0x00000277, 0x00000277, R, "PAT") \
	X(0x000002FF, 0x000002FF, RW, "MTRR_DEF_TYPE") \
	X(0x00000480, 0x00000493, R, "VMX capabilities") \
	X(0x00000DA0, 0x00000DA0, R, "XSS") \
	X(0xC0000080, 0xC0000084, R, "EFER, STAR, LSTAR, CSTAR, FMASK") \
	X(0xC0000100, 0xC0000100, R, "FS_BASE") \
	X(0xC0000101, 0xC0000101, RW, "GS_BASE: the extension's own, until its callback ends") \
	X(0xC0000102, 0xC0000102, R, "KERNEL_GS_BASE") \
	X(0xC0000103, 0xC0000103, RW, "TSC_AUX: not used in root mode") \
	X(0xC0010114, 0xC0010114, R, "VM_CR")

#endif
