// SPDX-License-Identifier: GPL-2.0-only
/*
 * An extension that answers hypercalls by the frame's hook: those with HYPERCALLS in RAX, with the
 * privilege level that they were made at, and RDX in RCX. Of others it writes the same, and says
 * that they are not its.
 */
#include <ext/libext/frame.h>

#define HYPERCALLS 0x4B534C46 /* of test/kselftest/caller */
#define ANSWER 0x5A0000

const char ext_name[] = "hypercalls";

static bool on_hypercall(struct ext_exit *e, struct ext_hypercall *call)
{
	uint64_t number = call->rax;

	call->rax = ANSWER | ext_cpl(e->vsid);
	call->rcx = call->rdx;
	return number == HYPERCALLS;
}

int ext_start(uint64_t specs)
{
	static const struct ext_ops ops = { .hypercall = on_hypercall };

	return ext_run_linux(specs, &ops);
}
