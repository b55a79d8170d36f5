/* SPDX-License-Identifier: MIT */
/*
 * The registers of a VS on AMD: Mk#1 number and name, and where the register lives.
 *
 * X(number, name, offset, bytes, access)
 *   RW    in the VMCB at offset (APM vol. 2, Appendix B): read and written there
 *   GPR   a general register: offset counts from the register block (RAX is copied to the VMCB)
 *   LIVE  in the CPU while the VS is active, outside of the VMCB when it is not: offset is 0
 * bytes is the register's width; the bits above it read as 0 and must be 0 in a write.
 */
#ifndef BF_ABI_MK1_REGS_AMD_H
#define BF_ABI_MK1_REGS_AMD_H

#include <abi/mk1_layout.h>
#include <abi/types.h>

#define MK1_AMD_REGS(X) \
	X(1, rbx, BF_GPR_RBX, 8, GPR) \
	X(2, rcx, BF_GPR_RCX, 8, GPR) \
	X(3, rdx, BF_GPR_RDX, 8, GPR) \
	X(4, rbp, BF_GPR_RBP, 8, GPR) \
	X(5, rsi, BF_GPR_RSI, 8, GPR) \
	X(6, rdi, BF_GPR_RDI, 8, GPR) \
	X(7, r8, BF_GPR_R8, 8, GPR) \
	X(8, r9, BF_GPR_R9, 8, GPR) \
	X(9, r10, BF_GPR_R10, 8, GPR) \
	X(10, r11, BF_GPR_R11, 8, GPR) \
	X(11, r12, BF_GPR_R12, 8, GPR) \
	X(12, r13, BF_GPR_R13, 8, GPR) \
	X(13, r14, BF_GPR_R14, 8, GPR) \
	X(14, r15, BF_GPR_R15, 8, GPR) \
	X(15, intercept_cr_read, 0x000, 2, RW) \
	X(16, intercept_cr_write, 0x002, 2, RW) \
	X(17, intercept_dr_read, 0x004, 2, RW) \
	X(18, intercept_dr_write, 0x006, 2, RW) \
	X(19, intercept_exception, 0x008, 4, RW) \
	X(20, intercept_instruction1, 0x00C, 4, RW) \
	X(21, intercept_instruction2, 0x010, 4, RW) \
	X(22, intercept_instruction3, 0x014, 4, RW) \
	X(23, pause_filter_threshold, 0x03C, 2, RW) \
	X(24, pause_filter_count, 0x03E, 2, RW) \
	X(25, iopm_base_pa, 0x040, 8, RW) \
	X(26, msrpm_base_pa, 0x048, 8, RW) \
	X(27, tsc_offset, 0x050, 8, RW) \
	X(28, guest_asid, 0x058, 4, RW) \
	X(29, tlb_control, 0x05C, 1, RW) \
	X(30, virtual_interrupt_a, 0x060, 8, RW) \
	X(31, virtual_interrupt_b, 0x068, 8, RW) \
	X(32, exitcode, 0x070, 8, RW) \
	X(33, exitinfo1, 0x078, 8, RW) \
	X(34, exitinfo2, 0x080, 8, RW) \
	X(35, exitininfo, 0x088, 8, RW) \
	X(36, ctls1, 0x090, 8, RW) \
	X(37, avic_apic_bar, 0x098, 8, RW) \
	X(38, guest_pa_of_ghcb, 0x0A0, 8, RW) \
	X(39, eventinj, 0x0A8, 8, RW) \
	X(40, n_cr3, 0x0B0, 8, RW) \
	X(41, ctls2, 0x0B8, 8, RW) \
	X(42, vmcb_clean_bits, 0x0C0, 4, RW) \
	X(43, nrip, 0x0C8, 8, RW) \
	X(44, number_of_bytes_fetched, 0x0D0, 1, RW) \
	X(45, avic_apic_backing_page_ptr, 0x0E0, 8, RW) \
	X(46, avic_logical_table_ptr, 0x0F0, 8, RW) \
	X(47, avic_physical_table_ptr, 0x0F8, 8, RW) \
	X(48, vmsa_ptr, 0x108, 8, RW) \
	X(49, es_selector, 0x400, 2, RW) \
	X(50, es_attrib, 0x402, 2, RW) \
	X(51, es_limit, 0x404, 4, RW) \
	X(52, es_base, 0x408, 8, RW) \
	X(53, cs_selector, 0x410, 2, RW) \
	X(54, cs_attrib, 0x412, 2, RW) \
	X(55, cs_limit, 0x414, 4, RW) \
	X(56, cs_base, 0x418, 8, RW) \
	X(57, ss_selector, 0x420, 2, RW) \
	X(58, ss_attrib, 0x422, 2, RW) \
	X(59, ss_limit, 0x424, 4, RW) \
	X(60, ss_base, 0x428, 8, RW) \
	X(61, ds_selector, 0x430, 2, RW) \
	X(62, ds_attrib, 0x432, 2, RW) \
	X(63, ds_limit, 0x434, 4, RW) \
	X(64, ds_base, 0x438, 8, RW) \
	X(65, fs_selector, 0x440, 2, RW) \
	X(66, fs_attrib, 0x442, 2, RW) \
	X(67, fs_limit, 0x444, 4, RW) \
	X(68, fs_base, 0x448, 8, RW) \
	X(69, gs_selector, 0x450, 2, RW) \
	X(70, gs_attrib, 0x452, 2, RW) \
	X(71, gs_limit, 0x454, 4, RW) \
	X(72, gs_base, 0x458, 8, RW) \
	X(73, gdtr_selector, 0x460, 2, RW) \
	X(74, gdtr_attrib, 0x462, 2, RW) \
	X(75, gdtr_limit, 0x464, 4, RW) \
	X(76, gdtr_base, 0x468, 8, RW) \
	X(77, ldtr_selector, 0x470, 2, RW) \
	X(78, ldtr_attrib, 0x472, 2, RW) \
	X(79, ldtr_limit, 0x474, 4, RW) \
	X(80, ldtr_base, 0x478, 8, RW) \
	X(81, idtr_selector, 0x480, 2, RW) \
	X(82, idtr_attrib, 0x482, 2, RW) \
	X(83, idtr_limit, 0x484, 4, RW) \
	X(84, idtr_base, 0x488, 8, RW) \
	X(85, tr_selector, 0x490, 2, RW) \
	X(86, tr_attrib, 0x492, 2, RW) \
	X(87, tr_limit, 0x494, 4, RW) \
	X(88, tr_base, 0x498, 8, RW) \
	X(89, cpl, 0x4CB, 1, RW) \
	X(90, efer, 0x4D0, 8, RW) \
	X(91, cr4, 0x548, 8, RW) \
	X(92, cr3, 0x550, 8, RW) \
	X(93, cr0, 0x558, 8, RW) \
	X(94, dr7, 0x560, 8, RW) \
	X(95, dr6, 0x568, 8, RW) \
	X(96, rflags, 0x570, 8, RW) \
	X(97, rip, 0x578, 8, RW) \
	X(98, rsp, 0x5D8, 8, RW) \
	X(99, rax, BF_GPR_RAX, 8, GPR) \
	X(100, star, 0x600, 8, RW) \
	X(101, lstar, 0x608, 8, RW) \
	X(102, cstar, 0x610, 8, RW) \
	X(103, fmask, 0x618, 8, RW) \
	X(104, kernel_gs_base, 0x620, 8, RW) \
	X(105, sysenter_cs, 0x628, 8, RW) \
	X(106, sysenter_esp, 0x630, 8, RW) \
	X(107, sysenter_eip, 0x638, 8, RW) \
	X(108, cr2, 0x640, 8, RW) \
	X(109, pat, 0x668, 8, RW) \
	X(110, dbgctl, 0x670, 8, RW) \
	X(111, br_from, 0x678, 8, RW) \
	X(112, br_to, 0x680, 8, RW) \
	X(113, lastexcpfrom, 0x688, 8, RW) \
	X(114, lastexcpto, 0x690, 8, RW) \
	X(115, cr8, 0x000, 8, LIVE) \
	X(116, dr0, 0x000, 8, LIVE) \
	X(117, dr1, 0x000, 8, LIVE) \
	X(118, dr2, 0x000, 8, LIVE) \
	X(119, dr3, 0x000, 8, LIVE) \
	X(120, xcr0, 0x000, 8, LIVE)

#define MK1_AMD_REG_ENUM(number, name, where, bytes, access) MK1_AMD_##name = (number),
// clang-format off
enum mk1_amd_reg {
	MK1_AMD_unsupported = 0, /* never a register */
	MK1_AMD_REGS(MK1_AMD_REG_ENUM)
	MK1_AMD_NR_REGS
};
// clang-format on

#endif
