// SPDX-License-Identifier: GPL-2.0-only
/*
 * One PP takes a page out of the direct map of all while another one stays in its exit, in a loop
 * without a call, and then touches the page: it must not be there. Which PP does what is for the
 * guest to say, with EAX of a CPUID: TARGET_LEAF and then, elsewhere, SHOOTER_LEAF.
 */
#include "test/ext/lib/hooks.h"
#include "test/ext/lib/verify.h"

#define TARGET_LEAF 0x40005001
#define SHOOTER_LEAF 0x40005002
#define SOME_SPA 0x1000 /* RAM that Linux leaves to the firmware */
#define PAGE_VA (MK1_DIRECT_MAP_BASE + SOME_SPA)

static bool ready, gone, faulted;

static void await(const bool *flag)
{
	while (!__atomic_load_n(flag, __ATOMIC_ACQUIRE))
		__asm__ volatile("pause");
}

static void set(bool *flag)
{
	__atomic_store_n(flag, true, __ATOMIC_RELEASE);
}

static void touch(void)
{
	__asm__ volatile("movb (%0), %%al" : : "r"(PAGE_VA) : "rax", "memory");
}

static void target(void)
{
	uint64_t va;

	ready = gone = faulted = false;
	VERIFY_STATUS(mk1_vm_map_direct(MK1_HANDLE, MK1_ROOT_VMID, SOME_SPA, &va), MK1_SUCCESS);
	touch();
	VERIFY(!faulted);
	set(&ready);
	await(&gone);
	touch();
	VERIFY(faulted);
	VERIFY_STATUS(mk1_vm_unmap_direct(MK1_HANDLE, MK1_ROOT_VMID, va), MK1_SUCCESS);
}

static void shooter(void)
{
	await(&ready);
	VERIFY_STATUS(mk1_vm_unmap_direct_broadcast(MK1_HANDLE, MK1_ROOT_VMID, PAGE_VA),
		      MK1_SUCCESS);
	__atomic_store_n(&ready, false, __ATOMIC_RELEASE);
	set(&gone);
}

static void in_vmexit(uint64_t vsid, uint64_t reason)
{
	(void)vsid;
	(void)reason;
	verify_answer();
	if ((uint32_t)mk1_rax() == TARGET_LEAF)
		target();
	else if ((uint32_t)mk1_rax() == SHOOTER_LEAF)
		shooter();
}

static void in_fail(uint64_t error_and_vector, uint64_t address)
{
	uint64_t va;

	VERIFY((uint32_t)error_and_vector == 14 && address == PAGE_VA);
	faulted = true;
	if (mk1_vm_map_direct(MK1_HANDLE, MK1_ROOT_VMID, SOME_SPA, &va) == MK1_SUCCESS)
		mk1_control_again();
	ext_exit();
}

const struct ext_hooks ext_hooks = {
	.vmexit = in_vmexit,
	.fail = in_fail,
};
