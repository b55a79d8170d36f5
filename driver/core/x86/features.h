/* SPDX-License-Identifier: GPL-2.0-only */
/* What a CPU is, what it offers and what Linux has switched on there. */
#ifndef BF_CORE_FEATURES_H
#define BF_CORE_FEATURES_H

#include <abi/features.h>
#include <abi/handoff.h>
#include <abi/ioctl.h>
#include <abi/types.h>

/* The registers of CPUID that are looked at, by enum bf_feature_word in features.c. */
#define BF_NR_FEATURE_WORDS 21

struct bf_cpu_features {
	enum bf_vendor vendor;
	uint32_t words[BF_NR_FEATURE_WORDS];
	uint64_t registers[BF_NR_FEATURE_REGISTERS]; /* 0 for what the CPU does not have */
	uint64_t vmx[BF_NR_VMX_MSRS];
	uint64_t feature_control; /* Intel; 0 where there is none */
	uint64_t vm_cr; /* AMD */
};

/* Reads the features of this CPU. */
void bf_features_read(struct bf_cpu_features *features);

/*
 * Lists the registers and capability MSRs that were read, for people who look into a report: at
 * most max of them. Returns how many there are.
 */
uint32_t bf_features_list(const struct bf_cpu_features *features, struct bf_register_value *values,
			  uint32_t max);

/* EPT or NPT. */
bool bf_features_nested(const struct bf_cpu_features *features);

/*
 * Whether TLBs are flushed by broadcasts to an ASID (INVLPGB, APM vol. 3) rather than by
 * interrupts, which reach a CPU whether it is a guest or not.
 */
bool bf_features_broadcast(const struct bf_cpu_features *features);

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

/*
 * The microkernel decides once for all CPUs. Join narrows down what all of them offer to what
 * another CPU does, too; differ looks whether a CPU can do with the outcome. 0: it can; else where
 * the first difference in the way is, as in the detail of BF_ERR_CPUS_DIFFER.
 */
uint32_t bf_features_join(struct bf_cpu_features *all, const struct bf_cpu_features *features);
uint32_t bf_features_differ(const struct bf_cpu_features *features,
			    const struct bf_cpu_features *all);

#endif
