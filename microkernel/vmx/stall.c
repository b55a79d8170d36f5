// SPDX-License-Identifier: GPL-2.0-only
/* Whether a guest gets on: what run/stall.c looks at. */
#include "arch/trap.h"
#include "run/stall.h"
#include "vmx/stall.h"
#include "vmx/vmx.h"

#define NAMED(reason, name) { reason, #name },

static const char *exit_name(uint64_t basic)
{
	static const struct {
		uint64_t basic;
		const char *name;
	} named[] = { VMX_EXITS(NAMED) };

	for (unsigned int i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		if (named[i].basic == basic)
			return named[i].name;
	}
	return "OTHER";
}

/*
 * The guest waits, is debugged, or has been interrupted. One that is not Linux takes nothing from
 * it, unless it is run again when it is Linux that is to be run.
 */
static bool may_come_back(const struct vs *vs, uint64_t basic, uint64_t event)
{
	if (!vs->root)
		return basic != VMX_EXIT_EXTERNAL_INTERRUPT;
	switch (basic) {
	case VMX_EXIT_EXCEPTION_NMI:
		return (event & VMX_EVENT_TYPE) == VMX_EVENT_TYPE_NMI ||
		       (event & VMX_EVENT_VECTOR) == VECTOR_DB;
	case VMX_EXIT_EXTERNAL_INTERRUPT:
	case VMX_EXIT_INIT:
	case VMX_EXIT_SIPI:
	case VMX_EXIT_IO_SMI:
	case VMX_EXIT_OTHER_SMI:
	case VMX_EXIT_INTERRUPT_WINDOW:
	case VMX_EXIT_NMI_WINDOW:
	case VMX_EXIT_HLT:
	case VMX_EXIT_MWAIT:
	case VMX_EXIT_MONITOR_TRAP_FLAG:
	case VMX_EXIT_PAUSE:
	case VMX_EXIT_PREEMPTION_TIMER:
	case VMX_EXIT_UMWAIT:
	case VMX_EXIT_TPAUSE:
	case VMX_EXIT_BUS_LOCK: /* the instruction is done */
		return true;
	default:
		return false;
	}
}

/* Where the physical address of a nested fault is, there is none of an event. */
static uint64_t more_info(uint64_t basic)
{
	switch (basic) {
	case VMX_EXIT_EPT_VIOLATION:
	case VMX_EXIT_EPT_MISCONFIGURATION:
		return vmcs_read(VMCS_physical_address);
	case VMX_EXIT_EXCEPTION_NMI:
		return vmcs_read(VMCS_vmexit_interruption_information);
	default:
		return 0;
	}
}

void vmx_watch_exit(struct pp *pp, struct vs *vs, uint64_t reason)
{
	uint64_t basic = reason & VMX_EXIT_BASIC;
	const struct stall_exit exit = { reason,
					 vmcs_read(VMCS_rip),
					 { vmcs_read(VMCS_exit_qualification), more_info(basic) } };

	stall_exit(pp, vs, &exit, may_come_back(vs, basic, exit.info[1]) ? NULL : exit_name(basic));
}

void vmx_watch_entry(struct pp *pp, const struct vs *vs)
{
	uint64_t event = vmcs_read(VMCS_vmentry_interrupt_information_field);

	stall_entry(pp, vs, vmcs_read(VMCS_rip), event & VMX_EVENT_VALID);
}
