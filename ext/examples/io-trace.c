// SPDX-License-Identifier: MIT
/*
 * io-trace: what Linux and its programs do with ports. Each IN and OUT of a range is a line with
 * the port, its size, what was written, and where it came from; Linux executes it as ever.
 *
 *	bfm start io-trace --arg first=0x70 --arg count=2
 *	bfm dump --follow
 */
#include <ext/libext/arg.h>
#include <ext/libext/watch.h>

const char ext_name[] = "io-trace";

static uint64_t first, count;

static bool trace(struct ext_exit *e, const struct ext_io *io, uint32_t *value)
{
	uint64_t rip = ext_reg_read(e->vsid, EXT_REG_rip);

	if (io->port < first || io->port - first >= count)
		return false;
	if (io->in || io->string)
		ext_print("%s: PP %u: %s%s 0x%x, %u bytes, by RIP 0x%llx, CPL %u\n", ext_name,
			  (unsigned int)mk1_tls_ppid(), io->in ? "in" : "out",
			  io->string ? "s" : "", io->port, io->size, (unsigned long long)rip,
			  ext_cpl(e->vsid));
	else
		ext_print("%s: PP %u: out 0x%x, %u bytes, 0x%x, by RIP 0x%llx, CPL %u\n", ext_name,
			  (unsigned int)mk1_tls_ppid(), io->port, io->size, *value,
			  (unsigned long long)rip, ext_cpl(e->vsid));
	return false;
}

int ext_start(uint64_t specs)
{
	static const char *const keys[] = { "first", "count", NULL };
	static const struct ext_ops ops = { .io = trace };

	if (!ext_args_load() || !ext_args_known(keys) || !ext_arg_u64("first", 0x70, &first) ||
	    !ext_arg_u64("count", 2, &count))
		return 1;
	if (first > 0xFFFF || count > 0x10000) {
		ext_print("%s: there are 0x10000 ports\n", ext_name);
		return 1;
	}
	return ext_run_linux(specs, &ops) || !ext_watch_io((uint32_t)first, (uint32_t)count);
}
