// SPDX-License-Identifier: MIT
/* Linux's MSRs: where each is, and which may exit. */
#include <abi/hw/x86.h>
#include <abi/mk1_msrs.h>
#include <bsl/paging.h>
#include <ext/libext/frame.h>
#include <ext/linux/follow.h>
#include <ext/linux/linux.h>
#include <ext/linux/live.h>
#include <ext/linux/vendor.h>

/* Those that are in the VMCB or VMCS, or that the microkernel has for a VS. */
static const struct {
	uint32_t msr;
	uint8_t reg; /* enum ext_reg */
	bool canonical; /* WRMSR takes nothing else (APM vol. 2 §3.2, SDM vol. 2, WRMSR) */
} in_vs[] = {
	{ MSR_SYSENTER_CS, EXT_REG_sysenter_cs, false },
	{ MSR_SYSENTER_ESP, EXT_REG_sysenter_esp, true },
	{ MSR_SYSENTER_EIP, EXT_REG_sysenter_eip, true },
	{ MSR_PAT, EXT_REG_pat, false },
	{ MSR_STAR, EXT_REG_star, false },
	{ MSR_LSTAR, EXT_REG_lstar, true },
	{ MSR_CSTAR, EXT_REG_cstar, true },
	{ MSR_FMASK, EXT_REG_fmask, false },
	{ MSR_FS_BASE, EXT_REG_fs_base, true },
	{ MSR_GS_BASE, EXT_REG_gs_base, true },
	{ MSR_KERNEL_GS_BASE, EXT_REG_kernel_gs_base, true },
};

#define NR_IN_VS (sizeof(in_vs) / sizeof(in_vs[0]))

/* What intrinsic_rdmsr and intrinsic_wrmsr reach. */
#define RIGHTS_R EXT_MSR_READ
#define RIGHTS_RW (EXT_MSR_READ | EXT_MSR_WRITE)
#define REACHED(first, last, rights, what) { first, last, RIGHTS_##rights },
static const struct {
	uint32_t first, last;
	unsigned int access;
} in_cpu[] = { MK1_MSRS(REACHED) };

#define NR_IN_CPU (sizeof(in_cpu) / sizeof(in_cpu[0]))

/* The index in in_vs; NR_IN_VS: it is not there. */
static size_t find_in_vs(uint32_t msr)
{
	size_t i = 0;

	while (i < NR_IN_VS && in_vs[i].msr != msr)
		i++;
	return i;
}

/* 57 bits where the CPU has them, whether Linux uses them or not: WRMSR does not look at CR4. */
static unsigned int levels(void)
{
	return cpuid(0, 0).eax >= 7 && cpuid(7, 0).ecx & CPUID_7_ECX_LA57 ? 5 : 4;
}

bool pass_rdmsr(uint64_t vsid, uint32_t msr, uint64_t *value)
{
	size_t i = find_in_vs(msr);

	if (i == NR_IN_VS)
		return mk1_intrinsic_rdmsr(MK1_HANDLE, msr, value) == MK1_SUCCESS;
	*value = ext_reg_read(vsid, (enum ext_reg)in_vs[i].reg);
	return true;
}

/* Each byte of the PAT is a memory type (APM vol. 2 §7.8.2, SDM vol. 3 §13.12.2). */
static bool is_pat(uint64_t value)
{
	for (unsigned int shift = 0; shift < 64; shift += 8) {
		unsigned int type = value >> shift & 0xFF;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

bool pass_wrmsr(uint64_t vsid, uint32_t msr, uint64_t value)
{
	size_t i = find_in_vs(msr);

	if (i == NR_IN_VS)
		return mk1_intrinsic_wrmsr(MK1_HANDLE, msr, value) == MK1_SUCCESS;
	if (in_vs[i].canonical && !bsl_is_canonical(value, levels()))
		return false;
	if (msr == MSR_PAT && !is_pat(value))
		return false;
	if (msr == MSR_FMASK || msr == MSR_SYSENTER_CS)
		value = (uint32_t)value; /* what the CPU keeps of it */
	return ext_reg_write(vsid, (enum ext_reg)in_vs[i].reg, value);
}

/* What the frame can do for Linux when it exits. */
static unsigned int passed(uint32_t msr)
{
	if (find_in_vs(msr) < NR_IN_VS || msr == MSR_EFER)
		return EXT_MSR_READ | EXT_MSR_WRITE;
	for (size_t i = 0; i < NR_IN_CPU; i++) {
		if (msr >= in_cpu[i].first && msr <= in_cpu[i].last)
			return in_cpu[i].access;
	}
	return 0;
}

static bool may_exit(uint32_t msr, unsigned int access)
{
	unsigned int able = passed(msr);

	if (access && !(access & ~able))
		return true;
	ext_print("%s: MSR 0x%x cannot be intercepted for %s: nothing reaches it for Linux then\n",
		  ext_name, msr, access & EXT_MSR_READ & ~able ? "reading" : "writing");
	return false;
}

bool intercept_msr(uint32_t msr, unsigned int access)
{
	if (!may_exit(msr, access))
		return false;
	if (linux_is_on_amd() ? svm_intercept_msr(msr, access) : vmx_intercept_msr(msr, access))
		return true;
	ext_print("%s: MSR 0x%x has no bit in the permission maps\n", ext_name, msr);
	return false;
}

bool ext_msr_intercept(uint32_t msr, unsigned int access)
{
	if (!linux_is_open()) {
		ext_print("%s: ext_run_linux comes before ext_msr_intercept\n", ext_name);
		return false;
	}
	if (!live_may("an MSR"))
		return false;
	if (follow_is_one())
		return may_exit(msr, access) && follow_wants_msr(msr, access) && live_tell();
	return intercept_msr(msr, access) && live_tell();
}

bool ext_msr_read(uint64_t vsid, uint32_t msr, uint64_t *value)
{
	return linux_is_on_amd() ? svm_read_msr(vsid, msr, value) : vmx_read_msr(vsid, msr, value);
}

bool ext_msr_write(uint64_t vsid, uint32_t msr, uint64_t value)
{
	return linux_is_on_amd() ? svm_write_msr(vsid, msr, value) :
				   vmx_write_msr(vsid, msr, value);
}
