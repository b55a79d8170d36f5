// SPDX-License-Identifier: GPL-2.0-only
/*
 * The default extension, under which Linux switches its local APICs to x2APIC mode if the CPU has
 * that. On a bare machine Linux wants interrupts to be remapped then, which no emulator does well
 * (docs/testing.md), but not as a guest of KVM. So CPUID shows one, which has no features.
 */
#include <ext/libext/frame.h>

#define LEAF_FEATURES 1
#define ECX_HYPERVISOR (1U << 31)

/* Linux: Documentation/virt/kvm/x86/cpuid.rst */
#define LEAF_HYPERVISOR 0x40000000
#define LEAF_KVM_FEATURES 0x40000001

const char ext_name[] = "x2apic";

static bool show_kvm(struct ext_exit *e, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *regs)
{
	(void)e, (void)subleaf;
	switch (leaf) {
	case LEAF_FEATURES:
		regs->ecx |= ECX_HYPERVISOR;
		return true;
	case LEAF_HYPERVISOR: /* "KVMKVMKVM", and three zeros */
		*regs = (struct cpuid_regs){ LEAF_KVM_FEATURES, 0x4B4D564B, 0x564B4D56, 0x4D };
		return true;
	case LEAF_KVM_FEATURES:
		*regs = (struct cpuid_regs){ 0 };
		return true;
	default:
		return false;
	}
}

int ext_start(uint64_t specs)
{
	static const struct ext_ops ops = { .cpuid = show_kvm };

	return ext_run_linux(specs, &ops);
}
