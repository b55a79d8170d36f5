// SPDX-License-Identifier: GPL-2.0-only
/*
 * The default extension, which passes memory of a process of Linux's to the hypervisor and back, as
 * that process asks for it (donate.h): test/kselftest/src/donate.c.
 */
#include "test/ext/donate.h"

#include <abi/handoff.h>
#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>
#include <ext/libext/mk2_sys.h>

#include "test/ext/lib/hooks.h"
#include "test/ext/lib/pools.h"
#include "test/ext/lib/verify.h"

#define WORDS (BF_PAGE_SIZE / 8)

static uint64_t nr_taken;

static int in_started(void)
{
	uint64_t handle;

	VERIFY_STATUS(mk1_handle_open_handle(MK2_SPEC_ID, &handle), MK1_SUCCESS);
	VERIFY(handle == MK2_HANDLE);
	return 0;
}

/* What was there before must not be. */
static void take(void)
{
	uint64_t bad = 0;

	nr_taken = take_pages();
	for (uint64_t i = 0; i < nr_taken; i++) {
		uint64_t *page = (uint64_t *)pools_found[i];

		for (uint64_t word = 0; word < WORDS; word++) {
			bad += page[word] != 0;
			page[word] = ~word;
		}
	}
	mk1_set_rax(nr_taken);
	mk1_set_rbx(bad);
}

static uint64_t count(uint64_t spa, uint64_t size)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < nr_taken; i++)
		n += pools_found[i] - MK1_PAGE_POOL_BASE - spa < size;
	return n;
}

static uint64_t pool_page(void)
{
	uint64_t va, spa = 0;

	VERIFY_STATUS(mk1_mem_alloc_page(MK1_HANDLE, &va, &spa), MK1_SUCCESS);
	VERIFY_STATUS(mk1_mem_free_page(MK1_HANDLE, va), MK1_SUCCESS);
	return spa;
}

/* It counts what is written. */
static bool is_ring(uint64_t spa)
{
	const volatile struct bf_ring *ring;
	uint64_t va, before;
	bool is = false;

	if (mk1_vm_map_direct(MK1_HANDLE, MK1_ROOT_VMID, spa, &va) != MK1_SUCCESS)
		return false;
	ring = (const volatile struct bf_ring *)va;
	before = ring->written;
	if (before && ring->size >= BF_PAGE_SIZE && !(ring->size & (ring->size - 1))) {
		mk1_debug_write_c('\n');
		is = ring->written == before + 1;
	}
	VERIFY_STATUS(mk1_vm_unmap_direct(MK1_HANDLE, MK1_ROOT_VMID, va), MK1_SUCCESS);
	return is;
}

static uint64_t find_ring(uint64_t spa, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++) {
		if (is_ring(spa + i * BF_PAGE_SIZE))
			return spa + i * BF_PAGE_SIZE;
	}
	return 0;
}

static void answer(uint32_t command, uint64_t spa, uint64_t size)
{
	switch (command) {
	case DONATE_GIVE:
		mk1_set_rax(mk2_mem_donate(MK2_HANDLE, spa, size));
		break;
	case DONATE_RETURN:
		mk1_set_rax(mk2_mem_return(MK2_HANDLE, spa, &size));
		mk1_set_rbx(size);
		break;
	case DONATE_TAKE:
		take();
		break;
	case DONATE_COUNT:
		mk1_set_rax(count(spa, size));
		break;
	case DONATE_FREE:
		give_pages_back(nr_taken);
		nr_taken = 0;
		break;
	case DONATE_POOL_PAGE:
		mk1_set_rax(pool_page());
		break;
	case DONATE_FIND_RING:
		mk1_set_rax(find_ring(spa, size));
		break;
	default:
		VERIFY(false);
		break;
	}
}

static void in_vmexit(uint64_t vsid, uint64_t reason)
{
	verify_answer();
	if (reason != (is_svm ? SVM_EXIT_CPUID : VMX_EXIT_CPUID) ||
	    (uint32_t)mk1_rax() != DONATE_LEAF)
		return;
	answer((uint32_t)mk1_rcx(), mk1_rdx(), mk1_rsi());
	resume_next(vsid);
}

const struct ext_hooks ext_hooks = {
	.started = in_started,
	.vmexit = in_vmexit,
};
