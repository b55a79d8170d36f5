// SPDX-License-Identifier: GPL-2.0-only
/* Mk#2: memory that Linux gives. */
#include <abi/layout.h>
#include <bsl/bits.h>

#include "call/syscall.h"
#include "mem/donation.h"
#include "mem/window.h"
#include "mk.h"
#include "obj/ext.h"
#include "obj/objects.h"

static const struct donation_users users = {
	.show = vms_show,
	.make_tables = exts_make_tables,
	.prune = exts_prune,
};

uint64_t sys_mem_donate(struct syscall_frame *f)
{
	uint64_t spa = f->reg[1], size = f->reg[2];

	if (!spa || !bsl_is_aligned(spa, BF_PAGE_SIZE) || spa >= MK1_SPA_LIMIT)
		return MK1_INVALID_INPUT_REG(1);
	if (!size || !bsl_is_aligned(size, BF_PAGE_SIZE) || size > MK2_DONATION_MAX_BYTES ||
	    !bsl_range_within(spa, size, 0, MK1_SPA_LIMIT))
		return MK1_INVALID_INPUT_REG(2);
	if (!mk.root_npt || !window_reaches(spa, size))
		return MK1_FAILURE_UNSUPPORTED;
	return donation_take(spa, size, &users);
}

uint64_t sys_mem_return(struct syscall_frame *f)
{
	uint64_t size, status = donation_return(f->reg[1], &size, &users);

	if (status == MK1_SUCCESS)
		f->reg[0] = size;
	return status;
}
