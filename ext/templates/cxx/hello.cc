// SPDX-License-Identifier: MIT
/*
 * hello: greets from every CPU, and answers a CPUID leaf that no CPU has, from any program:
 *
 *	bfm start hello && bfm dump
 */
#include <ext/libext/frame.h>

extern const char ext_name[] = "hello";

namespace {

constexpr uint32_t leaf_of_ours = 0x4F000000;

bool greet(uint64_t vsid)
{
	ext_print("%s: PP %u: Linux is about to be a guest at RIP 0x%llx\n", ext_name,
		  unsigned{mk1_tls_ppid()},
		  static_cast<unsigned long long>(ext_reg_read(vsid, EXT_REG_rip)));
	return true;
}

bool answer(struct ext_exit *, uint32_t leaf, uint32_t subleaf, cpuid_regs *regs)
{
	if (leaf != leaf_of_ours)
		return false;
	*regs = {subleaf, 0x6C6C6548, 0x6F, mk1_tls_ppid()}; // "Hello"
	return true;
}

constexpr ext_ops hooks()
{
	ext_ops ops = {};

	ops.cpu_in = greet;
	ops.cpuid = answer;
	return ops;
}

} // namespace

int ext_start(uint64_t specs)
{
	static constexpr ext_ops ops = hooks();

	return ext_run_linux(specs, &ops);
}
