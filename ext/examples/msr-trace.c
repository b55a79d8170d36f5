// SPDX-License-Identifier: MIT
/*
 * msr-trace: who writes the MSRs that lead into the kernel. Rootkits do, and Linux when a CPU comes
 * online. Each write is a line with the MSR, the old value, the new one, and where it came from:
 *
 *	bfm start msr-trace
 *	bfm dump --follow
 */
#include <abi/hw/x86.h>
#include <ext/libext/frame.h>

const char ext_name[] = "msr-trace";

static const uint32_t traced[] = { MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_STAR,
				   MSR_LSTAR,       MSR_CSTAR,        MSR_FMASK,        MSR_EFER };

/* Says so, and lets the frame do it. */
static bool trace(struct ext_exit *e, uint32_t msr, uint64_t value)
{
	uint64_t old = 0;

	if (ext_msr_read(e->vsid, msr, &old))
		ext_print("%s: PP %u: MSR 0x%x: 0x%llx, then 0x%llx, by RIP 0x%llx\n", ext_name,
			  (unsigned int)mk1_tls_ppid(), msr, (unsigned long long)old,
			  (unsigned long long)value,
			  (unsigned long long)ext_reg_read(e->vsid, EXT_REG_rip));
	return false;
}

int ext_start(uint64_t specs)
{
	static const struct ext_ops ops = { .wrmsr = trace };

	if (ext_run_linux(specs, &ops))
		return 1;
	for (size_t i = 0; i < sizeof(traced) / sizeof(traced[0]); i++) {
		if (!ext_msr_intercept(traced[i], EXT_MSR_WRITE))
			return 1;
	}
	return 0;
}
