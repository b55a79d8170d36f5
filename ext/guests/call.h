/* SPDX-License-Identifier: MIT */
/* What answers the module's calls: the objects and their lock are those of call.c. */
#ifndef EXT_GUESTS_CALL_H
#define EXT_GUESTS_CALL_H

#include <ext/guests/guests.h>

/* In ext_start: calls are answered from now on. */
void calls_begin(void);

/* Answers the call that Linux has just made at CPL 0. */
__noreturn void answer_call(uint64_t vsid);

/*
 * A vCPU of a VM that does not go meanwhile, and afterwards not before the vCPU. Returns enum
 * guests_status.
 */
uint32_t vcpu_make(struct vm *vm, uint64_t page_spa, uint64_t *id);

/* Of a claimed one. Returns enum guests_status. */
uint32_t vcpu_unmake(struct vcpu *v);

#endif
