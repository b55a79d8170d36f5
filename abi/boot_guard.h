/* SPDX-License-Identifier: MIT */
/*
 * What becomes of boots with bareflank.efi, in a variable of the firmware's (UEFI specification
 * §8.2) that survives a reset: one that did not come up is not tried again.
 */
#ifndef BF_ABI_BOOT_GUARD_H
#define BF_ABI_BOOT_GUARD_H

#include <abi/types.h>

/* Its vendor is the GUID of abi/firmware.h; it is non-volatile, and for both times. */
#define BF_GUARD_NAME "BareflankBoot"
#define BF_GUARD_ATTRIBUTES 0x7
#define BF_GUARD_VERSION 1

enum bf_guard_state {
	BF_GUARD_UP, /* the last one came up; or there was none, or the next one is wanted */
	BF_GUARD_TRIED, /* the hypervisor is started, and nobody has said that the system is up */
	BF_GUARD_SKIPPED, /* a boot was in the state before when it ended: no further one */
	BF_GUARD_FAILED /* the start failed, and the system booted without the hypervisor */
};

#define BF_GUARD_REASON 184

struct bf_guard {
	uint32_t version; /* BF_GUARD_VERSION */
	uint32_t state; /* enum bf_guard_state */
	char reason[BF_GUARD_REASON]; /* FAILED: what was said, ASCII, with a NUL */
};

#endif
