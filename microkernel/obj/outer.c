// SPDX-License-Identifier: GPL-2.0-only
#include "obj/outer.h"

#include <abi/handoff.h>
#include <bsl/bits.h>

#include "arch/hypercall.h"
#include "arch/intrinsics.h"
#include "mem/hidden.h"
#include "mk.h"
#include "obj/objects.h"
#include "pp.h"

/* KVM's calls are small numbers in RAX, and answered in CPL 0 only (Documentation/virt/kvm/x86). */
#define KVM_LAST_CALL 0xFF
#define KVM_EPERM ((uint64_t)-1)
#define KVM_EFAULT ((uint64_t)-14)
#define KVM_ENOSYS ((uint64_t)-1000)
#define KVM_VAPIC_POLL_IRQ 1
#define KVM_KICK_CPU 5
#define KVM_CLOCK_PAIRING 9
#define KVM_CLOCK_PAIRING_SIZE 64 /* written at the guest-physical address in RBX */
#define KVM_SEND_IPI 10
#define KVM_SCHED_YIELD 11
/* VMware's have this in EAX, at any privilege level. */
#define VMWARE_MAGIC 0x564D5868

/* KVM's MSRs tell it where in memory to write. */
#define KVM_MSR_FIRST 0x4B564D00
#define KVM_MSR_LAST 0x4B564DFF

static bool is_its(uint64_t rax, bool claimed)
{
	switch (mk.handoff->outer) {
	case BF_OUTER_KVM:
		return rax <= KVM_LAST_CALL;
	case BF_OUTER_VMWARE:
		return (uint32_t)rax == VMWARE_MAGIC;
	case BF_OUTER_OTHER:
		return !claimed;
	default:
		return false;
	}
}

/* Whether this address, as KVM understands it, is memory that Linux does not see. */
static bool names_hidden(uint64_t gpa)
{
	return hidden_has(bsl_align_down(gpa, BF_PAGE_SIZE));
}

/*
 * What KVM would answer in the place of a call that is not made: 0 for one that is. Those are the
 * calls of which it is known whether they name memory. MAP_GPA_RANGE does so, but is for
 * confidential guests, which have no VMX or SVM.
 */
static uint64_t kvm_refuses(unsigned int cpl, const uint64_t *gpr)
{
	static const uint8_t known[] = { KVM_VAPIC_POLL_IRQ, KVM_KICK_CPU, KVM_CLOCK_PAIRING,
					 KVM_SEND_IPI, KVM_SCHED_YIELD };

	if (cpl) /* executed in root mode it would be a call of the kernel's */
		return KVM_EPERM;
	if (gpr[BF_RAX] == KVM_CLOCK_PAIRING &&
	    (names_hidden(gpr[BF_RBX]) || names_hidden(gpr[BF_RBX] + KVM_CLOCK_PAIRING_SIZE - 1)))
		return KVM_EFAULT;
	for (size_t i = 0; i < sizeof(known); i++) {
		if (gpr[BF_RAX] == known[i])
			return 0;
	}
	return KVM_ENOSYS;
}

enum outer_answer outer_hypercall(struct vs *vs, unsigned int cpl, bool claimed)
{
	uint64_t *gpr = abi_gprs();
	bool answered;

	if (!vs->root || !is_its(gpr[BF_RAX], claimed))
		return OUTER_NOT_ITS;
	if (mk.handoff->outer == BF_OUTER_KVM) {
		uint64_t error = kvm_refuses(cpl, gpr);

		if (error) {
			gpr[BF_RAX] = error;
			return OUTER_DONE;
		}
	}
	if (cpl && mk.handoff->outer == BF_OUTER_OTHER)
		return OUTER_REFUSED;
	answered = mk.handoff->vendor == BF_VENDOR_INTEL ? hypercall_vmcall(gpr) :
							   hypercall_vmmcall(gpr);
	return answered ? OUTER_DONE : OUTER_REFUSED;
}

bool outer_rdmsr(uint32_t msr)
{
	uint64_t *gpr = abi_gprs();
	uint64_t value;

	if (!rdmsr_safe(msr, &value))
		return false;
	gpr[BF_RAX] = (uint32_t)value;
	gpr[BF_RDX] = value >> 32;
	return true;
}

bool outer_wrmsr(uint32_t msr)
{
	const uint64_t *gpr = abi_gprs();
	uint64_t value = gpr[BF_RDX] << 32 | (uint32_t)gpr[BF_RAX];

	if (msr >= KVM_MSR_FIRST && msr <= KVM_MSR_LAST && names_hidden(value))
		return false;
	return wrmsr_safe(msr, value);
}

/*
 * KVM offers a guest to flush the TLB of a virtual CPU that is not running, when it runs next, in
 * place of an IPI. It flushes what that CPU used when it stopped. If that was root mode, the
 * guest's translations would stay: so none may be kept from one exit to the next entry.
 */
bool outer_flushes(void)
{
	return mk.handoff->outer_flags & BF_OUTER_FLUSHES;
}
