/* SPDX-License-Identifier: GPL-2.0-only */
/* The list of abi/mk1_msrs.h for the tests of rdmsr and wrmsr. */
#ifndef TEST_EXT_CALL_MSRS_H
#define TEST_EXT_CALL_MSRS_H

#include "test/ext/lib/call.h"

#include <abi/mk1_msrs.h>

enum rights { R, RW };

#define POLICY(first, last, rights, what) { first, last, rights },
static const struct {
	uint64_t first, last;
	enum rights rights;
} msrs[] = { MK1_MSRS(POLICY) };

#define NR_MSRS (sizeof(msrs) / sizeof(msrs[0]))

/* MSRs that the list must not have: what root mode stands on, microcode, interrupts. */
static const uint64_t never[] = { 0x0,        0x48,       0x49,       0x79,       0x830,
				  0x40000000, 0xC0010010, 0xC0010015, 0xC0010117, 0xFFFFFFFF };

static inline bool is_listed(uint64_t msr)
{
	for (unsigned int i = 0; i < NR_MSRS; i++) {
		if (msr >= msrs[i].first && msr <= msrs[i].last)
			return true;
	}
	return false;
}

#endif
