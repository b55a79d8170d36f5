// SPDX-License-Identifier: MIT
/* What of physical memory a VM has: the calls of Mk#2. */
#include <abi/guests.h>
#include <ext/guests/nested.h>
#include <ext/libext/libext.h>
#include <ext/libext/mk2_sys.h>

bool nested_start(uint64_t specs)
{
	uint64_t handle;

	return (specs & MK2_SPEC_MASK) &&
	       mk1_handle_open_handle(MK2_SPEC_ID, &handle) == MK1_SUCCESS && handle == MK2_HANDLE;
}

static uint64_t flags_of(bool write)
{
	return MK2_NESTED_R | MK2_NESTED_X | (write ? MK2_NESTED_W : 0);
}

/* Another vCPU has accessed the page at the same time, and the module asks for both. */
static bool is_mapped(uint64_t vmid, uint64_t gpa, uint64_t spa, bool write)
{
	uint64_t found;
	bool writable;

	return nested_query(vmid, gpa, &found, &writable) && found == spa && writable == write;
}

uint32_t nested_map(uint64_t vmid, uint64_t gpa, uint64_t spa, bool write)
{
	switch (mk2_vm_nested_map(MK2_HANDLE, vmid, gpa, spa, BF_PAGE_SIZE, flags_of(write))) {
	case MK1_SUCCESS:
		return GUESTS_OK;
	case MK2_FAILURE_EXISTS:
		return is_mapped(vmid, gpa, spa, write) ? GUESTS_OK : GUESTS_BAD_VALUE;
	case MK2_FAILURE_NO_MEMORY:
		return GUESTS_FULL;
	case MK1_INVALID_PERM_DENIED:
		return GUESTS_DENIED;
	default:
		return GUESTS_BAD_VALUE;
	}
}

uint32_t nested_unmap(uint64_t vmid, uint64_t gpa, uint64_t pages)
{
	uint64_t generation;

	if (mk2_vm_nested_unmap(MK2_HANDLE, vmid, gpa, pages * BF_PAGE_SIZE, &generation) !=
	    MK1_SUCCESS)
		return GUESTS_BAD_VALUE;
	return mk2_vm_nested_flush(MK2_HANDLE, vmid, generation, &generation) == MK1_SUCCESS ?
		       GUESTS_OK :
		       GUESTS_BUSY;
}

bool nested_query(uint64_t vmid, uint64_t gpa, uint64_t *spa, bool *write)
{
	uint64_t flags;

	if (mk2_vm_nested_query(MK2_HANDLE, vmid, gpa, spa, &flags) != MK1_SUCCESS)
		return false;
	*write = flags & MK2_NESTED_W;
	return true;
}

bool nested_attach(uint64_t vsid)
{
	return mk2_vs_nested_attach(MK2_HANDLE, vsid) == MK1_SUCCESS;
}
