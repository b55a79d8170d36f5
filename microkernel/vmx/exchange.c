// SPDX-License-Identifier: GPL-2.0-only
/*
 * State beyond what every VMCS exchanges. What makes a CPU count, trace or write records by itself
 * is off in root mode, and each VS has its own: by VM-exit and VM-entry controls where the CPU
 * offers them (SDM vol. 3 §27.7.1, §27.8.1), else by the MSR lists (§27.7.2, §27.8.2). The rest
 * stays in the CPU, where root mode does not use it: its CR4 has neither CET nor PKS.
 *
 * Not here is what needs nothing: user interrupts take CR4.UINTR, and BNDCFGS a Linux of long ago.
 */
#include <bsl/bits.h>

#include "arch/intrinsics.h"
#include "arch/restore.h"
#include "vmx/exchange.h"
#include "vmx/vmx.h"

#define ITEM_ENUM(member, number, leaf, eax, ebx, ecx, edx) ITEM_##member,
#define ITEM_COUNT(member, number, leaf, eax, ebx, ecx, edx) +1
enum item { BF_OPTIONAL_MSRS(ITEM_ENUM) ITEM_ssp, NR_ITEMS };
#define NR_RUNNING (0 BF_RUNNING_MSRS(ITEM_COUNT)) /* the first ones */

static const struct {
	uint32_t msr; /* 0: none */
	uint32_t leaf; /* of CPUID, which has it if one of the bits is set */
	uint32_t bits[4];
	uint16_t member; /* of bf_cpu_state */
} items[NR_ITEMS] = {
#define ITEM(member, number, leaf, eax, ebx, ecx, edx) \
	{ number, leaf, { eax, ebx, ecx, edx }, offsetof(struct bf_cpu_state, member) },
	BF_OPTIONAL_MSRS(ITEM)[ITEM_ssp] = { .member = offsetof(struct bf_cpu_state, ssp) },
};

/*
 * The fields that the controls are about: what the guest has, and what root mode gets, where an
 * exit does not simply clear it. Without a control of its own for that, an exit of a CPU that has
 * these controls saves the guest's (§30.3.1).
 */
static const struct {
	uint16_t guest, host;
	uint32_t entry, exit;
} fields[NR_ITEMS] = {
	/* By controls that every VS has (controls.c); any exit clears it (§30.5.1). */
	[ITEM_debugctl] = { VMCS_debugctl, 0, VMX_ENTRY_CTL_LOAD_DEBUG, VMX_EXIT_CTL_SAVE_DEBUG },
	[ITEM_perf_global_ctrl] = { VMCS_perf_global_ctrl, VMCS_HOST_PERF_GLOBAL_CTRL,
				    VMX_ENTRY_CTL_LOAD_PERF,
				    VMX_EXIT_CTL_LOAD_PERF | VMX_EXIT_CTL_SAVE_PERF },
	[ITEM_rtit_ctl] = { VMCS_rtit_ctl, 0, VMX_ENTRY_CTL_LOAD_RTIT, VMX_EXIT_CTL_CLEAR_RTIT },
	[ITEM_lbr_ctl] = { VMCS_GUEST_LBR_CTL, 0, VMX_ENTRY_CTL_LOAD_LBR, VMX_EXIT_CTL_CLEAR_LBR },
	[ITEM_pkrs] = { VMCS_GUEST_PKRS, VMCS_HOST_PKRS, VMX_ENTRY_CTL_LOAD_PKRS,
			VMX_EXIT_CTL_LOAD_PKRS },
	[ITEM_s_cet] = { VMCS_GUEST_S_CET, VMCS_HOST_S_CET, VMX_ENTRY_CTL_LOAD_CET,
			 VMX_EXIT_CTL_LOAD_CET },
	[ITEM_ssp] = { VMCS_GUEST_SSP, VMCS_HOST_SSP, VMX_ENTRY_CTL_LOAD_CET,
		       VMX_EXIT_CTL_LOAD_CET },
	[ITEM_isst_addr] = { VMCS_GUEST_ISST_ADDR, VMCS_HOST_ISST_ADDR, VMX_ENTRY_CTL_LOAD_CET,
			     VMX_EXIT_CTL_LOAD_CET }
};

/*
 * The debug store of root mode (§20.4.9), without room for a record. A PEBS record that is due when
 * the guest exits may be written a little later. To stop the counters, or to disable PEBS in the
 * lists, is not enough for it, as there is no time to wait: so it must not find the guest's buffer,
 * which lies at a linear address.
 */
static uint8_t no_records[0x200] __attribute__((aligned(64)));

/* What may be in lists. The records of branches are in registers: no harm where these go on. */
static const enum item listable[] = { ITEM_ds_area, ITEM_rtit_ctl, ITEM_perf_global_ctrl };

static enum { ABSENT, IN_CPU, BY_CONTROLS, BY_LISTS } ways[NR_ITEMS];

static bool cpu_has(enum item item)
{
	struct cpuid_regs r;

	if (cpuid(0, 0).eax < items[item].leaf)
		return false;
	r = cpuid(items[item].leaf, 0);
	return (r.eax & items[item].bits[0]) | (r.ebx & items[item].bits[1]) |
	       (r.ecx & items[item].bits[2]) | (r.edx & items[item].bits[3]);
}

/* The lists must name no MSR that faults: an exit would end in a shutdown (§30.7). */
static bool takes_writes(uint32_t msr)
{
	uint64_t value;

	return rdmsr_safe(msr, &value) && wrmsr_safe(msr, value);
}

static bool is_listable(enum item item)
{
	for (unsigned int i = 0; i < VMX_MAX_LISTED; i++) {
		if (listable[i] == item)
			return takes_writes(items[item].msr);
	}
	return false;
}

static void choose_ways(void)
{
	for (unsigned int i = 0; i < NR_ITEMS; i++) {
		bool offered = fields[i].guest &&
			       (vmx.entry.may & fields[i].entry) == fields[i].entry &&
			       (vmx.exit.may & fields[i].exit) == fields[i].exit;

		ways[i] = ABSENT;
		if (offered) {
			ways[i] = BY_CONTROLS;
			vmx.entry_exchange |= fields[i].entry;
			vmx.exit_exchange |= fields[i].exit;
		} else if (items[i].msr && cpu_has(i)) {
			ways[i] = is_listable(i) ? BY_LISTS : IN_CPU;
		}
	}
	/* In the order of listable: the counters go on last. */
	for (unsigned int i = 0; i < VMX_MAX_LISTED; i++) {
		if (ways[listable[i]] == BY_LISTS)
			vmx.listed[vmx.nr_listed++] = (uint8_t)listable[i];
	}
}

void vmx_exchange_enable(void)
{
	if (!vmx.exchange_chosen)
		choose_ways();
	vmx.exchange_chosen = true;
	/* The loader has stopped them; an NMI of Linux's in between may have started them again. */
	for (unsigned int i = 0; i < NR_RUNNING; i++) {
		if (ways[i] != ABSENT)
			restore_msr(items[i].msr, 0);
	}
}

static bool init_fields(void)
{
	bool ok = true;

	for (unsigned int i = 0; i < NR_ITEMS; i++) {
		/*
		 * An extension can ask for the load of a field: it must hold what root mode is to
		 * get.
		 */
		bool loadable = vmx.exit.may & fields[i].exit;

		if (fields[i].guest)
			ok &= vmcs_try_write(fields[i].guest, 0) || ways[i] != BY_CONTROLS;
		if (fields[i].host)
			ok &= vmcs_try_write(fields[i].host, 0) || !loadable;
	}
	return ok;
}

static bool init_lists(struct vs *vs)
{
	static const uint32_t msrs[VMX_NR_MSRS] = { MSR_STAR, MSR_LSTAR, MSR_FMASK };
	struct vmx_msr_lists *lists = vmx_lists(vs);
	uint64_t guest = vs->vmx.msr_lists + offsetof(struct vmx_msr_lists, guest);
	unsigned int n = 0;

	for (; n < VMX_NR_MSRS; n++) {
		lists->guest[n].index = msrs[n];
		lists->host[n].index = msrs[n];
		lists->host[n].value = rdmsr(msrs[n]);
	}
	for (unsigned int i = 0; i < vmx.nr_listed; i++, n++) {
		lists->guest[n].index = items[vmx.listed[i]].msr;
		lists->host[n].index = items[vmx.listed[i]].msr;
		lists->host[n].value = vmx.listed[i] == ITEM_ds_area ? (uint64_t)no_records : 0;
	}
	return vmcs_try_write(VMCS_vmexit_msr_store_address, guest) &&
	       vmcs_try_write(VMCS_vmexit_msr_store_count, n) &&
	       vmcs_try_write(VMCS_vmentry_msr_load_address, guest) &&
	       vmcs_try_write(VMCS_vmentry_msr_load_count, n) &&
	       vmcs_try_write(VMCS_vmexit_msr_load_address,
			      vs->vmx.msr_lists + offsetof(struct vmx_msr_lists, host)) &&
	       vmcs_try_write(VMCS_vmexit_msr_load_count, n);
}

bool vmx_exchange_init(struct vs *vs)
{
	return init_fields() && init_lists(vs);
}

static uint64_t *listed_value(struct vs *vs, enum item item)
{
	unsigned int i = 0;

	while (vmx.listed[i] != item)
		i++;
	return &vmx_lists(vs)->guest[VMX_NR_MSRS + i].value;
}

void vmx_exchange_load(struct vs *vs, const struct bf_cpu_state *state)
{
	for (unsigned int i = 0; i < NR_ITEMS; i++) {
		uint64_t value = *(const uint64_t *)((const uint8_t *)state + items[i].member);

		if (ways[i] == BY_CONTROLS)
			vmcs_write(fields[i].guest, value);
		else if (ways[i] == BY_LISTS)
			*listed_value(vs, i) = value;
		else if (ways[i] == IN_CPU)
			restore_msr(items[i].msr, value);
	}
}

void vmx_exchange_save(struct vs *vs, struct bf_cpu_state *state)
{
	for (unsigned int i = 0; i < NR_ITEMS; i++) {
		uint64_t *value = (uint64_t *)((uint8_t *)state + items[i].member);

		if (ways[i] == BY_CONTROLS)
			*value = vmcs_read(fields[i].guest);
		else if (ways[i] == BY_LISTS)
			*value = *listed_value(vs, i);
		else if (ways[i] == IN_CPU)
			(void)rdmsr_safe(items[i].msr, value);
	}
}

/* What counts and traces goes on where the CPU is back in Linux's tables: switch.S. */
void vmx_exchange_leave(const struct bf_cpu_state *state)
{
	for (unsigned int i = NR_RUNNING; i < NR_ITEMS; i++) {
		if (items[i].msr && (ways[i] == BY_CONTROLS || ways[i] == BY_LISTS))
			restore_msr(items[i].msr,
				    *(const uint64_t *)((const uint8_t *)state + items[i].member));
	}
}
