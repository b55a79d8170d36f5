// SPDX-License-Identifier: GPL-2.0-only
/* The CPUID of guests: what the extension offers, and what user space makes of it. */
#include <linux/errno.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "kvm.h"

#define EXTENDED 0x80000000u
#define LEAF_FEATURES 7 /* the one offered leaf that has subleaves: 0 alone */

static int get_leaf(u64 instance, u32 leaf, struct kvm_cpuid_entry2 *entry)
{
	struct bk_call call = { .rsi = leaf };
	int result = bk_cpuid(instance, &call);

	*entry = (struct kvm_cpuid_entry2){
		.function = leaf,
		.flags = leaf == LEAF_FEATURES ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
		.eax = (u32)call.rdx,
		.ebx = call.rdx >> 32,
		.ecx = (u32)call.rsi,
		.edx = call.rsi >> 32,
	};
	return result;
}

/* The leaves from first on to the last one, which first tells. Returns how many, or an error. */
static int get_range(u64 instance, u32 first, struct kvm_cpuid_entry2 *entries, u32 room)
{
	u32 count = 0, last = first;

	do {
		int result;

		if (count == room)
			return -E2BIG;
		result = get_leaf(instance, first + count, &entries[count]);
		if (result)
			return result;
		if (!count)
			last = entries[0].eax;
		count++;
	} while (last >= first && count <= last - first);
	return count;
}

int bk_get_supported_cpuid(u64 instance, struct kvm_cpuid2 __user *user)
{
	struct kvm_cpuid_entry2 *entries;
	int basic, extended;
	u32 nent;

	if (get_user(nent, &user->nent))
		return -EFAULT;
	nent = min_t(u32, nent, GUESTS_MAX_CPUID);
	entries = kcalloc(nent + 1, sizeof(*entries), GFP_KERNEL);
	if (!entries)
		return -ENOMEM;
	basic = get_range(instance, 0, entries, nent);
	extended = basic < 0 ? basic : get_range(instance, EXTENDED, entries + basic, nent - basic);
	if (extended >= 0) {
		nent = basic + extended;
		extended = put_user(nent, &user->nent) || copy_to_user(user->entries, entries,
								       nent * sizeof(*entries)) ?
				   -EFAULT :
				   0;
	}
	kfree(entries);
	return extended;
}

int bk_set_cpuid(struct bk_vcpu *vcpu, const struct kvm_cpuid2 __user *user)
{
	struct bk_call call;
	u32 nent, i;

	if (get_user(nent, &user->nent))
		return -EFAULT;
	if (nent > GUESTS_MAX_CPUID)
		return -E2BIG;
	for (i = 0; i < nent; i++) {
		struct kvm_cpuid_entry2 e;
		bool index;

		if (copy_from_user(&e, &user->entries[i], sizeof(e)))
			return -EFAULT;
		index = e.flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
		vcpu->page->cpuid[i] = (struct guests_cpuid){
			.leaf = e.function,
			.subleaf = e.index,
			.flags = index ? GUESTS_CPUID_SUBLEAF : 0,
			.eax = e.eax,
			.ebx = e.ebx,
			.ecx = e.ecx,
			.edx = e.edx,
		};
	}
	call = (struct bk_call){ .rdi = nent };
	return bk_vcpu_call(vcpu, GUESTS_CPUID_SET, &call);
}
