// SPDX-License-Identifier: GPL-2.0-only
#include "arch/barrier.h"

#include <abi/hw/segment.h>
#include <abi/hw/x86.h>

#include "arch/desc.h"
#include "arch/intrinsics.h"

/* MSRs that are commands: what they name happens, and nothing is kept. */
static bool can(uint32_t msr, uint64_t command)
{
	return wrmsr_safe(msr, command);
}

static uint64_t read_or_0(uint32_t msr)
{
	uint64_t value;

	(void)rdmsr_safe(msr, &value);
	return value;
}

/* --- Intel ------------------------------------------------------------------------------------ */

/* MDS, TAA, and what MMIO and register files leave behind: one instruction does for all. */
static bool intel_buffers_leak(uint32_t edx, uint64_t caps)
{
	const uint64_t mmio = ARCH_CAP_SBDR_SSDP_NO | ARCH_CAP_FBSDP_NO | ARCH_CAP_PSDP_NO;
	const uint64_t mds = ARCH_CAP_MDS_NO | ARCH_CAP_TAA_NO;

	return (edx & CPUID_7_EDX_MD_CLEAR && (caps & mds) != mds) ||
	       (caps & ARCH_CAP_FB_CLEAR && (caps & mmio) != mmio) || caps & ARCH_CAP_RFDS_CLEAR;
}

/*
 * With enhanced IBRS, a guest cannot choose where root mode's branches are predicted to go, but for
 * two ways: by the history of branches (BHI), and on some CPUs by aliases (ITS). Those that can
 * keep the history out do not have the latter; only another hypervisor says so of others.
 */
static bool intel_is_apart(uint64_t caps, uint64_t spec_ctrl)
{
	bool no_its = caps & ARCH_CAP_ITS_NO || cpuid(7, 2).edx & CPUID_7_2_EDX_BHI_CTRL;
	bool no_bhi = caps & ARCH_CAP_BHI_NO || spec_ctrl & SPEC_CTRL_BHI_DIS_S;

	return caps & ARCH_CAP_IBRS_ALL && spec_ctrl & SPEC_CTRL_IBRS && no_bhi && no_its;
}

static uint8_t probe_intel(void)
{
	uint32_t edx = cpuid(7, 0).edx;
	uint64_t caps = edx & CPUID_7_EDX_ARCH_CAPABILITIES ? read_or_0(MSR_ARCH_CAPABILITIES) : 0;
	uint64_t spec_ctrl = edx & CPUID_7_EDX_IBRS_IBPB ? read_or_0(MSR_SPEC_CTRL) : 0;
	bool l1d_leaks = !(caps & (ARCH_CAP_RDCL_NO | ARCH_CAP_SKIP_L1DFL_VMENTRY));
	uint8_t kinds = 0;

	if (edx & CPUID_7_EDX_IBRS_IBPB && can(MSR_PRED_CMD, PRED_CMD_IBPB))
		kinds |= BARRIER_IBPB | (intel_is_apart(caps, spec_ctrl) ? 0 : BARRIER_IBPB_BACK);
	if (intel_buffers_leak(edx, caps))
		kinds |= BARRIER_BUFFERS;
	if (edx & CPUID_7_EDX_L1D_FLUSH && l1d_leaks && can(MSR_FLUSH_CMD, FLUSH_CMD_L1D))
		kinds |= BARRIER_L1D;
	if (!(caps & ARCH_CAP_IBRS_ALL) || !(caps & ARCH_CAP_PBRSB_NO))
		kinds |= BARRIER_RETURNS;
	return kinds;
}

/* --- AMD -------------------------------------------------------------------------------------- */

static unsigned int family(void)
{
	uint32_t eax = cpuid(1, 0).eax;

	return (eax >> 8 & 0xF) + (eax >> 20 & 0xFF);
}

/*
 * Automatic IBRS keeps branches apart, and drops the predictions of returns with each #VMEXIT. On
 * Zen 3 and 4, a guest can make it do neither for returns (SRSO), unless the CPU denies that.
 */
static bool amd_is_apart(uint32_t eax)
{
	return eax & CPUID_80000021_EAX_AIBRS && rdmsr(MSR_EFER) & EFER_AIBRSE &&
	       (family() > 0x19 || eax & CPUID_80000021_EAX_SRSO_NO);
}

static uint8_t probe_amd(void)
{
	const uint32_t tsa = CPUID_80000021_ECX_TSA_SQ_NO | CPUID_80000021_ECX_TSA_L1_NO;
	struct cpuid_regs none = { 0 };
	struct cpuid_regs more = cpuid(0x80000000, 0).eax >= 0x80000021 ? cpuid(0x80000021, 0) :
									  none;
	bool apart = amd_is_apart(more.eax);
	uint8_t kinds = apart ? 0 : BARRIER_RETURNS;

	if (cpuid(0x80000008, 0).ebx & CPUID_80000008_EBX_IBPB && can(MSR_PRED_CMD, PRED_CMD_IBPB))
		kinds |= BARRIER_IBPB | (apart ? 0 : BARRIER_IBPB_BACK);
	if (more.eax & CPUID_80000021_EAX_VERW_CLEAR && (more.ecx & tsa) != tsa)
		kinds |= BARRIER_BUFFERS;
	return kinds;
}

uint8_t barrier_probe(bool intel)
{
	return intel ? probe_intel() : probe_amd();
}

/* --- the barriers ----------------------------------------------------------------------------- */

/* The form with an operand in memory, and with a segment that can be written to. */
static void clear_buffers(void)
{
	static const uint16_t selector = BF_SEL_KERNEL_SS;

	__asm__ volatile("verw %0" : : "m"(selector) : "cc");
}

/* As many calls as CPUs remember; INT3 ends what runs behind one of them by prediction. */
static void fill_returns(void)
{
	__asm__ volatile(".rept 32\n\t"
			 "call 1f\n\t"
			 "int3\n"
			 "1:\n\t"
			 ".endr\n\t"
			 "add $32 * 8, %%rsp\n\t"
			 "lfence"
			 :
			 :
			 : "memory", "cc");
}

void barrier_to_guest(uint8_t kinds, uint16_t *last, uint16_t vmid)
{
	if (kinds & BARRIER_IBPB && *last != vmid)
		wrmsr(MSR_PRED_CMD, PRED_CMD_IBPB);
	*last = vmid;
	if (kinds & BARRIER_L1D)
		wrmsr(MSR_FLUSH_CMD, FLUSH_CMD_L1D);
	if (kinds & BARRIER_BUFFERS)
		clear_buffers();
}

void barrier_from_guest(uint8_t kinds)
{
	if (kinds & BARRIER_IBPB_BACK)
		wrmsr(MSR_PRED_CMD, PRED_CMD_IBPB);
	if (kinds & BARRIER_RETURNS)
		fill_returns();
}
