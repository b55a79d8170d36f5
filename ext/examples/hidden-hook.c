// SPDX-License-Identifier: MIT
/*
 * hidden-hook: says who calls a function of the kernel, without a trace of it in the kernel's code.
 * Whoever reads the function, or sums it up, finds what was there before.
 *
 *	bfm start hidden-hook --arg at=0x$(awk '$3 == "do_init_module" { print $1 }' /proc/kallsyms)
 *	bfm dump --follow
 */
#include <ext/libext/arg.h>
#include <ext/libext/hook.h>
#include <ext/libext/log.h>
#include <ext/libext/memory.h>

const char ext_name[] = "hidden-hook";

static uint64_t at;

/* As a function of the kernel begins: its first arguments, and on the stack where it returns to. */
static void called(struct ext_exit *e)
{
	uint64_t caller = 0;

	(void)ext_mem_read(e->vsid, ext_reg_read(e->vsid, EXT_REG_rsp), &caller, sizeof(caller),
			   NULL);
	ext_log(EXT_INFO, "called from 0x%llx with 0x%llx, 0x%llx, 0x%llx, CR3 0x%llx",
		(unsigned long long)caller, (unsigned long long)ext_reg_read(e->vsid, EXT_REG_rdi),
		(unsigned long long)ext_reg_read(e->vsid, EXT_REG_rsi),
		(unsigned long long)ext_reg_read(e->vsid, EXT_REG_rdx),
		(unsigned long long)ext_reg_read(e->vsid, EXT_REG_cr3));
}

static bool hook(uint64_t vsid)
{
	return ext_hook(vsid, at, called);
}

int ext_start(uint64_t specs)
{
	static const char *const keys[] = { "at", NULL };
	static const struct ext_ops ops = { .cpu_in = hook };

	if (!ext_args_load() || !ext_args_known(keys) || !ext_arg_u64("at", 0, &at))
		return 1;
	if (!at)
		ext_fail("which function is not said: at=ADDRESS");
	return ext_run_linux(specs, &ops);
}
