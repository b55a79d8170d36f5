// SPDX-License-Identifier: MIT
/* Intel: the VMCS of guests, and their exits (SDM vol. 3 chapters 27 to 30). */
#include <abi/hw/vmx.h>
#include <ext/guests/guests.h>
#include <ext/guests/list.h>
#include <ext/linux/vmx.h>

#define PRIMARY_NEEDED \
	(VMX_PRIMARY_HLT | VMX_PRIMARY_TSC_OFFSET | VMX_PRIMARY_MWAIT | VMX_PRIMARY_RDPMC | \
	 VMX_PRIMARY_IO | VMX_PRIMARY_MONITOR | VMX_PRIMARY_SECONDARY)
#define SECONDARY_NEEDED (VMX_SECONDARY_EPT | VMX_SECONDARY_UNRESTRICTED | VMX_SECONDARY_WBINVD)
#define SECONDARY_WANTED (VMX_SECONDARY_VPID | VMX_SECONDARY_RDTSCP | VMX_SECONDARY_ENCLS)
#define EPT_NEEDED (VMX_CAP_EPT_4_LEVELS | VMX_CAP_EPT_WB)

/* What is never the guest's own: VM entries and exits leave CD and NW as they are (§29.3.2.1). */
#define MASKED_CR0 (CR0_CD | CR0_NW)
/* CR4.MCE is set in the CPU: without it a machine check would shut the machine down. */
#define FORCED_CR4 CR4_MCE

#define FIRST_VPID 2 /* Linux has 1 */
#define VMX_EVENT_TYPE_INT1 0x500

#define LACKS(what) (ext_print("%s: no guests: this CPU lacks %s\n", ext_name, what), false)

/* The controls that may be 1, of a capability MSR. */
static uint64_t allowed(uint32_t msr)
{
	return vmx_capability(MK1_INVALID_ID, msr) >> 32;
}

static bool start(void)
{
	if (~allowed(MSR_VMX_PROCBASED_CTLS) & PRIMARY_NEEDED)
		return LACKS("controls of exits");
	if (~allowed(MSR_VMX_PROCBASED_CTLS2) & SECONDARY_NEEDED)
		return LACKS("EPT, unrestricted guests or WBINVD exiting");
	if (~vmx_capability(MK1_INVALID_ID, MSR_VMX_EPT_VPID_CAP) & EPT_NEEDED)
		return LACKS("EPT of four levels and write-back memory");
	return true;
}

/* Adds what is wanted to a field of controls, as far as the CPU has it. */
static uint64_t add(struct vcpu *v, uint64_t reg, uint64_t wanted)
{
	if (mk1_vs_write(MK1_HANDLE, v->vsid, reg, vs_get(v->vsid, reg) | wanted) != MK1_SUCCESS)
		return 0;
	return vs_get(v->vsid, reg);
}

static bool setup(struct vcpu *v)
{
	uint64_t primary = add(v, MK1_INTEL_primary_proc_based_vm_execution_ctls, PRIMARY_NEEDED);
	uint64_t secondary;

	if ((primary & PRIMARY_NEEDED) != PRIMARY_NEEDED ||
	    (primary & (VMX_PRIMARY_CR3_LOAD | VMX_PRIMARY_CR3_STORE | VMX_PRIMARY_MSR_BITMAPS)))
		return false;
	vs_set(v->vsid, MK1_INTEL_virtual_processor_identifier, FIRST_VPID + v->vsid);
	secondary = add(v, MK1_INTEL_secondary_proc_based_vm_execution_ctls,
			SECONDARY_NEEDED | SECONDARY_WANTED);
	if ((secondary & SECONDARY_NEEDED) != SECONDARY_NEEDED)
		return false;
	if (!(secondary & VMX_SECONDARY_VPID))
		vs_set(v->vsid, MK1_INTEL_virtual_processor_identifier, 0);
	if (secondary & VMX_SECONDARY_ENCLS)
		vs_set(v->vsid, MK1_INTEL_encls_exiting_bitmap, ~0ull);
	vs_set(v->vsid, MK1_INTEL_exception_bitmap,
	       EXCEPTION_BIT(VECTOR_DB) | EXCEPTION_BIT(VECTOR_AC));
	return true;
}

/* --- registers -------------------------------------------------------------------------------- */

/* A VMCS has bits 11:8 of GUESTS_SEG_ATTRIB at 15:12. */
static uint16_t pack(uint64_t rights)
{
	return (uint16_t)((rights & 0xFF) | (rights >> 4 & 0xF00) |
			  (rights & VMX_AR_UNUSABLE ? GUESTS_SEG_UNUSABLE : 0));
}

static uint64_t unpack(uint16_t attrib)
{
	return (attrib & 0xFFu) | (attrib & 0xF00u) << 4 |
	       (attrib & GUESTS_SEG_UNUSABLE ? VMX_AR_UNUSABLE : 0);
}

static uint64_t cr0_mask(struct vcpu *v)
{
	return vmx_cr0_forced(v->vsid) | MASKED_CR0;
}

static uint64_t get_cr0(struct vcpu *v)
{
	return vmx_get_cr0(v->vsid);
}

static uint64_t get_cr4(struct vcpu *v)
{
	return vmx_get_cr4(v->vsid);
}

/* SDM vol. 3 §27.4.1 */
static uint8_t get_cpl(struct vcpu *v)
{
	return vs_get(v->vsid, MK1_INTEL_ss_attrib) >> SEG_ATTRIB_DPL_SHIFT & 3;
}

static void set_cr0(struct vcpu *v, uint64_t value)
{
	vs_set(v->vsid, MK1_INTEL_cr0_guest_host_mask, cr0_mask(v));
	vs_set(v->vsid, MK1_INTEL_cr0_read_shadow, value | CR0_ET);
	vs_set(v->vsid, MK1_INTEL_cr0,
	       (value | CR0_ET | vmx_cr0_forced(v->vsid)) & ~(uint64_t)MASKED_CR0);
}

/* The guest owns the bits that its CPUID allows, but for those that are forced. */
static void set_cr4(struct vcpu *v, uint64_t value)
{
	uint64_t forced = vmx_cr4_forced(v->vsid) | FORCED_CR4;

	vs_set(v->vsid, MK1_INTEL_cr4_guest_host_mask, ~allowed_cr4(v) | forced);
	vs_set(v->vsid, MK1_INTEL_cr4_read_shadow, value);
	vs_set(v->vsid, MK1_INTEL_cr4, value | forced);
}

static void get_sregs(struct vcpu *v, struct guests_sregs *sregs)
{
	struct list list = { .count = 0 };

	list_add_sregs(&list, &reset_sregs, unpack);
	list_read(v, &list);
	(void)list_take_sregs(&list, sregs, pack);
	sregs->cr0 = get_cr0(v);
	sregs->cr4 = get_cr4(v);
}

static bool has_pdptes(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LMA);
}

static bool set_sregs(struct vcpu *v, const struct guests_sregs *sregs)
{
	struct list list = { .count = 0 };

	list_add_sregs(&list, sregs, unpack);
	if (!list_write(v, &list))
		return false;
	set_cr0(v, sregs->cr0);
	set_cr4(v, sregs->cr4);
	v->pdptes_due = has_pdptes(sregs->cr0, sregs->cr4, sregs->efer);
	return true;
}

/* --- events ----------------------------------------------------------------------------------- */

static void inject(struct vcpu *v, const struct event *event)
{
	static const uint64_t types[] = {
		[EVENT_IRQ] = 0,
		[EVENT_NMI] = VMX_EVENT_TYPE_NMI,
		[EVENT_EXCEPTION] = VMX_EVENT_TYPE_EXCEPTION,
	};

	if (event->has_error)
		vs_set(v->vsid, MK1_INTEL_vmentry_exception_error_code, event->error);
	vs_set(v->vsid, MK1_INTEL_vmentry_interrupt_information_field,
	       VMX_EVENT_VALID | types[event->kind] | event->vector |
		       (event->has_error ? VMX_EVENT_ERROR_CODE : 0));
}

static void set_nmi_masked(struct vcpu *v, bool masked)
{
	uint64_t state = vs_get(v->vsid, MK1_INTEL_interruptibility_state);

	vs_set(v->vsid, MK1_INTEL_interruptibility_state,
	       masked ? state | VMX_BLOCKING_BY_NMI : state & ~(uint64_t)VMX_BLOCKING_BY_NMI);
}

/* What was being delivered when the guest exited is delivered again: §30.2.4. */
static void keep_event(struct vcpu *v)
{
	uint64_t info = vs_get(v->vsid, MK1_INTEL_idt_vectoring_information_field);

	if (!(info & VMX_EVENT_VALID) || (info & VMX_EVENT_TYPE) >= VMX_EVENT_TYPE_SOFTWARE)
		return;
	v->event = (struct event){ .kind = EVENT_EXCEPTION, .vector = info & VMX_EVENT_VECTOR };
	switch (info & VMX_EVENT_TYPE) {
	case 0:
		v->event.kind = EVENT_IRQ;
		break;
	case VMX_EVENT_TYPE_NMI:
		v->event.kind = EVENT_NMI;
		set_nmi_masked(v, false);
		break;
	default:
		if (info & VMX_EVENT_ERROR_CODE) {
			v->event.has_error = true;
			v->event.error =
				(uint32_t)vs_get(v->vsid, MK1_INTEL_idt_vectoring_error_code);
		}
	}
}

static bool is_blocked(struct vcpu *v, uint64_t by)
{
	return vs_get(v->vsid, MK1_INTEL_interruptibility_state) & by;
}

static bool can_take_irq(struct vcpu *v)
{
	return (vs_get(v->vsid, MK1_INTEL_rflags) & RFLAGS_IF) &&
	       !is_blocked(v, VMX_BLOCKING_BY_STI | VMX_BLOCKING_BY_MOV_SS);
}

static bool can_take_nmi(struct vcpu *v)
{
	return !is_blocked(v, VMX_BLOCKING_BY_STI | VMX_BLOCKING_BY_MOV_SS | VMX_BLOCKING_BY_NMI);
}

static bool get_nmi_masked(struct vcpu *v)
{
	return is_blocked(v, VMX_BLOCKING_BY_NMI);
}

static uint8_t get_shadow(struct vcpu *v)
{
	return (is_blocked(v, VMX_BLOCKING_BY_MOV_SS) ? GUESTS_SHADOW_MOV_SS : 0) |
	       (is_blocked(v, VMX_BLOCKING_BY_STI) ? GUESTS_SHADOW_STI : 0);
}

/* VM entry wants one of them at most: §27.3.1.5. */
static void set_shadow(struct vcpu *v, uint8_t shadow)
{
	uint64_t state = vs_get(v->vsid, MK1_INTEL_interruptibility_state) &
			 ~(uint64_t)(VMX_BLOCKING_BY_STI | VMX_BLOCKING_BY_MOV_SS);

	if (shadow & GUESTS_SHADOW_MOV_SS)
		state |= VMX_BLOCKING_BY_MOV_SS;
	else if (shadow)
		state |= VMX_BLOCKING_BY_STI;
	vs_set(v->vsid, MK1_INTEL_interruptibility_state, state);
}

static void set_windows(struct vcpu *v, bool irq, bool nmi)
{
	const uint64_t both = VMX_PRIMARY_INTERRUPT_WINDOW | VMX_PRIMARY_NMI_WINDOW;
	const uint64_t reg = MK1_INTEL_primary_proc_based_vm_execution_ctls;

	if (irq == v->irq_window && nmi == v->nmi_window)
		return;
	v->irq_window = irq;
	v->nmi_window = nmi;
	vs_set(v->vsid, reg,
	       (vs_get(v->vsid, reg) & ~both) | (irq ? VMX_PRIMARY_INTERRUPT_WINDOW : 0) |
		       (nmi ? VMX_PRIMARY_NMI_WINDOW : 0));
}

static void skip_to(struct vcpu *v, uint64_t rip)
{
	uint64_t rflags = vs_get(v->vsid, MK1_INTEL_rflags);
	uint64_t state = vs_get(v->vsid, MK1_INTEL_interruptibility_state);

	vs_set(v->vsid, MK1_INTEL_rip, rip);
	vs_set(v->vsid, MK1_INTEL_rflags, rflags & ~(uint64_t)RFLAGS_RF);
	vs_set(v->vsid, MK1_INTEL_interruptibility_state,
	       state & ~(uint64_t)(VMX_BLOCKING_BY_STI | VMX_BLOCKING_BY_MOV_SS));
	if (rflags & RFLAGS_TF)
		vs_set(v->vsid, MK1_INTEL_pending_debug_exceptions, VMX_PENDING_DEBUG_BS);
}

/* --- exits ------------------------------------------------------------------------------------ */

/* MOV to CR0 of a bit that the guest does not own, and whatever that changes together with it. */
static bool write_cr0(struct vcpu *v, uint64_t value)
{
	const struct rules_state now = {
		.cr0 = get_cr0(v),
		.cr4 = vmx_get_cr4(v->vsid),
		.efer = vs_get(v->vsid, MK1_INTEL_efer),
		.code_64 = vs_get(v->vsid, MK1_INTEL_cs_attrib) & VMX_AR_L,
	};
	uint64_t efer;

	if (!rules_write_cr0(&now, value))
		return false;
	efer = rules_lma(value, now.efer);
	if (efer != now.efer)
		vs_set(v->vsid, MK1_INTEL_efer, efer);
	set_cr0(v, value);
	if ((now.cr0 ^ value) & (CR0_PG | CR0_PE | CR0_WP)) {
		flush_tlb(v->vsid);
		v->pdptes_due = has_pdptes(value, now.cr4, efer);
	}
	return true;
}

static __noreturn void answer_cr(struct vcpu *v)
{
	static const uint8_t numbers[16] = { MK1_INTEL_rax, MK1_INTEL_rcx, MK1_INTEL_rdx,
					     MK1_INTEL_rbx, MK1_INTEL_rsp, MK1_INTEL_rbp,
					     MK1_INTEL_rsi, MK1_INTEL_rdi, MK1_INTEL_r8,
					     MK1_INTEL_r9,  MK1_INTEL_r10, MK1_INTEL_r11,
					     MK1_INTEL_r12, MK1_INTEL_r13, MK1_INTEL_r14,
					     MK1_INTEL_r15 };
	uint64_t qualification = vs_get(v->vsid, MK1_INTEL_exit_qualification);
	uint64_t cr = qualification & VMX_QUAL_CR;
	bool code_64 = (vs_get(v->vsid, MK1_INTEL_efer) & EFER_LMA) &&
		       (vs_get(v->vsid, MK1_INTEL_cs_attrib) & VMX_AR_L);
	uint64_t value = vs_get(v->vsid, numbers[VMX_QUAL_CR_GPR(qualification)]);

	if ((qualification & VMX_QUAL_CR_ACCESS) != VMX_QUAL_CR_TO || (cr != 0 && cr != 4))
		leave_internal(v, GUESTS_INTERNAL_EXIT, VMX_EXIT_CR_ACCESS);
	if (!code_64)
		value = (uint32_t)value;
	if (cr == 0 ? !write_cr0(v, value) : !write_cr4(v, value))
		give_error(v, VECTOR_GP, 0);
	advance(v);
	go_on(v);
}

/* DR6 is not changed by the exit, and DR7 is as it was: §30.2.1, §28.2. */
static __noreturn void answer_db(struct vcpu *v, uint64_t info)
{
	uint64_t what = vs_get(v->vsid, MK1_INTEL_exit_qualification) &
			(DR6_CAUSES | DR6_BD | DR6_BS);
	uint64_t dr6 = vs_get(v->vsid, MK1_INTEL_dr6) & ~(uint64_t)DR6_CAUSES;

	vs_set(v->vsid, MK1_INTEL_dr6, dr6 | what);
	vs_set(v->vsid, MK1_INTEL_dr7, vs_get(v->vsid, MK1_INTEL_dr7) & ~(uint64_t)DR7_GD);
	if ((info & VMX_EVENT_TYPE) == VMX_EVENT_TYPE_INT1)
		skip_to(v, vs_get(v->vsid, MK1_INTEL_rip) +
				   vs_get(v->vsid, MK1_INTEL_vmexit_instruction_length));
	give_exception(v, VECTOR_DB);
}

static __noreturn void answer_exception(struct vcpu *v)
{
	uint64_t info = vs_get(v->vsid, MK1_INTEL_vmexit_interruption_information);

	switch (info & VMX_EVENT_VECTOR) {
	case VECTOR_DB:
		answer_db(v, info);
	case VECTOR_AC:
		give_error(v, VECTOR_AC,
			   (uint32_t)vs_get(v->vsid, MK1_INTEL_vmexit_interruption_error_code));
	default:
		leave_internal(v, GUESTS_INTERNAL_EXIT, info);
	}
}

static __noreturn void answer_io(struct vcpu *v)
{
	uint64_t qualification = vs_get(v->vsid, MK1_INTEL_exit_qualification);

	exit_io(v, qualification & VMX_QUAL_IO_IN, qualification & VMX_QUAL_IO_STRING,
		VMX_QUAL_IO_PORT(qualification), VMX_QUAL_IO_SIZE(qualification),
		vs_get(v->vsid, MK1_INTEL_rip) +
			vs_get(v->vsid, MK1_INTEL_vmexit_instruction_length));
}

static __noreturn void answer_ept(struct vcpu *v)
{
	uint64_t qualification = vs_get(v->vsid, MK1_INTEL_exit_qualification);

	/* An IRET that faults has unblocked NMIs, and is executed again: §30.2.3. */
	if ((qualification & VMX_QUAL_EPT_IRET) && v->event.kind == EVENT_NONE)
		set_nmi_masked(v, true);
	exit_nested_fault(v, vs_get(v->vsid, MK1_INTEL_physical_address),
			  qualification & VMX_QUAL_EPT_WRITE);
}

static void on_exit(struct vcpu *v, uint64_t reason)
{
	if (reason & VMX_EXIT_ENTRY_FAILED)
		leave_refused(v, reason);
	keep_event(v);
	switch (reason & VMX_EXIT_BASIC) {
	case VMX_EXIT_EXTERNAL_INTERRUPT:
		leave(v, GUESTS_EXIT_INTR);
	case VMX_EXIT_INTERRUPT_WINDOW:
	case VMX_EXIT_NMI_WINDOW:
		go_on(v);
	case VMX_EXIT_CPUID:
		exit_cpuid(v);
	case VMX_EXIT_RDMSR:
	case VMX_EXIT_WRMSR:
		exit_msr(v, (reason & VMX_EXIT_BASIC) == VMX_EXIT_WRMSR);
	case VMX_EXIT_HLT:
		exit_hlt(v);
	case VMX_EXIT_IO:
		answer_io(v);
	case VMX_EXIT_EPT_VIOLATION:
		answer_ept(v);
	case VMX_EXIT_CR_ACCESS:
		answer_cr(v);
	case VMX_EXIT_EXCEPTION_NMI:
		answer_exception(v);
	case VMX_EXIT_INVD:
	case VMX_EXIT_WBINVD:
		exit_nothing(v);
	case VMX_EXIT_XSETBV:
		exit_xsetbv(v);
	case VMX_EXIT_RDPMC:
		give_error(v, VECTOR_GP, 0);
	case VMX_EXIT_MWAIT:
	case VMX_EXIT_MONITOR:
	case VMX_EXIT_ENCLS:
		give_exception(v, VECTOR_UD);
	case VMX_EXIT_TASK_SWITCH:
		leave_internal(v, GUESTS_INTERNAL_TASK_SWITCH, 0);
	case VMX_EXIT_TRIPLE_FAULT:
		leave(v, GUESTS_EXIT_SHUTDOWN);
	case VMX_EXIT_INIT:
		leave_to_linux(v, reason);
	default:
		if (vmx_is_insn(reason & VMX_EXIT_BASIC))
			give_exception(v, VECTOR_UD);
		leave_internal(v, GUESTS_INTERNAL_EXIT, reason);
	}
}

const struct vendor vmx_vendor = VENDOR_OPS;
