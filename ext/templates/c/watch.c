// SPDX-License-Identifier: MIT
/*
 * watcher: what Linux and its programs do with ports, by default those of the real-time clock, and
 * who writes to pages of memory, if some are named. Each access is a line; Linux finds nothing
 * changed.
 *
 *	bfm start watcher --arg first=0x70 --arg last=0x71 --arg start=0x12345000 --arg size=0x1000
 *	bfm dump --follow
 *
 * start is a physical address, as Linux calls it.
 */
#include <ext/libext/arg.h>
#include <ext/libext/log.h>
#include <ext/libext/watch.h>

const char ext_name[] = "watcher";

static uint64_t first, last, start, size;

/* Asked for what other extensions of the same start watch, too: false for that. */
static bool on_io(struct ext_exit *e, const struct ext_io *io, uint32_t *value)
{
	unsigned long long rip = ext_reg_read(e->vsid, EXT_REG_rip);

	if (io->port < first || io->port > last)
		return false;
	if (io->in || io->string)
		ext_log(EXT_INFO, "%s 0x%x, by RIP 0x%llx", io->in ? "in" : "out", io->port, rip);
	else
		ext_log(EXT_INFO, "out 0x%x, 0x%x, by RIP 0x%llx", io->port, *value, rip);
	return false; /* Linux executes it; true would answer it here, with *value */
}

static bool on_write(struct ext_exit *e, const struct ext_fault *fault)
{
	if (fault->gpa < start || fault->gpa - start >= size)
		return false;
	ext_log(EXT_INFO, "0x%llx written by RIP 0x%llx, CPL %u, CR3 0x%llx",
		(unsigned long long)fault->gpa,
		(unsigned long long)ext_reg_read(e->vsid, EXT_REG_rip), ext_cpl(e->vsid),
		(unsigned long long)ext_reg_read(e->vsid, EXT_REG_cr3));
	return true;
}

int ext_start(uint64_t specs)
{
	static const char *const keys[] = { "first", "last", "start", "size", NULL };
	static const struct ext_ops ops = { .io = on_io, .nested_fault = on_write };

	if (!ext_args_load() || !ext_args_known(keys) || !ext_arg_u64("first", 0x70, &first) ||
	    !ext_arg_u64("last", 0x71, &last) || !ext_arg_u64("start", 0, &start) ||
	    !ext_arg_u64("size", BF_PAGE_SIZE, &size))
		return 1;
	if (first > last || last > 0xFFFF)
		ext_fail("ports are 0 to 0xffff, first=PORT to last=PORT");
	if (ext_run_linux(specs, &ops) ||
	    !ext_watch_io((uint32_t)first, (uint32_t)(last - first + 1)))
		return 1;
	return !start || ext_watch(start, size, EXT_WRITE) ? 0 : 1;
}
