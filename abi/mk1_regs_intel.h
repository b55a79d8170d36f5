/* SPDX-License-Identifier: MIT */
/*
 * The registers of a VS on Intel: Mk#1 number and name, and where the register lives.
 *
 * X(number, name, encoding, bytes, access)
 *   RW    VMCS field of this encoding (SDM vol. 3, Appendix B)
 *   RO    VMCS field that the CPU reports on VM exits: writes are refused
 *   GPR   a general register, which the VMCS does not hold: encoding is its offset in the register
 *         block
 *   LIVE  in the CPU while the VS is active, outside of the VMCS when it is not: encoding is 0
 * bytes is the register's width, 8 for natural-width fields; the bits above it read as 0 and must
 * be 0 in a write.
 */
#ifndef BF_ABI_MK1_REGS_INTEL_H
#define BF_ABI_MK1_REGS_INTEL_H

#include <abi/mk1_layout.h>
#include <abi/types.h>

#define MK1_INTEL_REGS(X) \
	X(1, rax, BF_GPR_RAX, 8, GPR) \
	X(2, rbx, BF_GPR_RBX, 8, GPR) \
	X(3, rcx, BF_GPR_RCX, 8, GPR) \
	X(4, rdx, BF_GPR_RDX, 8, GPR) \
	X(5, rbp, BF_GPR_RBP, 8, GPR) \
	X(6, rsi, BF_GPR_RSI, 8, GPR) \
	X(7, rdi, BF_GPR_RDI, 8, GPR) \
	X(8, r8, BF_GPR_R8, 8, GPR) \
	X(9, r9, BF_GPR_R9, 8, GPR) \
	X(10, r10, BF_GPR_R10, 8, GPR) \
	X(11, r11, BF_GPR_R11, 8, GPR) \
	X(12, r12, BF_GPR_R12, 8, GPR) \
	X(13, r13, BF_GPR_R13, 8, GPR) \
	X(14, r14, BF_GPR_R14, 8, GPR) \
	X(15, r15, BF_GPR_R15, 8, GPR) \
	X(16, cr2, 0x0000, 8, LIVE) \
	X(17, dr6, 0x0000, 8, LIVE) \
	X(18, star, 0x0000, 8, LIVE) \
	X(19, lstar, 0x0000, 8, LIVE) \
	X(20, cstar, 0x0000, 8, LIVE) \
	X(21, fmask, 0x0000, 8, LIVE) \
	X(22, kernel_gs_base, 0x0000, 8, LIVE) \
	X(23, virtual_processor_identifier, 0x0000, 2, RW) \
	X(24, posted_interrupt_notification_vector, 0x0002, 2, RW) \
	X(25, eptp_index, 0x0004, 2, RW) \
	X(26, es_selector, 0x0800, 2, RW) \
	X(27, cs_selector, 0x0802, 2, RW) \
	X(28, ss_selector, 0x0804, 2, RW) \
	X(29, ds_selector, 0x0806, 2, RW) \
	X(30, fs_selector, 0x0808, 2, RW) \
	X(31, gs_selector, 0x080A, 2, RW) \
	X(32, ldtr_selector, 0x080C, 2, RW) \
	X(33, tr_selector, 0x080E, 2, RW) \
	X(34, interrupt_status, 0x0810, 2, RW) \
	X(35, pml_index, 0x0812, 2, RW) \
	X(36, address_of_io_bitmap_a, 0x2000, 8, RW) \
	X(37, address_of_io_bitmap_b, 0x2002, 8, RW) \
	X(38, address_of_msr_bitmaps, 0x2004, 8, RW) \
	X(39, vmexit_msr_store_address, 0x2006, 8, RW) \
	X(40, vmexit_msr_load_address, 0x2008, 8, RW) \
	X(41, vmentry_msr_load_address, 0x200A, 8, RW) \
	X(42, executive_vmcs_pointer, 0x200C, 8, RW) \
	X(43, pml_address, 0x200E, 8, RW) \
	X(44, tsc_offset, 0x2010, 8, RW) \
	X(45, virtual_apic_address, 0x2012, 8, RW) \
	X(46, apic_access_address, 0x2014, 8, RW) \
	X(47, posted_interrupt_descriptor_address, 0x2016, 8, RW) \
	X(48, vm_function_controls, 0x2018, 8, RW) \
	X(49, ept_pointer, 0x201A, 8, RW) \
	X(50, eoi_exit_bitmap0, 0x201C, 8, RW) \
	X(51, eoi_exit_bitmap1, 0x201E, 8, RW) \
	X(52, eoi_exit_bitmap2, 0x2020, 8, RW) \
	X(53, eoi_exit_bitmap3, 0x2022, 8, RW) \
	X(54, eptp_list_address, 0x2024, 8, RW) \
	X(55, vmread_bitmap_address, 0x2026, 8, RW) \
	X(56, vmwrite_bitmap_address, 0x2028, 8, RW) \
	X(57, virt_exception_information_address, 0x202A, 8, RW) \
	X(58, xss_exiting_bitmap, 0x202C, 8, RW) \
	X(59, encls_exiting_bitmap, 0x202E, 8, RW) \
	X(60, sub_page_permission_table_pointer, 0x2030, 8, RW) \
	X(61, tsc_multiplier, 0x2032, 8, RW) \
	X(62, physical_address, 0x2400, 8, RO) \
	X(63, vmcs_link_pointer, 0x2800, 8, RW) \
	X(64, debugctl, 0x2802, 8, RW) \
	X(65, pat, 0x2804, 8, RW) \
	X(66, efer, 0x2806, 8, RW) \
	X(67, perf_global_ctrl, 0x2808, 8, RW) \
	X(68, pdpte0, 0x280A, 8, RW) \
	X(69, pdpte1, 0x280C, 8, RW) \
	X(70, pdpte2, 0x280E, 8, RW) \
	X(71, pdpte3, 0x2810, 8, RW) \
	X(72, bndcfgs, 0x2812, 8, RW) \
	X(73, rtit_ctl, 0x2814, 8, RW) \
	X(74, pin_based_vm_execution_ctls, 0x4000, 4, RW) \
	X(75, primary_proc_based_vm_execution_ctls, 0x4002, 4, RW) \
	X(76, exception_bitmap, 0x4004, 4, RW) \
	X(77, page_fault_error_code_mask, 0x4006, 4, RW) \
	X(78, page_fault_error_code_match, 0x4008, 4, RW) \
	X(79, cr3_target_count, 0x400A, 4, RW) \
	X(80, vmexit_ctls, 0x400C, 4, RW) \
	X(81, vmexit_msr_store_count, 0x400E, 4, RW) \
	X(82, vmexit_msr_load_count, 0x4010, 4, RW) \
	X(83, vmentry_ctls, 0x4012, 4, RW) \
	X(84, vmentry_msr_load_count, 0x4014, 4, RW) \
	X(85, vmentry_interrupt_information_field, 0x4016, 4, RW) \
	X(86, vmentry_exception_error_code, 0x4018, 4, RW) \
	X(87, vmentry_instruction_length, 0x401A, 4, RW) \
	X(88, tpr_threshold, 0x401C, 4, RW) \
	X(89, secondary_proc_based_vm_execution_ctls, 0x401E, 4, RW) \
	X(90, ple_gap, 0x4020, 4, RW) \
	X(91, ple_window, 0x4022, 4, RW) \
	X(92, vm_instruction_error, 0x4400, 4, RO) \
	X(93, exit_reason, 0x4402, 4, RO) \
	X(94, vmexit_interruption_information, 0x4404, 4, RO) \
	X(95, vmexit_interruption_error_code, 0x4406, 4, RO) \
	X(96, idt_vectoring_information_field, 0x4408, 4, RO) \
	X(97, idt_vectoring_error_code, 0x440A, 4, RO) \
	X(98, vmexit_instruction_length, 0x440C, 4, RO) \
	X(99, vmexit_instruction_information, 0x440E, 4, RO) \
	X(100, es_limit, 0x4800, 4, RW) \
	X(101, cs_limit, 0x4802, 4, RW) \
	X(102, ss_limit, 0x4804, 4, RW) \
	X(103, ds_limit, 0x4806, 4, RW) \
	X(104, fs_limit, 0x4808, 4, RW) \
	X(105, gs_limit, 0x480A, 4, RW) \
	X(106, ldtr_limit, 0x480C, 4, RW) \
	X(107, tr_limit, 0x480E, 4, RW) \
	X(108, gdtr_limit, 0x4810, 4, RW) \
	X(109, idtr_limit, 0x4812, 4, RW) \
	X(110, es_attrib, 0x4814, 4, RW) \
	X(111, cs_attrib, 0x4816, 4, RW) \
	X(112, ss_attrib, 0x4818, 4, RW) \
	X(113, ds_attrib, 0x481A, 4, RW) \
	X(114, fs_attrib, 0x481C, 4, RW) \
	X(115, gs_attrib, 0x481E, 4, RW) \
	X(116, ldtr_attrib, 0x4820, 4, RW) \
	X(117, tr_attrib, 0x4822, 4, RW) \
	X(118, interruptibility_state, 0x4824, 4, RW) \
	X(119, activity_state, 0x4826, 4, RW) \
	X(120, smbase, 0x4828, 4, RW) \
	X(121, sysenter_cs, 0x482A, 4, RW) \
	X(122, vmx_preemption_timer_value, 0x482E, 4, RW) \
	X(123, cr0_guest_host_mask, 0x6000, 8, RW) \
	X(124, cr4_guest_host_mask, 0x6002, 8, RW) \
	X(125, cr0_read_shadow, 0x6004, 8, RW) \
	X(126, cr4_read_shadow, 0x6006, 8, RW) \
	X(127, cr3_target_value0, 0x6008, 8, RW) \
	X(128, cr3_target_value1, 0x600A, 8, RW) \
	X(129, cr3_target_value2, 0x600C, 8, RW) \
	X(130, cr3_target_value3, 0x600E, 8, RW) \
	X(131, exit_qualification, 0x6400, 8, RO) \
	X(132, io_rcx, 0x6402, 8, RO) \
	X(133, io_rsi, 0x6404, 8, RO) \
	X(134, io_rdi, 0x6406, 8, RO) \
	X(135, io_rip, 0x6408, 8, RO) \
	X(136, linear_address, 0x640A, 8, RO) \
	X(137, cr0, 0x6800, 8, RW) \
	X(138, cr3, 0x6802, 8, RW) \
	X(139, cr4, 0x6804, 8, RW) \
	X(140, es_base, 0x6806, 8, RW) \
	X(141, cs_base, 0x6808, 8, RW) \
	X(142, ss_base, 0x680A, 8, RW) \
	X(143, ds_base, 0x680C, 8, RW) \
	X(144, fs_base, 0x680E, 8, RW) \
	X(145, gs_base, 0x6810, 8, RW) \
	X(146, ldtr_base, 0x6812, 8, RW) \
	X(147, tr_base, 0x6814, 8, RW) \
	X(148, gdtr_base, 0x6816, 8, RW) \
	X(149, idtr_base, 0x6818, 8, RW) \
	X(150, dr7, 0x681A, 8, RW) \
	X(151, rsp, 0x681C, 8, RW) \
	X(152, rip, 0x681E, 8, RW) \
	X(153, rflags, 0x6820, 8, RW) \
	X(154, pending_debug_exceptions, 0x6822, 8, RW) \
	X(155, sysenter_esp, 0x6824, 8, RW) \
	X(156, sysenter_eip, 0x6826, 8, RW) \
	X(157, cr8, 0x0000, 8, LIVE) \
	X(158, dr0, 0x0000, 8, LIVE) \
	X(159, dr1, 0x0000, 8, LIVE) \
	X(160, dr2, 0x0000, 8, LIVE) \
	X(161, dr3, 0x0000, 8, LIVE) \
	X(162, xcr0, 0x0000, 8, LIVE)

#define MK1_INTEL_REG_ENUM(number, name, where, bytes, access) MK1_INTEL_##name = (number),
// clang-format off
enum mk1_intel_reg {
	MK1_INTEL_unsupported = 0, /* never a register */
	MK1_INTEL_REGS(MK1_INTEL_REG_ENUM)
	MK1_INTEL_NR_REGS
};
// clang-format on

#endif
