/* SPDX-License-Identifier: MIT */
/* Many registers of a vCPU's VS in one call of Mk#2. */
#ifndef EXT_GUESTS_LIST_H
#define EXT_GUESTS_LIST_H

#include <abi/guests.h>
#include <abi/mk2.h>

struct vcpu;

struct list {
	uint64_t count; /* begins with 0 */
	struct mk2_list_entry entry[MK2_LIST_MAX];
};

/* One more register; value does not matter for what is read. */
static inline void list_add(struct list *list, uint64_t reg, uint64_t value)
{
	list->entry[list->count++] = (struct mk2_list_entry){ reg, value };
}

/* false: the microkernel refuses one; those before it have been written. */
bool list_write(struct vcpu *v, struct list *list);

/* Gives up if one cannot be read, as vs_get does. */
void list_read(struct vcpu *v, struct list *list);

/*
 * What both vendors have of struct guests_sregs under one name: the segments, GDTR and IDTR, CR2,
 * CR3, CR8 and EFER. The attributes of a segment are given as a VS has them, and back.
 */
void list_add_sregs(struct list *list, const struct guests_sregs *sregs,
		    uint64_t (*unpack)(uint16_t attrib));
/* From a list that begins with them; returns how many entries that was. */
size_t list_take_sregs(const struct list *list, struct guests_sregs *sregs,
		       uint16_t (*pack)(uint64_t rights));

#endif
