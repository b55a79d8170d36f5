// SPDX-License-Identifier: GPL-2.0-only
/* mem/donation.c, and what it uses of window.c, nested.c and pool.c: memory that Linux gives. */
#include <string.h>

#include "microkernel/mem/donation.h"
#include "microkernel/mem/nested.h"
#include "microkernel/mem/owner.h"
#include "microkernel/mem/prune.h"
#include "microkernel/mem/window.h"
#include "../mk2.h"
#include "../suites.h"

#define DENIED MK1_INVALID_PERM_DENIED
#define REG1 MK1_INVALID_INPUT_REG(1)
#define REG2 MK1_INVALID_INPUT_REG(2)

#define BLOCK 0x41200000ULL /* 2 MiB of Linux's memory that the tests can look into */
#define SPA(entry) ((entry) & BSL_PTE_SPA)
#define TYPE(entry) ((entry) >> 3 & 7) /* on Intel */

static uint64_t give(uint64_t spa, uint64_t size)
{
	return SYS2(mem_donate, HANDLE2, spa, size);
}

/* The size that came back, or the status. */
static uint64_t take_back(uint64_t spa)
{
	uint64_t status = SYS2(mem_return, HANDLE2, spa);

	return status == MK1_SUCCESS ? regs.reg[0] : status;
}

/* Where Linux finds what it calls gpa; and the level of the leaf. */
static uint64_t linux_finds(uint64_t gpa, unsigned int *level)
{
	uint64_t entry;

	*level = nested_walk(gpa, &entry);
	ck_assert_uint_gt(*level, 0);
	return *level == 1 ? SPA(entry) :
			     SPA(entry) + (gpa & (BSL_LEVEL_SIZE(*level) - 1) & ~0xFFFULL);
}

static uint64_t decoy(void)
{
	unsigned int level;

	return linux_finds(ODD_OWNED, &level);
}

static void expect_hidden(uint64_t spa, uint64_t size)
{
	unsigned int level;

	for (uint64_t off = 0; off < size; off += PAGE)
		ck_assert_uint_eq(linux_finds(spa + off, &level), decoy());
}

/* Linux's own, in a page of the level. */
static void expect_linux(uint64_t spa, uint64_t size, unsigned int level)
{
	unsigned int found;

	for (uint64_t off = 0; off < size; off += PAGE) {
		ck_assert_uint_eq(linux_finds(spa + off, &found), spa + off);
		ck_assert_uint_eq(found, level);
	}
}

/* Both PPs are in Linux, but for PP 0, which is in its exit. */
static void two_pps(int i)
{
	machine_of(i);
	start();
	ck_assert_uint_eq(SYS(handle_open_handle, MK2_SPEC_ID), MK1_SUCCESS);
	(void)launch();
	enter(1);
	(void)launch();
	on_pp(0);
	guest_exit(cpuid_reason());
}

static void other_pp_comes_out(void)
{
	on_pp(1);
	guest_exit(cpuid_reason());
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	on_pp(0);
}

static unsigned int bad_pages(uint64_t spa, uint64_t size, uint8_t byte)
{
	unsigned int bad = 0;

	for (uint64_t off = 0; off < size; off++)
		bad += *((const uint8_t *)phys_at(spa) + off) != byte;
	return bad;
}

/* From Linux's memory to the pool's, and back. */
START_TEST(a_few_pages)
{
	const uint64_t at = linux_page(3), size = 4 * PAGE;
	uint64_t pages[4];

	two_pps(_i);
	memset(phys_at(at), 0xA5, size);
	expect_linux(at, size, 2);
	ck_assert_uint_eq(give(at, size), MK1_SUCCESS);
	expect_hidden(at, size);
	expect_linux(at - PAGE, PAGE, 1);
	expect_linux(at + size, PAGE, 1);
	/* nobody gets it, nor anything of it */
	ck_assert(mem_is_owned(at) && mem_is_owned(at + size - PAGE));
	ck_assert(!mem_is_owned(at - PAGE) && !mem_is_owned(at + size));
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, at + PAGE), REG2);
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, at - PAGE), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vm_unmap_direct, HANDLE, 0, MK1_DIRECT_MAP_BASE + at - PAGE),
			  MK1_SUCCESS);
	ck_assert_uint_eq(make_vm(), 1);
	ck_assert_uint_eq(map(1, 0, at, PAGE, RWX), DENIED);
	ck_assert_uint_eq(map(1, 0, at + size - PAGE, 2 * PAGE, RWX), DENIED);
	ck_assert_uint_eq(give(at, PAGE), DENIED);
	ck_assert_uint_eq(give(at - PAGE, 2 * PAGE), DENIED);
	ck_assert(window_shows(at, PAGE) && window_shows(at + size - PAGE, PAGE));
	ck_assert(!window_shows(at - PAGE, PAGE) && !window_shows(at + size, PAGE));
	/* the other PP may still have a translation of Linux's */
	drain_pool(0);
	other_pp_comes_out();
	for (unsigned int i = 0; i < 4; i++) {
		pages[i] = pool_alloc();
		ck_assert_uint_eq(pages[i], at + i * PAGE);
		ck_assert_uint_eq(bad_pages(pages[i], PAGE, 0), 0);
		memset(phys_at(pages[i]), 0x5A, PAGE);
	}
	ck_assert_uint_eq(pool_alloc(), MK_NO_PAGE);
	/* only the first byte of it has its name, and only when all is free */
	ck_assert_uint_eq(take_back(at), MK2_FAILURE_BUSY);
	for (unsigned int i = 0; i < 3; i++)
		pool_free(pages[i]);
	ck_assert_uint_eq(take_back(at), MK2_FAILURE_BUSY);
	ck_assert_uint_eq(pool_alloc(), pages[2]);
	ck_assert_uint_eq(bad_pages(pages[2], PAGE, 0), 0);
	pool_free(pages[3]);
	pool_free(pages[2]);
	expect_hidden(at, size);
	ck_assert_uint_eq(take_back(at + PAGE), REG1);
	ck_assert_uint_eq(take_back(at + 1), REG1);
	ck_assert_uint_eq(take_back(at), size);
	ck_assert_uint_eq(bad_pages(at, size, 0), 0);
	expect_linux(at, size, 2);
	ck_assert(!window_shows(at, size));
	ck_assert_uint_eq(take_back(at), REG1);
	ck_assert(!mem_is_owned(at));
	/* a table of the nested one is in use until then */
	drain_pool(0);
	ck_assert_uint_eq(take_back(at), REG1);
	ck_assert_uint_eq(free_pages(), 0);
	other_pp_comes_out();
	ck_assert_uint_eq(take_back(at), REG1);
	ck_assert_uint_eq(free_pages(), 1);
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, at), MK1_SUCCESS);
}
END_TEST

/* Whatever the range covers: parts of blocks, whole ones, both; all is as before. */
static const struct {
	uint64_t offset, size;
} ranges[] = {
	{ 0, PAGE },        { SIZE_2M - PAGE, PAGE }, { SIZE_2M - PAGE, 2 * PAGE },
	{ 0, SIZE_2M },     { PAGE, SIZE_2M },        { SIZE_2M - PAGE, SIZE_2M + 2 * PAGE },
	{ 0, 2 * SIZE_2M },
};

#define NR_RANGES ((int)(sizeof(ranges) / sizeof(ranges[0])))

START_TEST(all_of_it_comes_and_goes)
{
	const uint64_t at = BLOCK + ranges[_i / 2].offset, size = ranges[_i / 2].size;
	unsigned int before, level;

	with_vm(_i % 2);
	before = free_pages();
	for (unsigned int round = 0; round < 2; round++) {
		memset(phys_at(at), 0xA5, size);
		ck_assert_uint_eq(give(at, size), MK1_SUCCESS);
		expect_hidden(at, size);
		expect_linux(at - PAGE, PAGE, at % SIZE_2M ? 1 : 2);
		expect_linux(at + size, PAGE, (at + size) % SIZE_2M ? 1 : 2);
		ck_assert_uint_eq(linux_finds(at, &level), decoy());
		ck_assert(mem_is_owned(at + size - PAGE));
		ck_assert_uint_eq(take_back(at), size);
		ck_assert_uint_eq(bad_pages(at, size, 0), 0);
		expect_linux(BLOCK - PAGE, 3 * SIZE_2M + 2 * PAGE, 2);
		ck_assert_uint_eq(take_back(at), REG1); /* and tables that nobody looks into */
		ck_assert_uint_eq(free_pages(), before);
	}
}
END_TEST

/* The pool uses what it had first, then what came first. */
START_TEST(the_oldest_first)
{
	uint64_t first;
	unsigned int before;

	with_vm(_i);
	before = free_pages();
	ck_assert_uint_eq(give(linux_page(8), PAGE), MK1_SUCCESS);
	ck_assert_uint_eq(give(linux_page(4), 2 * PAGE), MK1_SUCCESS);
	ck_assert_uint_eq(give(linux_page(6), PAGE), MK1_SUCCESS);
	(void)printed();
	pool_dump();
	expect_printed("  of Linux, at 0x41008000: 0 of 1 pages used\n"
		       "  of Linux, at 0x41004000: 0 of 2 pages used\n");
	first = pool_alloc();
	ck_assert(!pool_overlaps(first, PAGE));
	ck_assert_uint_lt(free_pages(), before + 4);
	while ((first = pool_alloc()) != linux_page(8))
		ck_assert(!pool_overlaps(first, PAGE));
	ck_assert_uint_eq(pool_alloc(), linux_page(4));
	ck_assert_uint_eq(pool_alloc(), linux_page(5));
	ck_assert_uint_eq(pool_alloc(), linux_page(6));
	ck_assert_uint_eq(pool_alloc(), MK_NO_PAGE);
	pool_free(linux_page(6));
	pool_free(linux_page(8));
	ck_assert_uint_eq(pool_alloc(), linux_page(8));
	pool_free(linux_page(4));
	pool_free(linux_page(5));
	/* one in the middle goes, others stay */
	ck_assert_uint_eq(take_back(linux_page(4)), 2 * PAGE);
	ck_assert_uint_eq(take_back(linux_page(8)), MK2_FAILURE_BUSY);
	ck_assert_uint_eq(take_back(linux_page(6)), PAGE);
	pool_free(linux_page(8));
	ck_assert_uint_eq(take_back(linux_page(8)), PAGE);
}
END_TEST

START_TEST(too_many)
{
	with_vm(_i);
	for (unsigned int i = 0; i < MK2_MAX_DONATIONS; i++)
		ck_assert_uint_eq(give(linux_page(2 * i), PAGE), MK1_SUCCESS);
	ck_assert_uint_eq(give(linux_page(1), PAGE), MK2_FAILURE_NO_MEMORY);
	expect_linux(linux_page(1), PAGE, 1);
	ck_assert_uint_eq(take_back(linux_page(62)), PAGE);
	ck_assert_uint_eq(give(linux_page(1), PAGE), MK1_SUCCESS);
}
END_TEST

/* --- what is not Linux's to give -------------------------------------------------------------- */

static void expect_refused(uint64_t spa, uint64_t size)
{
	unsigned int before = free_pages();

	ck_assert_uint_eq(give(spa, size), DENIED);
	ck_assert_uint_eq(free_pages(), before);
	ck_assert_uint_eq(take_back(spa), REG1);
}

START_TEST(not_linux_s_memory)
{
	uint64_t pruned = 0;

	with_vm(_i);
	expect_refused(0xC0000000, PAGE);
	expect_refused(0xC0000000 - PAGE, 2 * PAGE);
	expect_refused(0x9E000, 2 * PAGE);
	expect_refused(RAM_TOP - PAGE, 2 * PAGE);
	expect_refused(PHYS_BASE, PAGE);
	expect_refused(LINUX_RAM - PAGE, 2 * PAGE);
	expect_refused(ODD_OWNED - PAGE, 3 * PAGE);
	/* Linux's, and the microkernel's nevertheless */
	ck_assert(window_map(linux_page(5), PAGE));
	expect_refused(linux_page(4), 3 * PAGE);
	window_unmap(linux_page(5), PAGE, &pruned);
	window_unmap(linux_page(5), PAGE, &pruned);
	prune_free(pruned);
	ck_assert_uint_eq(give(linux_page(4), 3 * PAGE), MK1_SUCCESS);
}
END_TEST

START_TEST(what_a_guest_has)
{
	uint64_t generation;

	with_vm(_i);
	ck_assert_uint_eq(map(1, 0, linux_page(5), PAGE, RWX), MK1_SUCCESS);
	expect_refused(linux_page(4), 3 * PAGE);
	expect_linux(linux_page(4), PAGE, 2);
	ck_assert_uint_eq(map(1, PAGE, linux_page(4), PAGE, RWX), MK1_SUCCESS);
	/* until no CPU has it */
	generation = unmap(1, 0, 2 * PAGE);
	expect_refused(linux_page(4), PAGE);
	expect_refused(BLOCK - SIZE_2M, SIZE_2M);
	flush(1, generation);
	ck_assert_uint_eq(give(linux_page(4), 3 * PAGE), MK1_SUCCESS);
	ck_assert_uint_eq(map(1, SIZE_2M, BLOCK - SIZE_2M, SIZE_2M, RWX | MK2_NESTED_2M), DENIED);
	ck_assert_uint_eq(map(1, 0, BLOCK, SIZE_2M, RWX | MK2_NESTED_2M), MK1_SUCCESS);
	expect_refused(BLOCK - PAGE, 2 * PAGE);
	expect_refused(BLOCK + 5 * PAGE, SIZE_2M);
}
END_TEST

START_TEST(what_a_direct_map_shows)
{
	machine_defaults(_i ? BF_VENDOR_INTEL : BF_VENDOR_AMD);
	m.nr_exts = 2;
	machine_init();
	open_and_launch();
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 1, BLOCK + SIZE_2M), MK1_SUCCESS);
	expect_refused(BLOCK + SIZE_2M, PAGE);
	expect_refused(BLOCK - PAGE, SIZE_2M + 2 * PAGE);
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, BLOCK + 2 * PAGE), MK1_SUCCESS);
	expect_refused(BLOCK + PAGE, 2 * PAGE);
	ck_assert_uint_eq(SYS(vm_unmap_direct, HANDLE, 0, MK1_DIRECT_MAP_BASE + BLOCK + 2 * PAGE),
			  MK1_SUCCESS);
	ck_assert_uint_eq(give(BLOCK, SIZE_2M), MK1_SUCCESS);
	/* another extension's of another VM */
	ck_assert_uint_eq(direct_map_page(&vm_find(1)->direct, 1, linux_page(1)), MK1_SUCCESS);
	expect_refused(linux_page(0), 2 * PAGE);
	ck_assert_uint_eq(direct_map_page(&vm_find(1)->direct, 1, BLOCK), REG2);
}
END_TEST

/* --- what comes in between -------------------------------------------------------------------- */

/* Another PP, which comes too late. */
static bool others_come(uint64_t spa, uint64_t size)
{
	ck_assert_uint_eq(direct_map_page(&vm_find(0)->direct, 0, spa), REG2);
	ck_assert_uint_eq(owner_add(spa + size - PAGE, 1, 1, false), DENIED);
	ck_assert_uint_eq(owner_add(spa + size - PAGE, 1, 1, true), DENIED);
	return vms_show(spa, size);
}

static bool no_table(uint64_t spa, uint64_t size)
{
	(void)spa;
	(void)size;
	return true;
}

static void none(uint64_t spa, uint64_t size, uint64_t *pruned)
{
	(void)spa;
	(void)size;
	(void)pruned;
}

/* A moment ago that was not so yet. */
static bool others_were_there(uint64_t spa, uint64_t size)
{
	(void)spa;
	(void)size;
	return true;
}

START_TEST(others_who_want_it)
{
	struct donation_users users = { others_were_there, no_table, none };
	unsigned int before;

	with_vm(_i);
	before = free_pages();
	ck_assert_uint_eq(donation_take(linux_page(2), 2 * PAGE, &users), DENIED);
	ck_assert_uint_eq(free_pages(), before);
	expect_linux(linux_page(2), 2 * PAGE, 2);
	ck_assert(!mem_is_owned(linux_page(2)));
	ck_assert_uint_eq(map(1, 0, linux_page(2), PAGE, RWX), MK1_SUCCESS);
	flush(1, unmap(1, 0, PAGE));
	users.show = others_come;
	ck_assert_uint_eq(donation_take(linux_page(2), 2 * PAGE, &users), MK1_SUCCESS);
	expect_hidden(linux_page(2), 2 * PAGE);
}
END_TEST

/* This PP, and each one that comes in, forgets what it knew of Linux's memory. */
START_TEST(everybody_forgets)
{
	unsigned int before;

	two_pps(_i);
	if (_i)
		vmx.ept_vpid &= ~(uint64_t)VMX_CAP_INVEPT_ALL;
	for (uint32_t ppid = 0; ppid < 2; ppid++) {
		on_pp(ppid);
		before = cpu->count[INSN_INVEPT];
		host_pp->flush_due = false;
		host_pp->svm.code.page = 5;
		if (ppid)
			guest_exit(cpuid_reason());
		else
			ck_assert_uint_eq(give(linux_page(0), PAGE), MK1_SUCCESS);
		ck_assert(_i || (host_pp->flush_due && host_pp->svm.code.page == ~0ULL));
		ck_assert(!_i || cpu->count[INSN_INVEPT] == before + 1);
		ck_assert(!_i || cpu->arg[INSN_INVEPT][0] == 1);
		ck_assert(tlb_have_seen(m.pps[0]->tlb->seen) == (ppid == 1));
	}
}
END_TEST

/* A PP that does not answer may see the memory still: it is nobody's until it answers. */
START_TEST(a_pp_that_does_not_answer)
{
	two_pps(_i);
	memset(phys_at(linux_page(0)), 0xA5, PAGE);
	ck_assert_uint_eq(give(linux_page(0), PAGE), MK1_SUCCESS);
	on_pp(1);
	guest_exit(cpuid_reason());
	on_pp(0);
	ck_assert_uint_eq(take_back(linux_page(0)), MK1_FAILURE_UNKNOWN);
	drain_pool(0);
	ck_assert(!window_shows(linux_page(0), PAGE));
	ck_assert_uint_eq(bad_pages(linux_page(0), PAGE, 0), 0);
	ck_assert_uint_eq(give(linux_page(0), PAGE), DENIED);
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, linux_page(0)), REG2);
	on_pp(1);
	tlb_await_kick(host_pp);
	SYS(vs_run_current, HANDLE);
	on_pp(0);
	ck_assert_uint_eq(take_back(linux_page(0)), PAGE);
	ck_assert_uint_eq(take_back(linux_page(0)), REG1);
}
END_TEST

/* --- no memory -------------------------------------------------------------------------------- */

/* A GiB in one page, or two blocks in theirs: the tables come last. */
START_TEST(without_memory)
{
	const uint64_t at = _i & 2 ? RAM_1G + SIZE_1G - PAGE : BLOCK - PAGE;
	const unsigned int level = _i & 2 ? 3 : 2;
	unsigned int before, left = (unsigned int)_i / 4;
	uint64_t status;

	with_vm(_i & 1);
	drain_pool(left);
	before = free_pages();
	ck_assert_uint_eq(before, left);
	status = give(at, 2 * PAGE);
	/* a table that CPUs may have looked into is free with the next call */
	ck_assert_uint_eq(take_back(PAGE), REG1);
	if (status == MK1_SUCCESS) {
		ck_assert_uint_ge(left, 10);
		expect_hidden(at, 2 * PAGE);
		return;
	}
	ck_assert_uint_eq(status, MK2_FAILURE_NO_MEMORY);
	ck_assert_uint_lt(left, 20);
	ck_assert_uint_eq(free_pages(), before);
	expect_linux(at, 2 * PAGE, level);
	ck_assert(!mem_is_owned(at) && !window_shows(at, 2 * PAGE));
	ck_assert_uint_eq(owner_add(at, 1, 1, false) == DENIED, false);
	ck_assert_uint_eq(take_back(at), REG1);
}
END_TEST

/* A whole GiB as it was, without anything of it being looked at. */
START_TEST(a_gib_in_one_page)
{
	const uint64_t at = RAM_1G + SIZE_1G - 3 * PAGE, size = 6 * PAGE;
	struct nested_spare spare = { .room = NESTED_MAX_SPARE };
	unsigned int before;

	with_vm(_i);
	before = free_pages();
	expect_linux(at, size, 3);
	ck_assert(nested_hide(at, size, &spare));
	ck_assert_uint_eq(spare.count, 0);
	expect_hidden(at, size);
	expect_linux(at - PAGE, PAGE, 1);
	expect_linux(RAM_1G, PAGE, 2);
	/* the CPU has been there */
	if (!_i) {
		uint64_t *table = phys_at(mk.root_npt);

		for (unsigned int level = 4; level > 1; level--) {
			uint64_t *entry = &table[bsl_pt_index(RAM_1G, level)];

			*entry |= BSL_PTE_A;
			if (*entry & BSL_PTE_PS) {
				*entry |= BSL_PTE_D;
				break;
			}
			table = phys_at(SPA(*entry));
		}
	}
	ck_assert(nested_show(at, size, &spare));
	ck_assert_uint_eq(spare.count, 4);
	expect_linux(at, size, 3);
	for (unsigned int i = 0; i < 4; i++)
		pool_free(spare.spa[i]);
	ck_assert_uint_eq(free_pages(), before);
	/* no room: smaller pages serve as well */
	spare = (struct nested_spare){ .room = 1 };
	ck_assert(nested_hide(at, size, &spare));
	ck_assert(nested_show(at, size, &spare));
	ck_assert_uint_eq(spare.count, 1);
	expect_linux(RAM_1G + SIZE_1G - PAGE, PAGE, 2);
	expect_linux(RAM_1G + SIZE_1G, PAGE, 1);
}
END_TEST

/* CPUs that stay in Linux keep tables busy, and there is room for some only. */
START_TEST(tables_that_are_not_free_yet)
{
	unsigned int before, between;

	two_pps(_i);
	before = free_pages();
	for (unsigned int i = 0; i < 40; i++) {
		ck_assert_uint_eq(give(linux_page(i), PAGE), MK1_SUCCESS);
		ck_assert_uint_eq(take_back(linux_page(i)), PAGE);
	}
	between = free_pages();
	ck_assert_uint_lt(between, before);
	ck_assert_uint_ge(between + 17, before);
	expect_linux(linux_page(0), PAGE, 1);
	other_pp_comes_out();
	ck_assert_uint_eq(give(linux_page(0), PAGE), MK1_SUCCESS);
	ck_assert_uint_eq(take_back(linux_page(0)), PAGE);
	expect_linux(linux_page(0), PAGE, 2);
	other_pp_comes_out();
	ck_assert_uint_eq(take_back(linux_page(0)), REG1);
	ck_assert_uint_eq(free_pages(), before);
}
END_TEST

/* --- the MTRRs change meanwhile --------------------------------------------------------------- */

static void half_is_uncacheable(uint64_t spa)
{
	ck_assert_uint_eq(SYS(intrinsic_wrmsr, HANDLE, 0x202, spa), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(intrinsic_wrmsr, HANDLE, 0x203, 0xFFFFF00800), MK1_SUCCESS);
}

static unsigned int type_of(uint64_t spa)
{
	uint64_t entry;

	ck_assert_uint_eq(nested_walk(spa, &entry), 1);
	return TYPE(entry);
}

START_TEST(other_types_when_it_comes_back)
{
	with_vm(1);
	ck_assert_uint_eq(give(linux_page(0), PAGE), MK1_SUCCESS);
	ck_assert_uint_eq(give(BLOCK, SIZE_2M), MK1_SUCCESS);
	half_is_uncacheable(BLOCK + 0x100000);
	expect_hidden(BLOCK, SIZE_2M);
	/* there is no page for a table: it stays as it is, and can be used */
	while (pool_alloc() != BLOCK)
		;
	pool_free(BLOCK);
	drain_pool(0);
	for (uint64_t off = 0; off < SIZE_2M; off += PAGE) {
		memset(phys_at(BLOCK + off), 0x11, PAGE);
		pool_free(BLOCK + off);
	}
	/* All of it is free, and that is where the page would come from. */
	ck_assert_uint_eq(take_back(BLOCK), MK2_FAILURE_NO_MEMORY);
	expect_hidden(BLOCK, SIZE_2M);
	ck_assert_uint_eq(bad_pages(BLOCK, SIZE_2M, 0), 0);
	ck_assert_uint_eq(pool_alloc(), BLOCK);
	ck_assert_uint_eq(take_back(BLOCK), MK2_FAILURE_BUSY);
	pool_free(BLOCK);
	pool_free(linux_page(0));
	ck_assert_uint_eq(take_back(BLOCK), SIZE_2M);
	expect_linux(BLOCK, SIZE_2M, 1);
	ck_assert_uint_eq(type_of(BLOCK + 0xFF000), 6);
	ck_assert_uint_eq(type_of(BLOCK + 0x100000), 0);
}
END_TEST

/* Part of a block whose rest has been retyped; and whole again with the MTRRs. */
START_TEST(types_of_the_rest)
{
	with_vm(1);
	ck_assert_uint_eq(give(BLOCK + 0xFF000, 2 * PAGE), MK1_SUCCESS);
	half_is_uncacheable(BLOCK + 0x100000);
	expect_hidden(BLOCK + 0xFF000, 2 * PAGE);
	ck_assert_uint_eq(type_of(BLOCK + 0x102000), 0);
	ck_assert_uint_eq(take_back(BLOCK + 0xFF000), 2 * PAGE);
	ck_assert_uint_eq(type_of(BLOCK + 0xFF000), 6);
	ck_assert_uint_eq(type_of(BLOCK + 0x100000), 0);
	/* a whole block that is a table */
	ck_assert_uint_eq(give(BLOCK, SIZE_2M), MK1_SUCCESS);
	expect_hidden(BLOCK, SIZE_2M);
	ck_assert_uint_eq(SYS(intrinsic_wrmsr, HANDLE, 0x203, 0), MK1_SUCCESS);
	ck_assert_uint_eq(take_back(BLOCK), SIZE_2M);
	expect_linux(BLOCK, SIZE_2M, 2);
}
END_TEST

/* --- the arguments ---------------------------------------------------------------------------- */

START_TEST(arguments)
{
	with_vm(_i);
	ck_assert_uint_eq(give(0, PAGE), REG1);
	ck_assert_uint_eq(give(linux_page(0) + 1, PAGE), REG1);
	ck_assert_uint_eq(give(MK1_SPA_LIMIT, PAGE), REG1);
	ck_assert_uint_eq(give(~0ULL << 12, PAGE), REG1);
	ck_assert_uint_eq(give(linux_page(0), 0), REG2);
	ck_assert_uint_eq(give(linux_page(0), PAGE + 1), REG2);
	ck_assert_uint_eq(give(linux_page(0), MK2_DONATION_MAX_BYTES + PAGE), REG2);
	ck_assert_uint_eq(give(linux_page(0), ~0ULL << 12), REG2);
	ck_assert_uint_eq(give(MK1_SPA_LIMIT - PAGE, 2 * PAGE), REG2);
	/* where no PML4 has an entry */
	ck_assert_uint_eq(give(1ULL << 39, PAGE), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(give((1ULL << 39) - PAGE, 2 * PAGE), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(give(RAM_1G, MK2_DONATION_MAX_BYTES), MK1_SUCCESS);
	ck_assert_uint_eq(SYS2(mem_donate, HANDLE, linux_page(0), PAGE),
			  MK1_FAILURE_INVALID_HANDLE);
	ck_assert_uint_eq(SYS2(mem_return, HANDLE, RAM_1G), MK1_FAILURE_INVALID_HANDLE);
}
END_TEST

START_TEST(without_nested_paging)
{
	machine_of(_i);
	if (_i)
		msr_set(cpu, MSR_VMX_EPT_VPID_CAP, 0);
	else
		cpuid_set(0x8000000A, 0, 1, 16, 0, 0);
	open_and_launch();
	ck_assert_uint_eq(give(linux_page(0), PAGE), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(take_back(linux_page(0)), REG1);
}
END_TEST

/* All ranges, one after the other. */
START_TEST(what_is_ram)
{
	static const uint64_t ends[][2] = { { 0, 0x9F000 },
					    { 0x100000, 0xC0000000 },
					    { 0x100000000, RAM_TOP } };
	static const struct {
		uint64_t spa, begin;
	} cases[] = {
		{ 0x9EFFF, 0 },
		{ 0x9F000, 0x100000 },
		{ 0x100000, 0x100000 },
		{ ODD_OWNED, 0x100000 },
		{ 0xBFFFFFFF, 0x100000 },
		{ 0xC0000000, 0x100000000 },
		{ RAM_TOP - 1, 0x100000000 },
	};
	uint64_t spa = 0;

	machine_of(_i);
	open_and_launch();
	for (unsigned int i = 0; i < 3; i++) {
		ck_assert_uint_eq(SYS2(mem_ram, HANDLE2, spa), MK1_SUCCESS);
		ck_assert_uint_eq(regs.reg[0], ends[i][0]);
		spa = regs.reg[0] + regs.reg[1];
		ck_assert_uint_eq(spa, ends[i][1]);
	}
	ck_assert_uint_eq(SYS2(mem_ram, HANDLE2, spa), REG1);
	ck_assert_uint_eq(SYS2(mem_ram, HANDLE2, UINT64_MAX), REG1);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_uint_eq(SYS2(mem_ram, HANDLE2, cases[i].spa), MK1_SUCCESS);
		ck_assert_uint_eq(regs.reg[0], cases[i].begin);
	}
	ck_assert_uint_eq(SYS2(mem_ram, HANDLE, 0), MK1_FAILURE_INVALID_HANDLE);
}
END_TEST

/* The extension gets a page of it like any other. */
START_TEST(the_extension_has_it)
{
	uint64_t va = 0, spa;

	machine_defaults(_i ? BF_VENDOR_INTEL : BF_VENDOR_AMD);
	m.la57 = true;
	machine_init();
	if (_i)
		msr_set(cpu, MSR_VMX_CR4_FIXED1, msr_get(cpu, MSR_VMX_CR4_FIXED1) | CR4_LA57);
	open_and_launch();
	ck_assert_uint_eq(give(linux_page(0), 4 * PAGE), MK1_SUCCESS);
	expect_hidden(linux_page(0), 4 * PAGE);
	do {
		ck_assert_uint_eq(SYS(mem_alloc_page, HANDLE), MK1_SUCCESS);
		va = regs.reg[0];
		spa = regs.reg[1];
	} while (!pool_overlaps(spa, PAGE));
	ck_assert_ptr_eq(mmu_user(va, true, false), phys_at(spa));
	ck_assert_uint_eq(take_back(linux_page(0)), MK2_FAILURE_BUSY);
	ck_assert_uint_eq(SYS(mem_free_page, HANDLE, va), MK1_SUCCESS);
	ck_assert(!mmu_user(va, false, false));
	/* there was nothing else left, but no table of the extension's window lies there */
	ck_assert_uint_eq(take_back(linux_page(0)), 4 * PAGE);
}
END_TEST

TCase *mem_donation_tests(void)
{
	TCase *tc = tcase_create("mem_donation");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, a_few_pages, 0, 2);
	tcase_add_loop_test(tc, all_of_it_comes_and_goes, 0, 2 * NR_RANGES);
	tcase_add_loop_test(tc, the_oldest_first, 0, 2);
	tcase_add_loop_test(tc, too_many, 0, 2);
	tcase_add_loop_test(tc, not_linux_s_memory, 0, 2);
	tcase_add_loop_test(tc, what_a_guest_has, 0, 2);
	tcase_add_loop_test(tc, what_a_direct_map_shows, 0, 2);
	tcase_add_loop_test(tc, others_who_want_it, 0, 2);
	tcase_add_loop_test(tc, everybody_forgets, 0, 2);
	tcase_add_loop_test(tc, a_pp_that_does_not_answer, 0, 2);
	tcase_add_loop_test(tc, without_memory, 0, 4 * 24);
	tcase_add_loop_test(tc, a_gib_in_one_page, 0, 2);
	tcase_add_loop_test(tc, tables_that_are_not_free_yet, 0, 2);
	tcase_add_test(tc, other_types_when_it_comes_back);
	tcase_add_test(tc, types_of_the_rest);
	tcase_add_loop_test(tc, arguments, 0, 2);
	tcase_add_loop_test(tc, without_nested_paging, 0, 2);
	tcase_add_loop_test(tc, what_is_ram, 0, 2);
	tcase_add_loop_test(tc, the_extension_has_it, 0, 2);
	return tc;
}
