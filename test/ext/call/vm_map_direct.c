// SPDX-License-Identifier: GPL-2.0-only
/* map_direct: any memory but the hypervisor's, at its place in the direct map of a VM. */
#include "test/ext/lib/call.h"

#include "direct.h"

/* At the upper end of the map, where nobody has been: tables are needed for each. */
#define FAR_SPA(i) (0x100000000000ULL - 0x40000000ULL * ((i) + 1))

static void refuses(uint64_t spa)
{
	GIVES(MK1_INVALID_INPUT_REG(2), MK1_HANDLE, MK1_ROOT_VMID, spa);
}

static void test_refusals(void)
{
	static const uint64_t bad[] = { 0,
					1,
					8,
					0xFFF,
					0x1001,
					0x1000FF8,
					MK1_DIRECT_MAP_SIZE,
					MK1_DIRECT_MAP_SIZE - 1,
					1ULL << 52,
					1ULL << 63,
					~0xFFFULL,
					~0ULL };
	uint64_t va, spa;

	REFUSES_IDS(1, MK1_HANDLE, 0, DIRECT_SPA);
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(bad[i]);
	VERIFY_STATUS(mk1_mem_alloc_page(MK1_HANDLE, &va, &spa), MK1_SUCCESS);
	refuses(spa);
	VERIFY_STATUS(mk1_mem_free_page(MK1_HANDLE, va), MK1_SUCCESS);
	refuses(spa);
	VERIFY_STATUS(mk1_mem_alloc_huge(MK1_HANDLE, 3 * BF_PAGE_SIZE, &va, &spa), MK1_SUCCESS);
	refuses(spa);
	refuses(spa + 2 * BF_PAGE_SIZE);
	VERIFY_STATUS(mk1_mem_free_huge(MK1_HANDLE, va), MK1_SUCCESS);
	/* none of them is there now */
	VERIFY(!is_mapped(MK1_DIRECT_MAP_BASE + spa));
}

static void map(uint64_t vmid)
{
	GIVES(MK1_SUCCESS, MK1_HANDLE, vmid, DIRECT_SPA);
	VERIFY(out[0] == DIRECT_VA);
}

/* What one VM's map shows, another's shows: both are the memory itself. */
static void test_contents(void)
{
	struct second s = make_second();
	uint64_t vpid = mk1_tls_vpid(), vsid = mk1_tls_vsid(), old;

	map(HIGH16 | MK1_ROOT_VMID);
	GIVES(MK1_FAILURE_UNKNOWN, MK1_HANDLE, MK1_ROOT_VMID, DIRECT_SPA); /* once is enough */
	map(s.vmid);
	old = *direct_word();
	*direct_word() = 0x1122334455667788;
	VERIFY_STATUS(mk1_vs_set_active(MK1_HANDLE, s.vmid, s.vpid, s.vsid), MK1_SUCCESS);
	VERIFY(*direct_word() == 0x1122334455667788);
	*direct_word() = old;
	VERIFY_STATUS(mk1_vs_set_active(MK1_HANDLE, MK1_ROOT_VMID, vpid, vsid), MK1_SUCCESS);
	VERIFY(*direct_word() == old);
	VERIFY_STATUS(mk1_vm_unmap_direct(MK1_HANDLE, MK1_ROOT_VMID, DIRECT_VA), MK1_SUCCESS);
	drop_second(s); /* and its map */
	VERIFY(!is_mapped(DIRECT_VA));
}

/* The guest's own page table, as its CR3 names it: its upper half is the kernel, which is there. */
static void test_guest_memory(void)
{
	uint64_t spa = read_reg(mk1_tls_vsid(), REG(cr3)) & 0x000FFFFFFFFFF000;
	const volatile uint64_t *table;
	uint64_t present = 0;

	GIVES(MK1_SUCCESS, MK1_HANDLE, MK1_ROOT_VMID, spa);
	VERIFY(out[0] == MK1_DIRECT_MAP_BASE + spa);
	table = (const volatile uint64_t *)out[0];
	for (unsigned int i = 256; i < 512; i++)
		present += table[i] & 1;
	VERIFY(present);
	VERIFY_STATUS(mk1_vm_unmap_direct(MK1_HANDLE, MK1_ROOT_VMID, (uint64_t)table), MK1_SUCCESS);
}

/* Without memory for tables: nothing is mapped, and what there is serves as before. */
static void test_no_memory(void)
{
	uint64_t vmid, pages, va;

	VERIFY_STATUS(mk1_vm_create_vm(MK1_HANDLE, &vmid), MK1_SUCCESS);
	pages = drain_pool();
	GIVES(MK1_FAILURE_UNKNOWN, MK1_HANDLE, vmid, DIRECT_SPA);
	GIVES(MK1_FAILURE_UNKNOWN, MK1_HANDLE, MK1_ROOT_VMID, FAR_SPA(mk1_tls_ppid()));
	VERIFY(!is_mapped(MK1_DIRECT_MAP_BASE + FAR_SPA(mk1_tls_ppid())));
	map(MK1_ROOT_VMID); /* the tables are there */
	refill_pool(pages);
	VERIFY_STATUS(mk1_vm_unmap_direct(MK1_HANDLE, MK1_ROOT_VMID, DIRECT_VA), MK1_SUCCESS);
	GIVES(MK1_SUCCESS, MK1_HANDLE, MK1_ROOT_VMID, FAR_SPA(mk1_tls_ppid()));
	va = out[0];
	VERIFY_STATUS(mk1_vm_unmap_direct(MK1_HANDLE, MK1_ROOT_VMID, va), MK1_SUCCESS);
	VERIFY_STATUS(mk1_vm_destroy_vm(MK1_HANDLE, vmid), MK1_SUCCESS);
}

static void test(void)
{
	test_refusals();
	test_contents();
	test_guest_memory();
	test_no_memory();
}

/* Before there is an active VS the root VM is active: its map can be used at once. */
static void test_root_vm(void)
{
	VERIFY(is_active(MK1_ROOT_VMID, MK1_INVALID_ID, MK1_INVALID_ID));
	map(MK1_ROOT_VMID);
	*direct_word() = *direct_word() + 1;
	VERIFY_STATUS(mk1_vm_unmap_direct(MK1_HANDLE, MK1_ROOT_VMID, DIRECT_VA), MK1_SUCCESS);
	VERIFY(!is_mapped(DIRECT_VA));
}

const struct call_test call_test = {
	.call = CALL_vm_map_direct,
	.started = test_root_vm,
	.bootstrap = test_root_vm,
	.exit = test,
};
