/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether this machine is supported, and if not, why. */
#ifndef BF_CORE_CHECK_H
#define BF_CORE_CHECK_H

#include <abi/errors.h>
#include <abi/loader.h>
#include <abi/types.h>

#include "arch.h"

bool bf_check_is_fatal(enum bf_check_item item);

/* Everything that is fatal for this CPU, in the order of enum bf_check_item. */
enum bf_error bf_features_usable(const struct bf_cpu_features *features, uint64_t *detail);

/*
 * Checks the whole machine for a start that takes memory bytes. CPUs must not come or go meanwhile.
 * *features receives that of the first CPU, with the capabilities that all CPUs have; results
 * (which may be NULL) has BF_NR_CHECKS entries. Returns the first fatal error, its detail and CPU.
 */
enum bf_error bf_check_machine(struct bf_cpu_features *features, struct bf_check_result *results,
			       uint64_t memory, uint64_t *detail, uint32_t *cpu);

#endif
