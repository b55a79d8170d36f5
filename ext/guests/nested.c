// SPDX-License-Identifier: MIT
/* What of physical memory a VM has: the calls of Mk#2. */
#include <abi/guests.h>
#include <abi/hw/x86.h>
#include <ext/guests/nested.h>
#include <ext/libext/libext.h>
#include <ext/libext/mk2_sys.h>
#include <ext/linux/linux.h>

bool nested_start(uint64_t specs)
{
	uint64_t handle;

	return (specs & MK2_SPEC_MASK) &&
	       mk1_handle_open_handle(MK2_SPEC_ID, &handle) == MK1_SUCCESS && handle == MK2_HANDLE;
}

static uint64_t flags_of(bool write, bool large)
{
	return MK2_NESTED_R | MK2_NESTED_X | (write ? MK2_NESTED_W : 0) |
	       (large ? MK2_NESTED_2M : MK2_NESTED_4K);
}

static uint64_t size_of(uint64_t flags)
{
	return flags & MK2_NESTED_2M ? GUESTS_LARGE_SIZE : BF_PAGE_SIZE;
}

/* Another vCPU has accessed the page at the same time, and the module asks for both. */
static bool is_mapped(uint64_t vmid, uint64_t gpa, uint64_t spa, uint64_t flags)
{
	const uint64_t mask = MK2_NESTED_RWX | MK2_NESTED_SIZE;
	uint64_t found, its_flags;

	return mk2_vm_nested_query(MK2_HANDLE, vmid, gpa, &found, &its_flags) == MK1_SUCCESS &&
	       found == spa && (its_flags & mask) == flags;
}

/*
 * "Machine Check Error Avoidance on Page Size Change": a guest that has a large page, and changes
 * its own page tables there from small ones to a large one, can stop such a CPU (CVE-2018-12207;
 * SDM vol. 4 table 2-2, ARCH_CAPABILITIES bit 6).
 */
static bool has_multihit(void)
{
	uint64_t caps;

	if (cpu_is_amd())
		return false;
	return mk1_intrinsic_rdmsr(MK1_HANDLE, MSR_ARCH_CAPABILITIES, &caps) != MK1_SUCCESS ||
	       !(caps & ARCH_CAP_PSCHANGE_MC_NO);
}

uint32_t nested_map(uint64_t vmid, uint64_t gpa, uint64_t spa, bool write, bool large)
{
	uint64_t flags = flags_of(write, large);

	if (large && has_multihit())
		return GUESTS_UNSUPPORTED;
	switch (mk2_vm_nested_map(MK2_HANDLE, vmid, gpa, spa, size_of(flags), flags)) {
	case MK1_SUCCESS:
		return GUESTS_OK;
	case MK2_FAILURE_EXISTS:
		return is_mapped(vmid, gpa, spa, flags) ? GUESTS_OK : GUESTS_BAD_VALUE;
	case MK2_FAILURE_NO_MEMORY:
		return GUESTS_FULL;
	case MK1_FAILURE_UNSUPPORTED:
		return GUESTS_UNSUPPORTED;
	case MK1_INVALID_PERM_DENIED:
		return GUESTS_DENIED;
	default:
		return GUESTS_BAD_VALUE;
	}
}

bool nested_unmap(uint64_t vmid, uint64_t gpa, uint64_t pages, uint64_t *generation)
{
	return mk2_vm_nested_unmap(MK2_HANDLE, vmid, gpa, pages * BF_PAGE_SIZE, generation) ==
	       MK1_SUCCESS;
}

uint32_t nested_flush(uint64_t vmid, uint64_t generation)
{
	return mk2_vm_nested_flush(MK2_HANDLE, vmid, generation, &generation) == MK1_SUCCESS ?
		       GUESTS_OK :
		       GUESTS_BUSY;
}

bool nested_query(uint64_t vmid, uint64_t gpa, uint64_t *spa, bool *write)
{
	uint64_t flags;

	if (mk2_vm_nested_query(MK2_HANDLE, vmid, gpa, spa, &flags) != MK1_SUCCESS)
		return false;
	*spa += gpa & (size_of(flags) - 1) & ~(uint64_t)BF_PAGE_MASK;
	*write = flags & MK2_NESTED_W;
	return true;
}

bool nested_attach(uint64_t vsid)
{
	return mk2_vs_nested_attach(MK2_HANDLE, vsid) == MK1_SUCCESS;
}
