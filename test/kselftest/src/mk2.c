// SPDX-License-Identifier: GPL-2.0-only
/* mk2 CASE: one thing about guests that are made by Mk#2. Says what did not hold. */
#include "mk2_guest.h"

static void test_run(void)
{
	struct guest g = make_guest();

	LOAD(PAGE_CODE, code_copy);
	for (uint64_t round = 1; round <= 3; round++) {
		words(PAGE_TARGET)[0] = 0x1000 + round;
		EXPECT_RUN(&g, halted());
		EXPECT(words(PAGE_DATA)[0] == 0x1000 + round);
		EXPECT(words(PAGE_DATA)[1] == round);
	}
	destroy_guest(&g);
}

static void test_unmap(void)
{
	struct guest g = make_guest();

	LOAD(PAGE_CODE, code_copy);
	EXPECT_RUN(&g, halted());
	unmap_and_flush(g.vmid, AT(PAGE_TARGET), PAGE);
	EXPECT_FAULT(&g, AT(PAGE_TARGET));
	EXPECT(words(PAGE_DATA)[1] == 1);
	/* another page in its place */
	words(PAGE_TARGET + 1)[0] = 0x77;
	EXPECT_STATUS(map(g.vmid, AT(PAGE_TARGET), spa(PAGE_TARGET + 1), PAGE, MK2_NESTED_R),
		      MK1_SUCCESS);
	EXPECT_RUN(&g, halted());
	EXPECT(words(PAGE_DATA)[0] == 0x77);
	unmap_and_flush(g.vmid, AT(PAGE_CODE), PAGE);
	EXPECT_FAULT(&g, AT(PAGE_CODE));
	unmap_and_flush(g.vmid, 0, SIZE_2M);
	EXPECT_RUN(&g, not_mapped());
	destroy_guest(&g);
}

static uint64_t protect(uint64_t vmid, unsigned int page, uint64_t rights)
{
	uint64_t status = CALL2(vm_nested_protect, vmid, AT(page), PAGE, rights);

	return status == MK1_SUCCESS ? CALL2(vm_nested_flush, vmid, out0) : status;
}

static void test_protect(void)
{
	struct guest g = make_guest();

	LOAD(PAGE_CODE, code_write);
	EXPECT_RUN(&g, halted());
	EXPECT_STATUS(protect(g.vmid, PAGE_TARGET, MK2_NESTED_R), MK1_SUCCESS);
	words(PAGE_TARGET)[0] = 0x55;
	EXPECT_FAULT(&g, AT(PAGE_TARGET));
	EXPECT(words(PAGE_TARGET)[0] == 0x55);
	LOAD(PAGE_CODE, code_copy);
	EXPECT_RUN(&g, halted());
	EXPECT(words(PAGE_DATA)[0] == 0x55);
	LOAD(PAGE_CODE, code_jump);
	LOAD(PAGE_TARGET, code_halt);
	EXPECT_FAULT(&g, AT(PAGE_TARGET));
	EXPECT_STATUS(protect(g.vmid, PAGE_TARGET, MK2_NESTED_R | MK2_NESTED_X), MK1_SUCCESS);
	EXPECT(EXPECT_RUN(&g, halted()).rip == AT(PAGE_TARGET));
	LOAD(PAGE_CODE, code_write);
	EXPECT_FAULT(&g, AT(PAGE_TARGET));
	EXPECT_STATUS(protect(g.vmid, PAGE_TARGET, MK2_NESTED_RWX), MK1_SUCCESS);
	EXPECT_RUN(&g, halted());
	destroy_guest(&g);
}

/* The bitmap of the guest's pages; what is clean now is so for the CPU as well. */
static uint64_t dirty(uint64_t vmid)
{
	EXPECT_STATUS(CALL2(vm_nested_dirty, vmid, 0, AT(NR_PAGES), buffer_va()), MK1_SUCCESS);
	EXPECT_STATUS(CALL2(vm_nested_flush, vmid, out0), MK1_SUCCESS);
	return get(0);
}

static void test_dirty(void)
{
	struct guest g = make_guest();
	const uint64_t target = 1 << PAGE_TARGET, data = 1 << PAGE_DATA, code = 1 << PAGE_CODE;

	EXPECT(dirty(g.vmid) == 0);
	for (unsigned int round = 0; round < 3; round++) {
		LOAD(PAGE_CODE, code_write);
		EXPECT_RUN(&g, halted());
		EXPECT((dirty(g.vmid) & (target | data | code)) == target);
		EXPECT(dirty(g.vmid) == 0);
		LOAD(PAGE_CODE, code_copy);
		EXPECT_RUN(&g, halted());
		EXPECT((dirty(g.vmid) & (target | data | code)) == data);
	}
	destroy_guest(&g);
}

static uint64_t query(uint64_t vmid, unsigned int page)
{
	EXPECT_STATUS(CALL2(vm_nested_query, vmid, AT(page) + 0x123), MK1_SUCCESS);
	EXPECT(out0 == spa(page));
	return out1;
}

static void test_query(void)
{
	struct guest g = make_guest();

	EXPECT(query(g.vmid, PAGE_TARGET) == MK2_NESTED_RWX);
	LOAD(PAGE_CODE, code_copy);
	EXPECT_RUN(&g, halted());
	EXPECT(query(g.vmid, PAGE_TARGET) == (MK2_NESTED_RWX | MK2_NESTED_ACCESSED));
	EXPECT(query(g.vmid, PAGE_DATA) ==
	       (MK2_NESTED_RWX | MK2_NESTED_ACCESSED | MK2_NESTED_DIRTY));
	EXPECT_STATUS(CALL2(vm_nested_query, g.vmid, AT(NR_PAGES)), MK1_INVALID_INPUT_REG(2));
	destroy_guest(&g);
}

/* A page of 2 MiB in place of those of 4 KiB, and the reverse. */
static void test_large(void)
{
	struct guest g = make_guest();
	uint64_t before = large_spa[1];

	LOAD(PAGE_CODE, code_copy);
	EXPECT_RUN(&g, halted());
	EXPECT_STATUS(map(g.vmid, 0, large_spa[0], SIZE_2M, MK2_NESTED_RWX | MK2_NESTED_2M),
		      MK2_FAILURE_EXISTS);
	unmap_and_flush(g.vmid, 0, SIZE_2M);
	EXPECT_STATUS(map(g.vmid, 0, large_spa[0], SIZE_2M, MK2_NESTED_RWX | MK2_NESTED_2M),
		      MK1_SUCCESS);
	EXPECT_STATUS(map(g.vmid, SIZE_2M, before, SIZE_2M, MK2_NESTED_R | MK2_NESTED_2M),
		      MK1_SUCCESS);
	words(PAGE_TARGET)[0] = 0x2222;
	EXPECT_RUN(&g, halted());
	EXPECT(words(PAGE_DATA)[0] == 0x2222);
	EXPECT_STATUS(CALL2(vm_nested_dirty, g.vmid, 0, 2 * SIZE_2M, buffer_va()), MK1_SUCCESS);
	EXPECT_STATUS(CALL2(vm_nested_flush, g.vmid, out0), MK1_SUCCESS);
	EXPECT(get(0) == ~0ULL && get(7) == ~0ULL && get(8) == 0 && get(15) == 0);
	EXPECT_STATUS(CALL2(vm_nested_unmap, g.vmid, AT(PAGE_TARGET), PAGE),
		      MK1_INVALID_INPUT_REG(3));
	unmap_and_flush(g.vmid, 0, 2 * SIZE_2M);
	EXPECT_FAULT(&g, 0);
	EXPECT_STATUS(map(g.vmid, 0, spa(0), AT(NR_PAGES), MK2_NESTED_RWX), MK1_SUCCESS);
	EXPECT_RUN(&g, halted());
	destroy_guest(&g);
}

/* The hypervisor's memory, as the extension has it, beyond all memory, and another VM's. */
static void test_refused(void)
{
	uint64_t one = make_vm(), two = make_vm(), owned, va;

	EXPECT_STATUS(CALL1(mem_alloc_page, 0), MK1_SUCCESS);
	va = out0;
	owned = out1;
	EXPECT_STATUS(map(one, 0, owned, PAGE, MK2_NESTED_R), MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(map(one, 0, owned & ~(SIZE_2M - 1), SIZE_2M, MK2_NESTED_R | MK2_NESTED_2M),
		      MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(CALL1(mem_free_page, va), MK1_SUCCESS);
	EXPECT_STATUS(map(one, 0, owned, PAGE, MK2_NESTED_R), MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(map(one, 0, 1ULL << 47, PAGE, MK2_NESTED_R), MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(map(one, 0, 0xFEE00000, PAGE, MK2_NESTED_R), MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(map(one, 0, spa(0), 4 * PAGE, MK2_NESTED_RWX), MK1_SUCCESS);
	EXPECT_STATUS(map(two, 0, spa(3), PAGE, MK2_NESTED_R), MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(map(two, 0, large_spa[0], SIZE_2M, MK2_NESTED_R | MK2_NESTED_2M),
		      MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(map(two, 0, spa(4), PAGE, MK2_NESTED_R), MK1_SUCCESS);
	EXPECT_STATUS(map(MK1_ROOT_VMID, 1ULL << 46, spa(5), PAGE, MK2_NESTED_R),
		      MK1_INVALID_INPUT_REG(1));
	unmap_and_flush(one, 0, 4 * PAGE);
	EXPECT_STATUS(map(two, PAGE, spa(3), PAGE, MK2_NESTED_R), MK1_SUCCESS);
	EXPECT_STATUS(CALL1(vm_destroy_vm, one), MK1_SUCCESS);
	EXPECT_STATUS(CALL1(vm_destroy_vm, two), MK1_SUCCESS);
}

/* Each handle is good for its own specification, and the table is nobody's to choose. */
static void test_handles(void)
{
	struct guest g = make_guest();
	uint64_t root = reg(MK1_AMD_n_cr3, MK1_INTEL_ept_pointer);

	EXPECT_STATUS(call(MK2_vm_nested_query, MK1_HANDLE, g.vmid, 0, 0, 0, 0),
		      MK1_FAILURE_INVALID_HANDLE);
	EXPECT_STATUS(call(MK1_vs_read, MK2_HANDLE, g.vsid, root, 0, 0, 0),
		      MK1_FAILURE_INVALID_HANDLE);
	EXPECT_STATUS(call(MK1_handle_open_handle, MK2_SPEC_ID, 0, 0, 0, 0, 0),
		      MK1_FAILURE_UNKNOWN);
	EXPECT_STATUS(call(MK1_handle_close_handle, MK2_HANDLE, 0, 0, 0, 0, 0), MK1_SUCCESS);
	EXPECT_STATUS(CALL2(vm_nested_query, g.vmid, 0), MK1_FAILURE_INVALID_HANDLE);
	EXPECT_STATUS(call(MK1_handle_open_handle, MK2_SPEC_ID, 0, 0, 0, 0, 0), MK1_SUCCESS);
	EXPECT(out0 == MK2_HANDLE);
	EXPECT(read_reg(&g, root) == 0);
	EXPECT_STATUS(CALL1(vs_write, g.vsid, root, spa(0)), MK1_INVALID_INPUT_REG(3));
	EXPECT_STATUS(CALL1(vs_write, g.vsid, root, 0), MK1_INVALID_INPUT_REG(3));
	/* nested paging stays on */
	write_reg(&g, reg(MK1_AMD_ctls1, MK1_INTEL_secondary_proc_based_vm_execution_ctls), 0);
	unmap_and_flush(g.vmid, AT(PAGE_TARGET), PAGE);
	LOAD(PAGE_CODE, code_copy);
	EXPECT_FAULT(&g, AT(PAGE_TARGET));
	destroy_guest(&g);
}

static void test_lists(void)
{
	struct guest g = make_guest();
	uint64_t va = buffer_va();

	for (unsigned int i = 0; i < NR_STATE; i++)
		put_entry(i, reg(state[i].amd, state[i].intel), 0x5A5A);
	EXPECT_STATUS(CALL2(vs_read_list, g.vsid, va, NR_STATE), MK1_SUCCESS);
	EXPECT(out0 == NR_STATE);
	for (unsigned int i = 0; i < NR_STATE; i++) {
		uint64_t number = get(2 * i), value = get(2 * i + 1);

		EXPECT(number == reg(state[i].amd, state[i].intel));
		EXPECT(value == read_reg(&g, number));
	}
	put_entry(1, 0xFFFF, 0);
	EXPECT_STATUS(CALL2(vs_read_list, g.vsid, va, 3), MK2_FAILURE_LIST);
	EXPECT(out0 == 1);
	EXPECT_STATUS(CALL2(vs_read_list, g.vsid, va, MK2_LIST_MAX + 1), MK1_INVALID_INPUT_REG(3));
	EXPECT_STATUS(CALL2(vs_read_list, g.vsid, 0, 1), MK1_INVALID_INPUT_REG(2));
	EXPECT_STATUS(CALL2(vs_write_list, g.vsid, MK1_DIRECT_MAP_BASE, 1),
		      MK1_INVALID_INPUT_REG(2));
	destroy_guest(&g);
}

/* --- two CPUs --------------------------------------------------------------------------------- */

/* A guest that loops on CPU 1, until it is told to end or something happens. */
static struct guest looping;
static struct run loop_end;

static void *loop(void *unused)
{
	(void)unused;
	on_cpu(1);
	make_vs(&looping, 1);
	loop_end = expect_run(&looping, not_mapped(), 0);
	return NULL;
}

static void *loop_until_stopped(void *unused)
{
	(void)unused;
	on_cpu(1);
	make_vs(&looping, 1);
	loop_end = expect_run(&looping, reg(SVM_EXIT_INTR, VMX_EXIT_EXTERNAL_INTERRUPT), 0);
	return NULL;
}

static void *destroy_loop(void *unused)
{
	(void)unused;
	on_cpu(1);
	destroy_vs(&looping);
	return NULL;
}

static pthread_t begin_loop(void *(*what)(void *unused))
{
	pthread_t thread;

	looping.vmid = make_vm();
	LOAD(PAGE_CODE, code_loop);
	EXPECT_STATUS(map(looping.vmid, 0, spa(0), AT(NR_PAGES), MK2_NESTED_RWX), MK1_SUCCESS);
	thread = begin(what);
	while (words(PAGE_DATA)[1] < 1000)
		sched_yield();
	return thread;
}

static void end_loop(pthread_t thread)
{
	pthread_join(thread, NULL);
	pthread_join(begin(destroy_loop), NULL);
	EXPECT_STATUS(CALL1(vm_destroy_vm, looping.vmid), MK1_SUCCESS);
}

/*
 * A page is taken from a guest that runs on another CPU: behind the flush it does not see any more
 * what is in there.
 */
static void test_flush(void)
{
	bool seen = false;

	for (unsigned int round = 0; round < 20; round++) {
		pthread_t thread = begin_loop(loop);

		EXPECT_STATUS(CALL2(vm_nested_unmap, looping.vmid, AT(PAGE_TARGET), PAGE),
			      MK1_SUCCESS);
		EXPECT_STATUS(CALL2(vm_nested_flush, looping.vmid, out0), MK1_SUCCESS);
		words(PAGE_TARGET)[0] = 0x5EC3E7;
		pthread_join(thread, NULL);
		seen |= words(PAGE_DATA)[0] == 0x5EC3E7;
		EXPECT((loop_end.gpa & ~(PAGE - 1)) == AT(PAGE_TARGET));
		pthread_join(begin(destroy_loop), NULL);
		EXPECT_STATUS(CALL1(vm_destroy_vm, looping.vmid), MK1_SUCCESS);
	}
	EXPECT(!seen);
}

static void test_kick(void)
{
	for (unsigned int round = 0; round < 20; round++) {
		pthread_t thread = begin_loop(loop_until_stopped);
		uint64_t rbx = 0, rdx = 1;

		EXPECT_STATUS(ask(MK2_TEST_STOP, &rbx, &rdx, 0, 0, 0, 0, 0), MK1_SUCCESS);
		end_loop(thread);
	}
}

/* So many VMs, one after the other, leave nothing behind. */
static void test_again(void)
{
	for (unsigned int i = 0; i < 10; i++)
		test_large();
	test_run();
	EXPECT_STATUS(call(MK1_debug_dump_page_pool, 0, 0, 0, 0, 0, 0), MK1_SUCCESS);
}

static const struct mk2_case cases[] = {
	{ "run", test_run },         { "unmap", test_unmap },     { "protect", test_protect },
	{ "dirty", test_dirty },     { "query", test_query },     { "large", test_large },
	{ "refused", test_refused }, { "handles", test_handles }, { "lists", test_lists },
	{ "kick", test_kick },       { "again", test_again },     { "flush", test_flush },
};

int main(int argc, char **argv)
{
	return argc > 1 ? run_case(cases, sizeof(cases) / sizeof(cases[0]), argv[1]) : 2;
}
