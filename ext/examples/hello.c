// SPDX-License-Identifier: MIT
/*
 * hello: greets from every CPU, and answers a CPUID leaf that no CPU has, from any program:
 *
 *	bfm start hello && bfm dump
 */
#include <ext/libext/frame.h>

const char ext_name[] = "hello";

#define LEAF 0x4F000000

static bool greet(uint64_t vsid)
{
	ext_print("%s: PP %u: Linux is about to be a guest at RIP 0x%llx\n", ext_name,
		  (unsigned int)mk1_tls_ppid(),
		  (unsigned long long)ext_reg_read(vsid, EXT_REG_rip));
	return true;
}

static bool answer(struct ext_exit *e, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *regs)
{
	(void)e;
	if (leaf != LEAF)
		return false;
	*regs = (struct cpuid_regs){
		.eax = subleaf, .ebx = 0x6C6C6548, .ecx = 0x6F, .edx = mk1_tls_ppid()
	}; /* "Hello" */
	return true;
}

int ext_start(uint64_t specs)
{
	static const struct ext_ops ops = { .cpu_in = greet, .cpuid = answer };

	return ext_run_linux(specs, &ops);
}
