// SPDX-License-Identifier: MIT
/* AMD: the VMCB of guests, and their exits (APM vol. 2 chapter 15). */
#include <abi/hw/svm.h>
#include <bsl/string.h>
#include <ext/guests/guests.h>
#include <ext/guests/list.h>
#include <ext/linux/cpuid.h>
#include <ext/linux/svm.h>

#define BIT_OF_CR4 (1u << 4) /* in the intercepts of control registers */
#define CR_OF_EXIT 4

/* CR4.MCE is set in the CPU: without it a machine check would shut the machine down. */
#define FORCED_CR4 CR4_MCE

#define LEAF_SVM 0x8000000A
#define FIRST_ASID 2 /* Linux has 1 */

static uint64_t iopm_spa, msrpm_spa; /* all bits set: everything exits */
static uint64_t nr_asids;

static bool make_map(uint64_t size, uint64_t *spa)
{
	uint64_t va;

	if (mk1_mem_alloc_huge(MK1_HANDLE, size, &va, spa) != MK1_SUCCESS)
		return false;
	bsl_memset((void *)va, 0xFF, size);
	return true;
}

static bool start(void)
{
	struct cpuid_regs features = cpuid(LEAF_SVM, 0);

	nr_asids = features.ebx;
	if (!(features.edx & CPUID_8000000A_EDX_NP)) {
		ext_print("%s: no guests: this CPU has no nested paging\n", ext_name);
		return false;
	}
	if (nr_asids <= FIRST_ASID) {
		ext_print("%s: no guests: this CPU has too few ASIDs\n", ext_name);
		return false;
	}
	if (!make_map(SVM_IOPM_SIZE, &iopm_spa) || !make_map(SVM_MSRPM_SIZE, &msrpm_spa)) {
		ext_print("%s: no guests: no memory for the permission maps\n", ext_name);
		return false;
	}
	return true;
}

static bool setup(struct vcpu *v)
{
	const struct {
		uint64_t reg, value;
	} values[] = {
		{ MK1_AMD_guest_asid, FIRST_ASID + v->vsid % (nr_asids - FIRST_ASID) },
		{ MK1_AMD_intercept_cr_read, BIT_OF_CR4 },
		{ MK1_AMD_intercept_cr_write, BIT_OF_CR4 },
		{ MK1_AMD_intercept_exception,
		  EXCEPTION_BIT(VECTOR_DB) | EXCEPTION_BIT(VECTOR_AC) },
		{ MK1_AMD_intercept_instruction1, SVM_GUEST_INTERCEPTS1 },
		{ MK1_AMD_intercept_instruction2,
		  SVM_GUEST_INTERCEPTS2 | (has_tsc_aux() ? 0 : SVM_INSTR2_RDTSCP) },
		{ MK1_AMD_intercept_instruction3, SVM_INSTR3_INVPCID },
		{ MK1_AMD_iopm_base_pa, iopm_spa },
		{ MK1_AMD_msrpm_base_pa, msrpm_spa },
		{ MK1_AMD_dr6, DR6_RESET },
		{ MK1_AMD_dr7, DR7_RESET },
		{ MK1_AMD_pat, PAT_RESET },
	};
	struct list list = { .count = 0 };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		list_add(&list, values[i].reg, values[i].value);
	return list_write(v, &list);
}

/* --- registers -------------------------------------------------------------------------------- */

static uint16_t pack(uint64_t rights)
{
	uint16_t attrib = rights & GUESTS_SEG_ATTRIB;

	return attrib & SEG_ATTRIB_P ? attrib : attrib | GUESTS_SEG_UNUSABLE;
}

static uint64_t unpack(uint16_t attrib)
{
	return attrib & GUESTS_SEG_UNUSABLE ? attrib & GUESTS_SEG_ATTRIB & ~SEG_ATTRIB_P :
					      attrib & GUESTS_SEG_ATTRIB;
}

static void get_sregs(struct vcpu *v, struct guests_sregs *sregs)
{
	struct list list = { .count = 0 };
	const struct mk2_list_entry *own;

	list_add_sregs(&list, &reset_sregs, unpack);
	list_add(&list, MK1_AMD_cr0, 0);
	list_add(&list, MK1_AMD_cpl, 0);
	list_read(v, &list);
	own = &list.entry[list_take_sregs(&list, sregs, pack)];
	sregs->cr0 = own[0].value;
	sregs->cr4 = v->cr4;
	sregs->efer &= ~(uint64_t)EFER_SVME;
	/* The DPL of SS is not always the CPL on AMD, as it is for whoever reads this. */
	sregs->ss.attrib &= (uint16_t)~SEG_ATTRIB_DPL;
	sregs->ss.attrib |= (uint16_t)(own[1].value << SEG_ATTRIB_DPL_SHIFT);
}

static void set_cr4(struct vcpu *v, uint64_t value)
{
	v->cr4 = value;
	vs_set(v->vsid, MK1_AMD_cr4, value | FORCED_CR4);
}

static bool set_sregs(struct vcpu *v, const struct guests_sregs *sregs)
{
	struct list list = { .count = 0 };

	list_add_sregs(&list, sregs, unpack);
	list.entry[list.count - 1].value |= EFER_SVME; /* the last one of these */
	list_add(&list, MK1_AMD_cr0, sregs->cr0 | CR0_ET);
	list_add(&list, MK1_AMD_cpl, sregs->ss.attrib >> SEG_ATTRIB_DPL_SHIFT & 3);
	if (!list_write(v, &list))
		return false;
	set_cr4(v, sregs->cr4);
	return true;
}

static uint64_t get_cr0(struct vcpu *v)
{
	return vs_get(v->vsid, MK1_AMD_cr0);
}

static uint64_t get_cr4(struct vcpu *v)
{
	return v->cr4;
}

static uint8_t get_cpl(struct vcpu *v)
{
	return (uint8_t)vs_get(v->vsid, MK1_AMD_cpl);
}

/* --- events ----------------------------------------------------------------------------------- */

/* No IRET has exited since. */
#define NO_IRET (~0ull)

static void set_nmi_masked(struct vcpu *v, bool masked)
{
	uint64_t intercepts = vs_get(v->vsid, MK1_AMD_intercept_instruction1);

	v->nmi_masked = masked;
	v->iret_rip = NO_IRET;
	vs_set(v->vsid, MK1_AMD_intercept_instruction1,
	       masked ? intercepts | SVM_INSTR1_IRET : intercepts & ~(uint64_t)SVM_INSTR1_IRET);
}

/*
 * An IRET that has exited unmasks NMIs once it has been executed: that is seen at the next exit
 * with another RIP.
 */
static bool get_nmi_masked(struct vcpu *v)
{
	if (v->nmi_masked && v->iret_rip != NO_IRET && vs_get(v->vsid, MK1_AMD_rip) != v->iret_rip)
		v->nmi_masked = false;
	return v->nmi_masked;
}

static void inject(struct vcpu *v, const struct event *event)
{
	static const uint64_t types[] = {
		[EVENT_IRQ] = SVM_EVENT_TYPE_INTR,
		[EVENT_NMI] = SVM_EVENT_TYPE_NMI,
		[EVENT_EXCEPTION] = SVM_EVENT_TYPE_EXCEPTION,
	};

	vs_set(v->vsid, MK1_AMD_eventinj,
	       SVM_EVENT_VALID | types[event->kind] | event->vector |
		       (event->has_error ? SVM_EVENT_ERROR_CODE | (uint64_t)event->error << 32 :
					   0));
	v->injected = true;
	if (event->kind == EVENT_NMI)
		set_nmi_masked(v, true);
}

/*
 * What was being delivered when the guest exited is delivered again, unless it comes from an
 * instruction, which is executed again (§15.7.2).
 */
static void keep_event(struct vcpu *v)
{
	uint64_t info = vs_get(v->vsid, MK1_AMD_exitininfo);
	uint8_t vector = info & SVM_EVENT_VECTOR;

	if (!(info & SVM_EVENT_VALID) || (info & SVM_EVENT_TYPE) == SVM_EVENT_TYPE_SOFTWARE)
		return;
	v->event = (struct event){ .kind = EVENT_EXCEPTION, .vector = vector };
	if ((info & SVM_EVENT_TYPE) == SVM_EVENT_TYPE_INTR) {
		v->event.kind = EVENT_IRQ;
	} else if ((info & SVM_EVENT_TYPE) == SVM_EVENT_TYPE_NMI) {
		v->event.kind = EVENT_NMI;
		v->event.vector = VECTOR_NMI;
	} else if (vector == VECTOR_BP || vector == VECTOR_OF) {
		v->event.kind = EVENT_NONE;
	} else if (info & SVM_EVENT_ERROR_CODE) {
		v->event.has_error = true;
		v->event.error = (uint32_t)(info >> 32);
	}
}

static bool has_shadow(struct vcpu *v)
{
	return vs_get(v->vsid, MK1_AMD_virtual_interrupt_b) & SVM_INTERRUPT_SHADOW;
}

static bool can_take_irq(struct vcpu *v)
{
	return (vs_get(v->vsid, MK1_AMD_rflags) & RFLAGS_IF) && !has_shadow(v);
}

static bool can_take_nmi(struct vcpu *v)
{
	return !get_nmi_masked(v) && !has_shadow(v);
}

static uint8_t get_shadow(struct vcpu *v)
{
	return has_shadow(v) ? GUESTS_SHADOW_MOV_SS | GUESTS_SHADOW_STI : 0;
}

static void set_shadow(struct vcpu *v, uint8_t shadow)
{
	vs_set(v->vsid, MK1_AMD_virtual_interrupt_b, shadow ? SVM_INTERRUPT_SHADOW : 0);
}

/* A virtual interrupt exits when it would be delivered (§15.21.4). For NMIs: can_take_nmi. */
static void set_windows(struct vcpu *v, bool irq, bool nmi)
{
	uint64_t control = vs_get(v->vsid, MK1_AMD_virtual_interrupt_a);
	uint64_t intercepts = vs_get(v->vsid, MK1_AMD_intercept_instruction1);

	(void)nmi;
	if (irq == v->irq_window)
		return;
	v->irq_window = irq;
	vs_set(v->vsid, MK1_AMD_virtual_interrupt_a,
	       irq ? control | SVM_V_IRQ | SVM_V_IGN_TPR :
		     control & ~(uint64_t)(SVM_V_IRQ | SVM_V_IGN_TPR));
	vs_set(v->vsid, MK1_AMD_intercept_instruction1,
	       irq ? intercepts | SVM_INSTR1_VINTR : intercepts & ~(uint64_t)SVM_INSTR1_VINTR);
}

static void skip_to(struct vcpu *v, uint64_t rip)
{
	uint64_t rflags = vs_get(v->vsid, MK1_AMD_rflags);

	vs_set(v->vsid, MK1_AMD_rip, rip);
	vs_set(v->vsid, MK1_AMD_rflags, rflags & ~(uint64_t)RFLAGS_RF);
	vs_set(v->vsid, MK1_AMD_virtual_interrupt_b, 0);
	if (!(rflags & RFLAGS_TF))
		return;
	vs_set(v->vsid, MK1_AMD_dr6, vs_get(v->vsid, MK1_AMD_dr6) | DR6_BS);
	v->event = (struct event){ .kind = EVENT_EXCEPTION, .vector = VECTOR_DB };
}

/* --- exits ------------------------------------------------------------------------------------ */

/* MOV to or from CR4. The CPU may not say which register it names, and QEMU does not. */
static __noreturn void answer_cr4(struct vcpu *v, bool write)
{
	static const uint8_t numbers[16] = { MK1_AMD_rax, MK1_AMD_rcx, MK1_AMD_rdx, MK1_AMD_rbx,
					     MK1_AMD_rsp, MK1_AMD_rbp, MK1_AMD_rsi, MK1_AMD_rdi,
					     MK1_AMD_r8,  MK1_AMD_r9,  MK1_AMD_r10, MK1_AMD_r11,
					     MK1_AMD_r12, MK1_AMD_r13, MK1_AMD_r14, MK1_AMD_r15 };
	uint64_t info = vs_get(v->vsid, MK1_AMD_exitinfo1);
	bool code_64 = (vs_get(v->vsid, MK1_AMD_efer) & EFER_LMA) &&
		       (vs_get(v->vsid, MK1_AMD_cs_attrib) & SEG_ATTRIB_L);
	unsigned int gpr = SVM_CR_GPR(info);
	uint64_t value;

	if (!(info & SVM_CR_DECODED)) {
		struct emulate_regs regs;
		uint8_t bytes[INSN_MAX_LENGTH];
		enum paging_status status;
		uint32_t error;
		size_t avail;

		get_emulated(v, &regs);
		avail = fetch(v, &regs, bytes, &status, &error);
		if (!rules_decode_mov_cr(bytes, avail, code_64, &gpr))
			leave_internal(v, GUESTS_INTERNAL_FETCH, 0);
	}
	value = vs_get(v->vsid, numbers[gpr]);
	if (write) {
		if (!write_cr4(v, code_64 ? value : (uint32_t)value))
			give_error(v, VECTOR_GP, 0);
	} else {
		vs_set(v->vsid, numbers[gpr], v->cr4);
	}
	advance(v);
	go_on(v);
}

static __noreturn void answer_iret(struct vcpu *v)
{
	vs_set(v->vsid, MK1_AMD_intercept_instruction1,
	       vs_get(v->vsid, MK1_AMD_intercept_instruction1) & ~(uint64_t)SVM_INSTR1_IRET);
	v->iret_rip = vs_get(v->vsid, MK1_AMD_rip);
	go_on(v);
}

static __noreturn void answer_io(struct vcpu *v)
{
	uint64_t info = vs_get(v->vsid, MK1_AMD_exitinfo1);

	exit_io(v, info & SVM_IOIO_IN, info & SVM_IOIO_STRING, SVM_IOIO_PORT(info),
		SVM_IOIO_SIZE(info), vs_get(v->vsid, MK1_AMD_exitinfo2));
}

static void on_exit(struct vcpu *v, uint64_t reason)
{
	if ((uint32_t)reason == (uint32_t)SVM_EXIT_INVALID)
		leave_refused(v, reason);
	if (v->injected) {
		v->injected = false;
		vs_set(v->vsid, MK1_AMD_eventinj, 0);
	}
	keep_event(v);
	switch ((uint32_t)reason) {
	case SVM_EXIT_INTR:
	case SVM_EXIT_NMI:
	case SVM_EXIT_EXCEPTION + VECTOR_MC:
		leave(v, GUESTS_EXIT_INTR);
	case SVM_EXIT_VINTR:
		go_on(v);
	case SVM_EXIT_CPUID:
		exit_cpuid(v);
	case SVM_EXIT_MSR:
		exit_msr(v, vs_get(v->vsid, MK1_AMD_exitinfo1) & SVM_EXITINFO1_WRITE);
	case SVM_EXIT_HLT:
		exit_hlt(v);
	case SVM_EXIT_IOIO:
		answer_io(v);
	case SVM_EXIT_NPF:
		exit_nested_fault(v, vs_get(v->vsid, MK1_AMD_exitinfo2),
				  vs_get(v->vsid, MK1_AMD_exitinfo1) & SVM_NPF_WRITE);
	case SVM_EXIT_CR_READ + CR_OF_EXIT:
	case SVM_EXIT_CR_WRITE + CR_OF_EXIT:
		answer_cr4(v, reason == SVM_EXIT_CR_WRITE + CR_OF_EXIT);
	case SVM_EXIT_EXCEPTION + VECTOR_DB:
		/* DR6 and DR7 are as the guest is to find them (§15.12.2). */
		give_exception(v, VECTOR_DB);
	case SVM_EXIT_EXCEPTION + VECTOR_AC:
		give_error(v, VECTOR_AC, (uint32_t)vs_get(v->vsid, MK1_AMD_exitinfo1));
	case SVM_EXIT_IRET:
		answer_iret(v);
	case SVM_EXIT_INVD:
	case SVM_EXIT_WBINVD:
		exit_nothing(v);
	case SVM_EXIT_XSETBV:
		exit_xsetbv(v);
	case SVM_EXIT_RDPMC:
		give_error(v, VECTOR_GP, 0);
	case SVM_EXIT_INVLPGA:
	case SVM_EXIT_VMRUN:
	case SVM_EXIT_VMMCALL:
	case SVM_EXIT_VMLOAD:
	case SVM_EXIT_VMSAVE:
	case SVM_EXIT_STGI:
	case SVM_EXIT_CLGI:
	case SVM_EXIT_SKINIT:
	case SVM_EXIT_RDTSCP:
	case SVM_EXIT_MONITOR:
	case SVM_EXIT_MWAIT:
	case SVM_EXIT_MWAIT_ARMED:
	case SVM_EXIT_RDPRU:
	case SVM_EXIT_INVPCID:
		give_exception(v, VECTOR_UD);
	case SVM_EXIT_TASK_SWITCH:
		leave_internal(v, GUESTS_INTERNAL_TASK_SWITCH, 0);
	case SVM_EXIT_SHUTDOWN:
		leave(v, GUESTS_EXIT_SHUTDOWN);
	default:
		leave_internal(v, GUESTS_INTERNAL_EXIT, reason);
	}
}

const struct vendor svm_vendor = VENDOR_OPS;
