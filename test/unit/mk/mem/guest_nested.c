// SPDX-License-Identifier: GPL-2.0-only
/* mem/guest_nested.c: the nested tables of other VMs than Linux's, by Mk#2's calls. */
#include "../mk2.h"
#include "microkernel/mem/guest_nested.h"
#include "../suites.h"

#define SIZES(i) (BSL_LEVEL_SIZE(1 + (i) % 3))
#define SIZE_FLAG(i) ((uint64_t)((i) % 3) << 8)

static void expect_query(uint64_t gpa, uint64_t spa, uint64_t flags)
{
	ck_assert_uint_eq(SYS2(vm_nested_query, HANDLE2, 1, gpa), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], spa);
	ck_assert_uint_eq(regs.reg[1], flags);
}

/* Each right and type, as the CPU reads it: APM vol. 2 §5.4, §15.25; SDM vol. 3 §31.3.2. */
START_TEST(leaves)
{
	static const struct {
		uint64_t flags, npt, ept;
	} leaf[] = {
		{ MK2_NESTED_R, BSL_PTE_NX | 5, 6 << 3 | 1 },
		{ MK2_NESTED_R | MK2_NESTED_W, BSL_PTE_NX | 7, 6 << 3 | 3 },
		{ MK2_NESTED_R | MK2_NESTED_X, 5, 6 << 3 | 5 },
		{ RWX, 7, 6 << 3 | 7 },
		{ RWX | MK2_NESTED_WB, 7, 6 << 3 | 7 },
		{ RWX | MK2_NESTED_UC, 0x1F, 7 },
		{ RWX | MK2_NESTED_WT, 0xF, 4 << 3 | 7 },
		{ RWX | MK2_NESTED_SHARED, 7, 6 << 3 | 7 },
	};
	const uint64_t ours = 0x7ULL << 52;
	uint64_t gpa = 0x7F0000000000;

	with_vm(_i);
	for (unsigned int i = 0; i < sizeof(leaf) / sizeof(leaf[0]); i++) {
		for (unsigned int s = 0; s < 3; s++) {
			uint64_t spa = s == 2 ? RAM_1G : RAM_2M,
				 flags = leaf[i].flags | SIZE_FLAG(s);
			unsigned int level;
			uint64_t entry;

			ck_assert_uint_eq(map(1, gpa, spa, SIZES(s), flags), MK1_SUCCESS);
			entry = *leaf_of(1, gpa, &level);
			ck_assert_uint_eq(level, s + 1);
			ck_assert_uint_eq(entry & ~ours, spa | (s ? BSL_PTE_PS : 0) |
								 (_i ? leaf[i].ept : leaf[i].npt));
			expect_query(gpa + SIZES(s) - 1, spa, flags);
			flush(1, unmap(1, gpa, SIZES(s)));
			ck_assert(!is_mapped(1, gpa));
		}
	}
}
END_TEST

/* With 5 levels of root mode's page tables, SVM's nested tables have 5 as well. */
START_TEST(five_levels)
{
	machine_defaults(_i ? BF_VENDOR_INTEL : BF_VENDOR_AMD);
	m.la57 = !_i;
	machine_init();
	open_and_launch();
	ck_assert_uint_eq(mk.nested_levels, _i ? 4 : 5);
	ck_assert_uint_eq(map(1, (1ULL << 48) - PAGE, linux_page(1), PAGE, RWX), MK1_SUCCESS);
	expect_query((1ULL << 48) - 1, linux_page(1), RWX);
	flush(1, unmap(1, (1ULL << 48) - PAGE, PAGE));
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, 1), MK1_SUCCESS);
}
END_TEST

/* A range of pages, of any size, and what is next to it. */
START_TEST(ranges)
{
	const uint64_t size = SIZES(_i), gpa = 8 * SIZE_1G - size;
	const uint64_t spa = _i % 3 == 2 ? RAM_1G : RAM_2M;

	with_vm(_i / 3);
	ck_assert_uint_eq(map(1, gpa, spa, 2 * size, RWX | SIZE_FLAG(_i)), MK1_SUCCESS);
	ck_assert(!is_mapped(1, gpa - 1));
	expect_query(gpa, spa, RWX | SIZE_FLAG(_i));
	expect_query(gpa + size, spa + size, RWX | SIZE_FLAG(_i));
	ck_assert(!is_mapped(1, gpa + 2 * size));
	ck_assert_uint_eq(unmap(1, gpa + size, size), 1);
	ck_assert(is_mapped(1, gpa));
	ck_assert(!is_mapped(1, gpa + size));
	/* what is not mapped is passed over, and then nothing has changed */
	ck_assert_uint_eq(unmap(1, gpa + size, size), 1);
	ck_assert_uint_eq(unmap(1, gpa, size), 2);
	ck_assert_uint_eq(unmap(1, gpa, size), 2);
}
END_TEST

/* The hypervisor's memory, all or part of it, no memory, holes, and beyond all memory. */
START_TEST(refused_memory)
{
	static const struct {
		uint64_t spa, size, flags;
	} bad[] = {
		{ PHYS_BASE, PAGE, 0 },
		{ PHYS_BASE + OWNED_SIZE - PAGE, PAGE, 0 },
		{ LINUX_RAM - PAGE, 2 * PAGE, 0 },
		{ PHYS_BASE - PAGE, 2 * PAGE, 0 },
		{ ODD_OWNED, PAGE, 0 },
		{ ODD_OWNED - PAGE, 3 * PAGE, 0 },
		{ ODD_OWNED & ~(SIZE_2M - 1), SIZE_2M, MK2_NESTED_2M },
		{ PHYS_BASE, SIZE_1G, MK2_NESTED_1G },
		{ 0x9F000, PAGE, 0 },
		{ 0x9E000, 2 * PAGE, 0 },
		{ 0, SIZE_2M, MK2_NESTED_2M },
		{ 0xC0000000, PAGE, 0 },
		{ 0xBFFFF000, 2 * PAGE, 0 },
		{ 0xFEE00000, PAGE, 0 },
		{ RAM_TOP, PAGE, 0 },
		{ RAM_TOP - PAGE, 2 * PAGE, 0 },
		{ (1ULL << 48) - PAGE, PAGE, 0 },
		{ (1ULL << 48) - PAGE, 2 * PAGE, 0 },
	};
	unsigned int before;

	with_vm(_i);
	before = free_pages();
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(map(1, 0, bad[i].spa, bad[i].size, RWX | bad[i].flags) ==
				      MK1_INVALID_PERM_DENIED,
			      "0x%llx", (unsigned long long)bad[i].spa);
		ck_assert(!is_mapped(1, 0));
	}
	/* the microkernel's own pages, which it has given to the extension */
	ck_assert_uint_eq(SYS(mem_alloc_page, HANDLE), MK1_SUCCESS);
	ck_assert_uint_eq(map(1, 0, regs.reg[1], PAGE, RWX), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_le(free_pages(), before);
	ck_assert_uint_eq(map(1, 0, 0, PAGE, RWX), MK1_SUCCESS);
	ck_assert_uint_eq(map(1, PAGE, RAM_TOP - PAGE, PAGE, RWX), MK1_SUCCESS);
}
END_TEST

/* Two regions of RAM that touch each other are one. */
START_TEST(regions_that_touch)
{
	struct bf_region *ram;

	with_vm(_i);
	ram = phys_at(m.handoff->ram.spa);
	ram[1].size = RAM_2M + PAGE - ram[1].spa;
	ram[2].spa = RAM_2M + PAGE;
	ck_assert_uint_eq(map(1, 0, RAM_2M, 2 * PAGE, RWX), MK1_SUCCESS);
	ram[2].spa += PAGE;
	ck_assert_uint_eq(map(1, SIZE_2M, RAM_2M, 2 * PAGE, RWX), MK1_INVALID_PERM_DENIED);
}
END_TEST

/* A page of one VM is no other's before it is flushed there; unless both share it. */
START_TEST(two_vms)
{
	uint64_t generation;

	with_vm(_i);
	ck_assert_uint_eq(make_vm(), 2);
	ck_assert_uint_eq(map(1, 0, linux_page(0), 4 * PAGE, RWX), MK1_SUCCESS);
	ck_assert_uint_eq(map(2, 0, linux_page(1), PAGE, RWX), MK1_INVALID_PERM_DENIED);
	/* all or nothing */
	ck_assert_uint_eq(map(2, 0, linux_page(2), 4 * PAGE, RWX), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(map(2, 0, linux_page(4), 2 * PAGE, RWX), MK1_SUCCESS);
	ck_assert_uint_eq(map(1, SIZE_1G, linux_page(3), 3 * PAGE, RWX), MK1_INVALID_PERM_DENIED);
	ck_assert(!is_mapped(1, SIZE_1G));
	/* the same page twice */
	ck_assert_uint_eq(map(1, SIZE_1G, linux_page(0), PAGE, RWX), MK1_SUCCESS);
	generation = unmap(1, 0, 2 * PAGE);
	ck_assert_uint_eq(map(2, SIZE_1G, linux_page(1), PAGE, RWX), MK1_INVALID_PERM_DENIED);
	flush(1, generation);
	ck_assert_uint_eq(map(2, SIZE_1G, linux_page(1), PAGE, RWX), MK1_SUCCESS);
	ck_assert_uint_eq(map(2, SIZE_2M, linux_page(0), PAGE, RWX), MK1_INVALID_PERM_DENIED);
	flush(1, unmap(1, SIZE_1G, PAGE));
	ck_assert_uint_eq(map(2, SIZE_2M, linux_page(0), PAGE, RWX), MK1_SUCCESS);
	/* shared */
	ck_assert_uint_eq(map(1, SIZE_2M, linux_page(9), PAGE, RWX | MK2_NESTED_SHARED),
			  MK1_SUCCESS);
	ck_assert_uint_eq(map(2, 2 * SIZE_2M, linux_page(9), PAGE, RWX), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_eq(
		map(2, 2 * SIZE_2M, linux_page(9), PAGE, MK2_NESTED_R | MK2_NESTED_SHARED),
		MK1_SUCCESS);
	/* destroyed, a VM has none */
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, 1), MK1_SUCCESS);
	ck_assert_uint_eq(map(2, 3 * SIZE_2M, linux_page(2), 2 * PAGE, RWX), MK1_SUCCESS);
}
END_TEST

START_TEST(what_is_there_already)
{
	uint64_t generation;

	with_vm(_i);
	ck_assert_uint_eq(map(1, PAGE, linux_page(0), PAGE, RWX), MK1_SUCCESS);
	ck_assert_uint_eq(map(1, PAGE, linux_page(0), PAGE, RWX), MK2_FAILURE_EXISTS);
	ck_assert_uint_eq(map(1, 0, linux_page(1), 2 * PAGE, RWX), MK2_FAILURE_EXISTS);
	ck_assert(!is_mapped(1, 0));
	ck_assert_uint_eq(map(1, 0, RAM_2M, SIZE_2M, RWX | MK2_NESTED_2M), MK2_FAILURE_EXISTS);
	ck_assert_uint_eq(map(1, 0, RAM_1G, SIZE_1G, RWX | MK2_NESTED_1G), MK2_FAILURE_EXISTS);
	/* below a larger page */
	ck_assert_uint_eq(map(1, SIZE_1G, RAM_1G, SIZE_1G, RWX | MK2_NESTED_1G), MK1_SUCCESS);
	ck_assert_uint_eq(map(1, SIZE_1G, RAM_2M, SIZE_2M, RWX | MK2_NESTED_2M),
			  MK2_FAILURE_EXISTS);
	ck_assert_uint_eq(map(1, SIZE_1G + PAGE, linux_page(3), PAGE, RWX), MK2_FAILURE_EXISTS);
	/* unmapped, but not yet flushed */
	(void)unmap(1, 0, SIZE_1G);
	generation = unmap(1, SIZE_1G, SIZE_1G);
	ck_assert_uint_eq(map(1, PAGE, linux_page(0), PAGE, RWX), MK2_FAILURE_EXISTS);
	ck_assert_uint_eq(map(1, SIZE_1G + PAGE, linux_page(3), PAGE, RWX), MK2_FAILURE_EXISTS);
	ck_assert_uint_eq(map(1, 0, RAM_2M, SIZE_2M, RWX | MK2_NESTED_2M), MK2_FAILURE_EXISTS);
	flush(1, generation);
	ck_assert_uint_eq(map(1, PAGE, linux_page(0), PAGE, RWX), MK1_SUCCESS);
	ck_assert_uint_eq(map(1, SIZE_1G + PAGE, linux_page(3), PAGE, RWX), MK1_SUCCESS);
}
END_TEST

/* Tables that are empty make room for a large page, and are freed by the next flush. */
START_TEST(large_page_in_place_of_tables)
{
	unsigned int before, level;

	with_vm(_i);
	ck_assert_uint_eq(map(1, SIZE_1G, RAM_1G, SIZE_1G, RWX | MK2_NESTED_1G), MK1_SUCCESS);
	flush(1, unmap(1, SIZE_1G, SIZE_1G));
	before = free_pages();
	for (unsigned int i = 0; i < 3; i++)
		ck_assert_uint_eq(map(1, SIZE_1G + i * SIZE_2M, linux_page(i), PAGE, RWX),
				  MK1_SUCCESS);
	flush(1, unmap(1, SIZE_1G, SIZE_1G));
	ck_assert_uint_eq(free_pages(), before - 4);
	ck_assert_uint_eq(map(1, SIZE_1G, RAM_2M, SIZE_2M, RWX | MK2_NESTED_2M), MK1_SUCCESS);
	ck_assert_uint_eq(*leaf_of(1, SIZE_1G, &level) & 0xFFFFFFFFFF000, RAM_2M);
	ck_assert_uint_eq(level, 2);
	flush(1, unmap(1, SIZE_1G, SIZE_2M));
	ck_assert_uint_eq(free_pages(), before - 3);
	ck_assert_uint_eq(map(1, SIZE_1G, RAM_1G, SIZE_1G, RWX | MK2_NESTED_1G), MK1_SUCCESS);
	/* where a CPU may still look, there is nothing present */
	for (uint64_t spa = vm_find(1)->nested.unlinked; spa; spa = *(uint64_t *)phys_at(spa)) {
		for (unsigned int i = 0; i < BSL_PT_ENTRIES && level == 1; i++)
			ck_assert_uint_eq(((uint64_t *)phys_at(spa))[i] & 7, 0);
	}
	ck_assert_uint_lt(free_pages(), before);
	/* it is a change that has to be flushed, although nothing was taken away */
	ck_assert_uint_eq(SYS2(vm_nested_unmap, HANDLE2, 1, 0, PAGE), MK1_SUCCESS);
	flush(1, regs.reg[0]);
	ck_assert_uint_eq(free_pages(), before - 2); /* owner.c's */
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, 1), MK1_SUCCESS);
	ck_assert_uint_gt(free_pages(), before);
}
END_TEST

/* Pages that are left: a map succeeds, or nothing has changed but for tables that are empty. */
START_TEST(map_without_memory)
{
	const uint64_t gpa = 3 * SIZE_1G - 2 * PAGE;
	const unsigned int keep = (unsigned int)_i % 16;
	unsigned int before;
	uint64_t status;

	with_vm(_i / 16);
	ck_assert_uint_eq(make_vm(), 2);
	before = free_pages();
	drain_pool(keep);
	status = map(1, gpa, linux_page(510), 4 * PAGE, RWX);
	/* the root, two page tables and what leads to them; as many for owners, less one */
	ck_assert_uint_eq(status, keep < 11 ? MK2_FAILURE_NO_MEMORY : MK1_SUCCESS);
	for (unsigned int i = 0; i < 4; i++)
		ck_assert_uint_eq(is_mapped(1, gpa + i * PAGE), status == MK1_SUCCESS);
	if (status == MK1_SUCCESS)
		flush(1, unmap(1, gpa, 4 * PAGE));
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, 1), MK1_SUCCESS);
	ck_assert_uint_eq(free_pages(), keep);
	ck_assert_uint_gt(before, keep);
	/* nobody has the pages */
	if (keep >= 11)
		ck_assert_uint_eq(map(2, gpa, linux_page(510), 4 * PAGE, RWX), MK1_SUCCESS);
}
END_TEST

START_TEST(protect)
{
	unsigned int level;
	uint64_t *entry;

	with_vm(_i);
	ck_assert_uint_eq(map(1, 0, linux_page(0), 2 * PAGE, RWX | MK2_NESTED_SHARED), MK1_SUCCESS);
	ck_assert_uint_eq(map(1, SIZE_2M, RAM_2M, SIZE_2M, RWX | MK2_NESTED_2M | MK2_NESTED_WT),
			  MK1_SUCCESS);
	entry = leaf_of(1, PAGE, &level);
	*entry |= mk.vendor->guest_bits->dirty | mk.vendor->guest_bits->accessed;
	/* over a hole, too */
	ck_assert_uint_eq(
		SYS2(vm_nested_protect, HANDLE2, 1, PAGE, 2 * SIZE_2M - PAGE, MK2_NESTED_R),
		MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], 1);
	expect_query(0, linux_page(0), RWX | MK2_NESTED_SHARED);
	expect_query(PAGE, linux_page(1),
		     MK2_NESTED_R | MK2_NESTED_SHARED | MK2_NESTED_ACCESSED | MK2_NESTED_DIRTY);
	expect_query(SIZE_2M, RAM_2M, MK2_NESTED_R | MK2_NESTED_2M | MK2_NESTED_WT);
	ck_assert_uint_eq(SYS2(vm_nested_protect, HANDLE2, 1, PAGE, PAGE, MK2_NESTED_R),
			  MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], 1);
	ck_assert_uint_eq(
		SYS2(vm_nested_protect, HANDLE2, 1, PAGE, PAGE, MK2_NESTED_R | MK2_NESTED_X),
		MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], 2);
	ck_assert_uint_eq(SYS2(vm_nested_query, HANDLE2, 1, PAGE), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[1] & RWX, MK2_NESTED_R | MK2_NESTED_X);
	/* part of a large page, at either end, and nothing is changed */
	ck_assert_uint_eq(SYS2(vm_nested_protect, HANDLE2, 1, PAGE, SIZE_2M, RWX),
			  MK1_INVALID_INPUT_REG(3));
	ck_assert_uint_eq(SYS2(vm_nested_protect, HANDLE2, 1, 2 * SIZE_2M - PAGE, 2 * PAGE, RWX),
			  MK1_INVALID_INPUT_REG(3));
	ck_assert_uint_eq(SYS2(vm_nested_unmap, HANDLE2, 1, SIZE_2M + PAGE, SIZE_2M),
			  MK1_INVALID_INPUT_REG(3));
	expect_query(SIZE_2M, RAM_2M, MK2_NESTED_R | MK2_NESTED_2M | MK2_NESTED_WT);
}
END_TEST

/* A VM in which nothing has ever been mapped. */
START_TEST(empty_vm)
{
	uint64_t *bitmap;

	with_vm(_i);
	bitmap = mmu_user(EXT_DATA, true, false);
	ck_assert_ptr_nonnull(bitmap);
	bitmap[0] = bitmap[1] = bitmap[2] = ~0ULL;
	ck_assert_uint_eq(unmap(1, 0, SIZE_1G), 0);
	ck_assert_uint_eq(SYS2(vm_nested_protect, HANDLE2, 1, 0, PAGE, RWX), MK1_SUCCESS);
	ck_assert(!is_mapped(1, 0));
	ck_assert_uint_eq(SYS2(vm_nested_dirty, HANDLE2, 1, 0, 65 * PAGE, EXT_DATA), MK1_SUCCESS);
	ck_assert_uint_eq(bitmap[0] | bitmap[1], 0);
	ck_assert_uint_eq(bitmap[2], ~0ULL);
	flush(1, 0);
	ck_assert_uint_eq(SYS2(vm_nested_flush, HANDLE2, 1, 1), MK1_INVALID_INPUT_REG(2));
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, 1), MK1_SUCCESS);
}
END_TEST

static void make_dirty(uint64_t gpa)
{
	unsigned int level;

	*leaf_of(1, gpa, &level) |= mk.vendor->guest_bits->dirty;
}

/* A bit for each page of 4 KiB, also of large pages; read, they are clean. */
START_TEST(dirty)
{
	uint64_t *bitmap;

	with_vm(_i);
	bitmap = mmu_user(EXT_DATA, true, false);
	ck_assert_uint_eq(map(1, 0, linux_page(0), 3 * PAGE, RWX), MK1_SUCCESS);
	ck_assert_uint_eq(map(1, SIZE_2M, RAM_2M, SIZE_2M, RWX | MK2_NESTED_2M), MK1_SUCCESS);
	make_dirty(PAGE);
	make_dirty(SIZE_2M);
	bitmap[17] = 0x17;
	ck_assert_uint_eq(SYS2(vm_nested_dirty, HANDLE2, 1, PAGE, 2 * SIZE_2M - PAGE, EXT_DATA),
			  MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], 1);
	ck_assert_uint_eq(bitmap[0], 1);
	for (unsigned int i = 1; i < 7; i++)
		ck_assert_uint_eq(bitmap[i], 0);
	ck_assert_uint_eq(bitmap[7], 1ULL << 63);
	for (unsigned int i = 8; i < 15; i++)
		ck_assert_uint_eq(bitmap[i], ~0ULL);
	ck_assert_uint_eq(bitmap[15], ~0ULL >> 1);
	ck_assert_uint_eq(bitmap[17], 0x17);
	ck_assert_uint_eq(SYS2(vm_nested_dirty, HANDLE2, 1, PAGE, 2 * SIZE_2M - PAGE, EXT_DATA),
			  MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], 1);
	for (unsigned int i = 0; i < 16; i++)
		ck_assert_uint_eq(bitmap[i], 0);
	/* part of a large page */
	make_dirty(SIZE_2M);
	ck_assert_uint_eq(SYS2(vm_nested_dirty, HANDLE2, 1, SIZE_2M, PAGE, EXT_DATA),
			  MK1_INVALID_INPUT_REG(3));
	ck_assert_uint_eq(regs.reg[0], HANDLE2);
	expect_query(SIZE_2M, RAM_2M, RWX | MK2_NESTED_2M | MK2_NESTED_DIRTY);
	/* where nothing can be written to, or not to all of it; nothing is lost */
	ck_assert_uint_eq(SYS2(vm_nested_dirty, HANDLE2, 1, SIZE_2M, SIZE_2M, EXT_RODATA),
			  MK1_INVALID_INPUT_REG(4));
	ck_assert_uint_eq(SYS2(vm_nested_dirty, HANDLE2, 1, SIZE_2M, SIZE_2M, EXT_DATA + PAGE - 8),
			  MK1_INVALID_INPUT_REG(4));
	expect_query(SIZE_2M, RAM_2M, RWX | MK2_NESTED_2M | MK2_NESTED_DIRTY);
}
END_TEST

static bool put_nothing(uint64_t va, uint64_t word)
{
	(void)va;
	(void)word;
	return false;
}

/* Another PP has unmapped the bitmap in between. */
START_TEST(dirty_without_bitmap)
{
	uint64_t generation;

	with_vm(_i);
	ck_assert_uint_eq(map(1, 0, linux_page(0), PAGE, RWX), MK1_SUCCESS);
	ck_assert_uint_eq(
		guest_nested_dirty(&vm_find(1)->nested, 0, PAGE, put_nothing, 0, &generation),
		MK1_INVALID_INPUT_REG(4));
}
END_TEST

/* On a CPU that has no large pages, where the memory types change, and without dirty bits. */
START_TEST(lesser_cpus)
{
	machine_of(_i);
	if (_i)
		msr_set(cpu, MSR_VMX_EPT_VPID_CAP,
			msr_get(cpu, MSR_VMX_EPT_VPID_CAP) &
				~(uint64_t)(VMX_CAP_EPT_1G | VMX_CAP_EPT_AD | VMX_CAP_INVEPT_ALL));
	else
		cpuid_set(0x80000001, 0, 0, 0, 1U << 2, 0);
	m.pool_pages = 3600;
	machine_offers();
	open_and_launch();
	ck_assert_uint_eq(map(1, 0, RAM_1G, SIZE_1G, RWX | MK2_NESTED_1G), MK1_FAILURE_UNSUPPORTED);
	ck_assert(!is_mapped(1, 0));
	ck_assert_uint_eq(map(1, 0, RAM_1G, SIZE_2M, RWX | MK2_NESTED_2M), MK1_SUCCESS);
	ck_assert_uint_eq(SYS2(vm_nested_dirty, HANDLE2, 1, 0, SIZE_2M, EXT_DATA),
			  _i ? MK1_FAILURE_UNSUPPORTED : MK1_SUCCESS);
	ck_assert_uint_eq(make_vs(1, 0), 1);
	ck_assert_uint_eq(SYS2(vs_nested_attach, HANDLE2, 1),
			  _i ? MK1_FAILURE_UNSUPPORTED : MK1_SUCCESS);
	ck_assert_uint_eq(vs_find(1)->nested, !_i);
}
END_TEST

START_TEST(no_nested_paging)
{
	machine_of(_i);
	if (_i)
		msr_set(cpu, MSR_VMX_EPT_VPID_CAP, 0);
	else
		cpuid_set(0x8000000A, 0, 1, 16, 0, 0);
	open_and_launch();
	ck_assert_uint_eq(map(1, 0, linux_page(0), PAGE, RWX), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(SYS2(vm_nested_dirty, HANDLE2, 1, 0, PAGE, EXT_DATA),
			  MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(make_vs(1, 0), 1);
	ck_assert_uint_eq(SYS2(vs_nested_attach, HANDLE2, 1), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(unmap(1, 0, PAGE), 0);
}
END_TEST

/* All that a VM had is back in the pool, whatever state it was in. */
START_TEST(destroyed)
{
	unsigned int before;

	machine_of(_i);
	open_and_launch();
	before = free_pages();
	ck_assert_uint_eq(map(1, 0, linux_page(0), 100 * PAGE, RWX), MK1_SUCCESS);
	ck_assert_uint_eq(map(1, SIZE_1G, RAM_2M, 3 * SIZE_2M, RWX | MK2_NESTED_2M), MK1_SUCCESS);
	ck_assert_uint_eq(map(1, 8 * SIZE_1G, RAM_1G, SIZE_1G, RWX | MK2_NESTED_1G), MK1_SUCCESS);
	(void)unmap(1, 50 * PAGE, SIZE_1G - 50 * PAGE);
	flush(1, unmap(1, 8 * SIZE_1G, SIZE_1G));
	ck_assert_uint_eq(map(1, 8 * SIZE_1G + SIZE_2M, RAM_1G, PAGE, RWX), MK1_SUCCESS);
	flush(1, unmap(1, 8 * SIZE_1G, SIZE_1G));
	ck_assert_uint_eq(map(1, 8 * SIZE_1G, RAM_1G, SIZE_1G, RWX | MK2_NESTED_1G), MK1_SUCCESS);
	(void)unmap(1, 0, PAGE);
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, 1), MK1_SUCCESS);
	ck_assert_uint_eq(free_pages(), before);
	/* of the next VM of this number none of it is there */
	ck_assert_uint_eq(make_vm(), 1);
	ck_assert(!is_mapped(1, PAGE));
	ck_assert_uint_eq(SYS2(vm_nested_flush, HANDLE2, 1, 1), MK1_INVALID_INPUT_REG(2));
}
END_TEST

/* It goes while another PP is on its way into a call. */
START_TEST(gone_meanwhile)
{
	struct guest_nested *g;
	uint64_t root;

	with_vm(_i);
	g = &vm_find(1)->nested;
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, 1), MK1_SUCCESS);
	ck_assert_uint_eq(guest_nested_map(g, 0, linux_page(0), PAGE, RWX),
			  MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(guest_nested_attach(g, &root), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(g->root, 0);
}
END_TEST

START_TEST(walked)
{
	struct guest_nested *g;
	uint64_t spa;

	with_vm(_i);
	g = &vm_find(1)->nested;
	ck_assert(!guest_nested_walk(g, 0, &spa));
	ck_assert_uint_eq(map(1, SIZE_2M, RAM_2M, SIZE_2M, RWX | MK2_NESTED_2M), MK1_SUCCESS);
	ck_assert(guest_nested_walk(g, SIZE_2M + 0x12345, &spa));
	ck_assert_uint_eq(spa, RAM_2M + 0x12345);
	ck_assert(!guest_nested_walk(g, 2 * SIZE_2M, &spa));
	ck_assert(!guest_nested_walk(g, 1ULL << 48 | SIZE_2M, &spa));
}
END_TEST

TCase *mem_guest_nested_tests(void)
{
	TCase *tc = tcase_create("mem_guest_nested");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, leaves, 0, 2);
	tcase_add_loop_test(tc, five_levels, 0, 2);
	tcase_add_loop_test(tc, ranges, 0, 6);
	tcase_add_loop_test(tc, refused_memory, 0, 2);
	tcase_add_loop_test(tc, regions_that_touch, 0, 2);
	tcase_add_loop_test(tc, two_vms, 0, 2);
	tcase_add_loop_test(tc, what_is_there_already, 0, 2);
	tcase_add_loop_test(tc, large_page_in_place_of_tables, 0, 2);
	tcase_add_loop_test(tc, map_without_memory, 0, 32);
	tcase_add_loop_test(tc, protect, 0, 2);
	tcase_add_loop_test(tc, empty_vm, 0, 2);
	tcase_add_loop_test(tc, dirty, 0, 2);
	tcase_add_loop_test(tc, dirty_without_bitmap, 0, 2);
	tcase_add_loop_test(tc, lesser_cpus, 0, 2);
	tcase_add_loop_test(tc, no_nested_paging, 0, 2);
	tcase_add_loop_test(tc, destroyed, 0, 2);
	tcase_add_loop_test(tc, gone_meanwhile, 0, 2);
	tcase_add_loop_test(tc, walked, 0, 2);
	return tc;
}
