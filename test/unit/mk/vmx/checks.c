// SPDX-License-Identifier: GPL-2.0-only
/* vmx/checks.c: each condition that VM entry checks is named when it is broken. */
#include <string.h>

#include "../guest.h"
#include "../suites.h"

/* A state of Linux that VM entry takes. */
static void good_state(void)
{
	machine_of(1);
	m.switch_pages[0]->cpu.ldtr = (struct bf_segment){ 0x50, 0x82, 0xFF, 0xFFFF888000001000 };
	start_and_launch();
	guest_exit(VMX_EXIT_CPUID);
	put_field(VMCS_interruptibility_state, 0);
	put_field(VMCS_activity_state, 0);
	put_field(VMCS_vmentry_interrupt_information_field, 0);
	(void)printed();
}

static const char *broken(void)
{
	(void)printed();
	vmx_print_checks();
	return printed();
}

START_TEST(a_good_state)
{
	good_state();
	ck_assert_str_eq(broken(), "");
}
END_TEST

#define FIELD(f) VMCS_##f

static const struct {
	uint32_t field;
	uint64_t clear, set; /* bits */
	const char *what;
} bad[] = { { FIELD(cr0), CR0_NE, 0, "fixed bits of CR0" },
	    { FIELD(cr0), 0, 1ULL << 33, "fixed bits of CR0" },
	    { FIELD(cr4), CR4_VMXE, 0, "fixed bits of CR4" },
	    { FIELD(cr4), 0, 1ULL << 31, "fixed bits of CR4" },
	    { FIELD(cr4), CR4_PAE, 0, "long mode without PG or PAE" },
	    { FIELD(efer), EFER_LMA, 0, "EFER.LMA is not the entry control" },
	    { FIELD(efer), EFER_LME, 0, "EFER.LMA is not EFER.LME" },
	    { FIELD(cr3), 0, 1ULL << 52, "CR3 has reserved bits set" },
	    { FIELD(dr7), 0, 1ULL << 32, "DR7[63:32] is not zero" },
	    { FIELD(sysenter_esp), 1ULL << 63, 0, "a SYSENTER address" },
	    { FIELD(sysenter_eip), 1ULL << 63, 0, "a SYSENTER address" },
	    { FIELD(gdtr_base), 1ULL << 63, 0, "GDTR" },
	    { FIELD(gdtr_limit), 0, 0x10000, "GDTR" },
	    { FIELD(idtr_base), 1ULL << 63, 0, "IDTR" },
	    { FIELD(idtr_limit), 0, 0x10000, "IDTR" },
	    { FIELD(cs_attrib), 0, VMX_AR_DB, "both CS.L and CS.D" },
	    { FIELD(rip), 1ULL << 63, 0, "RIP" },
	    { FIELD(rflags), 2, 0, "RFLAGS" },
	    { FIELD(rflags), 0, 1 << 22, "RFLAGS" },
	    { FIELD(vmentry_interrupt_information_field), 0, EVENT(0, 0x30), "RFLAGS.IF clear" },
	    { FIELD(activity_state), 0, 4, "activity state" },
	    { FIELD(interruptibility_state), 0, 0x20, "interruptibility state" },
	    { FIELD(interruptibility_state), 0, VMX_BLOCKING_BY_STI, "interruptibility state" },
	    { FIELD(interruptibility_state), 0, 3, "interruptibility state" },
	    { FIELD(vmcs_link_pointer), 1, 0, "VMCS link pointer" },
	    { FIELD(cs_attrib), 0, VMX_AR_UNUSABLE, "CS: selector" },
	    { FIELD(tr_attrib), 0, VMX_AR_UNUSABLE, "TR: selector" },
	    { FIELD(ss_attrib), VMX_AR_PRESENT, 0, "SS: selector" },
	    { FIELD(ss_attrib), 0, 0x100, "SS: selector" },
	    { FIELD(ss_attrib), 0, 0x20000, "SS: selector" },
	    { FIELD(ss_limit), 0xFFF, 0, "SS: selector" },
	    { FIELD(ss_attrib), VMX_AR_G, 0, "SS: selector" },
	    { FIELD(ss_base), 0, 1ULL << 32, "SS: selector" },
	    { FIELD(ss_attrib), VMX_AR_CODE_OR_DATA, 0, "SS: selector" },
	    { FIELD(ss_attrib), VMX_AR_ACCESSED, 0, "SS: selector" },
	    { FIELD(ldtr_attrib), 0, VMX_AR_CODE_OR_DATA, "LDTR: selector" },
	    { FIELD(ldtr_base), 1ULL << 63, 0, "LDTR: selector" },
	    { FIELD(tr_attrib), VMX_AR_BUSY, 0, "TR: selector" },
	    { FIELD(gs_base), 1ULL << 63, 0, "GS: selector" } };
#define NR_BAD ((int)(sizeof(bad) / sizeof(bad[0])))

START_TEST(the_broken_condition_is_named)
{
	const char *text, *first;

	good_state();
	put_field(bad[_i].field, (field(bad[_i].field) & ~bad[_i].clear) | bad[_i].set);
	text = broken();
	first = strstr(text, "broken: ");
	ck_assert_ptr_nonnull(first);
	ck_assert_msg(strstr(text, bad[_i].what) != NULL, "%s", text);
	/* LMA is compared with two things */
	if (bad[_i].field != VMCS_efer)
		ck_assert_msg(strstr(first + 1, "broken: ") == NULL, "%s", text);
}
END_TEST

/* What takes two fields. */
START_TEST(combinations)
{
	good_state();
	put_field(VMCS_cr0, field(VMCS_cr0) & ~(uint64_t)CR0_PE);
	ck_assert_ptr_nonnull(strstr(broken(), "CR0.PG without CR0.PE"));
	put_field(VMCS_cr0, field(VMCS_cr0) & ~(uint64_t)CR0_PG);
	ck_assert_ptr_nonnull(strstr(broken(), "long mode without PG or PAE"));
	ck_assert_ptr_null(strstr(broken(), "LMA"));
	/* outside of long mode: PCIDE, RIP and CS.D have other rules */
	put_field(VMCS_cr0, field(VMCS_cr0) | CR0_PE | CR0_PG);
	put_field(VMCS_vmentry_ctls,
		  field(VMCS_vmentry_ctls) & ~(uint64_t)VMX_ENTRY_CTL_IA32E_GUEST);
	put_field(VMCS_efer, 0);
	put_field(VMCS_cr4, field(VMCS_cr4) | CR4_PCIDE);
	put_field(VMCS_cs_attrib, 0xC09B);
	ck_assert_ptr_nonnull(strstr(broken(), "CR4.PCIDE without long mode"));
	ck_assert_ptr_nonnull(strstr(broken(), "broken: RIP"));
	put_field(VMCS_cr4, field(VMCS_cr4) & ~(uint64_t)CR4_PCIDE);
	put_field(VMCS_rip, 0xFFFFFFFF);
	ck_assert_str_eq(broken(), "");
}
END_TEST

START_TEST(compatibility_mode)
{
	good_state();
	put_field(VMCS_cs_attrib, 0xC09B);
	put_field(VMCS_rip, 0x1000);
	ck_assert_str_eq(broken(), "");
	put_field(VMCS_rip, 1ULL << 32);
	ck_assert_ptr_nonnull(strstr(broken(), "broken: RIP"));
}
END_TEST

START_TEST(events_and_interruptibility)
{
	good_state();
	put_field(VMCS_rflags, RFLAGS_IF | 2);
	put_field(VMCS_interruptibility_state, VMX_BLOCKING_BY_STI);
	put_field(VMCS_vmentry_interrupt_information_field, EVENT(0, 0x30));
	ck_assert_str_eq(broken(), "");
	put_field(VMCS_interruptibility_state, VMX_BLOCKING_BY_NMI);
	ck_assert_str_eq(broken(), "");
	put_field(VMCS_vmentry_interrupt_information_field, EVENT(2, 2));
	ck_assert_ptr_nonnull(strstr(broken(), "an NMI is injected while NMIs are blocked"));
	put_field(VMCS_interruptibility_state, 0);
	ck_assert_str_eq(broken(), "");
	put_field(VMCS_vmentry_interrupt_information_field, EVENT(3, 6));
	put_field(VMCS_rflags, 2);
	ck_assert_str_eq(broken(), "");
	/* small segments */
	put_field(VMCS_ss_attrib, 0x4093);
	put_field(VMCS_ss_limit, 0xFFFFF);
	ck_assert_str_eq(broken(), "");
	put_field(VMCS_ss_limit, 0x100000);
	ck_assert_ptr_nonnull(strstr(broken(), "SS: selector"));
}
END_TEST

START_TEST(error_names)
{
	ck_assert_str_eq(vmx_error_name(28), "invalid operand of INVEPT or INVVPID");
	ck_assert_str_eq(vmx_error_name(14), "unknown error");
	ck_assert_str_eq(vmx_error_name(29), "unknown error");
	ck_assert_str_eq(vmx_error_name(~0ULL), "unknown error");
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
	{ 0, VMCS_vmentry_interrupt_information_field, EVENT(3, 3), "" },
	{ 0, VMCS_vmentry_interrupt_information_field, EVENT(2, 2), "" },
	{ 0, VMCS_vmentry_interrupt_information_field, EVENT(0, 0xF0), "" }
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

START_TEST(a_timer_that_is_active_may_be_saved)
{
	with_guest(1);
	put_field(VMCS_vmexit_ctls, VMX_EXIT_CTL_SAVE_TIMER);
	put_field(VMCS_pin_based_vm_execution_ctls, VMX_PIN_PREEMPTION_TIMER);
	(void)printed();
	vmx_current(host_pp->vs);
	vmx_print_control_checks();
	ck_assert_str_eq(printed(), "");
}
END_TEST

TCase *vmx_checks_tests(void)
{
	TCase *tc = tcase_create("vmx_checks");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, a_good_state);
	tcase_add_loop_test(tc, the_broken_condition_is_named, 0, NR_BAD);
	tcase_add_test(tc, combinations);
	tcase_add_test(tc, compatibility_mode);
	tcase_add_test(tc, events_and_interruptibility);
	tcase_add_test(tc, error_names);
	tcase_add_test(tc, a_timer_that_is_active_may_be_saved);
	tcase_add_loop_test(tc, control_checks, 0, sizeof(bad_controls) / sizeof(bad_controls[0]));
	return tc;
}
