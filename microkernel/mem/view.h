/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Views of the root VM's nested table (vm_view_set of Mk#2): each shows Linux the same memory as
 * the table itself, but for pages that have other rights there, or another content. They share the
 * tables that are no different.
 */
#ifndef MK_VIEW_H
#define MK_VIEW_H

#include <abi/types.h>

/*
 * The calls of Mk#2, whose arguments have been checked: views are numbered from 1 to MK2_VIEWS,
 * flags are rights that this CPU has. What is taken is certain once every PP has seen generation.
 */
uint64_t view_set(unsigned int number, uint64_t gpa, uint64_t size, uint64_t flags,
		  uint64_t *generation);
uint64_t view_clear(unsigned int number, uint64_t gpa, uint64_t size, uint64_t *generation);
uint64_t view_rest(unsigned int number, uint64_t flags, uint64_t *generation);

/* get copies what the page is to show from the extension's memory; false: it is not there. */
uint64_t view_show(unsigned int number, uint64_t gpa, uint64_t flags,
		   bool (*get)(uint64_t va, void *page), uint64_t va, uint64_t *generation);

/* The root of a view, or of the table itself for 0. 0: nothing has been said of this view. */
uint64_t view_root(unsigned int number);

/* Whether a nested table is one of them. */
bool view_is_one(uint64_t root);

/*
 * Linux, in this view, wanted these rights (MK2_NESTED_RWX) of gpa. true: it has them, by now, and
 * is to try again.
 */
bool view_fault(unsigned int number, uint64_t gpa, uint64_t wanted);

#endif
