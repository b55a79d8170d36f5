// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's part of the test build (make faults): /sys/module/bareflank/parameters/fault takes
 * "KIND NTH" (lib/bsl/fault.h) and shows how many points of each kind there have been since;
 * provoke takes the name of an error that the microkernel commits on this CPU.
 */
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/string.h>

#include <bsl/fault.h>

#include "../../driver/linux/bareflank.h"

#define FAULT_NAME(name) #name,
static const char *const kinds[] = { BF_FAULT_KINDS(FAULT_NAME) };
static const char *const provocations[] = { BF_PROVOCATIONS(FAULT_NAME) };

struct bf_fault *bf_fault(void)
{
	struct bf_ring *ring = (struct bf_ring *)bf_loader.ring.va;

	return ring ? (struct bf_fault *)ring->pad : NULL;
}

static int set_fault(const char *text, const struct kernel_param *param)
{
	struct bf_fault *fault = bf_fault();
	char name[16];
	u16 nth;
	int kind;

	if (!fault || sscanf(text, "%15s %hu", name, &nth) != 2)
		return -EINVAL;
	kind = match_string(kinds, ARRAY_SIZE(kinds), name);
	if (kind < 0)
		return kind;
	fault->kind = BF_FAULT_none;
	memset(fault->hits, 0, sizeof(fault->hits));
	fault->nth = nth;
	smp_store_release(&fault->kind, (u16)kind);
	return 0;
}

static int get_hits(char *text, const struct kernel_param *param)
{
	struct bf_fault *fault = bf_fault();
	int length = 0;
	int kind;

	for (kind = 1; fault && kind < BF_NR_FAULTS; kind++)
		length +=
			sysfs_emit_at(text, length, "%s %u\n", kinds[kind], fault->hits[kind - 1]);
	return length;
}

static int provoke(const char *text, const struct kernel_param *param)
{
	int which = sysfs_match_string(provocations, text);
	u64 rax = BF_HYPERCALL_FAULT;
	unsigned long flags;

	if (which < 0)
		return which;
	local_irq_save(flags);
	if (bf_loader.vendor == BF_VENDOR_INTEL)
		asm volatile("vmcall" : "+a"(rax) : "b"((u64)which) : "memory", "cc");
	else
		asm volatile("vmmcall" : "+a"(rax) : "b"((u64)which) : "memory", "cc");
	local_irq_restore(flags);
	return 0;
}

static const struct kernel_param_ops fault_ops = { .set = set_fault, .get = get_hits };
static const struct kernel_param_ops provoke_ops = { .set = provoke };

module_param_cb(fault, &fault_ops, NULL, 0600);
module_param_cb(provoke, &provoke_ops, NULL, 0200);
