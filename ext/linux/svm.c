// SPDX-License-Identifier: MIT
/* AMD: what exits from the root VM and what the guest gets to see (APM vol. 2, chapter 15). */
#include <abi/hw/svm.h>
#include <abi/mk1_regs_amd.h>
#include <ext/linux/access.h>
#include <ext/linux/exception.h>
#include <ext/linux/linux.h>
#include <ext/linux/live.h>
#include <ext/linux/fast.h>
#include <ext/linux/hook.h>
#include <ext/linux/hooks.h>
#include <ext/linux/step.h>
#include <ext/linux/svm.h>
#include <ext/linux/vendor.h>
#include <ext/linux/watched.h>

#define INTERCEPTS1 \
	(SVM_INSTR1_CPUID | SVM_INSTR1_INVD | SVM_INSTR1_INVLPGA | SVM_INSTR1_MSR | \
	 SVM_INSTR1_SHUTDOWN)
/* VMMCALL without a hook is left to the microkernel: #UD, or a call of an outer hypervisor. */
#define INTERCEPTS2 \
	(SVM_INSTR2_VMRUN | SVM_INSTR2_VMLOAD | SVM_INSTR2_VMSAVE | SVM_INSTR2_STGI | \
	 SVM_INSTR2_CLGI | SVM_INSTR2_SKINIT)

#define ROOT_ASID 1

/* What firmware leaves in VM_CR when it disables SVM (APM vol. 2 §15.30.1). */
#define DISABLED (VM_CR_LOCK | VM_CR_SVMDIS)

static uint64_t msrpm_spa; /* one map for all PPs: written in ext_start, then only read */
static uint8_t *msrpm;

bool svm_intercept_msr(uint32_t msr, unsigned int access)
{
	uint32_t first = msr & ~(uint32_t)0x1FFF, bit = (msr & 0x1FFF) * 2;
	uint32_t range = first == 0 ? 0 : first == 0xC0000000 ? 1 : 2;
	uint8_t *byte;

	if (range == 2 && first != 0xC0010000)
		return false;
	byte = &msrpm[range * 0x800 + bit / 8];
	if (access & EXT_MSR_READ)
		(void)__atomic_fetch_or(byte, (uint8_t)(SVM_MSRPM_READ << (bit % 8)),
					__ATOMIC_RELAXED);
	if (access & EXT_MSR_WRITE)
		(void)__atomic_fetch_or(byte, (uint8_t)(SVM_MSRPM_WRITE << (bit % 8)),
					__ATOMIC_RELAXED);
	return true;
}

/* Builds the MSR permission map. Returns false, after a message, without memory for it. */
bool svm_start(void)
{
	uint64_t va;
	uint64_t status = mk1_mem_alloc_huge(MK1_HANDLE, SVM_MSRPM_SIZE, &va, &msrpm_spa);

	if (status != MK1_SUCCESS) {
		ext_print("%s: no memory for the MSR permission map (0x%llx)\n", ext_name,
			  (unsigned long long)status);
		return false;
	}
	msrpm = (uint8_t *)va;
	return svm_intercept_msr(MSR_EFER, EXT_MSR_READ | EXT_MSR_WRITE) &&
	       svm_intercept_msr(MSR_PATCH_LOADER, EXT_MSR_READ | EXT_MSR_WRITE) &&
	       svm_intercept_msr(MSR_VM_CR, EXT_MSR_READ | EXT_MSR_WRITE) &&
	       svm_intercept_msr(MSR_VM_HSAVE_PA, EXT_MSR_READ | EXT_MSR_WRITE);
}

/*
 * EFER.SVME reads as set to Linux, which keeps KVM away: it enables SVM when its first VM is
 * created, and checks no more than this bit. Not to a Linux that the firmware starts: it has never
 * seen SVM, and starts its CPUs with the EFER that it finds, even when this hypervisor has ended.
 */
static bool shows_svme;

bool svm_setup(uint64_t vsid)
{
	/* A kernel has its code in the upper half of addresses, firmware in the lower one. */
	shows_svme = (int64_t)vs_get(vsid, MK1_AMD_rip) < 0;
	vs_set(vsid, MK1_AMD_guest_asid, ROOT_ASID);
	vs_set(vsid, MK1_AMD_msrpm_base_pa, msrpm_spa);
	vs_set(vsid, MK1_AMD_intercept_instruction1,
	       vs_get(vsid, MK1_AMD_intercept_instruction1) | INTERCEPTS1);
	vs_set(vsid, MK1_AMD_intercept_instruction2,
	       vs_get(vsid, MK1_AMD_intercept_instruction2) | INTERCEPTS2 |
		       (hooks_hypercalls ? SVM_INSTR2_VMMCALL : 0));
	/* VMRUN requires it (APM vol. 2 §15.5.1). */
	vs_set(vsid, MK1_AMD_efer, vs_get(vsid, MK1_AMD_efer) | EFER_SVME);
	return true;
}

/*
 * #UD, or #GP with error code 0, at the instruction that exited. No other event can be pending: the
 * intercepts that lead here belong to instructions, so none was being delivered.
 */
static __noreturn void inject_fault(uint64_t vsid, uint64_t vector)
{
	uint64_t event = SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCEPTION | vector;

	/* Exceptions push no error code in real mode. */
	if (vector == VECTOR_GP && (vs_get(vsid, MK1_AMD_cr0) & CR0_PE))
		event |= SVM_EVENT_ERROR_CODE;
	vs_set(vsid, MK1_AMD_eventinj, event);
	resume(vsid);
}

/* The bits of EFER, SVME left out, that this CPU lets software change (APM vol. 2 §3.1.7). */
static uint64_t efer_writable(void)
{
	struct cpuid_regs features = cpuid(0x80000001, 0);
	struct cpuid_regs more = cpuid(0x80000008, 0);
	uint64_t bits = EFER_SCE | EFER_LME;

	if (features.edx & CPUID_80000001_EDX_NX)
		bits |= EFER_NXE;
	if (features.edx & CPUID_80000001_EDX_FFXSR)
		bits |= EFER_FFXSR;
	if (features.ecx & CPUID_80000001_ECX_TCE)
		bits |= EFER_TCE;
	if (more.ebx & CPUID_80000008_EBX_MCOMMIT)
		bits |= EFER_MCOMMIT;
	if (more.ebx & CPUID_80000008_EBX_INTWB)
		bits |= EFER_INTWB;
	if (cpuid_has_extended(0x80000021)) {
		struct cpuid_regs last = cpuid(0x80000021, 0);

		if (last.eax & CPUID_80000021_EAX_UAI)
			bits |= EFER_UAIE;
		if (last.eax & CPUID_80000021_EAX_AIBRS)
			bits |= EFER_AIBRSE;
	}
	return bits;
}

/*
 * Whether WRMSR of value to EFER is allowed; takes effect if so. A write that clears SVME, as Linux
 * does when it panics, has no effect.
 */
static bool write_efer(uint64_t vsid, uint64_t value)
{
	uint64_t changed = (vs_get(vsid, MK1_AMD_efer) ^ value) & ~(uint64_t)EFER_SVME;

	if (changed & ~efer_writable() || ((value & EFER_SVME) && !shows_svme))
		return false;
	if ((changed & EFER_LME) && (vs_get(vsid, MK1_AMD_cr0) & CR0_PG))
		return false;
	return mk1_vs_write(MK1_HANDLE, vsid, MK1_AMD_efer, value | EFER_SVME) == MK1_SUCCESS;
}

bool svm_read_msr(uint64_t vsid, uint32_t msr, uint64_t *value)
{
	switch (msr) {
	case MSR_EFER:
		*value = vs_get(vsid, MK1_AMD_efer) & ~(uint64_t)EFER_SVME;
		*value |= shows_svme ? EFER_SVME : 0;
		return true;
	case MSR_VM_CR:
		*value = DISABLED;
		return true;
	case MSR_VM_HSAVE_PA:
		*value = 0;
		return true;
	default:
		return pass_rdmsr(vsid, msr, value);
	}
}

bool svm_write_msr(uint64_t vsid, uint32_t msr, uint64_t value)
{
	switch (msr) {
	case MSR_EFER:
		return write_efer(vsid, value);
	case MSR_PATCH_LOADER:
		/*
		 * New microcode may change features that the hypervisor relies on. It is not
		 * loaded: Linux reads the old revision, and says so.
		 */
		return true;
	case MSR_VM_CR:
		return false;
	case MSR_VM_HSAVE_PA:
		return !value; /* Linux writes that when it panics */
	default:
		return pass_wrmsr(vsid, msr, value);
	}
}

/* After what a hook has answered, or the frame in its place. */
static __noreturn void end(const struct ext_exit *e)
{
	if (e->fault)
		inject_fault(e->vsid, e->fault);
	if (e->step)
		svm_step(e->vsid);
	if (e->again)
		resume(e->vsid);
	resume_next(e->vsid);
}

/* A hook of all exits has answered this one. */
static __noreturn void answered(struct ext_exit *e)
{
	bool fault = e->reason == SVM_EXIT_NPF;

	if ((fault || e->reason - SVM_EXIT_EXCEPTION <= VECTOR_LAST_EXCEPTION) &&
	    vs_get(e->vsid, MK1_AMD_exitininfo) & SVM_EVENT_VALID) {
		svm_redeliver(e->vsid);
		hook_delivers(e, fault);
	}
	end(e);
}

static __noreturn void answer_msr(struct ext_exit *e)
{
	uint32_t msr = (uint32_t)mk1_rcx();
	uint64_t value = guest_edx_eax();

	if (vs_get(e->vsid, MK1_AMD_exitinfo1) & SVM_EXITINFO1_WRITE) {
		if (!hook_wrmsr(e, msr, value) && !svm_write_msr(e->vsid, msr, value))
			e->fault = EXT_FAULT_GP;
	} else if (!hook_rdmsr(e, msr)) {
		if (svm_read_msr(e->vsid, msr, &value))
			set_guest_edx_eax(value);
		else
			e->fault = EXT_FAULT_GP;
	}
	end(e);
}

/* What the exit interrupted is delivered with whatever comes next. */
static __noreturn void answer_fault(struct ext_exit *e)
{
	uint64_t info = vs_get(e->vsid, MK1_AMD_exitinfo1);
	struct ext_fault fault = { .gpa = vs_get(e->vsid, MK1_AMD_exitinfo2),
				   .walk = info & SVM_NPF_WALK };

	fault.access = info & SVM_NPF_FETCH ? EXT_EXECUTE :
		       info & SVM_NPF_WRITE ? EXT_WRITE :
					      EXT_READ;
	svm_redeliver(e->vsid); /* before a hook may change what is intercepted */
	hook_memory(e, &fault, vs_get(e->vsid, MK1_AMD_exitininfo) & SVM_EVENT_VALID);
	end(e);
}

/* INT3: a hook's, or Linux's, which pushes the address behind it. */
static __noreturn void answer_breakpoint(struct ext_exit *e)
{
	if (hooked_breakpoint(e))
		end(e);
	vs_set(e->vsid, MK1_AMD_eventinj, SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCEPTION | VECTOR_BP);
	resume_next(e->vsid);
}

static __noreturn void answer_io(struct ext_exit *e)
{
	uint64_t info = vs_get(e->vsid, MK1_AMD_exitinfo1);
	struct ext_io io = { .port = SVM_IOIO_PORT(info),
			     .size = SVM_IOIO_SIZE(info),
			     .in = info & SVM_IOIO_IN,
			     .string = info & SVM_IOIO_STRING };

	hook_io(e, &io);
	end(e);
}

static noinline __noreturn void answer(uint64_t vsid, uint64_t reason)
{
	struct ext_exit e = { .vsid = vsid, .reason = reason };

	svm_step_end(vsid, reason);
	if (live_is_recall(reason)) {
		live_apply(vsid);
		resume(vsid);
	}

	if (__atomic_load_n(&report, __ATOMIC_RELAXED))
		ext_print("%s: PP %u: exit 0x%llx at RIP 0x%llx\n", ext_name,
			  (unsigned int)mk1_tls_ppid(), (unsigned long long)reason,
			  (unsigned long long)vs_get(vsid, MK1_AMD_rip));

	if ((uint32_t)reason == SVM_EXIT_CPUID && is_loaders(vsid))
		resume_next(vsid);
	if (hook_exit(&e))
		answered(&e);
	switch ((uint32_t)reason) {
	case SVM_EXIT_CPUID:
		answer_cpuid(&e);
		end(&e);
	case SVM_EXIT_MSR:
		answer_msr(&e);
	case SVM_EXIT_EXCEPTION + VECTOR_BP:
		answer_breakpoint(&e);
	case SVM_EXIT_SWINT: /* which only hooks intercept */
		if (hooked_breakpoint(&e))
			end(&e);
		svm_run_until_iret(vsid);
	case SVM_EXIT_IOIO:
		answer_io(&e);
	case SVM_EXIT_VMMCALL:
		hook_hypercall(&e);
		end(&e);
	case SVM_EXIT_NPF:
		if (watches_memory())
			answer_fault(&e);
		break;
	case SVM_EXIT_INVD:
		/* It would discard what other CPUs wrote: only firmware without RAM needs it. */
		if (ext_cpl(vsid) == 0)
			resume_next(vsid);
		inject_fault(vsid, VECTOR_GP);
	case SVM_EXIT_INVLPGA:
	case SVM_EXIT_VMRUN:
	case SVM_EXIT_VMLOAD:
	case SVM_EXIT_VMSAVE:
	case SVM_EXIT_STGI:
	case SVM_EXIT_CLGI:
	case SVM_EXIT_SKINIT:
		inject_fault(vsid, VECTOR_UD);
	case SVM_EXIT_INIT:
		svm_startup(vsid, vs_get(vsid, MK1_AMD_exitinfo1) & 0xFF);
		resume(vsid);
	case SVM_EXIT_SHUTDOWN:
		give_up("the guest shut down (triple fault); RIP", vsid, vs_get(vsid, MK1_AMD_rip));
	default:
		if (svm_exception(&e))
			end(&e);
		/* Control and debug registers, which only hooks ask for. */
		if ((uint32_t)reason < SVM_EXIT_EXCEPTION) {
			access_svm(&e);
			end(&e);
		}
		break;
	}
	unexpected_exit(vsid, reason, vs_get(vsid, MK1_AMD_rip));
}

__noreturn void svm_vmexit(uint64_t vsid, uint64_t reason)
{
	if (likely((uint32_t)reason == SVM_EXIT_CPUID))
		fast_cpuid();
	answer(vsid, reason);
}
