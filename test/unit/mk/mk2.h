/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of Mk#2 share: a machine with a VM beside Linux's, on either vendor. */
#ifndef TEST_MK_MK2_H
#define TEST_MK_MK2_H

#include <bsl/paging.h>

#include "guest.h"

enum { HANDLE2 = MK2_HANDLE };

#define SYS2(name, ...) \
	(regs = (struct syscall_frame){ .reg = { __VA_ARGS__ }, .rip = EXT_ENTRY + 0x10 }, \
	 syscall_run(MK2_##name))

#define RWX MK2_NESTED_RWX
#define SIZE_2M BSL_LEVEL_SIZE(2)
#define SIZE_1G BSL_LEVEL_SIZE(3)
#define RAM_2M 0x60000000ULL /* of Linux's memory, aligned to 2 MiB */
#define RAM_1G 0x140000000ULL /* to 1 GiB */

static inline uint64_t map(uint64_t vmid, uint64_t gpa, uint64_t spa, uint64_t size, uint64_t flags)
{
	return SYS2(vm_nested_map, HANDLE2, vmid, gpa, spa, size, flags);
}

/* The generation that this leads to. */
static inline uint64_t unmap(uint64_t vmid, uint64_t gpa, uint64_t size)
{
	ck_assert_uint_eq(SYS2(vm_nested_unmap, HANDLE2, vmid, gpa, size), MK1_SUCCESS);
	return regs.reg[0];
}

static inline void flush(uint64_t vmid, uint64_t generation)
{
	ck_assert_uint_eq(SYS2(vm_nested_flush, HANDLE2, vmid, generation), MK1_SUCCESS);
	ck_assert_uint_ge(regs.reg[0], generation);
}

static inline bool is_mapped(uint64_t vmid, uint64_t gpa)
{
	uint64_t status = SYS2(vm_nested_query, HANDLE2, vmid, gpa);

	ck_assert(status == MK1_SUCCESS || status == MK1_INVALID_INPUT_REG(2));
	return status == MK1_SUCCESS;
}

static inline unsigned int free_pages(void)
{
	static uint64_t pages[0x1000];
	unsigned int n = 0, i;

	while ((pages[n] = pool_alloc()) != MK_NO_PAGE)
		n++;
	for (i = n; i > 0; i--)
		pool_free(pages[i - 1]);
	return n;
}

/* The entry of a guest's table that maps gpa, and its level. */
static inline uint64_t *leaf_of(uint64_t vmid, uint64_t gpa, unsigned int *level)
{
	uint64_t table = vm_find((uint16_t)vmid)->nested.root;
	uint64_t *entry;

	for (*level = mk.nested_levels;; (*level)--) {
		entry = (uint64_t *)phys_at(table) + bsl_pt_index(gpa, *level);
		if (*level == 1 || (*level < 4 && *entry & BSL_PTE_PS))
			return entry;
		ck_assert(*entry & 7);
		table = *entry & BSL_PTE_SPA;
	}
}

static inline uint16_t make_vm(void)
{
	ck_assert_uint_eq(SYS(vm_create_vm, HANDLE), MK1_SUCCESS);
	return (uint16_t)regs.reg[0];
}

/* A VS of the VM, which belongs to a new VP; not yet attached. */
static inline uint16_t make_vs(uint16_t vmid, uint16_t ppid)
{
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, vmid), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, regs.reg[0], ppid), MK1_SUCCESS);
	return (uint16_t)regs.reg[0];
}

/* Linux runs, and its exit is the extension's, which has both handles; then a VM, number 1. */
static inline void open_and_launch(void)
{
	start();
	ck_assert_uint_eq(SYS(handle_open_handle, MK2_SPEC_ID), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], MK2_HANDLE);
	(void)launch();
	guest_exit(cpuid_reason());
	ck_assert_uint_eq(make_vm(), 1);
}

static inline void with_vm(int i)
{
	machine_of(i);
	open_and_launch();
}

#endif
