/* SPDX-License-Identifier: GPL-2.0-only */
/* VMREAD and VMWRITE, and which VMCS they are about. */
#ifndef MK_VMX_VMCS_H
#define MK_VMX_VMCS_H

#include <abi/hw/vmx.h>
#include <abi/types.h>
#include <bsl/compiler.h>
#include <bsl/fault.h>

struct vs;

/* Makes the VMCS of vs the current one of this PP; false: the CPU refused it. */
bool vmx_try_current(struct vs *vs);
/* VMCLEAR; false: the CPU may still have the VMCS. */
bool vmx_try_clear(struct vs *vs);
/* The same, and a refusal is the PP's end. */
void vmx_current(struct vs *vs);
void vmx_vs_clear(struct vs *vs);

/* Prints the field and gives the PP up. */
__noreturn void vmcs_failed(uint64_t field);

/* false: there is no current VMCS, or it has no such field (§33.2). */
static inline bool vmcs_try_read(uint64_t field, uint64_t *value)
{
	bool failed;

	if (FAULT_POINT(read))
		return false;
	__asm__ volatile("vmread %2, %1" : "=@ccbe"(failed), "=r"(*value) : "r"(field));
	return !failed;
}

static inline bool vmcs_try_write(uint64_t field, uint64_t value)
{
	bool failed;

	if (FAULT_POINT(write))
		return false;
	__asm__ volatile("vmwrite %2, %1" : "=@ccbe"(failed) : "r"(field), "r"(value) : "memory");
	return !failed;
}

/* The same for fields that every VMCS of ours has. */
static inline uint64_t vmcs_read(uint64_t field)
{
	uint64_t value;

	if (unlikely(!vmcs_try_read(field, &value)))
		vmcs_failed(field);
	return value;
}

static inline void vmcs_write(uint64_t field, uint64_t value)
{
	if (unlikely(!vmcs_try_write(field, value)))
		vmcs_failed(field);
}

#endif
