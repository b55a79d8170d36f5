// SPDX-License-Identifier: GPL-2.0-only
/* Registers, between KVM's structures and those of abi/guests.h. */
#include <linux/string.h>

#include "kvm.h"

#define ATTRIB_TYPE 0xF
#define ATTRIB_S 4 /* and so on: numbers of bits */
#define ATTRIB_DPL 5
#define ATTRIB_P 7
#define ATTRIB_AVL 8
#define ATTRIB_L 9
#define ATTRIB_DB 10
#define ATTRIB_G 11

/* X(member): those that both have under the same name */
// clang-format off
#define REGS(X) \
	X(rax) X(rbx) X(rcx) X(rdx) X(rsi) X(rdi) X(rsp) X(rbp) \
	X(r8) X(r9) X(r10) X(r11) X(r12) X(r13) X(r14) X(r15) X(rip) X(rflags)
#define SEGMENTS(X) X(cs) X(ds) X(es) X(fs) X(gs) X(ss) X(tr) X(ldt)
#define CONTROL(X) X(cr0) X(cr2) X(cr3) X(cr4) X(cr8) X(efer)
// clang-format on

#define COPY(member) to->member = from->member;

void bk_regs_to_kvm(const struct guests_regs *from, struct kvm_regs *to)
{
	REGS(COPY)
}

void bk_regs_from_kvm(const struct kvm_regs *from, struct guests_regs *to)
{
	REGS(COPY)
}

static struct kvm_segment segment_to_kvm(const struct guests_segment *from)
{
	u16 attrib = from->attrib;

	return (struct kvm_segment){
		.base = from->base,
		.limit = from->limit,
		.selector = from->selector,
		.type = attrib & ATTRIB_TYPE,
		.s = attrib >> ATTRIB_S & 1,
		.dpl = attrib >> ATTRIB_DPL & 3,
		.present = attrib >> ATTRIB_P & 1,
		.avl = attrib >> ATTRIB_AVL & 1,
		.l = attrib >> ATTRIB_L & 1,
		.db = attrib >> ATTRIB_DB & 1,
		.g = attrib >> ATTRIB_G & 1,
		.unusable = !!(attrib & GUESTS_SEG_UNUSABLE),
	};
}

/* Of each member as many bits count as KVM looks at. */
static struct guests_segment segment_from_kvm(const struct kvm_segment *from)
{
	u16 attrib = (from->type & ATTRIB_TYPE) | (from->s & 1) << ATTRIB_S |
		     (from->dpl & 3) << ATTRIB_DPL | (from->present & 1) << ATTRIB_P |
		     (from->avl & 1) << ATTRIB_AVL | (from->l & 1) << ATTRIB_L |
		     (from->db & 1) << ATTRIB_DB | (from->g & 1) << ATTRIB_G;

	return (struct guests_segment){
		.base = from->base,
		.limit = from->limit,
		.selector = from->selector,
		.attrib = attrib | (from->unusable || !from->present ? GUESTS_SEG_UNUSABLE : 0),
	};
}

void bk_sregs_to_kvm(const struct guests_sregs *from, struct kvm_sregs *to)
{
#define SEGMENT_TO(member) to->member = segment_to_kvm(&from->member);
	SEGMENTS(SEGMENT_TO)
	CONTROL(COPY)
	to->gdt = (struct kvm_dtable){ .base = from->gdt.base, .limit = (u16)from->gdt.limit };
	to->idt = (struct kvm_dtable){ .base = from->idt.base, .limit = (u16)from->idt.limit };
}

void bk_sregs_from_kvm(const struct kvm_sregs *from, struct guests_sregs *to)
{
#define SEGMENT_FROM(member) to->member = segment_from_kvm(&from->member);
	SEGMENTS(SEGMENT_FROM)
	CONTROL(COPY)
	to->gdt = (struct guests_table){ .base = from->gdt.base, .limit = from->gdt.limit };
	to->idt = (struct guests_table){ .base = from->idt.base, .limit = from->idt.limit };
}
