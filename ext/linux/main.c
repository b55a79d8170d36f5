// SPDX-License-Identifier: MIT
/* The callbacks, for either vendor. */
#include <ext/linux/cpuid.h>
#include <ext/linux/linux.h>
#include <ext/linux/vendor.h>

static bool is_svm, is_open; /* written by linux_open only */

/*
 * Once a PP at the start, and again for a PP that comes back (CPU hotplug, resume): the microkernel
 * has then destroyed what this PP had before.
 */
uint64_t linux_prepare(uint64_t ppid)
{
	uint64_t vpid;
	uint64_t vsid;
	uint64_t status;

	status = mk1_vp_create_vp(MK1_HANDLE, MK1_ROOT_VMID, &vpid);
	if (status != MK1_SUCCESS)
		give_up("create_vp failed", MK1_INVALID_ID, status);
	status = mk1_vs_create_vs(MK1_HANDLE, vpid, ppid, &vsid);
	if (status != MK1_SUCCESS)
		give_up("create_vs failed", MK1_INVALID_ID, status);
	status = mk1_vs_init_as_root(MK1_HANDLE, vsid);
	if (status != MK1_SUCCESS)
		give_up("init_as_root failed", vsid, status);
	if (!(is_svm ? svm_setup(vsid) : vmx_setup(vsid)))
		ext_exit();
	status = mk1_vs_set_active(MK1_HANDLE, MK1_ROOT_VMID, vpid, vsid);
	if (status != MK1_SUCCESS)
		give_up("set_active failed", vsid, status);
	/* What an earlier run left in the TLB under the ASID or VPID that every PP uses. */
	flush_tlb(vsid);
	return vsid;
}

void linux_bootstrap(uint64_t ppid)
{
	resume(linux_prepare(ppid));
}

/* A bug in this extension: the microkernel takes the PP, Linux goes on. */
void linux_fail(uint64_t error_and_vector, uint64_t address)
{
	ext_print("%s: PP %u: fault: vector %u, error code 0x%x, address 0x%llx\n", ext_name,
		  (unsigned int)mk1_tls_ppid(), (unsigned int)(uint32_t)error_and_vector,
		  (unsigned int)(error_and_vector >> 32), (unsigned long long)address);
	ext_exit();
}

bool cpu_is_amd(void)
{
	struct cpuid_regs id = cpuid(0, 0);

	return (id.ebx == CPUID_0_EBX_AMD && id.edx == CPUID_0_EDX_AMD &&
		id.ecx == CPUID_0_ECX_AMD) ||
	       (id.ebx == CPUID_0_EBX_HYGON && id.edx == CPUID_0_EDX_HYGON &&
		id.ecx == CPUID_0_ECX_HYGON);
}

bool linux_open_handle(void)
{
	static bool handle_is_open;
	uint64_t handle;

	if (!handle_is_open)
		handle_is_open = mk1_handle_open_handle(MK1_SPEC_ID, &handle) == MK1_SUCCESS &&
				 handle == MK1_HANDLE;
	return handle_is_open;
}

bool linux_open(uint64_t specs)
{
	if (!(specs & MK1_SPEC_MASK) || !linux_open_handle()) {
		ext_print("%s: the microkernel does not speak Mk#1\n", ext_name);
		return false;
	}
	is_svm = cpu_is_amd();
	is_open = true;
	return true;
}

bool linux_start_vendor(void)
{
	return is_svm ? svm_start() : vmx_start();
}

bool linux_start(uint64_t specs)
{
	return linux_open(specs) && linux_start_vendor();
}

bool linux_is_open(void)
{
	return is_open;
}

bool linux_is_on_amd(void)
{
	return is_svm;
}

mk1_vmexit_fn *linux_vmexit(void)
{
	return is_svm ? svm_vmexit : vmx_vmexit;
}
