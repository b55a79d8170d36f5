/* SPDX-License-Identifier: GPL-2.0-only */
/* What a CPU is, what it offers and what Linux has switched on there. */
#ifndef BF_CORE_FEATURES_H
#define BF_CORE_FEATURES_H

#include <abi/features.h>
#include <abi/handoff.h>
#include <abi/types.h>

/* Physical addresses end where the nested page table does, which has 4 levels. */
#define BF_ADDRESS_LIMIT ((uint64_t)1 << 48)

/* The registers of CPUID that are read, by enum bf_feature_word in features.c. */
#define BF_NR_FEATURE_WORDS 21

struct bf_cpu_features {
	enum bf_vendor vendor;
	uint32_t words[BF_NR_FEATURE_WORDS];
	uint64_t registers[BF_NR_FEATURE_REGISTERS]; /* 0 for what the CPU does not have */
	uint64_t vmx[BF_NR_VMX_MSRS];
	uint64_t feature_control; /* Intel; 0 where there is none */
	uint64_t vm_cr; /* AMD */
	bool is_guest; /* of this hypervisor: known where nobody offers virtualisation */
};

/* EPT or NPT. */
bool bf_features_nested(const struct bf_cpu_features *features);

/*
 * Whether everything that Linux has switched on can be carried: abi/features.h. false: *detail is
 * that of BF_ERR_CPU_FEATURE.
 */
bool bf_features_carried(const struct bf_cpu_features *features, uint64_t *detail);

/*
 * Whether VMX offers what the microkernel and Linux's instructions need. false: *detail is that of
 * BF_ERR_VMX_CONTROLS.
 */
bool bf_features_controls(const struct bf_cpu_features *features, uint64_t *detail);

#endif
