// SPDX-License-Identifier: GPL-2.0-only
/* The CPUID of guests: what the extension offers, and what user space makes of it. */
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "kvm.h"

#define EXTENDED 0x80000000u
#define LEAF_FEATURES 7 /* of its subleaves 0 alone is offered */
#define LEAF_XSAVE 0xD
#define NR_XSAVE 63

static int get_leaf(u64 instance, u32 leaf, u32 subleaf, struct kvm_cpuid_entry2 *entry)
{
	bool has_index = leaf == LEAF_FEATURES || leaf == LEAF_XSAVE;
	struct bk_call call = { .rsi = leaf, .rdi = subleaf };
	int result = bk_system_call(instance, GUESTS_CPUID, &call);

	*entry = (struct kvm_cpuid_entry2){
		.function = leaf,
		.index = subleaf,
		.flags = has_index ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
		.eax = (u32)call.rdx,
		.ebx = call.rdx >> 32,
		.ecx = (u32)call.rsi,
		.edx = call.rsi >> 32,
	};
	return result;
}

/* Entries by and by; there is room for one more than those. */
struct list {
	u64 instance;
	struct kvm_cpuid_entry2 *entries;
	u32 count, room;
};

static int add_leaf(struct list *list, u32 leaf, u32 subleaf, bool even_empty)
{
	struct kvm_cpuid_entry2 *entry = &list->entries[list->count];
	int result = get_leaf(list->instance, leaf, subleaf, entry);

	if (result)
		return result;
	if (!even_empty && !(entry->eax | entry->ebx | entry->ecx | entry->edx))
		return 0;
	return ++list->count > list->room ? -E2BIG : 0;
}

/* The components of XSAVE, behind the first subleaf. */
static int add_components(struct list *list)
{
	int result = 0;
	u32 i;

	for (i = 1; i < NR_XSAVE && !result; i++)
		result = add_leaf(list, LEAF_XSAVE, i, false);
	return result;
}

/* The leaves from first on to the last one, which first tells. */
static int add_leaves(struct list *list, u32 first)
{
	u32 leaf, last = first;

	for (leaf = first; leaf <= last; leaf++) {
		int result = add_leaf(list, leaf, 0, true);

		if (!result && leaf == LEAF_XSAVE)
			result = add_components(list);
		if (result)
			return result;
		if (leaf == first)
			last = list->entries[list->count - 1].eax;
	}
	return 0;
}

int bk_get_supported_cpuid(u64 instance, struct kvm_cpuid2 __user *user)
{
	struct list list = { .instance = instance };
	u32 nent;
	int result;

	if (get_user(nent, &user->nent))
		return -EFAULT;
	list.room = min_t(u32, nent, GUESTS_MAX_CPUID);
	list.entries = kcalloc(list.room + 1, sizeof(*list.entries), GFP_KERNEL);
	if (!list.entries)
		return -ENOMEM;
	result = add_leaves(&list, 0);
	if (!result)
		result = add_leaves(&list, EXTENDED);
	if (!result &&
	    (put_user(list.count, &user->nent) ||
	     copy_to_user(user->entries, list.entries, list.count * sizeof(*list.entries))))
		result = -EFAULT;
	kfree(list.entries);
	return result;
}

/* To the extension. */
static int give_cpuid(struct bk_vcpu *vcpu, const struct kvm_cpuid_entry2 *entries, u32 nent)
{
	struct bk_call call = { .rdi = nent };
	u32 i;

	for (i = 0; i < nent; i++) {
		const struct kvm_cpuid_entry2 *e = &entries[i];
		bool index = e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX;

		vcpu->page->cpuid[i] = (struct guests_cpuid){
			.leaf = e->function,
			.subleaf = e->index,
			.flags = index ? GUESTS_CPUID_SUBLEAF : 0,
			.eax = e->eax,
			.ebx = e->ebx,
			.ecx = e->ecx,
			.edx = e->edx,
		};
	}
	return bk_vcpu_call(vcpu, GUESTS_CPUID_SET, &call);
}

int bk_set_cpuid(struct bk_vcpu *vcpu, const struct kvm_cpuid2 __user *user)
{
	struct kvm_cpuid_entry2 *entries;
	u32 nent;
	int result;

	if (get_user(nent, &user->nent))
		return -EFAULT;
	if (nent > GUESTS_MAX_CPUID)
		return -E2BIG;
	entries = memdup_user(user->entries, nent * sizeof(*entries));
	if (IS_ERR(entries))
		return PTR_ERR(entries);
	result = give_cpuid(vcpu, entries, nent);
	if (result) {
		kfree(entries);
		return result;
	}
	kfree(vcpu->cpuid);
	vcpu->cpuid = entries;
	vcpu->nr_cpuid = nent;
	return 0;
}

/* OSXSAVE, OSPKE and the sizes of XSAVE follow the guest's registers. */
static int update_cpuid(struct bk_vcpu *vcpu)
{
	struct bk_call call = {};
	int result = bk_vcpu_call(vcpu, GUESTS_CPUID_GET, &call);
	u32 i;

	for (i = 0; !result && i < vcpu->nr_cpuid; i++) {
		vcpu->cpuid[i].ebx = vcpu->page->cpuid[i].ebx;
		vcpu->cpuid[i].ecx = vcpu->page->cpuid[i].ecx;
	}
	return result;
}

int bk_get_cpuid(struct bk_vcpu *vcpu, struct kvm_cpuid2 __user *user)
{
	int result = update_cpuid(vcpu);
	u32 room;

	if (result)
		return result;
	if (get_user(room, &user->nent))
		return -EFAULT;
	if (room >= vcpu->nr_cpuid && vcpu->nr_cpuid &&
	    copy_to_user(user->entries, vcpu->cpuid, vcpu->nr_cpuid * sizeof(*vcpu->cpuid)))
		return -EFAULT;
	if (put_user(vcpu->nr_cpuid, &user->nent))
		return -EFAULT;
	return room < vcpu->nr_cpuid ? -E2BIG : 0;
}
