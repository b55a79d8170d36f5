// SPDX-License-Identifier: MIT
/*
 * page-guard: who writes to a range of memory that nobody should write to. Each access is a line
 * with the address, the instruction that did it, and the CR3 of its process; Linux goes on as if
 * nothing had been there. With deny=yes it takes #GP instead.
 *
 *	bfm start page-guard --arg start=0x12345000 --arg size=0x1000 --arg access=w
 *	bfm dump --follow
 *
 * start is a guest-physical address, which for Linux's memory is what Linux calls a physical one.
 */
#include <ext/libext/arg.h>
#include <ext/libext/watch.h>

const char ext_name[] = "page-guard";

static unsigned int asked;
static bool deny;
static uint64_t start, size;

static const char *name_of(unsigned int access)
{
	return access & EXT_EXECUTE ? "executed" : access & EXT_WRITE ? "written" : "read";
}

static bool found(struct ext_exit *e, const struct ext_fault *fault)
{
	uint64_t rip = ext_reg_read(e->vsid, EXT_REG_rip);

	if (fault->gpa < start || fault->gpa - start >= size)
		return false;
	ext_print("%s: PP %u: 0x%llx %s by RIP 0x%llx, CPL %u, CR3 0x%llx%s\n", ext_name,
		  (unsigned int)mk1_tls_ppid(), (unsigned long long)fault->gpa,
		  name_of(fault->access), (unsigned long long)rip, ext_cpl(e->vsid),
		  (unsigned long long)ext_reg_read(e->vsid, EXT_REG_cr3),
		  fault->walk ? ", in a walk through page tables" : "");
	if (deny && !fault->walk && fault->access & asked)
		e->fault = EXT_FAULT_GP;
	return true;
}

/* Of "rwx", one or some; 0: something else. */
static unsigned int parse(const char *text)
{
	unsigned int access = 0;

	for (; *text; text++) {
		if (*text != 'r' && *text != 'w' && *text != 'x')
			return 0;
		access |= *text == 'r' ? EXT_READ : *text == 'w' ? EXT_WRITE : EXT_EXECUTE;
	}
	return access;
}

int ext_start(uint64_t specs)
{
	static const char *const keys[] = { "start", "size", "access", "deny", NULL };
	static const struct ext_ops ops = { .nested_fault = found };
	const char *access;

	if (!ext_args_load() || !ext_args_known(keys) || !ext_arg_u64("start", 0, &start) ||
	    !ext_arg_u64("size", BF_PAGE_SIZE, &size) || !ext_arg_bool("deny", false, &deny))
		return 1;
	access = ext_arg("access");
	asked = parse(access ? access : "w");
	if (!start || !asked) {
		ext_print("%s: which pages is not said: start=ADDRESS, access=r, w or x\n",
			  ext_name);
		return 1;
	}
	return ext_run_linux(specs, &ops) || !ext_watch(start, size, asked);
}
