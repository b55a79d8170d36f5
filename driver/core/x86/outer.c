// SPDX-License-Identifier: GPL-2.0-only
/* The hypervisor below this machine, by CPUID, if Linux runs in a virtual one. */
#include <abi/hw/x86.h>
#include <bsl/string.h>

#include "../arch.h"
#include "hw.h"

enum { EAX, EBX, ECX, EDX };

/* Each interface has its leaves at a multiple of 0x100, the first one with its signature. */
#define BASE_FIRST 0x40000000
#define BASE_LAST 0x4000FF00
#define BASE_STEP 0x100

#define KVM_LEAF_FEATURES 1
#define KVM_FEATURE_PV_TLB_FLUSH 0x200

static const struct {
	char signature[13];
	enum bf_outer outer;
} known[] = {
	{ "KVMKVMKVM\0\0\0", BF_OUTER_KVM }, { "Microsoft Hv", BF_OUTER_HYPERV },
	{ "XenVMMXenVMM", BF_OUTER_XEN },    { "VMwareVMware", BF_OUTER_VMWARE },
	{ "TCGTCGTCGTCG", BF_OUTER_NONE },
};

static enum bf_outer of_signature(const uint32_t regs[4])
{
	uint32_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (bsl_memcmp(known[i].signature, &regs[EBX], 12) == 0)
			return known[i].outer;
	return BF_OUTER_OTHER;
}

/*
 * A hypervisor may offer Hyper-V's interface first, for Windows, and its own after it. Linux uses
 * its own then, so that one counts.
 */
static enum bf_outer detect(uint32_t *base)
{
	enum bf_outer outer, found = BF_OUTER_NONE;
	uint32_t regs[4];

	bf_hw_cpuid(1, 0, regs);
	if (!(regs[ECX] & CPUID_1_ECX_HYPERVISOR))
		return BF_OUTER_NONE;
	*base = BASE_FIRST;
	bf_hw_cpuid(BASE_FIRST, 0, regs);
	found = of_signature(regs);
	if (found != BF_OUTER_HYPERV)
		return found;
	for (*base = BASE_FIRST + BASE_STEP; *base <= BASE_LAST; *base += BASE_STEP) {
		bf_hw_cpuid(*base, 0, regs);
		outer = of_signature(regs);
		if (outer == BF_OUTER_KVM || outer == BF_OUTER_XEN || outer == BF_OUTER_VMWARE)
			return outer;
	}
	return found;
}

enum bf_outer bf_outer_detect(uint32_t *flags)
{
	uint32_t base = 0;
	enum bf_outer outer = detect(&base);
	uint32_t regs[4];

	*flags = 0;
	if (outer == BF_OUTER_KVM) {
		bf_hw_cpuid(base + KVM_LEAF_FEATURES, 0, regs);
		if (regs[EAX] & KVM_FEATURE_PV_TLB_FLUSH)
			*flags = BF_OUTER_FLUSHES;
	}
	return outer;
}

/*
 * Hyper-V's guests flush TLBs of other CPUs by a hypercall, which names address spaces of this
 * machine and does not reach those of a guest in it: translations that Linux believes to be gone
 * would remain. Xen delivers interrupts by event channels, to a vector that it injects by itself,
 * and its hypercalls act on the address space of their caller, which would be root mode's.
 */
enum bf_error bf_outer_check(enum bf_outer outer)
{
	switch (outer) {
	case BF_OUTER_HYPERV:
		return BF_ERR_OUTER_HYPERV;
	case BF_OUTER_XEN:
		return BF_ERR_OUTER_XEN;
	default:
		return BF_ERR_OK;
	}
}
