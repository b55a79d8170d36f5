/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BF_CORE_CHECK_H
#define BF_CORE_CHECK_H

#include <abi/errors.h>
#include <abi/handoff.h>
#include <abi/ioctl.h>
#include <abi/types.h>

#include "features.h"

/*
 * Judges one item for one CPU: BF_CHECK_VENDOR, _FIRMWARE, _FREE, _NESTED, _PAGING, _FEATURES
 * or _CONTROLS; OK for all others. Items that are not fatal are the caller's to ignore.
 */
enum bf_error bf_features_check(const struct bf_cpu_features *features, enum bf_check_item item,
				uint64_t *detail);

bool bf_check_is_fatal(enum bf_check_item item);

/* Everything that is fatal for this CPU, in the order of enum bf_check_item. */
enum bf_error bf_features_usable(const struct bf_cpu_features *features, uint64_t *detail);

/* Lets VMXON work where the firmware left the decision open; false if it does not. This CPU. */
bool bf_features_unlock(const struct bf_cpu_features *features);

/*
 * Judges the whole machine for a start that takes memory bytes. CPUs must not come or go meanwhile.
 * *features is that of the first CPU, with the capabilities of VMX that all CPUs have; results
 * (which may be NULL) has BF_NR_CHECKS entries. Returns the first fatal error, its detail and CPU.
 */
enum bf_error bf_check_machine(struct bf_cpu_features *features, struct bf_check_result *results,
			       uint64_t memory, uint64_t *detail, uint32_t *cpu);

#endif
