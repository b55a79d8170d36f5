// SPDX-License-Identifier: MIT
/*
 * register-trace: who writes to control registers and debug registers. Each write to CR0, CR4 or
 * CR8, and each access to a debug register, is a line, before Linux executes it; those to CR3 are
 * counted, and what a PP has counted is a line as it stops.
 *
 *	bfm start register-trace --arg cr=0x11 --arg dr=0xcf
 *	bfm dump --follow
 *
 * cr and dr are masks, with bit n for CRn and DRn. Bits of CR0 and CR4 that are in keep-cr0 and
 * keep-cr4 stay set: a write that would clear them does nothing.
 *
 *	bfm start register-trace --arg keep-cr0=0x10000 --arg keep-cr4=0x300800
 */
#include <ext/libext/arg.h>
#include <ext/libext/watch.h>

const char ext_name[] = "register-trace";

#define BOTH_REGISTERS 0x11

static uint64_t keep_cr0, keep_cr4;
static __thread uint64_t cr3_writes;

static bool on_cr(struct ext_exit *e, const struct ext_cr *cr)
{
	uint64_t keep = cr->number == 0 ? keep_cr0 : cr->number == 4 ? keep_cr4 : 0;
	bool refused = cr->old & ~cr->value & keep;

	if (cr->number == 3) {
		cr3_writes++;
		return false;
	}
	ext_print("%s: PP %u: CR%u: 0x%llx, then 0x%llx%s, by RIP 0x%llx\n", ext_name,
		  (unsigned int)mk1_tls_ppid(), cr->number, (unsigned long long)cr->old,
		  (unsigned long long)cr->value, refused ? ": kept" : "",
		  (unsigned long long)ext_reg_read(e->vsid, EXT_REG_rip));
	return refused;
}

static bool on_dr(struct ext_exit *e, const struct ext_dr *dr, uint64_t *value)
{
	unsigned long long rip = ext_reg_read(e->vsid, EXT_REG_rip);

	if (dr->write)
		ext_print("%s: PP %u: DR%u: 0x%llx, by RIP 0x%llx\n", ext_name,
			  (unsigned int)mk1_tls_ppid(), dr->number, (unsigned long long)*value,
			  rip);
	else
		ext_print("%s: PP %u: DR%u is read, by RIP 0x%llx\n", ext_name,
			  (unsigned int)mk1_tls_ppid(), dr->number, rip);
	return false;
}

static void cpu_out(uint64_t vsid)
{
	(void)vsid;
	if (cr3_writes)
		ext_print("%s: PP %u: CR3 was written %llu times\n", ext_name,
			  (unsigned int)mk1_tls_ppid(), (unsigned long long)cr3_writes);
	cr3_writes = 0;
}

int ext_start(uint64_t specs)
{
	static const char *const keys[] = { "cr", "dr", "keep-cr0", "keep-cr4", NULL };
	static const struct ext_ops ops = { .cr = on_cr, .dr = on_dr, .cpu_out = cpu_out };
	uint64_t cr, dr;

	if (!ext_args_load() || !ext_args_known(keys) || !ext_arg_u64("cr", BOTH_REGISTERS, &cr) ||
	    !ext_arg_u64("dr", 0, &dr) || !ext_arg_u64("keep-cr0", 0, &keep_cr0) ||
	    !ext_arg_u64("keep-cr4", 0, &keep_cr4) || ext_run_linux(specs, &ops))
		return 1;
	if (cr > UINT32_MAX || dr > UINT32_MAX) {
		ext_print("%s: cr and dr are masks of 32 bits\n", ext_name);
		return 1;
	}
	return (cr && !ext_watch_cr((unsigned int)cr)) || (dr && !ext_watch_dr((unsigned int)dr));
}
