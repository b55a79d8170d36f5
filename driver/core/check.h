/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BF_CORE_CHECK_H
#define BF_CORE_CHECK_H

#include <abi/errors.h>
#include <abi/handoff.h>
#include <abi/ioctl.h>
#include <abi/types.h>

#define BF_NR_FEATURE_WORDS 16
#define BF_NR_VMX_MSRS 18 /* 0x480..0x491 */

/* What one CPU is and says about itself. Two CPUs are alike when words and vmx are equal. */
struct bf_cpu_features {
	enum bf_vendor vendor;
	uint32_t words[BF_NR_FEATURE_WORDS];
	uint64_t vmx[BF_NR_VMX_MSRS];
	uint64_t feature_control; /* Intel; 0 where there is none */
	uint64_t vm_cr; /* AMD */
	uint64_t efer;
	uint64_t cr3;
	uint64_t cr4;
};

/* Reads the features of this CPU. */
void bf_features_read(struct bf_cpu_features *features);

/*
 * Judges one item for one CPU: BF_CHECK_VENDOR, _FIRMWARE, _FREE, _NESTED, _PAGING or _FEATURES; OK
 * for all others. Items that are not fatal are the caller's to ignore.
 */
enum bf_error bf_features_check(const struct bf_cpu_features *features, enum bf_check_item item,
				uint64_t *detail);

bool bf_check_is_fatal(enum bf_check_item item);

/* Everything that is fatal for this CPU, in the order of enum bf_check_item. */
enum bf_error bf_features_usable(const struct bf_cpu_features *features, uint64_t *detail);

bool bf_features_alike(const struct bf_cpu_features *a, const struct bf_cpu_features *b);

/* Lets VMXON work where the firmware left the decision open; false if it does not. This CPU. */
bool bf_features_unlock(const struct bf_cpu_features *features);

/*
 * Judges the whole machine for a start that takes memory bytes. CPUs must not come or go meanwhile.
 * *features is that of the first CPU; results (which may be NULL) has BF_NR_CHECKS entries. Returns
 * the first fatal error, its detail and its CPU.
 */
enum bf_error bf_check_machine(struct bf_cpu_features *features, struct bf_check_result *results,
			       uint64_t memory, uint64_t *detail, uint32_t *cpu);

#endif
