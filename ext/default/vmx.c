/* SPDX-License-Identifier: MIT */
/* Intel: the exits of the root VM and their answers (SDM vol. 3, chapters 26 and 28). */
#include <ext/default/fast.h>
#include <ext/default/vmx.h>

/* Basic exit reasons, SDM vol. 3, appendix C */
#define EXIT_TRIPLE_FAULT 2
#define EXIT_INIT 3
#define EXIT_SIPI 4
#define EXIT_CPUID 10
#define EXIT_GETSEC 11
#define EXIT_INVD 13
#define EXIT_VMCALL 18
#define EXIT_VMCLEAR 19
#define EXIT_VMLAUNCH 20
#define EXIT_VMPTRLD 21
#define EXIT_VMPTRST 22
#define EXIT_VMREAD 23
#define EXIT_VMRESUME 24
#define EXIT_VMWRITE 25
#define EXIT_VMXOFF 26
#define EXIT_VMXON 27
#define EXIT_CR 28
#define EXIT_RDMSR 31
#define EXIT_WRMSR 32
#define EXIT_INVEPT 50
#define EXIT_INVVPID 53
#define EXIT_XSETBV 55
#define EXIT_VMFUNC 59
#define EXIT_SEAMCALL 76
#define EXIT_TDCALL 77

#define FEATURE_CONTROL_LOCK 0x1ull
#define FEATURE_CONTROL_VMX 0x6ull /* inside and outside of SMX */

/* VM-entry interruption information: vector, type, error code, valid (SDM vol. 3 §25.8.3). */
#define EVENT_EXCEPTION 0x300ull
#define EVENT_ERROR_CODE 0x800ull
#define EVENT_VALID 0x80000000ull

static uint64_t guest_cpl(uint64_t vsid)
{
	return vs_get(vsid, MK1_INTEL_ss_attrib) >> 5 & 3; /* DPL, SDM vol. 3 §25.4.1 */
}

/*
 * #UD, or #GP with error code 0, at the instruction that exited. Nothing else can be on its way:
 * the exits that lead here belong to instructions, so no event was being delivered.
 */
__attribute__((noreturn)) static void inject_fault(uint64_t vsid, uint64_t vector)
{
	uint64_t event = EVENT_VALID | EVENT_EXCEPTION | vector;

	/* Exceptions push no error code in real mode, and VM entry refuses one (§26.2.1.3). */
	if (vector == VECTOR_GP && (vs_get(vsid, MK1_INTEL_cr0) & CR0_PE)) {
		event |= EVENT_ERROR_CODE;
		vs_set(vsid, MK1_INTEL_vmentry_exception_error_code, 0);
	}
	vs_set(vsid, MK1_INTEL_vmentry_interrupt_information_field, event);
	resume(vsid);
}

__attribute__((noreturn)) static void finish(uint64_t vsid, bool done)
{
	if (done)
		resume_next(vsid);
	inject_fault(vsid, VECTOR_GP);
}

/*
 * Faults for the lack of privilege come before exits (SDM vol. 3 §26.1.1), but not on every
 * implementation: Bochs exits first. Nothing may depend on that.
 */
__attribute__((noreturn)) static void answer_xsetbv(uint64_t vsid)
{
	if (!(vs_get(vsid, MK1_INTEL_cr4) & CR4_OSXSAVE))
		inject_fault(vsid, VECTOR_UD);
	finish(vsid, guest_cpl(vsid) == 0 && vmx_xsetbv(vsid));
}

/* VT-x looks disabled by firmware: FEATURE_CONTROL locked without it, its capabilities absent. */
static bool read_msr(uint32_t msr)
{
	uint64_t value;

	if (msr >= MSR_VMX_FIRST && msr <= MSR_VMX_LAST)
		return false;
	if (msr != MSR_FEATURE_CONTROL)
		return pass_rdmsr(msr);
	if (mk1_intrinsic_rdmsr(MK1_HANDLE, msr, &value) != MK1_SUCCESS)
		return false;
	set_guest_edx_eax((value & ~FEATURE_CONTROL_VMX) | FEATURE_CONTROL_LOCK);
	return true;
}

static bool write_msr(uint32_t msr, uint64_t value)
{
	if (msr == MSR_FEATURE_CONTROL)
		return false; /* it is locked */
	/*
	 * New microcode may change what the hypervisor has found of the CPU, under its feet. It is
	 * not loaded, as if the CPU had refused it: Linux sees the revision that it had, and says
	 * so.
	 */
	if (msr == MSR_MICROCODE)
		return true;
	return pass_wrmsr(msr, value);
}

__attribute__((__noreturn__, __noinline__)) static void answer(uint64_t vsid, uint64_t reason)
{
	if (__atomic_load_n(&report, __ATOMIC_RELAXED))
		ext_print("default: PP %u: exit %llu at RIP 0x%llx\n", (unsigned int)mk1_tls_ppid(),
			  (unsigned long long)reason,
			  (unsigned long long)vs_get(vsid, MK1_INTEL_rip));

	switch (reason) {
	case EXIT_CPUID:
		answer_cpuid(vsid, MK1_INTEL_cr4, guest_cpl);
	case EXIT_RDMSR:
		finish(vsid, read_msr((uint32_t)mk1_rcx()));
	case EXIT_WRMSR:
		finish(vsid, write_msr((uint32_t)mk1_rcx(), guest_edx_eax()));
	case EXIT_XSETBV:
		answer_xsetbv(vsid);
	case EXIT_CR:
		finish(vsid, vmx_write_cr(vsid, vs_get(vsid, MK1_INTEL_exit_qualification)));
	case EXIT_INVD:
		/*
		 * It would throw away what other CPUs wrote: firmware before memory works needs it.
		 */
		finish(vsid, guest_cpl(vsid) == 0);
	case EXIT_INIT:
		vmx_init_signal(vsid);
		resume(vsid);
	case EXIT_SIPI:
		vmx_startup(vsid, vs_get(vsid, MK1_INTEL_exit_qualification) & 0xFF);
		resume(vsid);
	case EXIT_GETSEC:
	case EXIT_VMCALL:
	case EXIT_VMCLEAR:
	case EXIT_VMLAUNCH:
	case EXIT_VMPTRLD:
	case EXIT_VMPTRST:
	case EXIT_VMREAD:
	case EXIT_VMRESUME:
	case EXIT_VMWRITE:
	case EXIT_VMXOFF:
	case EXIT_VMXON:
	case EXIT_INVEPT:
	case EXIT_INVVPID:
	case EXIT_VMFUNC:
	case EXIT_SEAMCALL:
	case EXIT_TDCALL:
		inject_fault(vsid, VECTOR_UD);
	case EXIT_TRIPLE_FAULT:
		give_up("the guest shut down (triple fault); RIP", vsid,
			vs_get(vsid, MK1_INTEL_rip));
	default:
		unexpected_exit(vsid, reason, vs_get(vsid, MK1_INTEL_rip));
	}
}

__attribute__((noreturn)) void vmx_vmexit(uint64_t vsid, uint64_t reason)
{
	if (likely(reason == EXIT_CPUID))
		fast_cpuid();
	answer(vsid, reason);
}
