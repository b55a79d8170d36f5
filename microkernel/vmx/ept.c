// SPDX-License-Identifier: GPL-2.0-only
/* What the CPUs offer, memory types for EPT (SDM vol. 3 §29.3) and the TLB (§29.4). */
#include <bsl/bits.h>
#include <bsl/paging.h>
#include <bsl/string.h>

#include "arch/intrinsics.h"
#include "arch/mtrr.h"
#include "debug.h"
#include "mk.h"
#include "run/fail.h"
#include "vmx/vmx.h"

/* Types of INVEPT and INVVPID, SDM vol. 3 chapter 31 */
enum { FLUSH_GLA, FLUSH_SINGLE, FLUSH_ALL };

struct vmx vmx;

static struct mtrrs mtrrs;

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

static void read_capabilities(void)
{
	uint64_t basic;
	uint32_t first;

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

/*
 * All of *m is written: two of them can be compared. Called before this PP has an IDT: only MSRs
 * that are there for certain may be touched.
 */
static void read_mtrrs(struct mtrrs *m)
{
	uint64_t cap;

	bsl_memset(m, 0, sizeof(*m));
	m->present = cpuid(1, 0).edx & CPUID_1_EDX_MTRR;
	if (!m->present)
		return;
	cap = rdmsr(MSR_MTRR_CAP);
	m->def_type = rdmsr(MSR_MTRR_DEF_TYPE);
	if (cap & MTRR_CAP_FIXED) {
		m->fixed[0] = rdmsr(MSR_MTRR_FIX64K);
		for (uint32_t i = 0; i < 2; i++)
			m->fixed[1 + i] = rdmsr(MSR_MTRR_FIX16K + i);
		for (uint32_t i = 0; i < 8; i++)
			m->fixed[3 + i] = rdmsr(MSR_MTRR_FIX4K + i);
	} else {
		m->def_type &= ~(uint64_t)MTRR_DEF_FIXED;
	}
	m->nr_variable = (unsigned int)(cap & MTRR_CAP_VARIABLE);
	if (m->nr_variable > MTRR_MAX_VARIABLE)
		m->nr_variable = MTRR_MAX_VARIABLE;
	for (uint32_t i = 0; i < m->nr_variable; i++) {
		m->variable[i].base = rdmsr(MSR_MTRR_PHYSBASE0 + 2 * i);
		m->variable[i].mask = rdmsr(MSR_MTRR_PHYSBASE0 + 2 * i + 1);
	}
}

/*
 * While a CPU changes its MTRRs, they and its caches are off (§12.11.8): what they say counts once
 * they are on again. All CPUs change theirs, one after the other; the first of them is the one that
 * counts.
 */
bool vmx_nested_types_changed(void)
{
	static struct mtrrs now;

	read_mtrrs(&now);
	if (!(now.def_type & MTRR_DEF_ENABLED) || !bsl_memcmp(&now, &mtrrs, sizeof(now)))
		return false;
	mtrrs = now;
	return true;
}

bool vmx_has_nested(void)
{
	uint64_t needed = VMX_CAP_EPT_4_LEVELS | VMX_CAP_EPT_WB | VMX_CAP_INVEPT;

	read_capabilities();
	read_mtrrs(&mtrrs);
	return vmx.secondary.may & VMX_SECONDARY_EPT && (vmx.ept_vpid & needed) == needed &&
	       vmx.ept_vpid & (VMX_CAP_INVEPT_SINGLE | VMX_CAP_INVEPT_ALL);
}

/* The MTRRs have no say under EPT (§29.3.7.2): its entries carry the types they give. */
bool vmx_nested_leaf(uint64_t spa, uint64_t size, uint64_t *attr)
{
	uint8_t type;

	if (size >= (1ULL << 30) && !(vmx.ept_vpid & VMX_CAP_EPT_1G))
		return false;
	if (size >= (1ULL << 21) && !(vmx.ept_vpid & VMX_CAP_EPT_2M))
		return false;
	if (!mtrr_type(&mtrrs, spa, size, &type))
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
	if (failed) {
		mk_print("INVEPT of type %llu failed\n", (unsigned long long)type);
		pp_fail(BF_ERR_MK_VMCS, type, 0, eptp);
	}
}

static void invvpid(uint64_t type, uint64_t vpid, uint64_t gla)
{
	struct flush_operand operand = { vpid, gla };
	bool failed;

	__asm__ volatile("invvpid %1, %2" : "=@ccbe"(failed) : "m"(operand), "r"(type) : "memory");
	if (failed) {
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
void vmx_flush_gla(uint64_t vpid, uint64_t gla)
{
	uint64_t needed = VMX_CAP_INVVPID | VMX_CAP_INVVPID_GLA;

	if (vpid && (vmx.ept_vpid & needed) == needed && bsl_is_canonical(gla, mk.levels))
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
