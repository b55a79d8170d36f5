// SPDX-License-Identifier: MIT
/*
 * tracer: who writes the MSRs that lead into the kernel. Rootkits do, and Linux when a CPU comes
 * online. Each write is a line with the MSR, the old value, the new one, and where it came from:
 *
 *	bfm start tracer
 *	bfm dump --follow
 */
#include <abi/hw/x86.h>
#include <ext/cxx/log.hpp>
#include <ext/libext/frame.h>

extern const char ext_name[] = "tracer";

namespace {

using namespace bareflank;
using ext::hex;

constexpr uint32_t traced[] = {MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_STAR,
			       MSR_LSTAR,       MSR_CSTAR,        MSR_FMASK,        MSR_EFER};

// Says so, and lets the frame do it.
bool trace(struct ext_exit *e, uint32_t msr, uint64_t value)
{
	uint64_t old = 0;

	if (ext_msr_read(e->vsid, msr, &old))
		ext::log(ext::Level::info, "MSR ", hex(msr), ": ", hex(old), ", then ", hex(value),
			 ", by RIP ", hex(ext_reg_read(e->vsid, EXT_REG_rip)));
	return false;
}

constexpr ext_ops hooks()
{
	ext_ops ops = {};

	ops.wrmsr = trace;
	return ops;
}

} // namespace

int ext_start(uint64_t specs)
{
	static constexpr ext_ops ops = hooks();

	if (ext_run_linux(specs, &ops))
		return 1;
	for (const uint32_t msr : traced) {
		if (!ext_msr_intercept(msr, EXT_MSR_WRITE))
			return 1;
	}
	return 0;
}
