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
#include <ext/cxx/log.hpp>
#include <ext/cxx/watch.hpp>
#include <ext/libext/arg.h>

extern const char ext_name[] = "watcher";

namespace {

using namespace bareflank;
using ext::hex;

uint64_t first, last, start, size;

// Asked for what other extensions of the same start watch, too: false for that.
bool on_io(struct ext_exit *e, const struct ext_io *io, uint32_t *value)
{
	const auto port = hex(io->port), rip = hex(ext_reg_read(e->vsid, EXT_REG_rip));

	if (io->port < first || io->port > last)
		return false;
	if (io->in || io->string)
		ext::log(ext::Level::info, io->in ? "in " : "out ", port, ", by RIP ", rip);
	else
		ext::log(ext::Level::info, "out ", port, ", ", hex(*value), ", by RIP ", rip);
	return false; // Linux executes it; true would answer it here, with *value
}

bool on_write(struct ext_exit *e, const struct ext_fault *fault)
{
	if (fault->gpa < start || fault->gpa - start >= size)
		return false;
	ext::log(ext::Level::info, hex(fault->gpa), " written by RIP ",
		 hex(ext_reg_read(e->vsid, EXT_REG_rip)), ", CPL ", ext_cpl(e->vsid), ", CR3 ",
		 hex(ext_reg_read(e->vsid, EXT_REG_cr3)));
	return true;
}

constexpr ext_ops hooks()
{
	ext_ops ops = {};

	ops.io = on_io;
	ops.nested_fault = on_write;
	return ops;
}

} // namespace

int ext_start(uint64_t specs)
{
	static const char *const keys[] = {"first", "last", "start", "size", nullptr};
	static constexpr ext_ops ops = hooks();

	if (!ext_args_load() || !ext_args_known(keys) || !ext_arg_u64("first", 0x70, &first) ||
	    !ext_arg_u64("last", 0x71, &last) || !ext_arg_u64("start", 0, &start) ||
	    !ext_arg_u64("size", BF_PAGE_SIZE, &size))
		return 1;
	if (first > last || last > 0xFFFF)
		ext::fail("ports are 0 to 0xffff, first=PORT to last=PORT");
	if (ext_run_linux(specs, &ops) ||
	    !ext::watch_io(static_cast<uint16_t>(first), static_cast<uint16_t>(last)))
		return 1;
	// For the rest of the run. An ext::Watch would watch as long as it exists.
	return !start || ext_watch(start, size, EXT_WRITE) ? 0 : 1;
}
