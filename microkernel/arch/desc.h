/* SPDX-License-Identifier: GPL-2.0-only */
/* Descriptor tables of a PP: GDT, IDT and TSS of its own (SDM vol. 3 §3.4.5, §7.14, §10.7). */
#ifndef MK_DESC_H
#define MK_DESC_H

#include <abi/types.h>

#define MK_GDT_ENTRIES 8
#define MK_IDT_ENTRIES 256

/* SDM vol. 3 §10.7, APM vol. 2 §12.2.5 */
struct tss {
	uint32_t reserved0;
	uint32_t rsp[3][2]; /* low, high */
	uint32_t reserved1[2];
	uint32_t ist[7][2];
	uint32_t reserved2[2];
	uint16_t reserved3;
	uint16_t iopb;
};
BF_STATIC_ASSERT(sizeof(struct tss) == 104, "TSS");

struct idt_gate {
	uint16_t offset_low;
	uint16_t selector;
	uint16_t ist_type; /* IST in [2:0], type and P in [15:8] */
	uint16_t offset_mid;
	uint32_t offset_high;
	uint32_t reserved;
};
BF_STATIC_ASSERT(sizeof(struct idt_gate) == 16, "gate");

/* Fills tables of MK_GDT_ENTRIES and MK_IDT_ENTRIES, and the TSS that the former names. */
void desc_init(uint64_t *gdt, struct tss *tss, struct idt_gate *idt);

/* Loads them, and the segment registers and TR from them. */
void desc_load(const uint64_t *gdt, const struct idt_gate *idt);

#endif
