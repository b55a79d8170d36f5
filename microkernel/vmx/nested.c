// SPDX-License-Identifier: GPL-2.0-only
/* Memory types for EPT (SDM vol. 3 §31.3), and the TLB (§31.4). */
#include <abi/mk2.h>
#include <bsl/bits.h>
#include <bsl/fault.h>
#include <bsl/paging.h>
#include <bsl/string.h>

#include "arch/mtrr.h"
#include "debug.h"
#include "mk.h"
#include "run/fail.h"
#include "vendor.h"
#include "vmx/controls.h"
#include "vmx/nested.h"
#include "vmx/vmx.h"

/* Types of INVEPT and INVVPID, SDM vol. 3 chapter 31 */
enum { FLUSH_GLA, FLUSH_SINGLE, FLUSH_ALL };

/*
 * While a CPU changes its MTRRs, they and its caches are off (§14.11.8): what they say counts once
 * they are on again. All CPUs change theirs, one after the other; the first of them is the one that
 * counts.
 */
bool vmx_nested_types_changed(void)
{
	static struct mtrrs now;

	mtrr_read(&now);
	if (!(now.def_type & MTRR_DEF_ENABLED) || !bsl_memcmp(&now, &vmx.mtrrs, sizeof(now)))
		return false;
	vmx.mtrrs = now;
	return true;
}

/* Real mode needs an unrestricted guest, and that needs EPT (§29.2.1.1). */
bool vmx_can_keep(void)
{
	return vmx_has_nested() && vmx.secondary.may & VMX_SECONDARY_UNRESTRICTED &&
	       mk.handoff->vmx[MSR_VMX_MISC - MSR_VMX_BASIC] & VMX_MISC_WAIT_FOR_SIPI;
}

bool vmx_has_nested(void)
{
	uint64_t needed = VMX_CAP_EPT_4_LEVELS | VMX_CAP_EPT_WB | VMX_CAP_INVEPT;

	return vmx.secondary.may & VMX_SECONDARY_EPT && (vmx.ept_vpid & needed) == needed &&
	       vmx.ept_vpid & (VMX_CAP_INVEPT_SINGLE | VMX_CAP_INVEPT_ALL);
}

bool vmx_nested_has_page(uint64_t size)
{
	if (size >= (1ULL << 30) && !(vmx.ept_vpid & VMX_CAP_EPT_1G))
		return false;
	return size < (1ULL << 21) || vmx.ept_vpid & VMX_CAP_EPT_2M;
}

/* The MTRRs have no say under EPT (§31.3.7.2): its entries carry the types they give. */
bool vmx_nested_type(uint64_t spa, uint64_t size, uint64_t *attr)
{
	uint8_t type;

	if (!mtrr_type(&vmx.mtrrs, spa, size, &type))
		return false;
	*attr = (uint64_t)type << VMX_EPT_TYPE_SHIFT;
	return true;
}

/* Without accessed and dirty flags: nobody reads them, and the CPU would have to write them. */
uint64_t vmx_root_eptp(void)
{
	return mk.root_npt | VMX_EPTP_4_LEVELS | VMX_EPTP_WB;
}

struct flush_operand {
	uint64_t first; /* EPTP or VPID */
	uint64_t gla;
};

static void invept(uint64_t type, uint64_t eptp)
{
	struct flush_operand operand = { eptp, 0 };
	bool failed;

	__asm__ volatile("invept %1, %2" : "=@ccbe"(failed) : "m"(operand), "r"(type) : "memory");
	if (failed || FAULT_POINT(vmcs)) {
		mk_print("INVEPT of type %llu failed\n", (unsigned long long)type);
		pp_fail(BF_ERR_MK_VMCS, type, 0, eptp);
	}
}

static void invvpid(uint64_t type, uint64_t vpid, uint64_t gla)
{
	struct flush_operand operand = { vpid, gla };
	bool failed;

	__asm__ volatile("invvpid %1, %2" : "=@ccbe"(failed) : "m"(operand), "r"(type) : "memory");
	if (failed || FAULT_POINT(vmcs)) {
		mk_print("INVVPID of type %llu failed\n", (unsigned long long)type);
		pp_fail(BF_ERR_MK_VMCS, type, 0, gla);
	}
}

void vmx_flush_ept(uint64_t eptp)
{
	if (vmx.ept_vpid & VMX_CAP_INVEPT && vmx.ept_vpid & VMX_CAP_INVEPT_SINGLE)
		invept(FLUSH_SINGLE, eptp);
	else if (vmx.ept_vpid & VMX_CAP_INVEPT && vmx.ept_vpid & VMX_CAP_INVEPT_ALL)
		invept(FLUSH_ALL, 0);
}

void vmx_flush_vpid(uint64_t vpid)
{
	if (!(vmx.ept_vpid & VMX_CAP_INVVPID))
		return;
	if (vpid && vmx.ept_vpid & VMX_CAP_INVVPID_SINGLE)
		invvpid(FLUSH_SINGLE, vpid, 0);
	else if (vmx.ept_vpid & VMX_CAP_INVVPID_ALL)
		invvpid(FLUSH_ALL, 0, 0);
}

/* INVVPID refuses an address that is not canonical; there cannot be a translation of it either. */
static void flush_gla(uint64_t vpid, uint64_t gla)
{
	uint64_t needed = VMX_CAP_INVVPID | VMX_CAP_INVVPID_GLA;

	if ((vmx.ept_vpid & needed) == needed && bsl_is_canonical(gla, mk.levels))
		invvpid(FLUSH_GLA, vpid, gla);
	else
		vmx_flush_vpid(vpid);
}

void vmx_flush_everything(void)
{
	if (vmx.ept_vpid & VMX_CAP_INVEPT && vmx.ept_vpid & VMX_CAP_INVEPT_ALL)
		invept(FLUSH_ALL, 0);
	else if (mk.root_npt)
		vmx_flush_ept(vmx_root_eptp());
	vmx_flush_vpid(0);
}

/* The tag of vs in the TLB; 0 where each entry and exit drops its translations (§31.4.1). */
static uint64_t vpid_of(struct vs *vs)
{
	uint64_t vpid;

	vmx_current(vs);
	return vmcs_try_read(VMCS_virtual_processor_identifier, &vpid) ? vpid : 0;
}

void vmx_tlb_flush_gla(struct vs *vs, uint64_t gla)
{
	uint64_t vpid = vpid_of(vs);

	if (vpid)
		flush_gla(vpid, gla);
}

const struct guest_bits vmx_guest_bits = {
	.always = VMX_EPT_R,
	.write = VMX_EPT_W,
	.execute = VMX_EPT_X,
	.accessed = VMX_EPT_A,
	.dirty = VMX_EPT_D,
};

/* The guest's PAT is combined with it (§31.3.7.2). */
bool vmx_guest_leaf(uint64_t spa, uint64_t size, uint64_t flags, uint64_t *attr)
{
	uint64_t type = flags & MK2_NESTED_TYPE;

	if (!vmx_nested_has_page(size) || !vmx_nested_type(spa, size, attr))
		return false;
	if (type == MK2_NESTED_UC)
		*attr = (uint64_t)MTRR_UC << VMX_EPT_TYPE_SHIFT;
	else if (type == MK2_NESTED_WT)
		*attr = (uint64_t)MTRR_WT << VMX_EPT_TYPE_SHIFT;
	return true;
}

bool vmx_guest_has_dirty(void)
{
	return vmx.ept_vpid & VMX_CAP_EPT_AD;
}

/* W without R is a misconfiguration, X without R if the CPU does not say otherwise (§31.3.3.1). */
bool vmx_view_has(uint64_t flags)
{
	if (!(vmx.ept_vpid & VMX_CAP_INVEPT_ALL))
		return false;
	return !flags || flags & MK2_NESTED_R ||
	       (flags == MK2_NESTED_X && vmx.ept_vpid & VMX_CAP_EPT_X_ONLY);
}

/* Translations belong to the EPTP that they were made with (§31.4.3.1). */
void vmx_view_use(struct vs *vs, uint64_t root)
{
	vmx_current(vs);
	vmcs_write(VMCS_ept_pointer, root | VMX_EPTP_4_LEVELS | VMX_EPTP_WB);
	vs->vmx.own_ept = true;
}

static void complete_control(const struct vs *vs, uint64_t field)
{
	uint64_t value = vmcs_read(field);

	if (vmx_sanitize_controls(vs, field, &value))
		vmcs_write(field, value);
}

/* A PP that is to forget a table of another VM's has nothing but INVEPT of all. */
bool vmx_guest_attach(struct vs *vs, uint64_t root)
{
	if (!(vmx.ept_vpid & VMX_CAP_INVEPT_ALL))
		return false;
	vmx_current(vs);
	complete_control(vs, VMCS_primary_proc_based_vm_execution_ctls);
	complete_control(vs, VMCS_secondary_proc_based_vm_execution_ctls);
	vmcs_write(VMCS_ept_pointer, root | VMX_EPTP_4_LEVELS | VMX_EPTP_WB |
					     (vmx_guest_has_dirty() ? VMX_EPTP_AD : 0));
	vs->vmx.own_ept = false;
	vmx_flush_everything();
	return true;
}

/*
 * By INVEPT all that depends on a nested table goes (§31.4.3.1). Where it cannot name all of them
 * there is Linux's only.
 */
void vmx_guest_forget(struct pp *pp)
{
	if (pp->virt_on && vmx.ept_vpid & VMX_CAP_INVEPT_ALL)
		invept(FLUSH_ALL, 0);
	else if (pp->virt_on && mk.root_npt)
		vmx_flush_ept(vmx_root_eptp());
}

/*
 * Nested tables of the extension's own change, too. Those of nested.c only grow, and what Mk#2
 * takes out of a VM's is forgotten by every PP then: of these, what the VPID stands for is all
 * there is.
 */
static bool changes_unseen(const struct vs *vs)
{
	const uint64_t by_vpid = VMX_CAP_INVVPID_SINGLE | VMX_CAP_INVVPID_ALL;

	return !vs->vmx.own_ept &&
	       !(vs->nested && vmx.ept_vpid & VMX_CAP_INVVPID && vmx.ept_vpid & by_vpid);
}

void vmx_tlb_flush_all(struct vs *vs)
{
	uint64_t vpid = vs ? vpid_of(vs) : 0;

	if (vs && changes_unseen(vs))
		vmx_flush_everything();
	else if (vpid || !vs)
		vmx_flush_vpid(vpid);
}
