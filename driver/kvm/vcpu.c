// SPDX-License-Identifier: GPL-2.0-only
/* Virtual CPUs: their files, and KVM_RUN. */
#include <linux/anon_inodes.h>
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/task_work.h>
#include <linux/uaccess.h>

#include "../linux/compat.h"
#include "kvm.h"

#define MMAP_PAGES 2 /* struct kvm_run, data of IO */
#define RESET_APIC_BASE 0xFEE00800
#define BOOTSTRAP_BIT 0x100
#define BUSY_TRIES 100 /* ticks */
#define RELEASE_TICKS (HZ / 10)

/* --- calls for a vCPU ------------------------------------------------------------------------- */

struct release {
	struct bk_vcpu *vcpu;
	u64 instance;
	int status;
};

/* On the CPU where it was. If that answers nothing, it has nothing any more, either. */
static void release_here(void *argument)
{
	struct release *release = argument;
	struct bk_call call = { .rsi = release->vcpu->id };

	release->status = bk_call_here(release->instance, GUESTS_VCPU_RELEASE, &call);
}

/* Not from a CPU that is offline: what that had, it has given up before. */
static bool release(struct bk_vcpu *vcpu)
{
	struct release argument = { .vcpu = vcpu, .instance = vcpu->vm->instance };

	return vcpu->cpu >= 0 && !smp_call_function_single(vcpu->cpu, release_here, &argument, 1);
}

static LIST_HEAD(vcpus);
static DEFINE_MUTEX(vcpus_lock); /* of the list */

/*
 * On a CPU that goes offline, which the hypervisor may keep: what it has of vCPUs, nobody else
 * could have while it is away. It calls for none any more: see try_call.
 */
static int cpu_offline_callback(unsigned int cpu)
{
	struct bk_vcpu *vcpu;

	mutex_lock(&vcpus_lock);
	list_for_each_entry(vcpu, &vcpus, list)
	{
		struct release argument = { .vcpu = vcpu, .instance = vcpu->vm->instance };
		unsigned long flags, end = jiffies + RELEASE_TICKS;

		/* For longer than this, it is busy where it runs: then nothing of it is here. */
		do {
			cond_resched();
			if (READ_ONCE(vcpu->cpu) != cpu)
				break;
			local_irq_save(flags);
			release_here(&argument);
			local_irq_restore(flags);
		} while (argument.status == GUESTS_BUSY && time_before(jiffies, end));
	}
	mutex_unlock(&vcpus_lock);
	return 0;
}

static enum cpuhp_state hotplug_state;

int bk_vcpus_init(void)
{
	/* Before or after that of the other module, which has the CPU leave or keeps it. */
	int result = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "bareflank_kvm:online", NULL,
					       cpu_offline_callback);

	if (result < 0)
		return result;
	hotplug_state = result;
	return 0;
}

void bk_vcpus_exit(void)
{
	cpuhp_remove_state_nocalls(hotplug_state);
}

/*
 * One call, interrupts off, which takes the vCPU along if the caller has moved to another CPU.
 * Returns -EAGAIN if nobody answers on this CPU, but somebody will elsewhere, or later, and for one
 * that is about to go offline.
 */
static int try_call(struct bk_vcpu *vcpu, enum guests_op op, struct bk_call *call)
{
	int status;

	if (!cpu_active(smp_processor_id()))
		return -EAGAIN;
	status = bk_call_here(vcpu->vm->instance, op, call);
	/* A CPU that goes offline has it for a moment: see above. Anything else does not end. */
	if (status == GUESTS_BUSY && vcpu->busy < BUSY_TRIES) {
		vcpu->busy++;
		return -EAGAIN;
	}
	vcpu->busy = 0;
	if (status == BK_NOBODY)
		return bareflank_guests_running(&vcpu->vm->guests) ? -EAGAIN : -EIO;
	if (status == BK_ENDED)
		WRITE_ONCE(vcpu->vm->guests.over, true);
	if (status == GUESTS_ELSEWHERE)
		return -EXDEV;
	WRITE_ONCE(vcpu->cpu, smp_processor_id());
	return bk_errno(status);
}

/* What else than interrupts off is in the way of a call: -EAGAIN, -EXDEV. */
static bool has_to_repeat(struct bk_vcpu *vcpu, int result)
{
	if (result != -EXDEV && result != -EAGAIN)
		return false;
	if (result == -EAGAIN || !release(vcpu))
		schedule_timeout_uninterruptible(1);
	return true;
}

int bk_vcpu_call(struct bk_vcpu *vcpu, enum guests_op op, struct bk_call *call)
{
	struct bk_call copy;
	unsigned long flags;
	int result;

	do {
		copy = *call;
		copy.rsi = vcpu->id;
		local_irq_save(flags);
		result = try_call(vcpu, op, &copy);
		local_irq_restore(flags);
	} while (has_to_repeat(vcpu, result));
	*call = copy;
	return result;
}

/* --- KVM_RUN ---------------------------------------------------------------------------------- */

static void activate_sigmask(struct bk_vcpu *vcpu)
{
	if (vcpu->has_sigmask)
		sigprocmask(SIG_SETMASK, &vcpu->sigmask, &current->real_blocked);
}

static void deactivate_sigmask(struct bk_vcpu *vcpu)
{
	if (!vcpu->has_sigmask)
		return;
	sigprocmask(SIG_SETMASK, &current->real_blocked, NULL);
	sigemptyset(&current->real_blocked);
}

/* What user space has to say before the guest goes on. */
static void take_data(struct bk_vcpu *vcpu)
{
	u64 data = 0;

	if (!vcpu->data_size)
		return;
	if (vcpu->data_is_string)
		memcpy(vcpu->page->io, vcpu->pio, vcpu->data_size);
	else
		memcpy(&data, vcpu->data_is_io ? vcpu->pio : vcpu->run->mmio.data, vcpu->data_size);
	vcpu->page->entry.data = data;
	vcpu->data_size = 0;
	vcpu->data_is_string = false;
}

static void prepare_entry(struct bk_vcpu *vcpu, bool enter)
{
	struct guests_entry *entry = &vcpu->page->entry;

	entry->flags = (enter ? 0 : GUESTS_RUN_COMPLETE) |
		       (vcpu->emulate ? GUESTS_RUN_EMULATE : 0) |
		       (vcpu->nmis ? GUESTS_RUN_NMI : 0) | (vcpu->has_irq ? GUESTS_RUN_IRQ : 0) |
		       (READ_ONCE(vcpu->run->request_interrupt_window) ? GUESTS_RUN_WINDOW : 0);
	entry->vector = vcpu->irq;
	entry->cr8 = READ_ONCE(vcpu->run->cr8);
}

/*
 * The guest may have been on this CPU, also if the call has failed then. What it has trained to
 * predict branches is not for the process: Linux sees to that on the way there.
 */
static void keep_predictions_from_user(struct bk_vcpu *vcpu)
{
	int cpu = smp_processor_id();

	if (!bf_compat_has_ibpb_to_user())
		return;
	if (vcpu->barrier_cpu != cpu) {
		vcpu->barrier_cpu = cpu;
		vcpu->needs_barrier = bareflank_guests_leave_predictions();
	}
	if (vcpu->needs_barrier)
		bf_compat_ibpb_to_user();
}

/*
 * A signal, or what Linux leaves to the task on its way to user space: without that neither limits
 * of CPU time are kept, nor, from Linux 6.18 on, a cgroup's share of it.
 */
static bool has_to_leave(void)
{
	return signal_pending(current) ||
	       (test_thread_flag(TIF_NOTIFY_RESUME) && task_work_pending(current));
}

/* With interrupts off nothing comes between the last look for a signal or the end and the guest. */
static int enter(struct bk_vcpu *vcpu, bool may_enter)
{
	struct bk_call call = { .rsi = vcpu->id };
	int result;

	local_irq_disable();
	if (may_enter && (need_resched() || has_to_leave())) {
		local_irq_enable();
		return -ERESTART;
	}
	if (bareflank_guests_ended(&vcpu->vm->guests)) {
		local_irq_enable();
		return -EIO;
	}
	result = try_call(vcpu, GUESTS_RUN, &call);
	keep_predictions_from_user(vcpu);
	local_irq_enable();
	return result;
}

static void give_io(struct bk_vcpu *vcpu, const struct guests_exit *exit)
{
	struct kvm_run *run = vcpu->run;
	u32 count = exit->count ?: 1; /* what run has, user space can change at any time */

	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = exit->write ? KVM_EXIT_IO_OUT : KVM_EXIT_IO_IN;
	run->io.size = exit->size;
	run->io.port = exit->address;
	run->io.count = count;
	run->io.data_offset = PAGE_SIZE;
	if (exit->write)
		memcpy(vcpu->pio, &exit->data, exit->size);
	else
		vcpu->data_size = exit->size * count;
	vcpu->data_is_string = exit->count;
	vcpu->data_is_io = true;
}

static void give_mmio(struct bk_vcpu *vcpu, const struct guests_exit *exit)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = exit->address;
	run->mmio.len = exit->size;
	run->mmio.is_write = exit->write;
	memset(run->mmio.data, 0, sizeof(run->mmio.data));
	if (exit->write)
		memcpy(run->mmio.data, &exit->data, exit->size);
	else
		vcpu->data_size = exit->size;
	vcpu->data_is_io = false;
}

/* Three values that KVM has, too, and three of ours. */
static void give_internal_error(struct bk_vcpu *vcpu, const struct guests_exit *exit)
{
	struct kvm_run *run = vcpu->run;
	u32 size = min_t(u32, exit->size, sizeof(run->emulation_failure.insn_bytes));

	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	memset(run->internal.data, 0, sizeof(run->internal.data));
	if (exit->detail == GUESTS_INTERNAL_EXIT) {
		run->internal.suberror = KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON;
		run->internal.data[0] = exit->data;
		run->internal.data[1] = vcpu->cpu;
	} else {
		run->internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
		run->emulation_failure.flags =
			size ? KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES : 0;
		run->emulation_failure.insn_size = size;
		memcpy(run->emulation_failure.insn_bytes, vcpu->page->io, size);
	}
	run->internal.ndata = 6;
	run->internal.data[3] = exit->detail; /* enum guests_internal */
	run->internal.data[4] = exit->address;
	run->internal.data[5] = exit->data;
}

/* What has ended the guest's run. 1: it goes on; 0: user space looks at it; or an error. */
static int handle_exit(struct bk_vcpu *vcpu, const struct guests_exit *exit)
{
	struct kvm_run *run = vcpu->run;
	int result;

	switch (exit->reason) {
	case GUESTS_EXIT_INTR:
		return 1;
	case GUESTS_EXIT_FAULT:
		result = bk_fault(vcpu->vm, exit->address, exit->write);
		vcpu->emulate = result == 0;
		return result < 0 ? result : 1;
	case GUESTS_EXIT_IO:
		give_io(vcpu, exit);
		return 0;
	case GUESTS_EXIT_MMIO:
		give_mmio(vcpu, exit);
		return 0;
	case GUESTS_EXIT_HLT:
		run->exit_reason = KVM_EXIT_HLT;
		return 0;
	case GUESTS_EXIT_WINDOW:
		run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
		return 0;
	case GUESTS_EXIT_SHUTDOWN:
		run->exit_reason = KVM_EXIT_SHUTDOWN;
		return 0;
	case GUESTS_EXIT_FAIL_ENTRY:
		run->exit_reason = KVM_EXIT_FAIL_ENTRY;
		run->fail_entry.hardware_entry_failure_reason = exit->data;
		run->fail_entry.cpu = vcpu->cpu;
		return 0;
	default:
		give_internal_error(vcpu, exit);
		return 0;
	}
}

/* The extension's word, of which nothing may lead out of what it is copied to. */
static bool is_sane(const struct guests_exit *exit)
{
	if (!is_power_of_2(exit->size) || exit->size > 8)
		return false;
	return exit->reason != GUESTS_EXIT_IO ||
	       (exit->address <= U16_MAX &&
		(!exit->count || (!exit->write && exit->count <= GUESTS_MAX_IO / exit->size)));
}

/* All but the last one were answered in the extension. */
static void count_exits(struct bk_vcpu *vcpu, const struct guests_exit *exit)
{
	const struct bareflank_guests *guests = &vcpu->vm->guests;
	enum bf_guest_exit kind = exit->reason == GUESTS_EXIT_INTR  ? BF_GUEST_EXIT_INTERRUPT :
				  exit->reason == GUESTS_EXIT_FAULT ? BF_GUEST_EXIT_MODULE :
								      BF_GUEST_EXIT_USER;

	if (!exit->exits)
		return;
	bareflank_guests_exit(guests, BF_GUEST_EXIT_EXTENSION, exit->exits - 1);
	bareflank_guests_exit(guests, kind, 1);
}

static int run_once(struct bk_vcpu *vcpu, bool may_enter)
{
	struct guests_exit exit;
	int result;

	prepare_entry(vcpu, may_enter);
	result = enter(vcpu, may_enter);
	if (result == -ERESTART || has_to_repeat(vcpu, result))
		return 1;
	if (result)
		return result;
	exit = vcpu->page->exit;
	count_exits(vcpu, &exit);
	vcpu->emulate = false;
	if (exit.taken & GUESTS_RUN_IRQ)
		vcpu->has_irq = false;
	if ((exit.taken & GUESTS_RUN_NMI) && vcpu->nmis)
		vcpu->nmis--;
	vcpu->run->if_flag = !!exit.interrupt_flag;
	vcpu->run->cr8 = exit.cr8;
	vcpu->run->ready_for_interrupt_injection = exit.ready && !vcpu->has_irq;
	if ((exit.reason == GUESTS_EXIT_IO || exit.reason == GUESTS_EXIT_MMIO) && !is_sane(&exit))
		return -EIO;
	if (!may_enter && exit.reason == GUESTS_EXIT_INTR)
		return -EINTR;
	return handle_exit(vcpu, &exit);
}

/*
 * What the guest waits for is completed in any case: all of its state is in its registers then.
 * Whoever wants nothing but that gets EINTR, and what the last exit was stays.
 */
static int run_loop(struct bk_vcpu *vcpu)
{
	bool immediate = READ_ONCE(vcpu->run->bf_compat_immediate_exit);
	int result;

	take_data(vcpu);
	if (!immediate)
		vcpu->run->exit_reason = KVM_EXIT_UNKNOWN;
	do {
		bool may_enter = !immediate && !has_to_leave();

		cond_resched();
		result = run_once(vcpu, may_enter);
	} while (result > 0);
	if (result == -EINTR && !immediate)
		vcpu->run->exit_reason = KVM_EXIT_INTR;
	return result;
}

static int run(struct bk_vcpu *vcpu, unsigned long argument)
{
	struct kvm_run *run = vcpu->run;
	int result;

	if (argument)
		return -EINVAL;
	if (READ_ONCE(run->cr8) > 15)
		return -EINVAL;
	activate_sigmask(vcpu);
	run->flags = 0;
	result = bk_take_sync_regs(vcpu) ?: run_loop(vcpu);
	run->apic_base = vcpu->apic_base;
	bk_give_sync_regs(vcpu);
	deactivate_sigmask(vcpu);
	return result;
}

/* --- the other ioctls ------------------------------------------------------------------------- */

static int inject_irq(struct bk_vcpu *vcpu, const void __user *user)
{
	struct kvm_interrupt irq;

	if (copy_from_user(&irq, user, sizeof(irq)))
		return -EFAULT;
	if (irq.irq >= KVM_NR_INTERRUPTS)
		return -EINVAL;
	vcpu->has_irq = true;
	vcpu->irq = irq.irq;
	return 0;
}

static int set_sigmask(struct bk_vcpu *vcpu, const struct kvm_signal_mask __user *user)
{
	struct kvm_signal_mask head;

	if (!user) {
		vcpu->has_sigmask = false;
		return 0;
	}
	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.len != sizeof(vcpu->sigmask))
		return -EINVAL;
	if (copy_from_user(&vcpu->sigmask, user->sigset, sizeof(vcpu->sigmask)))
		return -EFAULT;
	sigdelsetmask(&vcpu->sigmask, sigmask(SIGKILL) | sigmask(SIGSTOP));
	vcpu->has_sigmask = true;
	return 0;
}

/* Without an interrupt controller in the kernel a vCPU is never anything but runnable. */
static int get_mp_state(void __user *user)
{
	struct kvm_mp_state state = { .mp_state = KVM_MP_STATE_RUNNABLE };

	return copy_to_user(user, &state, sizeof(state)) ? -EFAULT : 0;
}

static int set_mp_state(const void __user *user)
{
	struct kvm_mp_state state;

	if (copy_from_user(&state, user, sizeof(state)))
		return -EFAULT;
	return state.mp_state == KVM_MP_STATE_RUNNABLE ? 0 : -EINVAL;
}

static int do_ioctl(struct bk_vcpu *vcpu, unsigned int command, unsigned long argument)
{
	void __user *user = (void __user *)argument;

	switch (command) {
	case KVM_RUN:
		return run(vcpu, argument);
	case KVM_SET_CPUID2:
		return bk_set_cpuid(vcpu, user);
	case KVM_GET_CPUID2:
		return bk_get_cpuid(vcpu, user);
	case KVM_ENABLE_CAP:
		return -EINVAL; /* there is none that a vCPU can switch on */
	case KVM_INTERRUPT:
		return inject_irq(vcpu, user);
	case KVM_NMI:
		vcpu->nmis = min(vcpu->nmis + 1, BK_MAX_NMIS);
		return 0;
	case KVM_SET_SIGNAL_MASK:
		return set_sigmask(vcpu, user);
	case KVM_GET_MP_STATE:
		return get_mp_state(user);
	case KVM_SET_MP_STATE:
		return set_mp_state(user);
	default:
		return bk_state_ioctl(vcpu, command, argument);
	}
}

static long vcpu_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct bk_vcpu *vcpu = file->private_data;
	long result;

	if (!bk_vm_is_usable(vcpu->vm))
		return -EIO;
	if (_IOC_TYPE(command) != KVMIO)
		return -EINVAL;
	if (mutex_lock_killable(&vcpu->mutex))
		return -EINTR;
	result = do_ioctl(vcpu, command, argument);
	mutex_unlock(&vcpu->mutex);
	return result;
}

/* --- files ------------------------------------------------------------------------------------ */

static vm_fault_t vcpu_fault(struct vm_fault *fault)
{
	struct bk_vcpu *vcpu = fault->vma->vm_file->private_data;

	if (fault->pgoff >= MMAP_PAGES)
		return VM_FAULT_SIGBUS;
	fault->page = virt_to_page((u8 *)vcpu->run + fault->pgoff * PAGE_SIZE);
	get_page(fault->page);
	return 0;
}

static const struct vm_operations_struct vcpu_vm_operations = { .fault = vcpu_fault };

static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_ops = &vcpu_vm_operations;
	return 0;
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct bk_vcpu *vcpu = file->private_data;

	bk_vm_put(vcpu->vm);
	return 0;
}

static const struct file_operations vcpu_operations = {
	.owner = THIS_MODULE,
	.release = vcpu_release,
	.unlocked_ioctl = vcpu_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = vcpu_mmap,
	.llseek = noop_llseek,
};

static void free_vcpu(struct bk_vcpu *vcpu)
{
	unsigned int i;

	/* Each by itself: one that is mapped still lives until it is not. */
	for (i = 0; vcpu->run && i < MMAP_PAGES; i++)
		put_page(virt_to_page((u8 *)vcpu->run + i * PAGE_SIZE));
	free_page((unsigned long)vcpu->page);
	kfree(vcpu->cpuid);
	kfree(vcpu);
}

void bk_vcpu_destroy(struct bk_vcpu *vcpu)
{
	struct bk_call call = {};

	bk_vcpu_call(vcpu, GUESTS_VCPU_DESTROY, &call);
	mutex_lock(&vcpus_lock);
	list_del(&vcpu->list);
	mutex_unlock(&vcpus_lock);
	free_vcpu(vcpu);
}

static struct bk_vcpu *allocate(struct bk_vm *vm, u32 number)
{
	struct bk_vcpu *vcpu = kzalloc(sizeof(*vcpu), GFP_KERNEL_ACCOUNT);
	unsigned long run;

	if (!vcpu)
		return NULL;
	vcpu->vm = vm;
	vcpu->number = number;
	vcpu->cpu = -1;
	vcpu->barrier_cpu = -1;
	vcpu->apic_base = RESET_APIC_BASE | (number ? 0 : BOOTSTRAP_BIT);
	mutex_init(&vcpu->mutex);
	vcpu->page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	run = __get_free_pages(GFP_KERNEL_ACCOUNT | __GFP_ZERO, get_order(MMAP_PAGES * PAGE_SIZE));
	if (run) {
		split_page(virt_to_page((void *)run), get_order(MMAP_PAGES * PAGE_SIZE));
		vcpu->run = (void *)run;
		vcpu->pio = (u8 *)run + PAGE_SIZE;
	}
	if (vcpu->page && vcpu->run)
		return vcpu;
	free_vcpu(vcpu);
	return NULL;
}

/* With the VM's lock held. */
static int make(struct bk_vm *vm, struct bk_vcpu *vcpu)
{
	struct bk_call call = { .rsi = vm->id, .rdi = virt_to_phys(vcpu->page) };
	int result = xa_insert(&vm->vcpus, vcpu->number, vcpu, GFP_KERNEL_ACCOUNT);

	if (result)
		return result == -EBUSY ? -EEXIST : result;
	result = bk_call(vm, GUESTS_VCPU_CREATE, &call);
	vcpu->id = call.rdx;
	if (result) {
		xa_erase(&vm->vcpus, vcpu->number);
		return result;
	}
	WRITE_ONCE(vm->guests.nr_vcpus, vm->guests.nr_vcpus + 1);
	mutex_lock(&vcpus_lock);
	list_add(&vcpu->list, &vcpus);
	mutex_unlock(&vcpus_lock);
	return 0;
}

int bk_vcpu_create(struct bk_vm *vm, unsigned long number)
{
	struct bk_vcpu *vcpu;
	char name[24];
	int result;

	if (number >= BK_MAX_VCPUS)
		return -EINVAL;
	vcpu = allocate(vm, number);
	if (!vcpu)
		return -ENOMEM;
	mutex_lock(&vm->lock);
	result = vm->max_vcpu_id && number >= vm->max_vcpu_id ? -EINVAL : make(vm, vcpu);
	if (result) {
		free_vcpu(vcpu);
		goto out;
	}
	snprintf(name, sizeof(name), "kvm-vcpu:%lu", number);
	kref_get(&vm->ref);
	result = anon_inode_getfd(name, &vcpu_operations, vcpu, O_RDWR | O_CLOEXEC);
	if (result < 0) {
		bk_vm_put(vm); /* never the last one: the caller has the file of the VM */
		xa_erase(&vm->vcpus, number);
		WRITE_ONCE(vm->guests.nr_vcpus, vm->guests.nr_vcpus - 1);
		bk_vcpu_destroy(vcpu);
	}
out:
	mutex_unlock(&vm->lock);
	return result;
}
