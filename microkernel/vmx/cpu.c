// SPDX-License-Identifier: GPL-2.0-only
/* What the CPUs offer (SDM vol. 3, appendix A), and VMX on and off (§26.7, §26.8). */
#include <bsl/bits.h>
#include <bsl/fault.h>

#include "arch/intrinsics.h"
#include "debug.h"
#include "mk.h"
#include "vmx/controls.h"
#include "vmx/cpu.h"
#include "vmx/exchange.h"
#include "vmx/nested.h"
#include "vmx/vmx.h"
#include "vmx/vs.h"

struct vmx vmx;

/* By all CPUs: the cores of a hybrid one may offer more or less (driver/core/x86/features.c). */
static uint64_t offered(uint32_t msr)
{
	return mk.handoff->vmx[msr - MSR_VMX_BASIC];
}

static struct vmx_ctl offered_ctl(uint32_t msr)
{
	uint64_t value = offered(msr);

	return (struct vmx_ctl){ .must = (uint32_t)value, .may = (uint32_t)(value >> 32) };
}

void vmx_probe(void)
{
	uint64_t basic;
	uint32_t first;

	mtrr_read(&vmx.mtrrs);
	vmx.present = cpuid(1, 0).ecx & CPUID_1_ECX_VMX;
	if (!vmx.present)
		return;
	basic = offered(MSR_VMX_BASIC);
	vmx.revision = (uint32_t)basic & VMX_BASIC_REVISION;
	first = basic & VMX_BASIC_TRUE_CONTROLS ? MSR_VMX_TRUE_PINBASED_CTLS :
						  MSR_VMX_PINBASED_CTLS;
	vmx.pin = offered_ctl(first);
	vmx.primary = offered_ctl(first + 1);
	vmx.exit = offered_ctl(first + 2);
	vmx.entry = offered_ctl(first + 3);
	vmx.cr0_fixed0 = offered(MSR_VMX_CR0_FIXED0);
	vmx.cr0_fixed1 = offered(MSR_VMX_CR0_FIXED1);
	vmx.cr4_fixed0 = offered(MSR_VMX_CR4_FIXED0);
	vmx.cr4_fixed1 = offered(MSR_VMX_CR4_FIXED1);
	if (!(vmx.primary.may & VMX_PRIMARY_SECONDARY))
		return;
	vmx.secondary = offered_ctl(MSR_VMX_PROCBASED_CTLS2);
	if (vmx.secondary.may & (VMX_SECONDARY_EPT | VMX_SECONDARY_VPID))
		vmx.ept_vpid = offered(MSR_VMX_EPT_VPID_CAP);
}

static bool vmxon(uint64_t spa)
{
	bool failed;

	if (FAULT_POINT(vmcs))
		return false;
	__asm__ volatile("vmxon %1" : "=@ccbe"(failed) : "m"(spa) : "memory");
	return !failed;
}

static bool vmxoff(void)
{
	bool failed;

	__asm__ volatile("vmxoff" : "=@ccbe"(failed) : : "memory");
	return !failed && !FAULT_POINT(off);
}

static enum bf_error usable(void)
{
	uint64_t feature_control;

	if (!vmx.present)
		return BF_ERR_NO_VIRT;
	feature_control = rdmsr(MSR_FEATURE_CONTROL);
	if (!(feature_control & FEATURE_CONTROL_LOCKED) ||
	    !(feature_control & FEATURE_CONTROL_VMXON))
		return BF_ERR_FW_DISABLED;
	return vmx_controls_offered() ? BF_ERR_OK : BF_ERR_VMX_CONTROLS;
}

enum bf_error vmx_cpu_enable(struct pp *pp)
{
	enum bf_error error = usable();

	if (error)
		return error;
	if (!pp->vmx.vmxon_region) {
		uint64_t spa = pool_alloc();

		if (spa == MK_NO_PAGE)
			return BF_ERR_MK_POOL;
		*(uint32_t *)phys_to_virt(spa) = vmx.revision;
		pp->vmx.vmxon_region = spa;
	}
	pp->vmx.vmcs = NULL;
	pp->vmx.init = false; /* one of an earlier launch's concerns nobody */
	pp->entry_dirty = true;
	write_cr0((read_cr0() & vmx.cr0_fixed1) | vmx.cr0_fixed0);
	write_cr4((mk.host_cr4 & vmx.cr4_fixed1) | vmx.cr4_fixed0 | CR4_VMXE);
	if (!vmxon(pp->vmx.vmxon_region)) {
		write_cr4(mk.host_cr4);
		return BF_ERR_MK_VMXON;
	}
	pp->virt_on = true;
	vmx_note_msrs(pp);
	vmx_exchange_enable();
	/* What an earlier start left in the TLB carries the same tags as what comes now. */
	vmx_flush_everything();
	return BF_ERR_OK;
}

/* The CPU may write a VMCS that is still active to memory that is no longer ours (§27.11.1). */
static void clear_all(const struct pp *pp)
{
	for (uint16_t id = 0; id < objects_nr_vss(); id++) {
		struct vs *vs = vs_find(id);

		if (vs && vs->loaded && vs->ppid == pp->handoff.ppid)
			vmx_vs_clear(vs);
	}
}

void vmx_cpu_disable(struct pp *pp)
{
	if (!pp->virt_on)
		return;
	clear_all(pp);
	pp->virt_on = false;
	pp->vmx.vmcs = NULL;
	if (!vmxoff())
		mk_print("pp %u: VMXOFF failed\n", pp->handoff.ppid);
	write_cr4(read_cr4() & ~(uint64_t)CR4_VMXE);
	vmx_exchange_leave(&pp->switch_page->cpu);
}

void vmx_set_host(struct pp *pp, uint64_t cr3, uint64_t fs_base)
{
	/* vmx_vs_run brings the VMCS up to date. */
	pp->vmx.host_cr3 = cr3;
	pp->vmx.host_fs_base = fs_base;
	pp->entry_dirty = true;
}
