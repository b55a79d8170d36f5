// SPDX-License-Identifier: MIT
/* Intel: exits by control and debug registers for the hooks (SDM vol. 3 §27.6.2, §27.6.6). */
#include <abi/features.h>
#include <ext/linux/access.h>
#include <ext/linux/vendor.h>
#include <ext/linux/vmx.h>

static void set_primary(uint64_t vsid, uint64_t bits, bool on)
{
	uint64_t primary = vs_get(vsid, MK1_INTEL_primary_proc_based_vm_execution_ctls);

	vs_set(vsid, MK1_INTEL_primary_proc_based_vm_execution_ctls,
	       on ? primary | bits : primary & ~bits);
}

/* What differs from the read shadow exits: that has Linux's value in all bits then. */
void vmx_watch_access(uint64_t vsid, unsigned int crs, unsigned int drs, bool on)
{
	uint64_t bits = (crs & 1u << 3 ? VMX_PRIMARY_CR3_LOAD : 0) |
			(crs & 1u << 8 ? VMX_PRIMARY_CR8_LOAD : 0) | (drs ? VMX_PRIMARY_MOV_DR : 0);

	if (crs & 1u << 0) {
		vs_set(vsid, MK1_INTEL_cr0_read_shadow, vmx_get_cr0(vsid));
		vs_set(vsid, MK1_INTEL_cr0_guest_host_mask,
		       on ? ~(uint64_t)0 : vmx_cr0_forced(vsid));
	}
	if (crs & 1u << 4) {
		vs_set(vsid, MK1_INTEL_cr4_read_shadow, vmx_get_cr4(vsid));
		vs_set(vsid, MK1_INTEL_cr4_guest_host_mask,
		       on ? ~(uint64_t)0 : vmx_cr4_forced(vsid) | ~BF_CR4_KNOWN);
	}
	if (bits)
		set_primary(vsid, bits, on);
}

static uint64_t old_cr(uint64_t vsid, unsigned int number)
{
	return number == 0 ? vmx_get_cr0(vsid) :
	       number == 4 ? vmx_get_cr4(vsid) :
			     ext_reg_read(vsid, number == 3 ? EXT_REG_cr3 : EXT_REG_cr8);
}

/* Whether MOV would exit if nothing were watched, too: those of the frame's own. */
static bool is_own(uint64_t vsid, unsigned int number, uint64_t changed)
{
	if (number == 0)
		return changed & vmx_cr0_forced(vsid);
	return number == 4 && changed & (vmx_cr4_forced(vsid) | ~BF_CR4_KNOWN);
}

/* Table 30-3 */
void vmx_access_cr(struct ext_exit *e)
{
	uint64_t info = vs_get(e->vsid, MK1_INTEL_exit_qualification), value;
	unsigned int number = VMX_QUAL_CR_NUMBER(info);
	uint64_t old = old_cr(e->vsid, number);

	switch (info & VMX_QUAL_CR_ACCESS) {
	case VMX_QUAL_CR_CLTS:
		value = old & ~(uint64_t)CR0_TS;
		break;
	case VMX_QUAL_CR_LMSW:
		value = access_lmsw(old, VMX_QUAL_CR_SOURCE(info));
		break;
	default:
		value = access_operand(e->vsid, VMX_QUAL_CR_GPR(info), access_is_64_bit(e->vsid));
		break;
	}
	access_cr(e, number, old, value);
	if (!e->step || !is_own(e->vsid, number, old ^ value))
		return;
	e->step = false;
	if (ext_cpl(e->vsid) || !vmx_write_cr(e->vsid, info))
		e->fault = EXT_FAULT_GP;
}

/* Table 30-4 */
void vmx_access_dr(struct ext_exit *e)
{
	uint64_t info = vs_get(e->vsid, MK1_INTEL_exit_qualification);

	access_dr(e, VMX_QUAL_DR_NUMBER(info), !(info & VMX_QUAL_DR_FROM), VMX_QUAL_CR_GPR(info),
		  access_is_64_bit(e->vsid));
}
