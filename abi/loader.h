/* SPDX-License-Identifier: MIT */
/* What the loader shares with its caller on every operating system. */
#ifndef BF_ABI_LOADER_H
#define BF_ABI_LOADER_H

#include <abi/types.h>

/*
 * The limit of a callback, in ns: the default, at least, at most. Before a CPU's first exit, _start
 * and bootstrap, which set everything up, have this many times as much.
 */
#define BF_WATCHDOG_NS 500000000ULL
#define BF_WATCHDOG_MIN_NS 100000000ULL
#define BF_WATCHDOG_MAX_NS 1000000000000ULL
#define BF_WATCHDOG_START_FACTOR 10
#define BF_WATCHDOG_OFF (~(uint64_t)0)

/* How often the same exit may come without progress: the default, at least, at most. */
#define BF_REPEATS 10000ULL
#define BF_REPEATS_MIN 100ULL
#define BF_REPEATS_MAX 1000000000ULL
#define BF_REPEATS_OFF (~(uint64_t)0)

enum bf_state { BF_STATE_STOPPED, BF_STATE_RUNNING, BF_STATE_FAILED };

/* One line of bfm check. */
enum bf_check_item {
	BF_CHECK_VENDOR, /* VT-x or AMD-V present */
	BF_CHECK_FIRMWARE, /* not disabled by firmware */
	BF_CHECK_FREE, /* no other hypervisor owns it */
	BF_CHECK_NESTED, /* EPT or NPT (reported, not required) */
	BF_CHECK_PAGING, /* 4 or 5 levels: nothing else there is yet */
	BF_CHECK_FEATURES, /* no feature that cannot be carried */
	BF_CHECK_CPUS, /* all CPUs alike, and not too many */
	BF_CHECK_LOCKDOWN,
	BF_CHECK_MEMORY,
	BF_CHECK_OUTER, /* no outer hypervisor below which it cannot work */
	BF_CHECK_CONTROLS, /* VMX offers what is needed */
	BF_CHECK_ADDRESSES, /* nothing lies above the nested page table */
	BF_NR_CHECKS
};

struct bf_check_result {
	uint32_t error; /* enum bf_error; OK: no obstacle */
	uint32_t fatal; /* start will be refused for it */
	uint64_t detail; /* CPU_FEATURE, VMX_CONTROLS, CPUS_DIFFER: as in abi/features.h */
};

/* A register of the first CPU: an MSR, or without a number the CR or XCR of this name. */
struct bf_register_value {
	uint32_t msr;
	uint32_t reg; /* enum bf_feature_register, where msr is 0 */
	uint64_t value;
};

#endif
