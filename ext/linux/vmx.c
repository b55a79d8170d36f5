// SPDX-License-Identifier: MIT
/* Intel: the exits of the root VM and their answers (SDM vol. 3, chapters 26 and 28). */
#include <ext/linux/access.h>
#include <ext/linux/exception.h>
#include <ext/linux/fast.h>
#include <ext/linux/hook.h>
#include <ext/linux/hooks.h>
#include <ext/linux/live.h>
#include <ext/linux/step.h>
#include <ext/linux/vendor.h>
#include <ext/linux/vmx.h>
#include <ext/linux/watched.h>

/* Inside and outside of SMX. */
#define VMXON_ALLOWED (FEATURE_CONTROL_VMXON_IN_SMX | FEATURE_CONTROL_VMXON)

/*
 * #UD, or #GP with error code 0, at the instruction that exited. No other event can be pending: the
 * exits that lead here belong to instructions, so none was being delivered. Exceptions push no
 * error code in real mode, and VM entry refuses one there (§29.2.1.3).
 */
static __noreturn void inject_fault(uint64_t vsid, uint8_t vector)
{
	const struct ext_exception x = {
		.vector = vector,
		.has_error_code = vector == VECTOR_GP && vs_get(vsid, MK1_INTEL_cr0) & CR0_PE,
	};

	vmx_inject(vsid, &x);
	resume(vsid);
}

static __noreturn void finish(uint64_t vsid, bool done)
{
	if (done)
		resume_next(vsid);
	inject_fault(vsid, VECTOR_GP);
}

/*
 * Faults for the lack of privilege come before exits (SDM vol. 3 §28.1.1), but not on every
 * implementation: Bochs exits first. Nothing may depend on that.
 */
static __noreturn void answer_xsetbv(uint64_t vsid)
{
	if (!(vs_get(vsid, MK1_INTEL_cr4) & CR4_OSXSAVE))
		inject_fault(vsid, VECTOR_UD);
	finish(vsid, ext_cpl(vsid) == 0 && vmx_xsetbv(vsid));
}

/* VT-x looks disabled by firmware: FEATURE_CONTROL locked without it, its capabilities absent. */
bool vmx_read_msr(uint64_t vsid, uint32_t msr, uint64_t *value)
{
	if (msr >= MSR_VMX_BASIC && msr <= MSR_VMX_EXIT_CTLS2)
		return false;
	if (msr == MSR_EFER) {
		*value = vs_get(vsid, MK1_INTEL_efer);
		return true;
	}
	/* An exit has cleared the CPU's own. */
	if (msr == MSR_DEBUGCTL) {
		*value = vs_get(vsid, MK1_INTEL_debugctl);
		return true;
	}
	if (msr != MSR_FEATURE_CONTROL)
		return pass_rdmsr(vsid, msr, value);
	if (mk1_intrinsic_rdmsr(MK1_HANDLE, msr, value) != MK1_SUCCESS)
		return false;
	*value = (*value & ~(uint64_t)VMXON_ALLOWED) | FEATURE_CONTROL_LOCKED;
	return true;
}

/*
 * EFER, for an extension to which its writes exit: the bits that this CPU has, and LME only while
 * paging is off (SDM vol. 3 §2.2.1). Writes do not change LMA.
 */
static bool write_efer(uint64_t vsid, uint64_t value)
{
	struct cpuid_regs features = cpuid(0x80000001, 0);
	uint64_t old = vs_get(vsid, MK1_INTEL_efer);
	uint64_t changed = (old ^ value) & ~(uint64_t)EFER_LMA;
	uint64_t bits = EFER_SCE | EFER_LME;

	if (features.edx & CPUID_80000001_EDX_NX)
		bits |= EFER_NXE;
	if (changed & ~bits)
		return false;
	if (changed & EFER_LME && vs_get(vsid, MK1_INTEL_cr0) & CR0_PG)
		return false;
	return mk1_vs_write(MK1_HANDLE, vsid, MK1_INTEL_efer, old ^ changed) == MK1_SUCCESS;
}

bool vmx_write_msr(uint64_t vsid, uint32_t msr, uint64_t value)
{
	if (msr == MSR_EFER)
		return write_efer(vsid, value);
	if (msr == MSR_FEATURE_CONTROL)
		return false; /* it is locked */
	/*
	 * New microcode may change features that the hypervisor relies on. It is not loaded, as if
	 * the CPU had refused it: Linux reads the old revision, and says so.
	 */
	if (msr == MSR_BIOS_UPDT_TRIG)
		return true;
	return pass_wrmsr(vsid, msr, value);
}

bool vmx_is_insn(uint64_t reason)
{
	switch (reason) {
	case VMX_EXIT_GETSEC:
	case VMX_EXIT_VMCALL:
	case VMX_EXIT_VMCLEAR:
	case VMX_EXIT_VMLAUNCH:
	case VMX_EXIT_VMPTRLD:
	case VMX_EXIT_VMPTRST:
	case VMX_EXIT_VMREAD:
	case VMX_EXIT_VMRESUME:
	case VMX_EXIT_VMWRITE:
	case VMX_EXIT_VMXOFF:
	case VMX_EXIT_VMXON:
	case VMX_EXIT_INVEPT:
	case VMX_EXIT_INVVPID:
	case VMX_EXIT_VMFUNC:
	case VMX_EXIT_SEAMCALL:
	case VMX_EXIT_TDCALL:
		return true;
	default:
		return false;
	}
}

/* After what a hook has answered, or the frame in its place. */
static __noreturn void end(const struct ext_exit *e)
{
	if (e->fault)
		inject_fault(e->vsid, e->fault);
	if (e->step)
		vmx_step(e->vsid);
	if (e->again)
		resume(e->vsid);
	resume_next(e->vsid);
}

/* A hook of all exits has answered this one. */
static __noreturn void answered(struct ext_exit *e)
{
	bool fault = e->reason == VMX_EXIT_EPT_VIOLATION;

	if ((fault || e->reason == VMX_EXIT_EXCEPTION_NMI) &&
	    vs_get(e->vsid, MK1_INTEL_idt_vectoring_information_field) & VMX_EVENT_VALID) {
		vmx_redeliver(e->vsid);
		hook_delivers(e, fault);
	} else if (fault && (e->step || e->again)) {
		vmx_redeliver(e->vsid); /* what an IRET did to the blocking of NMIs */
	}
	end(e);
}

static __noreturn void answer_rdmsr(struct ext_exit *e)
{
	uint32_t msr = (uint32_t)mk1_rcx();
	uint64_t value;

	if (!hook_rdmsr(e, msr)) {
		if (vmx_read_msr(e->vsid, msr, &value))
			set_guest_edx_eax(value);
		else
			e->fault = EXT_FAULT_GP;
	}
	end(e);
}

static __noreturn void answer_wrmsr(struct ext_exit *e)
{
	uint32_t msr = (uint32_t)mk1_rcx();
	uint64_t value = guest_edx_eax();

	if (!hook_wrmsr(e, msr, value) && !vmx_write_msr(e->vsid, msr, value))
		e->fault = EXT_FAULT_GP;
	end(e);
}

/* What the exit interrupted is delivered with whatever comes next. */
static __noreturn void answer_fault(struct ext_exit *e)
{
	uint64_t info = vs_get(e->vsid, MK1_INTEL_exit_qualification);
	struct ext_fault fault = { .gpa = vs_get(e->vsid, MK1_INTEL_physical_address) };

	fault.access = info & VMX_QUAL_EPT_FETCH ? EXT_EXECUTE :
		       info & VMX_QUAL_EPT_WRITE ? EXT_WRITE :
						   EXT_READ;
	if (info & VMX_QUAL_EPT_LINEAR) {
		fault.gva = vs_get(e->vsid, MK1_INTEL_linear_address);
		fault.walk = !(info & VMX_QUAL_EPT_FINAL);
	}
	hook_memory(e, &fault,
		    vs_get(e->vsid, MK1_INTEL_idt_vectoring_information_field) & VMX_EVENT_VALID);
	vmx_redeliver(e->vsid);
	end(e);
}

/* INT3: a hook's, or Linux's. */
static __noreturn void answer_breakpoint(struct ext_exit *e)
{
	if (hooked_breakpoint(e))
		end(e);
	vs_set(e->vsid, MK1_INTEL_vmentry_instruction_length,
	       vs_get(e->vsid, MK1_INTEL_vmexit_instruction_length));
	vs_set(e->vsid, MK1_INTEL_vmentry_interrupt_information_field,
	       VMX_EVENT_VALID | VMX_EVENT_TYPE_INT3 | VECTOR_BP);
	resume(e->vsid);
}

static bool is_breakpoint(uint64_t vsid)
{
	uint64_t event = vs_get(vsid, MK1_INTEL_vmexit_interruption_information);

	return (event & (VMX_EVENT_TYPE | VMX_EVENT_VECTOR)) == (VMX_EVENT_TYPE_INT3 | VECTOR_BP);
}

static __noreturn void answer_io(struct ext_exit *e)
{
	uint64_t info = vs_get(e->vsid, MK1_INTEL_exit_qualification);
	struct ext_io io = { .port = VMX_QUAL_IO_PORT(info),
			     .size = VMX_QUAL_IO_SIZE(info),
			     .in = info & VMX_QUAL_IO_IN,
			     .string = info & VMX_QUAL_IO_STRING };

	hook_io(e, &io);
	end(e);
}

static noinline __noreturn void answer(uint64_t vsid, uint64_t reason)
{
	struct ext_exit e = { .vsid = vsid, .reason = reason };

	vmx_step_end(vsid, reason);
	if (live_is_recall(reason)) {
		live_apply(vsid);
		resume(vsid);
	}

	if (__atomic_load_n(&report, __ATOMIC_RELAXED))
		ext_print("%s: PP %u: exit %llu at RIP 0x%llx\n", ext_name,
			  (unsigned int)mk1_tls_ppid(), (unsigned long long)reason,
			  (unsigned long long)vs_get(vsid, MK1_INTEL_rip));

	if (reason == VMX_EXIT_CPUID && is_loaders(vsid))
		resume_next(vsid);
	if (hook_exit(&e))
		answered(&e);
	switch (reason) {
	case VMX_EXIT_CPUID:
		answer_cpuid(&e);
		end(&e);
	case VMX_EXIT_RDMSR:
		answer_rdmsr(&e);
	case VMX_EXIT_WRMSR:
		answer_wrmsr(&e);
	case VMX_EXIT_EXCEPTION_NMI:
		if (is_breakpoint(vsid))
			answer_breakpoint(&e);
		if (vmx_exception(&e))
			end(&e);
		break;
	case VMX_EXIT_VMCALL:
		hook_hypercall(&e);
		end(&e);
	case VMX_EXIT_IO:
		answer_io(&e);
	case VMX_EXIT_EPT_VIOLATION:
		if (watches_memory())
			answer_fault(&e);
		break;
	case VMX_EXIT_XSETBV:
		answer_xsetbv(vsid);
	case VMX_EXIT_CR_ACCESS:
		if (access_is_watched()) {
			vmx_access_cr(&e);
			end(&e);
		}
		finish(vsid, vmx_write_cr(vsid, vs_get(vsid, MK1_INTEL_exit_qualification)));
	case VMX_EXIT_DR_ACCESS: /* which only hooks ask for */
		vmx_access_dr(&e);
		end(&e);
	case VMX_EXIT_INVD:
		/* It would discard what other CPUs wrote: only firmware without RAM needs it. */
		finish(vsid, ext_cpl(vsid) == 0);
	case VMX_EXIT_INIT: /* Linux's, while another guest ran; else it is the microkernel's */
		vmx_init_signal(vsid);
		resume(vsid);
	case VMX_EXIT_SIPI:
		vmx_startup(vsid, vs_get(vsid, MK1_INTEL_exit_qualification) & 0xFF);
		resume(vsid);
	case VMX_EXIT_TRIPLE_FAULT:
		give_up("the guest shut down (triple fault); RIP", vsid,
			vs_get(vsid, MK1_INTEL_rip));
	default:
		if (vmx_is_insn(reason))
			inject_fault(vsid, VECTOR_UD);
		break;
	}
	unexpected_exit(vsid, reason, vs_get(vsid, MK1_INTEL_rip));
}

/*
 * Which exit it is does not depend on how it came about: out of an SGX enclave, with an MTF trap
 * pending, or with a shadow stack busy. The bits that tell are left out (SDM vol. 3 §27.9.1).
 */
__noreturn void vmx_vmexit(uint64_t vsid, uint64_t reason)
{
	reason &= VMX_EXIT_BASIC | VMX_EXIT_ENTRY_FAILED;
	if (likely(reason == VMX_EXIT_CPUID))
		fast_cpuid();
	answer(vsid, reason);
}
