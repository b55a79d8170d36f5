// SPDX-License-Identifier: MIT
#include <ext/guests/guests.h>
#include <ext/guests/list.h>
#include <ext/libext/mk2_sys.h>

bool list_write(struct vcpu *v, struct list *list)
{
	uint64_t done;

	return mk2_vs_write_list(MK2_HANDLE, v->vsid, (uint64_t)list->entry, list->count, &done) ==
	       MK1_SUCCESS;
}

void list_read(struct vcpu *v, struct list *list)
{
	uint64_t done = 0;

	/* It is one of those that the VS does not have. */
	if (mk2_vs_read_list(MK2_HANDLE, v->vsid, (uint64_t)list->entry, list->count, &done) !=
	    MK1_SUCCESS)
		(void)vs_get(v->vsid, list->entry[done].reg);
}

struct segment_regs {
	uint8_t selector, attrib, limit, base;
};

#define SEGMENT(vendor, name) \
	{ MK1_##vendor##_##name##_selector, MK1_##vendor##_##name##_attrib, \
	  MK1_##vendor##_##name##_limit, MK1_##vendor##_##name##_base }
/* In the order of struct guests_sregs. */
#define SEGMENTS(vendor) \
	SEGMENT(vendor, cs), SEGMENT(vendor, ds), SEGMENT(vendor, es), SEGMENT(vendor, fs), \
		SEGMENT(vendor, gs), SEGMENT(vendor, ss), SEGMENT(vendor, tr), \
		SEGMENT(vendor, ldtr)

static const struct segment_regs amd_segments[] = { SEGMENTS(AMD) };
static const struct segment_regs intel_segments[] = { SEGMENTS(INTEL) };
#define NR_SEGMENTS (sizeof(amd_segments) / sizeof(amd_segments[0]))

void list_add_sregs(struct list *list, const struct guests_sregs *sregs,
		    uint64_t (*unpack)(uint16_t attrib))
{
	const struct segment_regs *regs = is_svm ? amd_segments : intel_segments;
	const struct guests_segment *segment = &sregs->cs;

	for (size_t i = 0; i < NR_SEGMENTS; i++) {
		list_add(list, regs[i].selector, segment[i].selector);
		list_add(list, regs[i].attrib, unpack(segment[i].attrib));
		list_add(list, regs[i].limit, segment[i].limit);
		list_add(list, regs[i].base, segment[i].base);
	}
	list_add(list, REG(gdtr_base), sregs->gdt.base);
	list_add(list, REG(gdtr_limit), sregs->gdt.limit);
	list_add(list, REG(idtr_base), sregs->idt.base);
	list_add(list, REG(idtr_limit), sregs->idt.limit);
	list_add(list, REG(cr2), sregs->cr2);
	list_add(list, REG(cr3), sregs->cr3);
	list_add(list, REG(cr8), sregs->cr8);
	list_add(list, REG(efer), sregs->efer);
}

size_t list_take_sregs(const struct list *list, struct guests_sregs *sregs,
		       uint16_t (*pack)(uint64_t rights))
{
	struct guests_segment *segment = &sregs->cs;
	const struct mk2_list_entry *e = list->entry;

	for (size_t i = 0; i < NR_SEGMENTS; i++, e += 4)
		segment[i] = (struct guests_segment){ .selector = (uint16_t)e[0].value,
						      .attrib = pack(e[1].value),
						      .limit = (uint32_t)e[2].value,
						      .base = e[3].value };
	sregs->gdt.base = e[0].value;
	sregs->gdt.limit = e[1].value;
	sregs->idt.base = e[2].value;
	sregs->idt.limit = e[3].value;
	sregs->cr2 = e[4].value;
	sregs->cr3 = e[5].value;
	sregs->cr8 = e[6].value;
	sregs->efer = e[7].value;
	return (size_t)(e + 8 - list->entry);
}
