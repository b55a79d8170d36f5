// SPDX-License-Identifier: GPL-2.0-only
/* The ioctls of a virtual CPU that read and write its state. */
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>
#include <asm/tsc.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "kvm.h"

#define CR3_PDPTES 0xFFFFFFE0ull /* where PAE paging has its highest level */
#define LAST_EXCEPTION 31
/* No x2APIC (bit 10), and an address of a guest's. */
#define APIC_BASE_RESERVED (0x6FFull | ~0ull << GUESTS_GPA_BITS)

int bk_get_state(struct bk_vcpu *vcpu, u64 parts)
{
	struct bk_call call = { .rdi = parts };

	return bk_vcpu_call(vcpu, GUESTS_STATE_GET, &call);
}

int bk_set_state(struct bk_vcpu *vcpu, u64 parts)
{
	struct bk_call call = { .rdi = parts };

	return bk_vcpu_call(vcpu, GUESTS_STATE_SET, &call);
}

/* --- regs, sregs ------------------------------------------------------------------------------ */

static int get_regs(struct bk_vcpu *vcpu, struct kvm_regs *regs)
{
	int result = bk_get_state(vcpu, GUESTS_STATE_REGS);

	if (!result)
		bk_regs_to_kvm(&vcpu->page->regs, regs);
	return result;
}

static int set_regs(struct bk_vcpu *vcpu, const struct kvm_regs *regs)
{
	bk_regs_from_kvm(regs, &vcpu->page->regs);
	return bk_set_state(vcpu, GUESTS_STATE_REGS);
}

static int get_sregs(struct bk_vcpu *vcpu, struct kvm_sregs *sregs)
{
	const struct guests_events *events = &vcpu->page->events;
	int result = bk_get_state(vcpu, GUESTS_STATE_SREGS | GUESTS_STATE_EVENTS);
	u8 irq = events->kind == GUESTS_EVENT_IRQ ? events->vector : vcpu->irq;

	if (result)
		return result;
	bk_sregs_to_kvm(&vcpu->page->sregs, sregs);
	sregs->apic_base = vcpu->apic_base;
	if (vcpu->has_irq || events->kind == GUESTS_EVENT_IRQ)
		sregs->interrupt_bitmap[irq / 64] |= 1ull << (irq % 64);
	return 0;
}

/* But for interrupt_bitmap. */
static int set_most_sregs(struct bk_vcpu *vcpu, const struct kvm_sregs *sregs, u64 parts)
{
	int result;

	if (sregs->apic_base & APIC_BASE_RESERVED)
		return -EINVAL;
	bk_sregs_from_kvm(sregs, &vcpu->page->sregs);
	result = bk_set_state(vcpu, GUESTS_STATE_SREGS | parts);
	if (result)
		return result;
	vcpu->apic_base = sregs->apic_base;
	vcpu->run->cr8 = sregs->cr8;
	return 0;
}

/* The interrupt that is to be delivered: in place of one whose delivery has begun, if there is. */
static int set_irq(struct bk_vcpu *vcpu, u8 vector)
{
	struct guests_events *events = &vcpu->page->events;
	int result = bk_get_state(vcpu, GUESTS_STATE_EVENTS);

	if (result)
		return result;
	if (events->kind == GUESTS_EVENT_IRQ) {
		events->vector = vector;
		return bk_set_state(vcpu, GUESTS_STATE_EVENTS);
	}
	vcpu->has_irq = true;
	vcpu->irq = vector;
	return 0;
}

static int set_sregs(struct bk_vcpu *vcpu, const struct kvm_sregs *sregs)
{
	int result = set_most_sregs(vcpu, sregs, 0);
	unsigned int vector;

	for (vector = 0; !result && vector < KVM_NR_INTERRUPTS; vector++) {
		if (sregs->interrupt_bitmap[vector / 64] >> (vector % 64) & 1)
			return set_irq(vcpu, vector);
	}
	return result;
}

/* --- sregs2 ----------------------------------------------------------------------------------- */

static bool has_pdptes(u64 cr0, u64 cr4, u64 efer)
{
	return (cr0 & X86_CR0_PG) && (cr4 & X86_CR4_PAE) && !(efer & EFER_LMA);
}

/* Those that the CPU has, or would read. */
static void get_pdptes(struct bk_vcpu *vcpu, struct kvm_sregs2 *sregs)
{
	const struct guests_pdptes *pdptes = &vcpu->page->pdptes;

	if (!has_pdptes(sregs->cr0, sregs->cr4, sregs->efer))
		return;
	if (pdptes->valid)
		memcpy(sregs->pdptrs, pdptes->entry, sizeof(sregs->pdptrs));
	else if (!bk_read_guest(vcpu->vm, sregs->cr3 & CR3_PDPTES, sregs->pdptrs,
				sizeof(sregs->pdptrs)))
		return;
	sregs->flags |= KVM_SREGS2_FLAGS_PDPTRS_VALID;
}

/* X(member): what both structures have under the same name */
// clang-format off
#define SREGS(X) \
	X(cs) X(ds) X(es) X(fs) X(gs) X(ss) X(tr) X(ldt) X(gdt) X(idt) \
	X(cr0) X(cr2) X(cr3) X(cr4) X(cr8) X(efer) X(apic_base)
// clang-format on

#define COPY(member) to->member = from->member;

static int get_sregs2(struct bk_vcpu *vcpu, struct kvm_sregs2 *to)
{
	struct kvm_sregs sregs = {};
	const struct kvm_sregs *from = &sregs;
	int result = get_sregs(vcpu, &sregs) ?: bk_get_state(vcpu, GUESTS_STATE_PDPTES);

	if (result)
		return result;
	SREGS(COPY)
	get_pdptes(vcpu, to);
	return 0;
}

static int set_sregs2(struct bk_vcpu *vcpu, const struct kvm_sregs2 *from)
{
	struct kvm_sregs sregs = {};
	struct kvm_sregs *to = &sregs;
	bool valid = from->flags & KVM_SREGS2_FLAGS_PDPTRS_VALID;

	if ((from->flags & ~(u64)KVM_SREGS2_FLAGS_PDPTRS_VALID) ||
	    (valid && !has_pdptes(from->cr0, from->cr4, from->efer)))
		return -EINVAL;
	SREGS(COPY)
	vcpu->page->pdptes.valid = valid;
	memcpy(vcpu->page->pdptes.entry, from->pdptrs, sizeof(from->pdptrs));
	return set_most_sregs(vcpu, &sregs, valid ? GUESTS_STATE_PDPTES : 0);
}

/* --- events ----------------------------------------------------------------------------------- */

static int get_events(struct bk_vcpu *vcpu, struct kvm_vcpu_events *to)
{
	const struct guests_events *from = &vcpu->page->events;
	int result = bk_get_state(vcpu, GUESTS_STATE_EVENTS);

	if (result)
		return result;
	if (from->kind == GUESTS_EVENT_EXCEPTION) {
		to->exception.injected = 1;
		to->exception.nr = from->vector;
		to->exception.has_error_code = from->has_error;
		to->exception.error_code = from->error;
	}
	to->interrupt.injected = vcpu->has_irq || from->kind == GUESTS_EVENT_IRQ;
	to->interrupt.nr = from->kind == GUESTS_EVENT_IRQ ? from->vector : vcpu->irq;
	to->interrupt.shadow = from->shadow; /* GUESTS_SHADOW_ are KVM_X86_SHADOW_ */
	to->nmi.injected = from->kind == GUESTS_EVENT_NMI;
	to->nmi.pending = vcpu->nmis;
	to->nmi.masked = from->nmi_masked;
	to->flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
	return 0;
}

/* What is not kept: system management mode, INIT, a software interrupt on its way. */
static bool is_kept(const struct kvm_vcpu_events *events)
{
	const u32 flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW |
			  KVM_VCPUEVENT_VALID_SIPI_VECTOR | KVM_VCPUEVENT_VALID_SMM;

	if (events->flags & ~flags)
		return false;
	if ((events->flags & KVM_VCPUEVENT_VALID_SMM) &&
	    (events->smi.smm || events->smi.pending || events->smi.smm_inside_nmi ||
	     events->smi.latched_init))
		return false;
	return !(events->interrupt.injected && events->interrupt.soft);
}

static int set_events(struct bk_vcpu *vcpu, const struct kvm_vcpu_events *from)
{
	struct guests_events *to = &vcpu->page->events;
	bool exception = from->exception.injected;
	u8 shadow;
	int result;

	if (!is_kept(from) || (exception && (from->exception.nr > LAST_EXCEPTION ||
					     from->exception.nr == X86_TRAP_NMI)))
		return -EINVAL;
	result = bk_get_state(vcpu, GUESTS_STATE_EVENTS);
	if (result)
		return result;
	shadow = to->shadow;
	if (from->flags & KVM_VCPUEVENT_VALID_SHADOW)
		shadow = from->interrupt.shadow &
			 (KVM_X86_SHADOW_INT_MOV_SS | KVM_X86_SHADOW_INT_STI);
	*to = (struct guests_events){ .shadow = shadow, .nmi_masked = !!from->nmi.masked };
	if (exception) {
		to->kind = GUESTS_EVENT_EXCEPTION;
		to->vector = from->exception.nr;
		to->has_error = !!from->exception.has_error_code;
		to->error = to->has_error ? from->exception.error_code : 0;
	} else if (from->nmi.injected) {
		to->kind = GUESTS_EVENT_NMI;
		to->vector = X86_TRAP_NMI;
	}
	result = bk_set_state(vcpu, GUESTS_STATE_EVENTS);
	if (result)
		return result;
	vcpu->has_irq = from->interrupt.injected;
	vcpu->irq = from->interrupt.nr;
	if (from->flags & KVM_VCPUEVENT_VALID_NMI_PENDING)
		vcpu->nmis = min_t(u8, from->nmi.pending, BK_MAX_NMIS);
	return 0;
}

/* --- debug registers -------------------------------------------------------------------------- */

static int get_debug(struct bk_vcpu *vcpu, struct kvm_debugregs *to)
{
	const struct guests_debug *from = &vcpu->page->debug;
	int result = bk_get_state(vcpu, GUESTS_STATE_DEBUG);

	if (result)
		return result;
	memcpy(to->db, from->dr, sizeof(to->db));
	to->dr6 = from->dr6;
	to->dr7 = from->dr7;
	return 0;
}

static int set_debug(struct bk_vcpu *vcpu, const struct kvm_debugregs *from)
{
	struct guests_debug *to = &vcpu->page->debug;

	if (from->flags)
		return -EINVAL;
	memcpy(to->dr, from->db, sizeof(to->dr));
	to->dr6 = from->dr6;
	to->dr7 = from->dr7;
	return bk_set_state(vcpu, GUESTS_STATE_DEBUG);
}

/* --- MSRs ------------------------------------------------------------------------------------- */

/* Some of the entries, at most GUESTS_MAX_MSRS. Returns how many were handled, or an error. */
static int do_some_msrs(struct bk_vcpu *vcpu, enum guests_op op, struct kvm_msr_entry *entries,
			u32 count)
{
	struct guests_msr *msrs = vcpu->page->msrs;
	struct bk_call call = { .rdi = count };
	int result;
	u32 i;

	for (i = 0; i < count; i++)
		msrs[i] = (struct guests_msr){ .msr = entries[i].index, .value = entries[i].data };
	result = bk_vcpu_call(vcpu, op, &call);
	if (result)
		return result;
	if (call.rdx > count)
		return -EIO;
	for (i = 0; i < call.rdx; i++)
		entries[i].data = msrs[i].value;
	return call.rdx;
}

static int do_entries(struct bk_vcpu *vcpu, enum guests_op op, struct kvm_msr_entry *entries,
		      u32 count)
{
	u32 done = 0;

	while (done < count) {
		u32 some = min_t(u32, count - done, GUESTS_MAX_MSRS);
		int result = do_some_msrs(vcpu, op, entries + done, some);

		if (result < 0)
			return result;
		done += result;
		if (result < some)
			break;
	}
	return done;
}

/* KVM_GET_MSRS and KVM_SET_MSRS return how many were handled. */
static int do_msrs(struct bk_vcpu *vcpu, enum guests_op op, struct kvm_msrs __user *user)
{
	struct kvm_msr_entry *entries;
	struct kvm_msrs head;
	size_t size;
	int result;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.nmsrs >= BK_MAX_MSRS)
		return -E2BIG;
	size = array_size(head.nmsrs, sizeof(*entries));
	entries = memdup_user(user->entries, size);
	if (IS_ERR(entries))
		return PTR_ERR(entries);
	result = do_entries(vcpu, op, entries, head.nmsrs);
	if (result >= 0 && op == GUESTS_MSRS_GET && copy_to_user(user->entries, entries, size))
		result = -EFAULT;
	kfree(entries);
	return result;
}

/* --- TSC -------------------------------------------------------------------------------------- */

/* Guests' TSC is as fast as the CPU's, within what KVM takes for the same: 250 ppm. */
int bk_set_tsc_khz(unsigned long khz)
{
	u64 tolerance = tsc_khz / 4000;

	if (khz && (khz > tsc_khz + tolerance || khz < tsc_khz - tolerance))
		return -EINVAL;
	return 0;
}

static bool is_tsc_offset(const struct kvm_device_attr *attr)
{
	return attr->group == KVM_VCPU_TSC_CTRL && attr->attr == KVM_VCPU_TSC_OFFSET;
}

static int device_attr(struct bk_vcpu *vcpu, unsigned int command, const void __user *user)
{
	struct kvm_device_attr attr;
	u64 __user *offset;
	int result;

	if (copy_from_user(&attr, user, sizeof(attr)))
		return -EFAULT;
	if (!is_tsc_offset(&attr))
		return -ENXIO;
	offset = (u64 __user *)(unsigned long)attr.addr;
	if (command == KVM_HAS_DEVICE_ATTR)
		return 0;
	if (command == KVM_SET_DEVICE_ATTR) {
		if (get_user(vcpu->page->tsc_offset, offset))
			return -EFAULT;
		return bk_set_state(vcpu, GUESTS_STATE_TSC);
	}
	result = bk_get_state(vcpu, GUESTS_STATE_TSC);
	if (result)
		return result;
	return put_user(vcpu->page->tsc_offset, offset) ? -EFAULT : 0;
}

/* --- registers in struct kvm_run -------------------------------------------------------------- */

int bk_take_sync_regs(struct bk_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	u64 dirty = READ_ONCE(run->kvm_dirty_regs);
	int result = 0;

	if (((READ_ONCE(run->kvm_valid_regs) | dirty) & ~(u64)KVM_SYNC_X86_VALID_FIELDS))
		return -EINVAL;
	if (dirty & KVM_SYNC_X86_REGS) {
		struct kvm_regs regs = run->s.regs.regs;

		result = set_regs(vcpu, &regs);
		run->kvm_dirty_regs &= ~(u64)KVM_SYNC_X86_REGS;
	}
	if (!result && (dirty & KVM_SYNC_X86_SREGS)) {
		struct kvm_sregs sregs = run->s.regs.sregs;

		result = set_sregs(vcpu, &sregs);
		if (!result)
			run->kvm_dirty_regs &= ~(u64)KVM_SYNC_X86_SREGS;
	}
	if (!result && (dirty & KVM_SYNC_X86_EVENTS)) {
		struct kvm_vcpu_events events = run->s.regs.events;

		result = set_events(vcpu, &events);
		if (!result)
			run->kvm_dirty_regs &= ~(u64)KVM_SYNC_X86_EVENTS;
	}
	return result;
}

void bk_give_sync_regs(struct bk_vcpu *vcpu)
{
	u64 valid = READ_ONCE(vcpu->run->kvm_valid_regs);
	struct kvm_sync_regs *to = &vcpu->run->s.regs;

	if (valid & KVM_SYNC_X86_REGS) {
		struct kvm_regs regs = {};

		if (!get_regs(vcpu, &regs))
			to->regs = regs;
	}
	if (valid & KVM_SYNC_X86_SREGS) {
		struct kvm_sregs sregs = {};

		if (!get_sregs(vcpu, &sregs))
			to->sregs = sregs;
	}
	if (valid & KVM_SYNC_X86_EVENTS) {
		struct kvm_vcpu_events events = {};

		if (!get_events(vcpu, &events))
			to->events = events;
	}
}

/* --- ioctls ----------------------------------------------------------------------------------- */

/* Reads with a function into a zeroed structure, and copies that to user space. */
#define GET(type, function) \
	({ \
		type what = {}; \
		int outcome = function(vcpu, &what); \
		outcome ?: copy_to_user(user, &what, sizeof(what)) ? -EFAULT : 0; \
	})

#define SET(type, function) \
	({ \
		type what; \
		copy_from_user(&what, user, sizeof(what)) ? -EFAULT : function(vcpu, &what); \
	})

int bk_state_ioctl(struct bk_vcpu *vcpu, unsigned int command, unsigned long argument)
{
	void __user *user = (void __user *)argument;

	switch (command) {
	case KVM_GET_REGS:
		return GET(struct kvm_regs, get_regs);
	case KVM_SET_REGS:
		return SET(struct kvm_regs, set_regs);
	case KVM_GET_SREGS:
		return GET(struct kvm_sregs, get_sregs);
	case KVM_SET_SREGS:
		return SET(struct kvm_sregs, set_sregs);
	case KVM_GET_SREGS2:
		return GET(struct kvm_sregs2, get_sregs2);
	case KVM_SET_SREGS2:
		return SET(struct kvm_sregs2, set_sregs2);
	case KVM_GET_VCPU_EVENTS:
		return GET(struct kvm_vcpu_events, get_events);
	case KVM_SET_VCPU_EVENTS:
		return SET(struct kvm_vcpu_events, set_events);
	case KVM_GET_DEBUGREGS:
		return GET(struct kvm_debugregs, get_debug);
	case KVM_SET_DEBUGREGS:
		return SET(struct kvm_debugregs, set_debug);
	case KVM_GET_FPU:
		return bk_get_fpu(vcpu, user);
	case KVM_SET_FPU:
		return bk_set_fpu(vcpu, user);
	case KVM_GET_XSAVE:
	case KVM_GET_XSAVE2:
		return bk_get_xsave(vcpu, user);
	case KVM_SET_XSAVE:
		return bk_set_xsave(vcpu, user);
	case KVM_GET_XCRS:
		return bk_get_xcrs(vcpu, user);
	case KVM_SET_XCRS:
		return bk_set_xcrs(vcpu, user);
	case KVM_GET_MSRS:
		return do_msrs(vcpu, GUESTS_MSRS_GET, user);
	case KVM_SET_MSRS:
		return do_msrs(vcpu, GUESTS_MSRS_SET, user);
	case KVM_GET_TSC_KHZ:
		return tsc_khz;
	case KVM_SET_TSC_KHZ:
		return bk_set_tsc_khz(argument);
	case KVM_HAS_DEVICE_ATTR:
	case KVM_GET_DEVICE_ATTR:
	case KVM_SET_DEVICE_ATTR:
		return device_attr(vcpu, command, user);
	default:
		return -ENOTTY;
	}
}

int bk_get_msr_index_list(u64 instance, struct kvm_msr_list __user *user)
{
	struct kvm_msr_list head;
	u32 room, i;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	room = head.nmsrs;
	for (i = 0; i < BK_MAX_MSRS; i++) {
		struct bk_call call = { .rsi = i };
		int result = bk_system_call(instance, GUESTS_MSR_LIST, &call);

		if (result == -EINVAL)
			break;
		if (result)
			return result;
		if (i < room && put_user((u32)call.rdx, &user->indices[i]))
			return -EFAULT;
	}
	if (put_user(i, &user->nmsrs))
		return -EFAULT;
	return i > room ? -E2BIG : 0;
}
