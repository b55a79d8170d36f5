// SPDX-License-Identifier: GPL-2.0-only
#include "run/start.h"

#include <abi/mk1.h>
#include <abi/mk2.h>

#include "mk.h"
#include "obj/active.h"
#include "obj/ext.h"
#include "pp.h"
#include "run/fail.h"

/* Once all of _start is over: nothing has to run on this CPU to find that nobody would answer. */
static void want_callbacks(void)
{
	if (!mk.bootstrap_ext)
		pp_fail(BF_ERR_EXT_NO_BOOTSTRAP, 0, 0, 0);
	if (!mk.vmexit_ext)
		pp_fail(BF_ERR_EXT_NO_VMEXIT, 0, 0, 0);
}

__noreturn void pp_bootstrap(struct pp *pp)
{
	want_callbacks();
	vs_find_handler(pp);
	ext_call(pp, mk.bootstrap_ext, PHASE_BOOTSTRAP, mk.bootstrap_ext->bootstrap,
		 pp->handoff.ppid, 0);
}

__noreturn void start_ext(struct pp *pp, uint16_t extid)
{
	struct ext *ext = ext_find(extid);

	if (!ext)
		pp_bootstrap(pp);
	ext_call(pp, ext, PHASE_START, ext->image->entry, MK1_SPEC_MASK | MK2_SPEC_MASK, 0);
}
