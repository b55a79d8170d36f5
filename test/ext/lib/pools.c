// SPDX-License-Identifier: GPL-2.0-only
#include "test/ext/lib/pools.h"

#include "test/ext/lib/verify.h"

#define POOLS_MAX 65536

uint64_t pools_found[POOLS_MAX];

uint64_t count_vms(void)
{
	uint64_t n = 0, id, status;

	while ((status = mk1_vm_create_vm(MK1_HANDLE, &id)) == MK1_SUCCESS) {
		VERIFY(!n || id > pools_found[n - 1]);
		pools_found[n++] = id;
	}
	VERIFY_STATUS(status, MK1_FAILURE_UNKNOWN);
	for (uint64_t i = 0; i < n; i++)
		VERIFY_STATUS(mk1_vm_destroy_vm(MK1_HANDLE, pools_found[i]), MK1_SUCCESS);
	return n;
}

uint64_t count_vps(uint64_t vmid)
{
	uint64_t n = 0, id, status;

	while ((status = mk1_vp_create_vp(MK1_HANDLE, vmid, &id)) == MK1_SUCCESS) {
		VERIFY(!n || id > pools_found[n - 1]);
		pools_found[n++] = id;
	}
	VERIFY_STATUS(status, MK1_FAILURE_UNKNOWN);
	for (uint64_t i = 0; i < n; i++)
		VERIFY_STATUS(mk1_vp_destroy_vp(MK1_HANDLE, pools_found[i]), MK1_SUCCESS);
	return n;
}

uint64_t count_vss(uint64_t vpid)
{
	uint64_t n = 0, id, status;

	while ((status = mk1_vs_create_vs(MK1_HANDLE, vpid, mk1_tls_ppid(), &id)) == MK1_SUCCESS) {
		VERIFY(!n || id > pools_found[n - 1]);
		pools_found[n++] = id;
	}
	VERIFY_STATUS(status, MK1_FAILURE_UNKNOWN);
	for (uint64_t i = 0; i < n; i++)
		VERIFY_STATUS(mk1_vs_destroy_vs(MK1_HANDLE, pools_found[i]), MK1_SUCCESS);
	return n;
}

uint64_t take_pages(void)
{
	uint64_t n = 0, spa, status = MK1_SUCCESS;

	while (n < POOLS_MAX &&
	       (status = mk1_mem_alloc_page(MK1_HANDLE, &pools_found[n], &spa)) == MK1_SUCCESS)
		n++;
	VERIFY_STATUS(status, MK1_FAILURE_UNKNOWN);
	return n;
}

void give_pages_back(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		VERIFY_STATUS(mk1_mem_free_page(MK1_HANDLE, pools_found[i]), MK1_SUCCESS);
}

uint64_t count_pages(void)
{
	uint64_t n = take_pages();

	give_pages_back(n);
	return n;
}

uint64_t count_huge_blocks(void)
{
	uint64_t n = 0, spa, status;

	while ((status = mk1_mem_alloc_huge(MK1_HANDLE, 1, &pools_found[n], &spa)) == MK1_SUCCESS)
		n++;
	VERIFY_STATUS(status, MK1_FAILURE_UNKNOWN);
	for (uint64_t i = 0; i < n; i++)
		VERIFY_STATUS(mk1_mem_free_huge(MK1_HANDLE, pools_found[i]), MK1_SUCCESS);
	return n;
}

uint64_t largest_huge(void)
{
	uint64_t size = 0, va, spa;

	for (uint64_t step = 0x400000; step >= BF_PAGE_SIZE; step /= 2) {
		if (mk1_mem_alloc_huge(MK1_HANDLE, size + step, &va, &spa) != MK1_SUCCESS)
			continue;
		VERIFY_STATUS(mk1_mem_free_huge(MK1_HANDLE, va), MK1_SUCCESS);
		size += step;
	}
	return size;
}
