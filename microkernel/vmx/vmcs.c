// SPDX-License-Identifier: GPL-2.0-only
/* Which VMCS is the current one. */
#include <bsl/fault.h>

#include "debug.h"
#include "obj/objects.h"
#include "pp.h"
#include "run/fail.h"
#include "vmx/vmcs.h"

void vmcs_failed(uint64_t field)
{
	mk_print("pp %u: access to VMCS field 0x%llx failed\n", this_pp()->handoff.ppid,
		 (unsigned long long)field);
	pp_fail(BF_ERR_MK_VMCS, field, 0, 0);
}

static bool vmclear(uint64_t spa)
{
	bool failed;

	if (FAULT_POINT(vmcs))
		return false;
	__asm__ volatile("vmclear %1" : "=@ccbe"(failed) : "m"(spa) : "memory");
	return !failed;
}

static bool vmptrld(uint64_t spa)
{
	bool failed;

	if (FAULT_POINT(vmcs))
		return false;
	__asm__ volatile("vmptrld %1" : "=@ccbe"(failed) : "m"(spa) : "memory");
	return !failed;
}

bool vmx_try_current(struct vs *vs)
{
	struct pp *pp = this_pp();

	if (pp->vmx.vmcs == vs)
		return true;
	pp->entry_dirty = true;
	/* An NMI in between must not take the old VMCS for the current one. */
	__atomic_store_n(&pp->vmx.vmcs, NULL, __ATOMIC_RELAXED);
	if (!vmptrld(vs->block_spa))
		return false;
	vs->loaded = true;
	__atomic_store_n(&pp->vmx.vmcs, vs, __ATOMIC_RELAXED);
	return true;
}

void vmx_current(struct vs *vs)
{
	if (!vmx_try_current(vs)) {
		mk_print("VMPTRLD of vs %u failed\n", vs->id);
		pp_fail(BF_ERR_MK_VMCS, vs->id, 0, 0);
	}
}

bool vmx_try_clear(struct vs *vs)
{
	struct pp *pp = this_pp();
	bool cleared;

	if (pp->vmx.vmcs == vs) {
		pp->entry_dirty = true;
		__atomic_store_n(&pp->vmx.vmcs, NULL, __ATOMIC_RELAXED);
	}
	vs->vmx.launched = false;
	vs->vmx.new_here = true;
	cleared = vmclear(vs->block_spa);
	/* From here on another PP may destroy it. */
	__atomic_store_n(&vs->loaded, !cleared, __ATOMIC_RELEASE);
	return cleared;
}

void vmx_vs_clear(struct vs *vs)
{
	if (!vmx_try_clear(vs)) {
		mk_print("VMCLEAR of vs %u failed\n", vs->id);
		pp_fail(BF_ERR_MK_VMCS, vs->id, 0, 0);
	}
}
