// SPDX-License-Identifier: GPL-2.0-only
/* Virtual machines: their files, and what they are made of. */
#include <asm/tsc.h>
#include <linux/anon_inodes.h>
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "kvm.h"

#define MIN_MMU_PAGES 64 /* as KVM has it */

/*
 * Capabilities: those that are kept. No SYNC_MMU: what a process does to its mappings does not
 * reach a page that the guest has.
 */
int bk_check_extension(unsigned long extension)
{
	switch (extension) {
	case KVM_CAP_USER_MEMORY:
	case KVM_CAP_DESTROY_MEMORY_REGION_WORKS:
	case KVM_CAP_JOIN_MEMORY_REGIONS_WORKS:
	case KVM_CAP_READONLY_MEM:
	case KVM_CAP_SET_TSS_ADDR:
	case KVM_CAP_SET_IDENTITY_MAP_ADDR:
	case KVM_CAP_EXT_CPUID:
	case KVM_CAP_USER_NMI:
	case KVM_CAP_MP_STATE:
	case KVM_CAP_IMMEDIATE_EXIT:
	case KVM_CAP_CHECK_EXTENSION_VM:
	case KVM_CAP_INTERNAL_ERROR_DATA:
	case KVM_CAP_XSAVE:
	case KVM_CAP_USER_MEMORY2:
	case KVM_CAP_VCPU_EVENTS:
	case KVM_CAP_INTR_SHADOW:
	case KVM_CAP_DEBUGREGS:
	case KVM_CAP_SREGS2:
	case KVM_CAP_GET_TSC_KHZ:
	case KVM_CAP_VCPU_ATTRIBUTES:
	case KVM_CAP_ENABLE_CAP:
	case KVM_CAP_ENABLE_CAP_VM:
	case KVM_CAP_EXIT_ON_EMULATION_FAILURE:
		return 1;
	case KVM_CAP_XCRS:
		return bk_has_xcrs();
	case KVM_CAP_XSAVE2:
		return sizeof(struct kvm_xsave);
	case KVM_CAP_SYNC_REGS:
		return KVM_SYNC_X86_VALID_FIELDS;
	case KVM_CAP_NR_MEMSLOTS:
		return BK_MAX_SLOTS;
	case KVM_CAP_NR_VCPUS:
		return min_t(unsigned int, num_online_cpus(), BK_MAX_VCPUS);
	case KVM_CAP_MAX_VCPUS:
	case KVM_CAP_MAX_VCPU_ID:
		return BK_MAX_VCPUS;
	default:
		return 0;
	}
}

static void free_vm(struct bk_vm *vm)
{
	bk_release_memory(vm);
	mmdrop(vm->mm);
	kfree(vm);
}

static void release_abandoned(struct bareflank_guests *guests)
{
	free_vm(container_of(guests, struct bk_vm, guests));
}

/*
 * Nobody has a file of it any more, so nobody runs it. Should a CPU not answer when its memory is
 * taken away, or the extension have ended, that stays pinned until the hypervisor stops: a CPU may
 * yet access it.
 */
static void destroy(struct kref *ref)
{
	struct bk_vm *vm = container_of(ref, struct bk_vm, ref);
	struct bk_call call = { .rsi = vm->id };
	struct bk_vcpu *vcpu;
	unsigned long i;
	int result;

	xa_for_each(&vm->vcpus, i, vcpu) bk_vcpu_destroy(vcpu);
	xa_destroy(&vm->vcpus);
	result = bk_call(vm, GUESTS_VM_DESTROY, &call);
	if (result && bareflank_guests_running(&vm->guests)) {
		bareflank_guests_abandon(&vm->guests, THIS_MODULE, release_abandoned);
	} else {
		bareflank_guests_end(&vm->guests);
		free_vm(vm);
	}
}

void bk_vm_put(struct bk_vm *vm)
{
	kref_put(&vm->ref, destroy);
}

bool bk_vm_is_usable(const struct bk_vm *vm)
{
	return vm->mm == current->mm && !bareflank_guests_ended(&vm->guests) &&
	       !READ_ONCE(vm->guests.over);
}

static int set_region(struct bk_vm *vm, const void __user *user)
{
	struct kvm_userspace_memory_region region;

	if (copy_from_user(&region, user, sizeof(region)))
		return -EFAULT;
	return bk_set_region(vm, &region);
}

/* The newer form of it, without memory that user space cannot see. */
static int set_region2(struct bk_vm *vm, const void __user *user)
{
	struct kvm_userspace_memory_region2 region;

	if (copy_from_user(&region, user, sizeof(region)))
		return -EFAULT;
	return bk_set_region(vm, &(const struct kvm_userspace_memory_region){
					 .slot = region.slot,
					 .flags = region.flags,
					 .guest_phys_addr = region.guest_phys_addr,
					 .memory_size = region.memory_size,
					 .userspace_addr = region.userspace_addr });
}

/* Once, and before there is a vCPU. */
static int limit_vcpu_ids(struct bk_vm *vm, u64 limit)
{
	int result = -EINVAL;

	mutex_lock(&vm->lock);
	if (limit && limit <= BK_MAX_VCPUS && !vm->max_vcpu_id && xa_empty(&vm->vcpus))
		vm->max_vcpu_id = limit;
	if (limit && limit == vm->max_vcpu_id)
		result = 0;
	mutex_unlock(&vm->lock);
	return result;
}

static int enable_cap(struct bk_vm *vm, const void __user *user)
{
	struct kvm_enable_cap cap;

	if (copy_from_user(&cap, user, sizeof(cap)))
		return -EFAULT;
	if (cap.flags)
		return -EINVAL;
	switch (cap.cap) {
	case KVM_CAP_MAX_VCPU_ID:
		return limit_vcpu_ids(vm, cap.args[0]);
	case KVM_CAP_EXIT_ON_EMULATION_FAILURE:
		return cap.args[0] > 1 ? -EINVAL : 0; /* it exits in any case */
	default:
		return -EINVAL;
	}
}

/* For VMX without real mode, which does not run here: nothing is to be put there. */
static int check_identity_map(const void __user *user)
{
	u64 address;

	return copy_from_user(&address, user, sizeof(address)) ? -EFAULT : 0;
}

static long vm_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct bk_vm *vm = file->private_data;
	void __user *user = (void __user *)argument;

	if (!bk_vm_is_usable(vm))
		return -EIO;
	switch (command) {
	case KVM_CREATE_VCPU:
		return bk_vcpu_create(vm, argument);
	case KVM_SET_USER_MEMORY_REGION:
		return set_region(vm, user);
	case KVM_SET_USER_MEMORY_REGION2:
		return set_region2(vm, user);
	case KVM_ENABLE_CAP:
		return enable_cap(vm, user);
	case KVM_SET_TSS_ADDR:
		return argument > U32_MAX - 3 * PAGE_SIZE ? -EINVAL : 0;
	case KVM_SET_IDENTITY_MAP_ADDR:
		return check_identity_map(user);
	case KVM_SET_NR_MMU_PAGES:
		return argument < MIN_MMU_PAGES ? -EINVAL : 0; /* of page tables that are not */
	case KVM_GET_TSC_KHZ:
		return tsc_khz;
	case KVM_SET_TSC_KHZ:
		return bk_set_tsc_khz(argument);
	case KVM_CHECK_EXTENSION:
		return bk_check_extension(argument);
	default:
		return -ENOTTY;
	}
}

static int vm_release(struct inode *inode, struct file *file)
{
	bk_vm_put(file->private_data);
	return 0;
}

static const struct file_operations vm_operations = {
	.owner = THIS_MODULE,
	.release = vm_release,
	.unlocked_ioctl = vm_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

/* The extension's part of a new VM. */
static int make(struct bk_vm *vm)
{
	struct bk_call call = {};
	int result = bk_info(&vm->instance);

	if (result)
		return result == -ENOENT || result == -EOWNERDEAD ? -ENODEV : result;
	result = bk_call(vm, GUESTS_VM_CREATE, &call);
	vm->id = call.rdx;
	return result;
}

int bk_vm_create(void)
{
	struct bk_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	int result;

	if (!vm)
		return -ENOMEM;
	kref_init(&vm->ref);
	mutex_init(&vm->lock);
	xa_init(&vm->vcpus);
	xa_init(&vm->slots);
	xa_init(&vm->pages);
	result = bareflank_guests_begin(&vm->guests);
	if (result)
		goto no_guests;
	result = make(vm);
	if (result)
		goto no_vm;
	vm->mm = current->mm;
	mmgrab(vm->mm);
	result = anon_inode_getfd("kvm-vm", &vm_operations, vm, O_RDWR | O_CLOEXEC);
	if (result < 0)
		bk_vm_put(vm);
	return result;

no_vm:
	bareflank_guests_end(&vm->guests);
no_guests:
	kfree(vm);
	return result;
}
