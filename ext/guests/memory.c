// SPDX-License-Identifier: MIT
/*
 * The guest's memory, through a window: the page is put into the direct map of its VM for each
 * access. What is in it may change at any time: whoever looks at it copies it first.
 */
#include <bsl/string.h>
#include <ext/guests/guests.h>

#define PAGE(gpa) ((gpa) & ~(uint64_t)BF_PAGE_MASK)

/* Opens the window; 0: no memory is there, or none to write to. */
static uint64_t open_window(struct vcpu *v, uint64_t gpa, bool write)
{
	uint64_t spa;
	uint64_t va;
	bool writable;

	bsl_spin_lock(&v->vm->memory_lock);
	if (nested_query(v->vm->vmid, PAGE(gpa), &spa, &writable) && (writable || !write) &&
	    mk1_vm_map_direct(MK1_HANDLE, v->vm->vmid, spa, &va) == MK1_SUCCESS)
		return va;
	bsl_spin_unlock(&v->vm->memory_lock);
	v->fault_gpa = PAGE(gpa);
	return 0;
}

static void close_window(struct vcpu *v, uint64_t va)
{
	mk1_vm_unmap_direct(MK1_HANDLE, v->vm->vmid, va);
	bsl_spin_unlock(&v->vm->memory_lock);
}

void memory_settle(struct vm *vm)
{
	bsl_spin_lock(&vm->memory_lock);
	bsl_spin_unlock(&vm->memory_lock);
}

bool memory_is_there(struct vcpu *v, uint64_t gpa, bool write)
{
	uint64_t spa;
	bool writable;

	if (nested_query(v->vm->vmid, PAGE(gpa), &spa, &writable) && (writable || !write))
		return true;
	v->fault_gpa = PAGE(gpa);
	return false;
}

bool memory_read(struct vcpu *v, uint64_t gpa, void *data, unsigned int bytes)
{
	uint64_t va = open_window(v, gpa, false);

	if (!va)
		return false;
	bsl_memcpy(data, (const void *)(va + (gpa & BF_PAGE_MASK)), bytes);
	close_window(v, va);
	return true;
}

bool memory_write(struct vcpu *v, uint64_t gpa, const void *data, unsigned int bytes)
{
	uint64_t va = open_window(v, gpa, true);

	if (!va)
		return false;
	bsl_memcpy((void *)(va + (gpa & BF_PAGE_MASK)), data, bytes);
	close_window(v, va);
	return true;
}

#define EXCHANGE(type) \
	do { \
		type old, new; \
		bsl_memcpy(&old, expected, sizeof(old)); \
		bsl_memcpy(&new, data, sizeof(new)); \
		done = __atomic_compare_exchange_n((type *)at, &old, new, false, __ATOMIC_SEQ_CST, \
						   __ATOMIC_SEQ_CST); \
	} while (0)

bool memory_exchange(struct vcpu *v, uint64_t gpa, const void *data, const void *expected,
		     unsigned int bytes, bool *changed)
{
	uint64_t va = open_window(v, gpa, true);
	uint64_t at = va + (gpa & BF_PAGE_MASK);
	bool done = false;

	if (!va)
		return false;
	switch (bytes) {
	case 1:
		EXCHANGE(uint8_t);
		break;
	case 2:
		EXCHANGE(uint16_t);
		break;
	case 4:
		EXCHANGE(uint32_t);
		break;
	case 8:
		EXCHANGE(uint64_t);
		break;
	default:
		break;
	}
	close_window(v, va);
	*changed = !done;
	return true;
}
