// SPDX-License-Identifier: MIT
/*
 * cpuid-filter: changes what CPUID says, to the kernel and to all programs. Those that Linux runs
 * see a CPU without AVX2 then (bit 5 of EBX):
 *
 *	bfm start cpuid-filter --arg leaf=7 --arg subleaf=0 --arg clear-ebx=0x20
 *
 * For each of eax, ebx, ecx and edx there are set- (the whole register), clear- and or- (bits of
 * it). Without subleaf it is about all of them. What the kernel has found at its boot it keeps.
 */
#include <bsl/format.h>
#include <ext/libext/arg.h>
#include <ext/libext/frame.h>
#include <ext/libext/log.h>

const char ext_name[] = "cpuid-filter";

static const char *const keys[] = { "leaf",    "subleaf",   "set-eax",   "set-ebx",   "set-ecx",
				    "set-edx", "clear-eax", "clear-ebx", "clear-ecx", "clear-edx",
				    "or-eax",  "or-ebx",    "or-ecx",    "or-edx",    NULL };

static uint32_t leaf, subleaf;
static bool all_subleaves;

/* In the order of struct cpuid_regs: what stays of the CPU's value, and what is added. */
static struct change {
	uint32_t keep, add;
} changes[4];

static uint32_t apply(const struct change *change, uint32_t value)
{
	return (value & change->keep) | change->add;
}

static bool filter(struct ext_exit *e, uint32_t at_leaf, uint32_t at_subleaf,
		   struct cpuid_regs *regs)
{
	(void)e;
	if (at_leaf != leaf || (!all_subleaves && at_subleaf != subleaf))
		return false;
	regs->eax = apply(&changes[0], regs->eax);
	regs->ebx = apply(&changes[1], regs->ebx);
	regs->ecx = apply(&changes[2], regs->ecx);
	regs->edx = apply(&changes[3], regs->edx);
	return true;
}

/* The value of an argument; otherwise, where it was not given. */
static uint32_t number(const char *key, uint32_t otherwise)
{
	uint64_t value;

	if (!ext_arg_u64(key, otherwise, &value))
		ext_fail("%s takes a number", key);
	if (value >> 32)
		ext_fail("%s=0x%llx: it has more than 32 bits", key, (unsigned long long)value);
	return (uint32_t)value;
}

/* What is to be done with one register. */
static struct change change_of(const char *reg)
{
	char key[16];
	struct change change;

	bsl_format(key, sizeof(key), "set-%s", reg);
	change.keep = ext_arg(key) ? 0 : 0xFFFFFFFF;
	change.add = number(key, 0);
	bsl_format(key, sizeof(key), "clear-%s", reg);
	change.keep &= ~number(key, 0);
	bsl_format(key, sizeof(key), "or-%s", reg);
	change.add |= number(key, 0);
	return change;
}

int ext_start(uint64_t specs)
{
	static const struct ext_ops ops = { .cpuid = filter };
	static const char *const regs[4] = { "eax", "ebx", "ecx", "edx" };
	bool any = false;

	if (!ext_args_load() || !ext_args_known(keys))
		return 1;
	if (!ext_arg("leaf"))
		ext_fail("which leaf? --arg leaf=NUMBER");
	leaf = number("leaf", 0);
	all_subleaves = !ext_arg("subleaf");
	subleaf = number("subleaf", 0);
	for (unsigned int i = 0; i < 4; i++) {
		changes[i] = change_of(regs[i]);
		any |= changes[i].add || ~changes[i].keep;
	}
	if (!any)
		ext_fail("nothing to change: --arg set-eax=VALUE, clear-ecx=BITS, or-edx=BITS");
	return ext_run_linux(specs, &ops);
}
