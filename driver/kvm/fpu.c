// SPDX-License-Identifier: GPL-2.0-only
/*
 * The extended state of virtual CPUs: KVM_GET_FPU and SET_FPU, XSAVE, XCRS. What the CPU would not
 * take the microkernel refuses (docs/abi/mk2.md), and the extension an XCR0 that is none.
 */
#include <linux/errno.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <abi/mk2.h>
#include <asm/cpufeature.h>

#include "kvm.h"

#define HEADER_END 576
#define X87 1
#define SSE 2
#define X87_AND_SSE 3
#define FCW_RESET 0x37F
#define SW_RESERVED MK2_XSAVE_TSC_AUX /* up to the end of the first part; nothing of it is KVM's */

/* The first part of an area, as FXSAVE64 writes it: SDM vol. 1 table 10-2. */
struct legacy {
	u16 fcw, fsw;
	u8 ftw, pad;
	u16 fop;
	u64 rip, rdp;
	u32 mxcsr, mxcsr_mask;
	u8 st[128];
	u8 xmm[256];
};

static_assert(offsetof(struct legacy, xmm) == 160);
static_assert(GUESTS_MAX_XSAVE <= sizeof(((struct kvm_xsave *)0)->region));

/* The bytes of the area, or an error. The extension's word is read once. */
static int fetch(struct bk_vcpu *vcpu)
{
	int result = bk_get_state(vcpu, GUESTS_STATE_XSAVE);
	u32 size = READ_ONCE(vcpu->page->xsave.size);

	if (result)
		return result;
	if (size != MK2_XSAVE_LEGACY && (size < HEADER_END || size > GUESTS_MAX_XSAVE))
		return -EIO;
	return size;
}

/* Where the area's XSTATE_BV is, if it has one. */
static u64 *xstate_bv(struct guests_xsave *xsave)
{
	return (u64 *)(xsave->area + MK2_XSAVE_LEGACY);
}

int bk_get_fpu(struct bk_vcpu *vcpu, struct kvm_fpu __user *user)
{
	const struct legacy *from = (const void *)vcpu->page->xsave.area;
	struct kvm_fpu fpu = {};
	int result = fetch(vcpu);

	if (result < 0)
		return result;
	memcpy(fpu.fpr, from->st, sizeof(fpu.fpr));
	memcpy(fpu.xmm, from->xmm, sizeof(fpu.xmm));
	fpu.fcw = from->fcw;
	fpu.fsw = from->fsw;
	fpu.ftwx = from->ftw;
	fpu.last_opcode = from->fop;
	fpu.last_ip = from->rip;
	fpu.last_dp = from->rdp;
	return copy_to_user(user, &fpu, sizeof(fpu)) ? -EFAULT : 0;
}

/* MXCSR stays as it is: KVM does not look at it, either. */
int bk_set_fpu(struct bk_vcpu *vcpu, const struct kvm_fpu __user *user)
{
	struct guests_xsave *xsave = &vcpu->page->xsave;
	struct legacy *to = (void *)xsave->area;
	struct kvm_fpu fpu;
	int result;

	if (copy_from_user(&fpu, user, sizeof(fpu)))
		return -EFAULT;
	result = fetch(vcpu);
	if (result < 0)
		return result;
	memcpy(to->st, fpu.fpr, sizeof(fpu.fpr));
	memcpy(to->xmm, fpu.xmm, sizeof(fpu.xmm));
	to->fcw = fpu.fcw;
	to->fsw = fpu.fsw;
	to->ftw = fpu.ftwx;
	to->fop = fpu.last_opcode;
	to->rip = fpu.last_ip;
	to->rdp = fpu.last_dp;
	if (result >= HEADER_END)
		*xstate_bv(xsave) |= X87_AND_SSE;
	return bk_set_state(vcpu, GUESTS_STATE_XSAVE);
}

int bk_get_xsave(struct bk_vcpu *vcpu, struct kvm_xsave __user *user)
{
	struct guests_xsave *from = &vcpu->page->xsave;
	struct kvm_xsave *xsave;
	int size = fetch(vcpu);
	int result;

	if (size < 0)
		return size;
	xsave = kzalloc(sizeof(*xsave), GFP_KERNEL);
	if (!xsave)
		return -ENOMEM;
	memcpy(xsave->region, from->area, size);
	memset((u8 *)xsave->region + SW_RESERVED, 0, MK2_XSAVE_LEGACY - SW_RESERVED);
	if (size < HEADER_END)
		xsave->region[MK2_XSAVE_LEGACY / sizeof(u32)] = X87_AND_SSE;
	result = copy_to_user(user, xsave, sizeof(xsave->region)) ? -EFAULT : 0;
	kfree(xsave);
	return result;
}

/* What XSTATE_BV says to be as after reset is so for whoever looks at it, too. */
static void clear_unused(struct legacy *legacy, u64 features)
{
	if (!(features & X87)) {
		memset(legacy, 0, offsetof(struct legacy, mxcsr));
		memset(legacy->st, 0, sizeof(legacy->st));
		legacy->fcw = FCW_RESET;
	}
	if (!(features & SSE))
		memset(legacy->xmm, 0, sizeof(legacy->xmm));
}

/* What the guest cannot have is refused here, what no CPU takes by the microkernel. */
static int take_xsave(struct guests_xsave *to, const u8 *region, int size)
{
	u64 features;

	memcpy(&features, region + MK2_XSAVE_LEGACY, sizeof(features));
	if (features & ~(to->features | X87_AND_SSE))
		return -EINVAL;
	memcpy(to->area, region, SW_RESERVED);
	if (size < HEADER_END)
		return 0;
	clear_unused((void *)to->area, features);
	memcpy(to->area + MK2_XSAVE_LEGACY, region + MK2_XSAVE_LEGACY, size - MK2_XSAVE_LEGACY);
	return 0;
}

int bk_set_xsave(struct bk_vcpu *vcpu, const struct kvm_xsave __user *user)
{
	u8 *region = memdup_user(user, sizeof(struct kvm_xsave));
	int result;

	if (IS_ERR(region))
		return PTR_ERR(region);
	result = fetch(vcpu);
	if (result >= 0)
		result = take_xsave(&vcpu->page->xsave, region, result);
	if (!result)
		result = bk_set_state(vcpu, GUESTS_STATE_XSAVE);
	kfree(region);
	return result;
}

bool bk_has_xcrs(void)
{
	return boot_cpu_has(X86_FEATURE_XSAVE);
}

int bk_get_xcrs(struct bk_vcpu *vcpu, struct kvm_xcrs __user *user)
{
	struct kvm_xcrs xcrs = {};
	int result = bk_get_state(vcpu, GUESTS_STATE_XCR0);

	if (result)
		return result;
	if (bk_has_xcrs()) {
		xcrs.nr_xcrs = 1;
		xcrs.xcrs[0].value = vcpu->page->xsave.xcr0;
	}
	return copy_to_user(user, &xcrs, sizeof(xcrs)) ? -EFAULT : 0;
}

/* Only XCR0 is looked at, as by KVM. */
int bk_set_xcrs(struct bk_vcpu *vcpu, const struct kvm_xcrs __user *user)
{
	struct kvm_xcrs xcrs;
	u32 i;

	if (copy_from_user(&xcrs, user, sizeof(xcrs)))
		return -EFAULT;
	if (!bk_has_xcrs() || xcrs.nr_xcrs > KVM_MAX_XCRS || xcrs.flags)
		return -EINVAL;
	for (i = 0; i < xcrs.nr_xcrs; i++) {
		if (xcrs.xcrs[i].xcr)
			continue;
		vcpu->page->xsave.xcr0 = xcrs.xcrs[i].value;
		return bk_set_state(vcpu, GUESTS_STATE_XCR0);
	}
	return 0;
}
