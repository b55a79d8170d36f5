// SPDX-License-Identifier: GPL-2.0-only
/*
 * An extension with an exception hook: all that can be watched on both vendors is, is counted, and
 * goes on to Linux, but for UD2 with MARK behind it, which does nothing. As a PP leaves, it says
 * how many of which vector there have been.
 */
#include <bsl/string.h>
#include <ext/libext/memory.h>
#include <ext/libext/watch.h>

#define VECTORS 0xB5CE1u /* #DE, #BR, #UD, #NM, #TS, #NP, #SS, #PF, #MF, #AC, #XM */
#define UD 6
#define NR_VECTORS 32

const char ext_name[] = "exceptions";

static __thread uint64_t counts[NR_VECTORS];

static bool is_marked(uint64_t vsid)
{
	static const uint8_t mark[] = { 0x0F, 0x0B, 0x0F, 0x1F, 0x40, 0x2A }; /* UD2, NOP */
	uint8_t code[EXT_MEM_CODE_MAX];
	size_t count;

	return ext_mem_code(vsid, code, &count) == EXT_MEM_OK && count >= sizeof(mark) &&
	       !bsl_memcmp(code, mark, sizeof(mark));
}

static bool on_exception(struct ext_exit *e, const struct ext_exception *exception)
{
	counts[exception->vector % NR_VECTORS]++;
	return exception->vector == UD && is_marked(e->vsid) &&
	       ext_reg_write(e->vsid, EXT_REG_rip, ext_reg_read(e->vsid, EXT_REG_rip) + 2);
}

static void cpu_out(uint64_t vsid)
{
	(void)vsid;
	for (unsigned int i = 0; i < NR_VECTORS; i++) {
		if (counts[i])
			ext_print("exceptions: PP %u: vector %u, %llu times\n",
				  (unsigned int)mk1_tls_ppid(), i, (unsigned long long)counts[i]);
		counts[i] = 0;
	}
}

int ext_start(uint64_t specs)
{
	static const struct ext_ops ops = { .exception = on_exception, .cpu_out = cpu_out };

	if (ext_run_linux(specs, &ops))
		return 1;
	/* Those that are not to be had are refused. */
	if (ext_watch_exceptions(0) || ext_watch_exceptions(1u << 1) ||
	    ext_watch_exceptions(1u << 2) || ext_watch_exceptions(1u << 18))
		return 1;
	return !ext_watch_exceptions(VECTORS);
}
