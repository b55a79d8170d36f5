// SPDX-License-Identifier: GPL-2.0-only
/*
 * The default extension, which fails at the end of a chain of calls that the compiler must not
 * shorten: when Linux executes CPUID with TRIGGER in EAX, or in bootstrap if the word BACKTRACE is
 * followed by a b. The chain goes on in backtrace_cxx.cc. test/kselftest/backtrace.sh knows the
 * numbers of the lines.
 */
#include "test/ext/backtrace.h"
#include "test/ext/lib/hooks.h"

#define TRIGGER 0x4000DEAD

extern volatile char backtrace_plan[16];
volatile char backtrace_plan[16] = "BACKTRACE:-";

/* What comes after a call keeps it from being a jump. */
#define AFTER_CALL __asm__ volatile("")

static noinline void in_c(void)
{
#line 1001
	in_cxx(0);
	AFTER_CALL;
}

static void in_vmexit(uint64_t vsid, uint64_t reason)
{
	(void)vsid;
	(void)reason;
	if ((uint32_t)mk1_rax() == TRIGGER)
#line 1002
		in_c();
	AFTER_CALL;
}

static void in_bootstrap(uint64_t ppid)
{
	if (backtrace_plan[10] == 'b' && ppid + 1 == mk1_tls_online_pps())
		in_c();
	AFTER_CALL;
}

const struct ext_hooks ext_hooks = {
	.bootstrap = in_bootstrap,
	.vmexit = in_vmexit,
};
