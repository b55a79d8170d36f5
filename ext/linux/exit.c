// SPDX-License-Identifier: MIT
/* What the answers to exits have in common on both vendors. */
#include <ext/linux/cpuid.h>
#include <ext/linux/hooks.h>
#include <ext/linux/linux.h>

bool report;

void give_up(const char *what, uint64_t vsid, uint64_t detail)
{
	ext_print("%s: PP %u: %s (0x%llx)\n", ext_name, (unsigned int)mk1_tls_ppid(), what,
		  (unsigned long long)detail);
	if ((uint16_t)vsid != MK1_INVALID_ID)
		mk1_debug_dump_vs(vsid);
	ext_exit();
}

void unexpected_exit(uint64_t vsid, uint64_t reason, uint64_t rip)
{
	ext_print("%s: PP %u: unexpected exit 0x%llx at RIP 0x%llx\n", ext_name,
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

/* The loader wants the CPU back: it goes on after its CPUID with RAX = 0, or 1 if we cannot. */
static __noreturn void stop(uint64_t vsid)
{
	uint64_t status;

	hook_cpu_out(vsid);
	mk1_set_rax(0);
	status = mk1_vs_advance_ip_and_set_active(MK1_HANDLE, mk1_tls_vmid(), mk1_tls_vpid(), vsid);
	if (status != MK1_SUCCESS) {
		mk1_set_rax(1);
		resume_next(vsid);
	}
	status = mk1_vs_promote(MK1_HANDLE, vsid);
	ext_print("%s: promote failed (0x%llx)\n", ext_name, (unsigned long long)status);
	mk1_set_rax(1);
	resume(vsid);
}

static void set_report(bool on)
{
	__atomic_store_n(&report, on, __ATOMIC_RELAXED);
	mk1_set_rax(0);
}

bool is_loaders(uint64_t vsid)
{
	uint32_t subleaf = (uint32_t)mk1_rcx();

	/* From any other privilege level this leaf is one of those that the CPU lacks. */
	if ((uint32_t)mk1_rax() != MK1_CPUID_LEAF || subleaf < MK1_CPUID_STOP ||
	    subleaf > MK1_CPUID_REPORT_OFF || ext_cpl(vsid))
		return false;
	if (subleaf == MK1_CPUID_STOP)
		stop(vsid);
	set_report(subleaf == MK1_CPUID_REPORT_ON);
	return true;
}

void answer_cpuid(struct ext_exit *e)
{
	uint32_t leaf = (uint32_t)mk1_rax();
	uint32_t subleaf = (uint32_t)mk1_rcx();
	struct cpuid_regs regs = cpuid(leaf, subleaf);

	if (leaf < 0x80000000 || cpuid_has_extended(leaf))
		cpuid_filter(leaf, subleaf,
			     cpuid_shows_cr4(leaf, subleaf) ? ext_reg_read(e->vsid, EXT_REG_cr4) :
							      0,
			     &regs);
	(void)hook_cpuid(e, leaf, subleaf, &regs);
	mk1_set_rax(regs.eax);
	mk1_set_rbx(regs.ebx);
	mk1_set_rcx(regs.ecx);
	mk1_set_rdx(regs.edx);
}
