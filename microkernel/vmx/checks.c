// SPDX-License-Identifier: GPL-2.0-only
/* Why a VM entry was refused: the error numbers, and the conditions on the guest state. */
#include <bsl/bits.h>
#include <bsl/paging.h>

#include "arch/intrinsics.h"
#include "debug.h"
#include "mk.h"
#include "vmx/checks.h"
#include "vmx/cr.h"
#include "vmx/vmx.h"

#define ERROR_TEXT(number, name, text) [number] = text,
static const char *const errors[] = { [0] = "no current VMCS", VMX_ERRORS(ERROR_TEXT) };

const char *vmx_error_name(uint64_t number)
{
	if (number >= sizeof(errors) / sizeof(errors[0]) || !errors[number])
		return "unknown error";
	return errors[number];
}

static void report(bool broken, const char *what)
{
	if (broken)
		mk_print("  broken: %s\n", what);
}

/* §29.3.1.1 */
static void check_control_registers(uint64_t entry)
{
	uint64_t cr0 = vmcs_read(VMCS_cr0), cr4 = vmcs_read(VMCS_cr4);
	uint64_t efer = vmcs_read(VMCS_efer), forced = vmx_cr0_forced();
	bool long_mode = entry & VMX_ENTRY_CTL_IA32E_GUEST;

	report((cr0 & forced) != forced || cr0 & ~vmx.cr0_fixed1, "fixed bits of CR0");
	report(cr0 & CR0_PG && !(cr0 & CR0_PE), "CR0.PG without CR0.PE");
	report((cr4 & vmx.cr4_fixed0) != vmx.cr4_fixed0 || cr4 & ~vmx.cr4_fixed1,
	       "fixed bits of CR4");
	report(long_mode && !(cr0 & CR0_PG && cr4 & CR4_PAE), "long mode without PG or PAE");
	report(!long_mode && cr4 & CR4_PCIDE, "CR4.PCIDE without long mode");
	report(long_mode != ((efer & EFER_LMA) != 0), "EFER.LMA is not the entry control");
	report(cr0 & CR0_PG && !(efer & EFER_LMA) != !(efer & EFER_LME),
	       "EFER.LMA is not EFER.LME");
	report(vmcs_read(VMCS_cr3) >> 52, "CR3 has reserved bits set");
	report(vmcs_read(VMCS_dr7) >> 32, "DR7[63:32] is not zero");
	report(!bsl_is_canonical(vmcs_read(VMCS_sysenter_esp), mk.levels) ||
		       !bsl_is_canonical(vmcs_read(VMCS_sysenter_eip), mk.levels),
	       "a SYSENTER address is not canonical");
}

/* §29.3.1.2, for segments in the order of the VMCS */
static void check_segment(unsigned int i, const char *name)
{
	uint64_t rights = vmcs_read(VMCS_es_attrib + 2 * i);
	uint64_t limit = vmcs_read(VMCS_es_limit + 2 * i);
	uint64_t base = vmcs_read(VMCS_es_base + 2 * i);
	bool broken = false;

	if (rights & VMX_AR_UNUSABLE)
		broken = i == 1 || i == 7; /* CS and TR are always there */
	else
		broken = !(rights & VMX_AR_PRESENT) || rights & 0xF00 || rights >> 17 ||
			 (rights & VMX_AR_G && (limit & 0xFFF) != 0xFFF) ||
			 (!(rights & VMX_AR_G) && limit >> 20) || (i < 4 && base >> 32) ||
			 (i < 6) != ((rights & VMX_AR_CODE_OR_DATA) != 0) ||
			 (i < 6 && !(rights & VMX_AR_ACCESSED)) ||
			 (i == 7 && !(rights & VMX_AR_BUSY));
	if (i >= 4)
		broken |= !bsl_is_canonical(base, mk.levels);
	if (broken)
		mk_print("  broken: %s: selector 0x%llx rights 0x%llx limit 0x%llx base 0x%llx\n",
			 name, (unsigned long long)vmcs_read(VMCS_es_selector + 2 * i),
			 (unsigned long long)rights, (unsigned long long)limit,
			 (unsigned long long)base);
}

/* §29.3.1.3 to §29.3.1.5 */
static void check_rest(uint64_t entry)
{
	uint64_t rflags = vmcs_read(VMCS_rflags), state = vmcs_read(VMCS_interruptibility_state);
	uint64_t cs = vmcs_read(VMCS_cs_attrib), rip = vmcs_read(VMCS_rip);
	uint64_t event = vmcs_read(VMCS_vmentry_interrupt_information_field);

	report(!bsl_is_canonical(vmcs_read(VMCS_gdtr_base), mk.levels) ||
		       vmcs_read(VMCS_gdtr_limit) >> 16,
	       "GDTR");
	report(!bsl_is_canonical(vmcs_read(VMCS_idtr_base), mk.levels) ||
		       vmcs_read(VMCS_idtr_limit) >> 16,
	       "IDTR");
	report(entry & VMX_ENTRY_CTL_IA32E_GUEST && cs & VMX_AR_L && cs & VMX_AR_DB,
	       "both CS.L and CS.D are set");
	report(entry & VMX_ENTRY_CTL_IA32E_GUEST && cs & VMX_AR_L ?
		       !bsl_is_canonical(rip, mk.levels) :
		       rip >> 32 != 0,
	       "RIP");
	report(!(rflags & 2) || rflags >> 22, "RFLAGS");
	report(event & VMX_EVENT_VALID && !(event & VMX_EVENT_TYPE) && !(rflags & RFLAGS_IF),
	       "an interrupt is injected with RFLAGS.IF clear");
	report(vmcs_read(VMCS_activity_state) > 3, "activity state");
	report(state >> 5 || (state & 3) == 3 ||
		       (state & VMX_BLOCKING_BY_STI && !(rflags & RFLAGS_IF)),
	       "interruptibility state");
	report(event & VMX_EVENT_VALID && (event & VMX_EVENT_TYPE) == VMX_EVENT_TYPE_NMI &&
		       state & VMX_BLOCKING_BY_NMI,
	       "an NMI is injected while NMIs are blocked");
	report(vmcs_read(VMCS_vmcs_link_pointer) != ~(uint64_t)0, "VMCS link pointer");
}

/* §29.2.1.1: what completing the controls leaves to an extension */
static void check_execution_controls(void)
{
	uint64_t primary = vmcs_read(VMCS_primary_proc_based_vm_execution_ctls);
	uint64_t secondary = 0, vpid = 0, eptp = 0;

	report(vmcs_read(VMCS_cr3_target_count) > 4, "CR3-target count");
	if (!(primary & VMX_PRIMARY_SECONDARY))
		return;
	secondary = vmcs_read(VMCS_secondary_proc_based_vm_execution_ctls);
	report(secondary & VMX_SECONDARY_UNRESTRICTED && !(secondary & VMX_SECONDARY_EPT),
	       "an unrestricted guest without EPT");
	if (secondary & VMX_SECONDARY_VPID)
		vpid = vmcs_read(VMCS_virtual_processor_identifier);
	report(secondary & VMX_SECONDARY_VPID && !vpid, "VPID is 0");
	if (secondary & VMX_SECONDARY_EPT)
		eptp = vmcs_read(VMCS_ept_pointer);
	report(secondary & VMX_SECONDARY_EPT &&
		       (bsl_field_get(eptp, 3, 3) + 1 < 4 || bsl_field_get(eptp, 7, 5) ||
			((eptp & 7) != 0 && (eptp & 7) != 6)),
	       "EPT pointer");
}

/* §29.2.1.2, §29.2.1.3 */
static void check_timer_and_event(void)
{
	uint64_t event = vmcs_read(VMCS_vmentry_interrupt_information_field);
	uint64_t type = bsl_field_get(event, 8, 3), vector = event & VMX_EVENT_VECTOR;

	report(vmcs_read(VMCS_vmexit_ctls) & VMX_EXIT_CTL_SAVE_TIMER &&
		       !(vmcs_read(VMCS_pin_based_vm_execution_ctls) & VMX_PIN_PREEMPTION_TIMER),
	       "the preemption timer is saved and not active");
	report(event & VMX_EVENT_VALID &&
		       (type == 1 || bsl_field_get(event, 12, 19) ||
			((event & VMX_EVENT_TYPE) == VMX_EVENT_TYPE_NMI && vector != 2) ||
			((event & VMX_EVENT_TYPE) == VMX_EVENT_TYPE_EXCEPTION && vector > 31)),
	       "the event to be injected");
}

void vmx_print_control_checks(void)
{
	check_execution_controls();
	check_timer_and_event();
}

void vmx_print_checks(void)
{
	static const char *const names[] = { "ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR" };
	uint64_t entry = vmcs_read(VMCS_vmentry_ctls);

	check_control_registers(entry);
	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		check_segment(i, names[i]);
	check_rest(entry);
}
