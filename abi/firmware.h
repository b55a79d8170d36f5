/* SPDX-License-Identifier: MIT */
/*
 * Where a hypervisor is that was started before the operating system (driver/efi): an EFI
 * configuration table (UEFI specification §4.6), in memory that is the firmware's for good. It is
 * the one that the operating system sees, and that of the hypervisor which it names is not.
 */
#ifndef BF_ABI_FIRMWARE_H
#define BF_ABI_FIRMWARE_H

#include <abi/handoff.h>
#include <abi/types.h>

/* c3b1f3a2-6d0e-4f51-9a52-0d8f5b7e6c11, and as its bytes lie in memory */
#define BF_FIRMWARE_GUID \
	{ 0xC3B1F3A2, 0x6D0E, 0x4F51, { 0x9A, 0x52, 0x0D, 0x8F, 0x5B, 0x7E, 0x6C, 0x11 } }

#define BF_FIRMWARE_GUID_TEXT "c3b1f3a2-6d0e-4f51-9a52-0d8f5b7e6c11"

#define BF_FIRMWARE_MAGIC 0x6572617746426B6D /* "mkBfware" */

struct bf_firmware_pp {
	uint64_t apic_id; /* of its CPU */
	struct bf_region trace; /* struct bf_trace */
	struct bf_region switch_page; /* which the operating system does not see, either */
};

struct bf_firmware {
	uint64_t magic; /* BF_FIRMWARE_MAGIC */
	uint32_t version; /* BF_HANDOFF_VERSION */
	uint32_t vendor; /* enum bf_vendor */
	uint32_t nr_pps;
	uint32_t nr_exts;
	uint32_t keep_cpus; /* 1: BF_HANDOFF_KEEP_CPUS */
	uint32_t pad;
	uint64_t tsc_khz;
	uint64_t start_ns; /* how long the start took */
	uint64_t watchdog_ns; /* as in struct bf_handoff, like the following */
	uint64_t repeats;
	struct bf_region ring;
	struct bf_region status;
	struct bf_region ended;
	struct bf_region channels[BF_MAX_EXTS];
	struct bf_list pps; /* struct bf_firmware_pp [nr_pps] */
	struct bf_list owned; /* struct bf_region: all that the operating system does not see */
};

#endif
