/* SPDX-License-Identifier: MIT */
#include <ext/default/cpuid.h>
#include <ext/default/default.h>

bool report;

static bool is_svm; /* written by ext_start only */

void give_up(const char *what, uint64_t vsid, uint64_t detail)
{
	ext_print("default: PP %u: %s (0x%llx)\n", (unsigned int)mk1_tls_ppid(), what,
		  (unsigned long long)detail);
	if ((uint16_t)vsid != MK1_INVALID_ID)
		mk1_debug_dump_vs(vsid);
	ext_exit();
}

void unexpected_exit(uint64_t vsid, uint64_t reason, uint64_t rip)
{
	ext_print("default: PP %u: unexpected exit 0x%llx at RIP 0x%llx\n",
		  (unsigned int)mk1_tls_ppid(), (unsigned long long)reason,
		  (unsigned long long)rip);
	mk1_debug_dump_vs(vsid);
	ext_exit();
}

uint64_t vs_get(uint64_t vsid, uint64_t reg)
{
	uint64_t value;

	if (mk1_vs_read(MK1_HANDLE, vsid, reg, &value) != MK1_SUCCESS)
		give_up("the microkernel does not read this register", vsid, reg);
	return value;
}

void vs_set(uint64_t vsid, uint64_t reg, uint64_t value)
{
	if (mk1_vs_write(MK1_HANDLE, vsid, reg, value) != MK1_SUCCESS)
		give_up("the microkernel does not write this register", vsid, reg);
}

void resume(uint64_t vsid)
{
	uint64_t status = mk1_vs_run_current(MK1_HANDLE);

	give_up("run_current failed", vsid, status);
}

void resume_next(uint64_t vsid)
{
	uint64_t status = mk1_vs_advance_ip_and_run_current(MK1_HANDLE);

	give_up("advance_ip_and_run_current failed", vsid, status);
}

void flush_tlb(uint64_t vsid)
{
	uint64_t status = mk1_vm_tlb_flush(MK1_HANDLE, mk1_tls_vmid());

	if (status != MK1_SUCCESS)
		give_up("tlb_flush failed", vsid, status);
}

/* The loader wants the CPU back: it goes on behind its CPUID with RAX = 0, or 1 if we cannot. */
__attribute__((noreturn)) static void stop(uint64_t vsid)
{
	uint64_t status;

	mk1_set_rax(0);
	status = mk1_vs_advance_ip_and_set_active(MK1_HANDLE, mk1_tls_vmid(), mk1_tls_vpid(), vsid);
	if (status != MK1_SUCCESS) {
		mk1_set_rax(1);
		resume_next(vsid);
	}
	status = mk1_vs_promote(MK1_HANDLE, vsid);
	ext_print("default: promote failed (0x%llx)\n", (unsigned long long)status);
	mk1_set_rax(1);
	resume(vsid);
}

static void set_report(bool on)
{
	__atomic_store_n(&report, on, __ATOMIC_RELAXED);
	mk1_set_rax(0);
}

void answer_cpuid(uint64_t vsid, uint64_t cr4_reg, uint64_t (*cpl)(uint64_t vsid))
{
	uint32_t leaf = (uint32_t)mk1_rax();
	uint32_t subleaf = (uint32_t)mk1_rcx();
	struct cpuid_regs regs;

	/* From any other privilege level this leaf is one like any other that the CPU lacks. */
	if (leaf == MK1_CPUID_LEAF && subleaf >= MK1_CPUID_STOP &&
	    subleaf <= MK1_CPUID_REPORT_OFF && cpl(vsid) == 0) {
		if (subleaf == MK1_CPUID_STOP)
			stop(vsid);
		set_report(subleaf == MK1_CPUID_REPORT_ON);
		resume_next(vsid);
	}

	regs = cpuid(leaf, subleaf);
	if (leaf < 0x80000000 || cpuid_has_extended(leaf))
		cpuid_filter(leaf, subleaf,
			     cpuid_shows_cr4(leaf, subleaf) ? vs_get(vsid, cr4_reg) : 0, &regs);
	mk1_set_rax(regs.eax);
	mk1_set_rbx(regs.ebx);
	mk1_set_rcx(regs.ecx);
	mk1_set_rdx(regs.edx);
	resume_next(vsid);
}

bool pass_rdmsr(uint32_t msr)
{
	uint64_t value;

	if (mk1_intrinsic_rdmsr(MK1_HANDLE, msr, &value) != MK1_SUCCESS)
		return false;
	set_guest_edx_eax(value);
	return true;
}

bool pass_wrmsr(uint32_t msr, uint64_t value)
{
	return mk1_intrinsic_wrmsr(MK1_HANDLE, msr, value) == MK1_SUCCESS;
}

/*
 * Once a PP at the start, and again for a PP that comes back (CPU hotplug, resume): the microkernel
 * has then destroyed what this PP had before.
 */
__attribute__((noreturn)) static void on_bootstrap(uint64_t ppid)
{
	uint64_t vpid;
	uint64_t vsid;
	uint64_t status;

	status = mk1_vp_create_vp(MK1_HANDLE, MK1_ROOT_VMID, &vpid);
	if (status != MK1_SUCCESS)
		give_up("create_vp failed", MK1_INVALID_ID, status);
	status = mk1_vs_create_vs(MK1_HANDLE, vpid, ppid, &vsid);
	if (status != MK1_SUCCESS)
		give_up("create_vs failed", MK1_INVALID_ID, status);
	status = mk1_vs_init_as_root(MK1_HANDLE, vsid);
	if (status != MK1_SUCCESS)
		give_up("init_as_root failed", vsid, status);
	if (!(is_svm ? svm_setup(vsid) : vmx_setup(vsid)))
		ext_exit();
	status = mk1_vs_set_active(MK1_HANDLE, MK1_ROOT_VMID, vpid, vsid);
	if (status != MK1_SUCCESS)
		give_up("set_active failed", vsid, status);
	/* What an earlier run left in the TLB under the ASID or VPID that every PP uses. */
	flush_tlb(vsid);
	resume(vsid);
}

/* A bug in this extension: the microkernel takes the PP, Linux goes on. */
__attribute__((noreturn)) static void on_fail(uint64_t error_and_vector, uint64_t address)
{
	ext_print("default: PP %u: fault: vector %u, error code 0x%x, address 0x%llx\n",
		  (unsigned int)mk1_tls_ppid(), (unsigned int)(uint32_t)error_and_vector,
		  (unsigned int)(error_and_vector >> 32), (unsigned long long)address);
	ext_exit();
}

static bool cpu_is_amd(void)
{
	struct cpuid_regs id = cpuid(0, 0);

	return (id.ebx == CPUID_0_EBX_AMD && id.edx == CPUID_0_EDX_AMD &&
		id.ecx == CPUID_0_ECX_AMD) ||
	       (id.ebx == CPUID_0_EBX_HYGON && id.edx == CPUID_0_EDX_HYGON &&
		id.ecx == CPUID_0_ECX_HYGON);
}

int ext_start(uint64_t specs)
{
	uint64_t handle;

	if (!(specs & MK1_SPEC_MASK) ||
	    mk1_handle_open_handle(MK1_SPEC_ID, &handle) != MK1_SUCCESS || handle != MK1_HANDLE) {
		ext_print("default: the microkernel does not speak Mk#1\n");
		return 1;
	}
	is_svm = cpu_is_amd();
	if (!(is_svm ? svm_start() : vmx_start()))
		return 1;
	if (mk1_register_bootstrap(MK1_HANDLE, on_bootstrap) != MK1_SUCCESS ||
	    mk1_register_vmexit(MK1_HANDLE, is_svm ? svm_vmexit : vmx_vmexit) != MK1_SUCCESS ||
	    mk1_register_fail(MK1_HANDLE, on_fail) != MK1_SUCCESS) {
		ext_print("default: the microkernel refuses the callbacks\n");
		return 1;
	}
	return 0;
}
