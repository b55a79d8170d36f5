/* SPDX-License-Identifier: GPL-2.0-only */
/* The test cases of test_microkernel.c, one a file: case DIRECTORY_NAME is DIRECTORY/NAME.c. */
#ifndef TEST_MK_SUITES_H
#define TEST_MK_SUITES_H

#include <check.h>

TCase *main_tests(void);
TCase *debug_tests(void);
TCase *arch_apic_tests(void);
TCase *arch_barrier_tests(void);
TCase *arch_desc_tests(void);
TCase *arch_icr_tests(void);
TCase *arch_restore_tests(void);
TCase *mem_direct_map_tests(void);
TCase *mem_donation_tests(void);
TCase *mem_guest_nested_tests(void);
TCase *mem_nested_tests(void);
TCase *mem_own_tests(void);
TCase *mem_owner_tests(void);
TCase *mem_pool_tests(void);
TCase *mem_tlb_tests(void);
TCase *mem_view_tests(void);
TCase *obj_active_tests(void);
TCase *obj_backup_tests(void);
TCase *obj_channel_tests(void);
TCase *obj_ext_tests(void);
TCase *obj_objects_tests(void);
TCase *obj_outer_tests(void);
TCase *obj_peek_tests(void);
TCase *obj_policy_tests(void);
TCase *obj_xstate_tests(void);
TCase *run_cross_tests(void);
TCase *run_ended_tests(void);
TCase *run_fail_tests(void);
TCase *run_bind_tests(void);
TCase *run_leave_tests(void);
TCase *run_report_tests(void);
TCase *run_stall_tests(void);
TCase *run_startup_tests(void);
TCase *run_trace_tests(void);
TCase *run_trap_tests(void);
TCase *run_watchdog_tests(void);
TCase *call_sys_control_tests(void);
TCase *call_sys_debug_tests(void);
TCase *call_sys_mem_tests(void);
TCase *call_sys_mk2_tests(void);
TCase *call_sys_mk2_ext_tests(void);
TCase *call_sys_vm_tests(void);
TCase *call_sys_vs_tests(void);
TCase *call_syscall_tests(void);
TCase *vendor_event_tests(void);
TCase *vendor_exit_tests(void);
TCase *vendor_recall_tests(void);
TCase *svm_advance_tests(void);
TCase *svm_apic_tests(void);
TCase *svm_checks_tests(void);
TCase *svm_cpu_tests(void);
TCase *svm_event_tests(void);
TCase *svm_exit_tests(void);
TCase *svm_fallback_tests(void);
TCase *svm_fetch_tests(void);
TCase *svm_fetch_and_run_tests(void);
TCase *svm_gp_tests(void);
TCase *svm_insns_tests(void);
TCase *svm_nested_tests(void);
TCase *svm_nmi_tests(void);
TCase *svm_regs_tests(void);
TCase *svm_run_tests(void);
TCase *svm_startup_tests(void);
TCase *svm_store_tests(void);
TCase *svm_vs_tests(void);
TCase *vmx_advance_tests(void);
TCase *vmx_checks_tests(void);
TCase *vmx_controls_tests(void);
TCase *vmx_cpu_tests(void);
TCase *vmx_cr_tests(void);
TCase *vmx_cr8_tests(void);
TCase *vmx_event_tests(void);
TCase *vmx_exchange_tests(void);
TCase *vmx_exit_tests(void);
TCase *vmx_fallback_tests(void);
TCase *vmx_nested_tests(void);
TCase *vmx_regs_tests(void);
TCase *vmx_run_tests(void);
TCase *vmx_vmcs_tests(void);
TCase *vmx_vs_tests(void);

// clang-format off: one a line, whatever their number
static TCase *(*const suites[])(void) = {
	main_tests,
	debug_tests,
	arch_apic_tests,
	arch_barrier_tests,
	arch_desc_tests,
	arch_icr_tests,
	arch_restore_tests,
	mem_direct_map_tests,
	mem_donation_tests,
	mem_guest_nested_tests,
	mem_nested_tests,
	mem_own_tests,
	mem_owner_tests,
	mem_pool_tests,
	mem_tlb_tests,
	mem_view_tests,
	obj_active_tests,
	obj_backup_tests,
	obj_channel_tests,
	obj_ext_tests,
	obj_objects_tests,
	obj_outer_tests,
	obj_peek_tests,
	obj_policy_tests,
	obj_xstate_tests,
	run_cross_tests,
	run_ended_tests,
	run_fail_tests,
	run_bind_tests,
	run_leave_tests,
	run_report_tests,
	run_stall_tests,
	run_startup_tests,
	run_trace_tests,
	run_trap_tests,
	run_watchdog_tests,
	call_sys_control_tests,
	call_sys_debug_tests,
	call_sys_mem_tests,
	call_sys_mk2_tests,
	call_sys_mk2_ext_tests,
	call_sys_vm_tests,
	call_sys_vs_tests,
	call_syscall_tests,
	vendor_event_tests,
	vendor_exit_tests,
	vendor_recall_tests,
	svm_advance_tests,
	svm_apic_tests,
	svm_checks_tests,
	svm_cpu_tests,
	svm_event_tests,
	svm_exit_tests,
	svm_fallback_tests,
	svm_fetch_tests,
	svm_fetch_and_run_tests,
	svm_gp_tests,
	svm_insns_tests,
	svm_nested_tests,
	svm_nmi_tests,
	svm_regs_tests,
	svm_run_tests,
	svm_startup_tests,
	svm_store_tests,
	svm_vs_tests,
	vmx_advance_tests,
	vmx_checks_tests,
	vmx_controls_tests,
	vmx_cpu_tests,
	vmx_cr_tests,
	vmx_cr8_tests,
	vmx_event_tests,
	vmx_exchange_tests,
	vmx_exit_tests,
	vmx_fallback_tests,
	vmx_nested_tests,
	vmx_regs_tests,
	vmx_run_tests,
	vmx_vmcs_tests,
	vmx_vs_tests,
};
// clang-format on

#endif
