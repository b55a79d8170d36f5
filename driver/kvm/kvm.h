/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bareflank_kvm.ko: the interface of KVM (Documentation/virt/kvm/api.rst), for guests that run in
 * the extension ext/guests. What user space says is checked here, what the extension says, too.
 */
#ifndef BF_KVM_KVM_H
#define BF_KVM_KVM_H

#include <linux/kref.h>
#include <linux/kvm.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/signal_types.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include <abi/guests.h>

#include "../linux/guests.h"

#define BK_MAX_VCPUS 64 /* of a VM */
#define BK_MAX_SLOTS 512 /* memory regions of a VM */
#define BK_MAX_NMIS 2 /* one that is being handled, one that waits */
#define BK_MAX_MSRS 256 /* of an ioctl, exclusive, as KVM has it */

/* What headers before 6.8 do not have. */
#ifndef KVM_SET_USER_MEMORY_REGION2
#define KVM_CAP_USER_MEMORY2 231
struct kvm_userspace_memory_region2 {
	__u32 slot;
	__u32 flags;
	__u64 guest_phys_addr;
	__u64 memory_size;
	__u64 userspace_addr;
	__u64 guest_memfd_offset;
	__u32 guest_memfd;
	__u32 pad1;
	__u64 pad2[14];
};
#define KVM_SET_USER_MEMORY_REGION2 _IOW(KVMIO, 0x49, struct kvm_userspace_memory_region2)
#endif

/* --- call.c: calls of the extension ----------------------------------------------------------- */

struct bk_vm;

/* Arguments and results of a call: abi/guests.h. */
struct bk_call {
	u64 rdx, rsi, rdi, r8, r9;
};

/* What bk_call_here returns in place of an enum guests_status. */
#define BK_NOBODY (-1) /* there is no extension that answers, or not now */
#define BK_ENDED (-2) /* it has failed, and Linux runs on without it */

/* One call on this CPU. Interrupts are off. */
int bk_call_here(u64 instance, enum guests_op op, struct bk_call *call);

/*
 * Whether there is an extension that runs guests. 0; -ENODEV, -EPROTO, -ENOENT, -EOWNERDEAD: why
 * not.
 */
int bk_info(u64 *instance);

/* A call that is about no VM: GUESTS_CPUID, GUESTS_MSR_LIST. 0 or an errno. */
int bk_system_call(u64 instance, enum guests_op op, struct bk_call *call);

/*
 * A call for a VM on any CPU. 0, or the errno of its status; -EIO: the hypervisor does not run any
 * more, or is not the one that the VM was made by, or its extension has ended. May sleep.
 */
int bk_call(struct bk_vm *vm, enum guests_op op, struct bk_call *call);

/* The errno of an enum guests_status. */
int bk_errno(int status);

/* --- vm.c ------------------------------------------------------------------------------------- */

struct bk_vm {
	struct kref ref; /* one of the VM's file, one of each of its vCPUs' files */
	struct mm_struct *mm; /* of the process that made it, which alone may use it */
	struct bareflank_guests guests;
	u64 instance; /* of the extension */
	u64 id; /* the extension's */
	struct mutex lock; /* of all that follows */
	struct xarray vcpus; /* by the numbers that user space has given */
	struct xarray slots; /* struct bk_slot, by number */
	u32 max_vcpu_id; /* numbers are below this; 0: KVM_CAP_MAX_VCPU_ID has not been enabled */
	struct xarray pages; /* struct page that the guest has, by guest frame number */
};

/* A new VM's file descriptor, or an error. */
int bk_vm_create(void);

void bk_vm_put(struct bk_vm *vm);

/* Whether the caller may use it: it belongs to its process, and has not ended. */
bool bk_vm_is_usable(const struct bk_vm *vm);

/* What KVM_CHECK_EXTENSION answers. */
int bk_check_extension(unsigned long extension);

/* --- memory.c --------------------------------------------------------------------------------- */

/* KVM_SET_USER_MEMORY_REGION. */
int bk_set_region(struct bk_vm *vm, const struct kvm_userspace_memory_region *region);

/*
 * The guest has accessed this guest-physical address, and the extension has no page there, or none
 * to write to. 1: now it has. 0: that is no memory. Or an error.
 */
int bk_fault(struct bk_vm *vm, u64 gpa, bool write);

/* Reads guest-physical memory, within a page. false: there is none. May sleep. */
bool bk_read_guest(struct bk_vm *vm, u64 gpa, void *data, size_t size);

/* Of a VM that the extension does not have any more: gives all of its pages back. */
void bk_release_memory(struct bk_vm *vm);

/* --- vcpu.c ----------------------------------------------------------------------------------- */

/* Once, before there are vCPUs, and when there are none any more. 0 or an errno. */
int bk_vcpus_init(void);
void bk_vcpus_exit(void);

struct bk_vcpu {
	struct list_head list; /* of all vCPUs */
	struct bk_vm *vm;
	u64 id; /* the extension's */
	u32 number; /* user space's */
	struct mutex mutex; /* of one ioctl at a time, and of all that follows */
	int cpu; /* where it was last, -1: nowhere yet */
	unsigned int busy; /* how often in turn somebody else had it */
	int barrier_cpu; /* where its guest was last, -1: nowhere yet */
	bool needs_barrier; /* there, before the process goes on */
	struct guests_page *page; /* shared with the extension */
	struct kvm_run *run; /* shared with user space */
	u8 *pio; /* the page after it: data of IO */
	u64 apic_base; /* for user space's APIC: kept, no more */
	bool has_irq;
	u8 irq; /* to be delivered */
	u8 nmis; /* the same */
	bool emulate; /* what it has faulted at is a device */
	u16 data_size; /* bytes that user space is to give for the last exit */
	bool data_is_string; /* they are several elements */
	bool data_is_io; /* they are in pio, not in run->mmio */
	struct kvm_cpuid_entry2 *cpuid; /* as user space has set it */
	u32 nr_cpuid;
	bool has_sigmask;
	sigset_t sigmask; /* while it runs */
};

/* KVM_CREATE_VCPU: its file descriptor, or an error. */
int bk_vcpu_create(struct bk_vm *vm, unsigned long number);

/* Of a VM that nobody uses any more. */
void bk_vcpu_destroy(struct bk_vcpu *vcpu);

/* A call for this vCPU, wherever it was last. As bk_call. */
int bk_vcpu_call(struct bk_vcpu *vcpu, enum guests_op op, struct bk_call *call);

/* --- state.c ---------------------------------------------------------------------------------- */

/* The ioctls that read and write registers and the like. -ENOTTY: it is none of them. */
int bk_state_ioctl(struct bk_vcpu *vcpu, unsigned int command, unsigned long argument);

/* Some GUESTS_STATE_ between the extension and the page. 0 or an errno. */
int bk_get_state(struct bk_vcpu *vcpu, u64 parts);
int bk_set_state(struct bk_vcpu *vcpu, u64 parts);

/* KVM_SET_TSC_KHZ: 0 if that is what guests have, else -EINVAL. */
int bk_set_tsc_khz(unsigned long khz);

/* Before KVM_RUN: what user space has changed in struct kvm_run. 0 or an errno. */
int bk_take_sync_regs(struct bk_vcpu *vcpu);
/* After it: what user space wants there. */
void bk_give_sync_regs(struct bk_vcpu *vcpu);

/* KVM_GET_MSR_INDEX_LIST. */
int bk_get_msr_index_list(u64 instance, struct kvm_msr_list __user *user);

/* --- fpu.c: KVM_GET_FPU and so on ------------------------------------------------------------- */

int bk_get_fpu(struct bk_vcpu *vcpu, struct kvm_fpu __user *user);
int bk_set_fpu(struct bk_vcpu *vcpu, const struct kvm_fpu __user *user);
int bk_get_xsave(struct bk_vcpu *vcpu, struct kvm_xsave __user *user);
int bk_set_xsave(struct bk_vcpu *vcpu, const struct kvm_xsave __user *user);
int bk_get_xcrs(struct bk_vcpu *vcpu, struct kvm_xcrs __user *user);
int bk_set_xcrs(struct bk_vcpu *vcpu, const struct kvm_xcrs __user *user);

/* Whether there is an XCR0: KVM_CAP_XCRS. */
bool bk_has_xcrs(void);

/* --- regs.c, cpuid.c: between KVM's structures and the page ----------------------------------- */

void bk_regs_to_kvm(const struct guests_regs *from, struct kvm_regs *to);
void bk_regs_from_kvm(const struct kvm_regs *from, struct guests_regs *to);
void bk_sregs_to_kvm(const struct guests_sregs *from, struct kvm_sregs *to);
void bk_sregs_from_kvm(const struct kvm_sregs *from, struct guests_sregs *to);

/* KVM_GET_SUPPORTED_CPUID, KVM_SET_CPUID2 and KVM_GET_CPUID2. */
int bk_get_supported_cpuid(u64 instance, struct kvm_cpuid2 __user *user);
int bk_set_cpuid(struct bk_vcpu *vcpu, const struct kvm_cpuid2 __user *user);
int bk_get_cpuid(struct bk_vcpu *vcpu, struct kvm_cpuid2 __user *user);

#endif
