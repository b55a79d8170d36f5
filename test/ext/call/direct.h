/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of the direct map share: a word in the second page of memory, which Linux does not
 * use, and a fail callback that maps the page again.
 */
#ifndef TEST_EXT_CALL_DIRECT_H
#define TEST_EXT_CALL_DIRECT_H

#include "test/ext/lib/call.h"

#define DIRECT_SPA 0x1000ULL
#define DIRECT_VA (MK1_DIRECT_MAP_BASE + DIRECT_SPA)

static volatile uint64_t direct_faults; /* the fail callback writes it */

static volatile uint64_t *direct_word(void)
{
	return (volatile uint64_t *)(DIRECT_VA + 8);
}

static inline void direct_fault(uint64_t error_and_vector, uint64_t address)
{
	uint64_t va;

	VERIFY((uint32_t)error_and_vector == 14);
	if (!VERIFY(address == (uint64_t)direct_word()) || direct_faults)
		return;
	direct_faults = 1;
	VERIFY_STATUS(mk1_vm_map_direct(MK1_HANDLE, mk1_tls_vmid(), DIRECT_SPA, &va), MK1_SUCCESS);
	VERIFY(va == DIRECT_VA);
	mk1_control_again();
}

/* An access, by which the page is mapped afterwards; whether it faulted. */
static inline bool direct_access_faults(void)
{
	direct_faults = 0;
	(void)*direct_word();
	return direct_faults;
}

/*
 * What unmap and unmap_broadcast have in common. The page is not mapped before and afterwards.
 */
static inline void test_unmap(void)
{
	struct second s = make_second();
	uint64_t vpid = mk1_tls_vpid(), vsid = mk1_tls_vsid();
	static uint64_t data;
	uint64_t va, spa;
	const uint64_t bad[] = { 0,
				 1,
				 BF_PAGE_SIZE,
				 DIRECT_SPA,
				 MK1_PAGE_POOL_BASE,
				 MK1_EXT_STACK_BASE,
				 MK1_EXT_CODE_BASE,
				 (uint64_t)&data & ~0xFFFULL,
				 (uint64_t)&bad & ~0xFFFULL,
				 MK1_EXT_TLS_BASE,
				 MK1_EXT_FAIL_STACK_BASE,
				 MK1_DIRECT_MAP_BASE - BF_PAGE_SIZE,
				 MK1_DIRECT_MAP_BASE + MK1_DIRECT_MAP_SIZE,
				 DIRECT_VA + 1,
				 DIRECT_VA + 8,
				 DIRECT_VA + BF_PAGE_SIZE - 1,
				 DIRECT_VA + BF_PAGE_SIZE,
				 MK1_DIRECT_MAP_BASE + MK1_DIRECT_MAP_SIZE - BF_PAGE_SIZE,
				 BF_MK_BASE,
				 BF_PP_BASE,
				 DIRECT_VA | 1ULL << 63,
				 DIRECT_VA | 0xFFFF000000000000,
				 ~0ULL,
				 ~0xFFFULL };

	GIVES(MK1_INVALID_INPUT_REG(2), MK1_HANDLE, MK1_ROOT_VMID, DIRECT_VA);
	VERIFY(direct_access_faults());
	VERIFY(!direct_access_faults());
	REFUSES_IDS(1, MK1_HANDLE, 0, DIRECT_VA);
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		GIVES(MK1_INVALID_INPUT_REG(2), MK1_HANDLE, MK1_ROOT_VMID, bad[i]);
	VERIFY_STATUS(mk1_mem_alloc_page(MK1_HANDLE, &va, &spa), MK1_SUCCESS);
	GIVES(MK1_INVALID_INPUT_REG(2), MK1_HANDLE, MK1_ROOT_VMID, va);
	VERIFY_STATUS(mk1_mem_free_page(MK1_HANDLE, va), MK1_SUCCESS);
	/* what the second VM has is its own */
	GIVES(MK1_INVALID_INPUT_REG(2), MK1_HANDLE, s.vmid, DIRECT_VA);
	VERIFY(!direct_access_faults());
	GIVES(MK1_SUCCESS, MK1_HANDLE, HIGH16 | MK1_ROOT_VMID, DIRECT_VA);
	VERIFY(!is_mapped(DIRECT_VA));
	VERIFY(direct_access_faults());
	VERIFY_STATUS(mk1_vm_map_direct(MK1_HANDLE, s.vmid, DIRECT_SPA, &va), MK1_SUCCESS);
	GIVES(MK1_SUCCESS, MK1_HANDLE, s.vmid, DIRECT_VA);
	VERIFY(!direct_access_faults());
	VERIFY_STATUS(mk1_vs_set_active(MK1_HANDLE, s.vmid, s.vpid, s.vsid), MK1_SUCCESS);
	VERIFY(direct_access_faults());
	GIVES(MK1_SUCCESS, MK1_HANDLE, s.vmid, DIRECT_VA);
	VERIFY_STATUS(mk1_vs_set_active(MK1_HANDLE, MK1_ROOT_VMID, vpid, vsid), MK1_SUCCESS);
	GIVES(MK1_SUCCESS, MK1_HANDLE, MK1_ROOT_VMID, DIRECT_VA);
	GIVES(MK1_INVALID_INPUT_REG(2), MK1_HANDLE, MK1_ROOT_VMID, DIRECT_VA);
	drop_second(s);
	GIVES(MK1_INVALID_INPUT_REG(1), MK1_HANDLE, s.vmid, DIRECT_VA);
}

#endif
