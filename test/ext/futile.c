// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does what an extension does before Linux becomes a guest, and gives up: for mutations of its
 * code, which may make any mistake but cannot touch Linux. See test/kselftest/src/mutants.c.
 */
#include <ext/libext/libext.h>

static __thread uint64_t local = 42;
static uint64_t table[64] = { 1, 2, 3 };
static const char text[] = "futile: %llu of %u, %s\n";

static void on_bootstrap(uint64_t ppid)
{
	(void)ppid;
	ext_exit();
}

static void on_vmexit(uint64_t vsid, uint64_t reason)
{
	(void)vsid;
	(void)reason;
	ext_exit();
}

/* Pages, VMs, VPs and VSs, made and destroyed. */
static uint64_t make_objects(uint64_t handle)
{
	uint64_t vmid, vpid, vsid, va, spa, sum = 0;

	if (mk1_vm_create_vm(handle, &vmid) == MK1_SUCCESS) {
		if (mk1_vp_create_vp(handle, vmid, &vpid) == MK1_SUCCESS) {
			if (mk1_vs_create_vs(handle, vpid, 0, &vsid) == MK1_SUCCESS)
				sum += mk1_vs_destroy_vs(handle, vsid);
			sum += mk1_vp_destroy_vp(handle, vpid);
		}
		sum += mk1_vm_destroy_vm(handle, vmid);
	}
	if (mk1_mem_alloc_page(handle, &va, &spa) == MK1_SUCCESS) {
		*(volatile uint64_t *)va = spa;
		sum += *(volatile uint64_t *)va;
		sum += mk1_mem_free_page(handle, va);
	}
	return sum;
}

int ext_start(uint64_t specs)
{
	uint64_t handle;

	if (!(specs & MK1_SPEC_MASK) || mk1_handle_open_handle(MK1_SPEC_ID, &handle) != MK1_SUCCESS)
		return 1;
	if (mk1_register_bootstrap(handle, on_bootstrap) != MK1_SUCCESS ||
	    mk1_register_vmexit(handle, on_vmexit) != MK1_SUCCESS)
		return 1;
	for (unsigned int i = 0; i < 64; i++) {
		table[i] = table[(i * 7) % 64] + local + make_objects(handle);
		local = table[i] ^ i;
	}
	ext_print(text, (unsigned long long)local, 64, "in vain");
	return 1;
}
