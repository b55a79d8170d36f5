/* SPDX-License-Identifier: MIT */
/* What the loader shares with its caller on every operating system. */
#ifndef BF_ABI_LOADER_H
#define BF_ABI_LOADER_H

#include <abi/mk1.h>
#include <abi/types.h>

/* In place of a CPU's number: the firmware has started one that Linux does not know. */
#define BF_NO_CPU 0xFFFFFFFFU

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

/*
 * What an extension may do: X(bit, name, what). Names are those of bfm start --allow. Nothing but
 * the way in and out (control, handle, the fail callback) is free of them. docs/abi/mk2.md says
 * which calls want which.
 */
#define BF_RIGHTS(X) \
	X(0, linux, "Linux's VM: its exits, its VSs, its way out") \
	X(1, guests, "VMs of its own") \
	X(2, others, "VMs of other extensions, as if they were its own") \
	X(3, physical, "direct maps, and guests without a nested table of the microkernel's") \
	X(4, memory, "pages of the pools") \
	X(5, donations, "memory that Linux gives") \
	X(6, rdmsr, "reading MSRs") \
	X(7, wrmsr, "writing MSRs") \
	X(8, hypercalls, "hypercalls of Linux that are for it alone") \
	X(9, calls, "calls to other extensions, and from them") \
	X(10, debug, "printing")

#define BF_RIGHT_ENUM(bit, name, what) BF_RIGHT_##name = 1 << (bit),
enum bf_right { BF_RIGHTS(BF_RIGHT_ENUM) };

#define BF_RIGHT_OR(bit, name, what) | BF_RIGHT_##name
#define BF_ALL_RIGHTS ((uint64_t)(0 BF_RIGHTS(BF_RIGHT_OR)))

/*
 * What an extension may do although its rights do not say so, or may not do although they do: one
 * call, or a range of MSRs. Where several are about the same, the last one counts.
 */
enum bf_grant_kind { BF_GRANT_CALL, BF_GRANT_RDMSR, BF_GRANT_WRMSR, BF_NR_GRANT_KINDS };

struct bf_grant {
	uint8_t ext; /* from 0 on */
	uint8_t kind; /* enum bf_grant_kind */
	uint8_t allow; /* 1; or 0: it may not */
	uint8_t pad; /* 0 */
	uint32_t first, last; /* MSRs; or BF_GRANT_CALL_ID twice */
};

#define BF_MAX_GRANTS 32

/* spec: 1 for Mk#1, 2 for Mk#2; op, idx: as in abi/mk1.h and abi/mk2.h. */
#define BF_GRANT_CALL_ID(spec, op, idx) ((uint32_t)((spec) << 8 | (op) << 4 | (idx)))

/*
 * A call that no extension can be without, so that there is always a way in and out: those of
 * control and handle, and callback_register_fail.
 */
static inline bool bf_grant_is_always(uint32_t call)
{
	return call < BF_GRANT_CALL_ID(1, MK1_OP_DEBUG, 0) ||
	       call == BF_GRANT_CALL_ID(1, MK1_OP_CALLBACK, 2);
}

/* Whether the microkernel can do by it. Which calls there are is not looked at. */
static inline bool bf_grant_is_valid(const struct bf_grant *grant, uint32_t nr_exts)
{
	if (grant->ext >= nr_exts || grant->allow > 1 || grant->pad || grant->first > grant->last)
		return false;
	if (grant->kind != BF_GRANT_CALL)
		return grant->kind < BF_NR_GRANT_KINDS;
	return grant->first == grant->last && !bf_grant_is_always(grant->first) &&
	       grant->first <= BF_GRANT_CALL_ID(2, 15, 15);
}

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
